/** Builds the program against one ioredis, with a bug in it or without, and runs it as a process of its own. */
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { patching } from '../sim/mutate.ts';
import type { Mutant } from '../sim/mutants.ts';
import type { Profile, Topology } from './plan.ts';
import type { Verdict } from './seed.ts';

/** What to run. */
export interface Errand {
  readonly topology: Topology;
  /** The major of ioredis. */
  readonly ioredis: 5 | 6;
  readonly from: number;
  readonly seeds: number;
  readonly profile?: Profile | undefined;
  readonly mutant?: Mutant | undefined;
}

/** Runs a program of this folder. Resolves to its exit code. @param onLine - called with each line that it prints */
export async function launch(
  program: string,
  ioredis: 5 | 6,
  mutant: Mutant | undefined,
  flags: readonly string[],
  onLine: (line: string) => void,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-chaos-'));
  try {
    const outfile = join(folder, 'chaos.mjs');
    await build({
      entryPoints: [resolve('__tests__/chaos', program)],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
      alias: { ioredis: ioredis === 6 ? 'ioredis-v6' : 'ioredis' },
      // For the packages in it that are CommonJS.
      banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
      plugins: mutant ? [patching(mutant)] : [],
    });
    return await run([outfile, ...flags], onLine);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function run(args: readonly string[], onLine: (line: string) => void): Promise<number> {
  const child = spawn(process.execPath, ['--expose-gc', '--no-warnings', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  for await (const line of createInterface({ input: child.stdout })) onLine(line);
  return (await ended) ?? 1;
}

/** Runs seeds; with a mutant, until one finds it. @param onVerdict - called with each */
export async function runSeeds(errand: Errand, onVerdict: (verdict: Verdict) => void): Promise<void> {
  const { topology, ioredis, from, seeds, profile, mutant } = errand;
  const flags = ['--topology', topology, '--from', String(from), '--seeds', String(seeds)];
  if (profile) flags.push('--profile', profile);
  if (mutant) flags.push('--stop');
  const code = await launch('program.ts', ioredis, mutant, flags, (line) => {
    onVerdict(JSON.parse(line) as Verdict);
  });
  if (code !== 0) throw new Error(`The runs of ${topology} ended with ${code}.`);
}

/** Violations of each invariant that are told of. */
const TOLD = 3;
const COUNT = 12;

/** What is wrong, how it came about, and how to see it happen again. */
export function replayOf({ topology, ioredis, profile, mutant }: Errand, verdict: Verdict): string {
  const { seed, violations, history } = verdict;
  const flags = [
    `--seed ${seed} --topology ${topology} --ioredis ${ioredis}`,
    ...(profile ? [`--profile ${profile}`] : []),
    ...(mutant ? [`--mutant "${mutant.title}"`] : []),
  ];
  const told = new Map<string, number>();
  const lines = violations.flatMap(({ invariant, text }) => {
    const count = (told.get(invariant) ?? 0) + 1;
    told.set(invariant, count);
    return count > TOLD ? [] : [`  ${invariant}: ${text}`];
  });
  return [
    `seed ${seed}, ${verdict.profile}, fails; replay it with: npm run chaos -- ${flags.join(' ')}`,
    ...lines.slice(0, COUNT),
    ...[...told].map(([invariant, count]) => `  ${count} times: ${invariant}`),
    ...history.map((line) => `  ${line}`),
  ].join('\n');
}
