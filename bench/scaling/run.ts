/** `npm run bench:scaling -- [--passes 3] [--json bench/results/scaling.json] [--docs docs/scaling.md]`: see ../README.md. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { surroundings } from '../surroundings.ts';
import type { Put, Results } from './figures.ts';
import { measureCluster, measureOne } from './measure.ts';
import { measureBus, measureMemory } from './memory.ts';
import { startOne } from './servers.ts';
import { fill } from './tables.ts';

async function measure(passes: number): Promise<Results> {
  const figures: Record<string, number[]> = {};
  const put: Put = (name, values) => {
    for (const [key, value] of Object.entries(values)) {
      (figures[`${name}/${key}`] ??= []).push(Number(Number(value).toPrecision(4)));
    }
    console.log(name, JSON.stringify(values));
  };
  const server = await startOne();
  const [admin] = server.admins;
  if (!admin) throw new Error('there is one');
  const where = await surroundings(admin, []);
  await server.stop();
  for (let pass = 0; pass < passes; pass += 1) {
    await measureOne(put);
    for (const masters of [3, 6]) await measureCluster(masters, put);
  }
  await measureMemory(put);
  await measureBus(put);
  return { where, figures };
}

/** @param file - without it, what is in the JSON already goes into the guide */
async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { passes: { ...text, default: '3' }, json: text, docs: text } });
  const { json, docs } = values;
  const passes = Number(values.passes);
  if (passes === 0 && (json === undefined || !existsSync(json)))
    throw new Error('--passes 0 needs a file that is there');
  const results = passes > 0 ? await measure(passes) : (JSON.parse(readFileSync(json ?? '', 'utf8')) as Results);
  if (json !== undefined && passes > 0) writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`);
  if (docs === undefined) return;
  const filled = fill(readFileSync(docs, 'utf8'), results);
  writeFileSync(docs, await format(filled, { ...(await resolveConfig(docs)), parser: 'markdown' }));
}

// So that the servers' `exit` handlers run.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

await main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
process.exit();
