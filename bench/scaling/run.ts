/** `npm run bench:scaling -- [--only stores,waits,memory,cluster,bus,mixed] [--json bench/results/scaling.json] [--docs docs/scaling.md]`: see ../README.md. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { surroundings } from '../surroundings.ts';
import { floor } from '../competitors/floor.ts';
import { ours } from '../competitors/ours.ts';
import { startPlain } from './deployment.ts';
import { measureBus } from './pieces/bus.ts';
import { measureCluster } from './pieces/cluster.ts';
import { measureMemory } from './pieces/memory.ts';
import { measureMixed } from './pieces/mixed.ts';
import { measureStores } from './pieces/stores.ts';
import { measureWaits } from './pieces/waits.ts';
import type { PieceName, Results } from './results.ts';
import { fill } from './tables.ts';

const pieces: { readonly [Name in PieceName]: () => Promise<Results[Name]['figures']> } = {
  stores: measureStores,
  waits: measureWaits,
  memory: measureMemory,
  cluster: measureCluster,
  bus: measureBus,
  mixed: measureMixed,
};
const names = Object.keys(pieces) as PieceName[];

async function where(): Promise<Record<string, string>> {
  const plain = await startPlain();
  const [admin] = plain.admins;
  if (!admin) throw new Error('there is one');
  try {
    return await surroundings(admin, [ours, floor]);
  } finally {
    await plain.stop();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { only: { type: 'string', default: names.join(',') }, json: { type: 'string' }, docs: { type: 'string' } },
  });
  const wanted = values.only.split(',').filter(Boolean);
  const unknown = wanted.filter((name) => !names.some((each) => each === name));
  if (unknown.length > 0) throw new Error(`--only: no such piece: ${unknown.join(', ')}.`);
  const file = values.json;
  for (const name of names.filter((each) => wanted.includes(each))) {
    const piece = { where: await where(), figures: await pieces[name]() };
    console.log(JSON.stringify({ [name]: piece }, null, 2));
    if (file === undefined) continue;
    // Each piece has its own date, so that one may be measured again alone.
    const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<Results>) : {};
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify({ ...before, [name]: piece }, null, 2)}\n`);
  }
  if (values.docs !== undefined && file !== undefined) {
    const filled = fill(readFileSync(values.docs, 'utf8'), JSON.parse(readFileSync(file, 'utf8')) as Results);
    writeFileSync(values.docs, await format(filled, { ...(await resolveConfig(values.docs)), parser: 'markdown' }));
  }
}

// So that the servers' `exit` handlers run.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

await main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
