/** `npm run bench -- [--only wake,stores] [--rounds 5] [--json file] [--profile folder]`: see README.md. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { competitors } from './competitors.ts';
import { keyOf, newIds, type Question, sample, Worker } from './harness.ts';
import { questions } from './questions/index.ts';
import { type Answer, rows, surroundings, table } from './report.ts';
import { startServer } from './server.ts';

const floor = competitors.at(-1)?.name ?? '';

/** Asks one question: a round of each competitor in turn, the order reversed each time. The first round warms up. */
async function ask(question: Question, port: number, rounds: number, execArgv: readonly string[]): Promise<Answer[]> {
  const workers = competitors.map(({ name }) => ({
    worker: new Worker([question.name, name, String(port), 'measure'], execArgv),
    measured: [] as (readonly number[])[],
  }));
  try {
    for (const { worker } of workers) await worker.ask(['prepare']);
    for (let round = 0; round <= rounds; round += 1) {
      for (const { worker, measured } of round % 2 === 0 ? workers : workers.toReversed()) {
        const figures = await worker.ask(['round']);
        if (round > 0) measured.push(figures);
      }
    }
  } finally {
    await Promise.all(workers.map(({ worker }) => worker.stop()));
  }
  return question.figures.map((figure, f) => ({
    question: question.name,
    ...figure,
    rounds: Object.fromEntries(
      competitors.map(({ name }, c) => [name, workers[c]?.measured.map((figures) => figures[f] ?? NaN) ?? []]),
    ),
  }));
}

/** What the competitors store must be the same, but for its date. */
async function checkBytes(port: number, admin: Redis): Promise<void> {
  const [id = ''] = newIds(1);
  const stored = new Set<string>();
  for (const competitor of competitors) {
    const peer = await competitor.open(port, true);
    await admin.del(keyOf(id));
    await peer.store(id, sample('0'));
    stored.add(String(await admin.get(keyOf(id))).replace(/(?<="date_done": ")[^"]+/, ''));
    await peer.close();
  }
  if (stored.size > 1) throw new Error(`The competitors store different bytes:\n${[...stored].join('\n')}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: questions.map(({ name }) => name).join(',') },
      rounds: { type: 'string', default: '5' },
      json: { type: 'string' },
      profile: { type: 'string' },
    },
  });
  const wanted = values.only.split(',');
  const unknown = wanted.filter((name) => !questions.some((question) => question.name === name));
  const rounds = Number(values.rounds);
  if (unknown.length > 0) throw new Error(`--only: no such question: ${unknown.join(', ')}.`);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds: expected a whole number of at least 1.');
  const profiling = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`];
  const execArgv = [...process.execArgv, '--expose-gc', ...profiling];

  const server = await startServer();
  const admin = new Redis(server.port, '127.0.0.1');
  const where = await surroundings(admin);
  for (const [name, value] of Object.entries(where)) console.log(`${name.padEnd(22)}${value}`);
  console.log(`${'figures'.padEnd(22)}min, median, max of ${rounds} rounds; ratio to ${floor} (min to max)\n`);
  await checkBytes(server.port, admin);
  const answers: Answer[] = [];
  for (const question of questions.filter(({ name }) => wanted.includes(name))) {
    await admin.flushall();
    const found = await ask(question, server.port, rounds, execArgv);
    for (const answer of found) console.log(table(answer, floor));
    answers.push(...found);
  }
  if (values.json !== undefined) {
    const figures = answers.map((answer) => ({ ...answer, summary: rows(answer, floor) }));
    writeFileSync(values.json, `${JSON.stringify({ where, rounds, floor, figures }, null, 2)}\n`);
  }
  await admin.quit();
  server.stop();
}

// So that the server's `exit` handler runs.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
