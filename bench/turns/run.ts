/** `npm run bench:turns -- [--waits 100000] [--rounds 5] [--json bench/results/turns.json]`: see ../README.md. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { burst } from '../measure.ts';
import { markdown } from '../report.ts';
import { startServer } from '../server.ts';
import { surroundings } from '../surroundings.ts';
import { phases } from './phases.ts';
import { share } from './pin.ts';
import type { Turns } from './probe.ts';
import { turnRows, type TurnsRun } from './table.ts';

const tell = (message: object): boolean | undefined => process.send?.(message);

/** What the measured process tells. */
type Told =
  { readonly prepare: readonly string[] } | { readonly store: true } | { readonly phase: string; turns: Turns };

/** The measured process: one round. */
async function measured(port: number, count: number): Promise<void> {
  const admin = new Redis(port, '127.0.0.1');
  const ground = {
    port,
    admin,
    count,
    prepare: async (ids: readonly string[]) => {
      tell({ prepare: ids });
      await once(process, 'message');
    },
    store: () => tell({ store: true }),
  };
  await phases(ground, (phase, turns) => tell({ phase, turns }));
  admin.disconnect();
  process.disconnect();
}

/** One round in a process of its own; this one stores. */
async function round(port: number, count: number, note: (phase: string, turns: Turns) => void): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['--port', String(port), '--waits', String(count)], {
    execArgv: ['--import', 'tsx'],
  });
  let stores: () => Promise<void> = () => Promise.resolve();
  const take = async (told: Told): Promise<void> => {
    if ('phase' in told) note(told.phase, told.turns);
    else if ('store' in told) await stores();
    else {
      stores = await burst(port, told.prepare);
      child.send('ready');
    }
  };
  child.on('message', (told) => void take(told as Told));
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the measured process ended with ${code}`);
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const options = { waits: { ...text, default: '100000' }, rounds: { ...text, default: '5' }, json: text, port: text };
  const { values } = parseArgs({ options });
  const count = Number(values.waits);
  if (values.port !== undefined) {
    await measured(Number(values.port), count);
    return;
  }
  share();
  const server = await startServer();
  const admin = new Redis(server.port, '127.0.0.1');
  const seen: Record<string, Turns[]> = {};
  const where = await surroundings(admin, []);
  for (let left = Number(values.rounds); left > 0; left -= 1) {
    await round(server.port, count, (phase, turns) => {
      (seen[phase] ??= []).push(turns);
      console.log(phase, JSON.stringify(turns));
    });
  }
  admin.disconnect();
  server.stop();
  const run: TurnsRun = { where, waits: count, phases: seen };
  console.log(`\n${markdown(turnRows(run))}`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(run, null, 1)}\n`);
}

await main();
