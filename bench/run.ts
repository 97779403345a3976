/**
 * `npm run bench -- [--quick] [--only wake,stores] [--competitors ioredis,bullmq] [--rounds 5] [--json file [--merge]]
 * [--profile folder]`: see README.md.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Redis } from 'ioredis';
import { ask, checkBytes } from './ask.ts';
import { parsePlan, type Plan } from './cli.ts';
import { floor } from './competitors/floor.ts';
import { competitors as all } from './competitors/index.ts';
import { ours } from './competitors/ours.ts';
import { GOALS, goalRows } from './goals.ts';
import { growthRows } from './growth.ts';
import { type Competitor, ofQuestion } from './harness.ts';
import { install, missingPackages } from './packages.ts';
import { questions } from './questions/index.ts';
import { type Answer, markdown, merge, type Run, table } from './report.ts';
import { startServer } from './server.ts';
import { surroundings } from './surroundings.ts';

/** Those that are there. Says which are not, and installs the packages of those that are wanted. */
function present(wanted: readonly Competitor[]): Competitor[] {
  const found = wanted.filter((competitor) => {
    const reason = competitor.absent?.();
    if (reason !== undefined) console.log(`without ${competitor.name}: ${reason}`);
    return reason === undefined;
  });
  const missing = missingPackages(found);
  if (missing.length > 0) {
    console.log(`installing what is compared with into bench/node_modules (${missing.join(', ')} missing):`);
    install();
  }
  return found;
}

function printReasons({ questions: asked, competitors }: Plan): void {
  for (const { name, cannot } of competitors) {
    const reasons = new Map<string, string[]>();
    for (const question of asked) {
      const reason = ofQuestion(cannot, question.name);
      if (reason !== undefined) reasons.set(reason, [...(reasons.get(reason) ?? []), question.name]);
    }
    for (const [reason, names] of reasons) console.log(`- ${name}, ${names.join(', ')}: ${reason}`);
  }
}

function printFailures(question: string, failures: Answer['failures'] = {}): void {
  for (const [name, reason] of Object.entries(failures))
    console.log(`  ${name} did not get through ${question}: ${reason}`);
}

async function measure(plan: Plan): Promise<Run> {
  const server = await startServer();
  const admin = new Redis(server.port, '127.0.0.1');
  const where = await surroundings(admin, plan.competitors);
  for (const [name, value] of Object.entries(where)) console.log(`${name.padEnd(30)}${value}`);
  console.log(
    `${'figures'.padEnd(30)}min, median, max of ${plan.rounds} rounds; ratio to ${floor.name} (min to max)\n`,
  );
  await checkBytes(server.port, plan.competitors);
  const profiling = plan.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${plan.profile}`];
  const execArgv = [...process.execArgv, '--expose-gc', ...profiling];
  const figures: Answer[] = [];
  for (const question of plan.questions) {
    await admin.flushall();
    const found = await ask(question, { ...plan, port: server.port, execArgv });
    for (const answer of found) console.log(table(answer, floor.name));
    printFailures(question.name, found[0]?.failures);
    figures.push(...found);
  }
  await admin.quit();
  server.stop();
  return { where, rounds: plan.rounds, floor: floor.name, figures };
}

function write(run: Run, file: string, merging: boolean): Run {
  const before = merging && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Run) : undefined;
  const order = questions.map(({ name }) => name);
  const { figures, ...rest } = merge(before, run);
  const sorted = figures.toSorted((a, b) => order.indexOf(a.question) - order.indexOf(b.question));
  const all = { ...rest, figures: sorted };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
  return all;
}

async function main(): Promise<void> {
  const wanted = parsePlan(process.argv.slice(2), { questions, competitors: all });
  const plan = { ...wanted, competitors: present(wanted.competitors) };
  const measured = await measure(plan);
  const run = plan.json === undefined ? measured : write(measured, plan.json, plan.merge);
  const names = plan.competitors.map(({ name }) => name);
  const growth = growthRows(run.figures, names);
  if (growth.length > 1) console.log(`\n${markdown(growth)}`);
  console.log(`\n${markdown(goalRows(run.figures, GOALS))}\n`);
  printReasons(plan);
  const own = run.figures.find(({ failures }) => ours.name in failures || floor.name in failures);
  if (own) throw new Error(`${own.question} was not answered by ${ours.name} and ${floor.name}.`);
}

// So that the server's `exit` handler runs.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
