/** Builds the simulator with a bug in it, and runs that. As a script: prints how many seeds find each. */
import { build, type Plugin } from 'esbuild';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Mutant, MUTANTS } from './mutants.ts';

/** What `main.ts --json` prints. */
export interface Report {
  readonly seeds: number;
  readonly failing: number;
  /** How many seeds violate each invariant. */
  readonly byInvariant: Readonly<Record<string, number>>;
  readonly first: readonly { readonly seed: number; readonly violations: readonly string[] }[];
  readonly seconds: number;
}

/** The text of a file with the bug in it. @throws unless what it replaces is there exactly once */
export function mutate(text: string, { title, file, from, to }: Mutant): string {
  const places = text.split(from).length - 1;
  if (places === 1) return text.replace(from, () => to);
  throw new Error(`src/${file} has ${places} places for the mutant "${title}": write it anew for the code as it is.`);
}

/** An esbuild plugin that plants a bug. */
export function patching(mutant: Mutant): Plugin {
  return {
    name: 'mutant',
    setup(bundle) {
      bundle.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        if (path !== resolve('src', mutant.file)) return undefined;
        return { contents: mutate(await readFile(path, 'utf8'), mutant), loader: 'ts' };
      });
    },
  };
}

/** Nothing connects by ioredis here, and to bundle it takes longer than to find most mutants. */
const withoutIoredis: Plugin = {
  name: 'without ioredis',
  setup(bundle) {
    bundle.onResolve({ filter: /^ioredis$/ }, () => ({ path: 'ioredis', namespace: 'stub' }));
    bundle.onLoad({ filter: /.*/, namespace: 'stub' }, () => ({ contents: 'export class Redis {}' }));
  },
};

/** Runs the simulator as a program of its own, with a bug in it or without. @param flags - see main.ts */
export async function simulate(mutant: Mutant | undefined, flags: readonly string[]): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-sim-'));
  try {
    const outfile = join(folder, 'sim.mjs');
    await build({
      entryPoints: [resolve('__tests__/sim/main.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
      // For the packages in it that are CommonJS.
      banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
      plugins: [withoutIoredis, ...(mutant ? [patching(mutant)] : [])],
    });
    return JSON.parse(await output(outfile, ['--json', ...flags])) as Report;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function output(script: string, flags: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, ...flags], { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      // Seeds that fail are no failure of the program.
      if (stdout.startsWith('{')) resolve(stdout);
      else reject(new Error(`The simulator ended without a report: ${stderr}`, { cause: error }));
    });
  });
}

/** Runs a mutant. @param stop - whether the first seed that finds it is enough */
export function simulateMutant(mutant: Mutant, seeds: number, stop: boolean): Promise<Report> {
  const until = `^(${mutant.caughtBy.join('|')})`;
  return simulate(mutant, ['--seeds', String(seeds), ...(stop ? ['--until', until] : [])]);
}

/** Whether a report is of what the mutant should break. */
export function isCaught({ byInvariant }: Report, { caughtBy }: Mutant): boolean {
  return Object.keys(byInvariant).some((name) => caughtBy.some((beginning) => name.startsWith(beginning)));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { seeds: { type: 'string', default: '1000' }, only: { type: 'string', default: '' } },
  });
  for (const mutant of MUTANTS.filter(({ title }) => title.includes(values.only))) {
    const report = await simulateMutant(mutant, Number(values.seeds), false);
    const verdict = isCaught(report, mutant) ? 'found' : 'MISSED';
    const first = report.first[0]?.seed ?? 'none';
    console.log(
      `${verdict} by ${report.failing} of ${report.seeds}: ${mutant.title} (first: ${first})`,
      report.byInvariant,
    );
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
