/** What an installation brings. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Competitor } from './harness.ts';

const BENCH = fileURLToPath(new URL('.', import.meta.url));
const ROOT = dirname(BENCH.replace(/\/$/, ''));

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

/** Where a package is found from a folder, as Node looks for it. */
export function folderOf(name: string, from: string): string | undefined {
  const folder = join(from, 'node_modules', name);
  if (existsSync(join(folder, 'package.json'))) return folder;
  return dirname(from) === from ? undefined : folderOf(name, dirname(from));
}

/** Adds the folders of these packages and of what they depend on. What is optional and not there, is left out. */
function gather(names: readonly string[], from: string, found: Set<string>): Set<string> {
  for (const name of names) {
    const folder = folderOf(name, from);
    if (folder === undefined || found.has(folder)) continue;
    found.add(folder);
    gather(Object.keys(manifestOf(folder).dependencies ?? {}), folder, found);
  }
  return found;
}

/** The bytes of a package's own files. */
function bytesOf(folder: string): number {
  let total = 0;
  for (const { name, parentPath } of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = join(parentPath, name);
    const own = !file.slice(folder.length).includes('/node_modules');
    const { size } = lstatSync(file);
    if (own && lstatSync(file).isFile()) total += size;
  }
  return total;
}

function packedBytes(): number {
  const text = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const answer = JSON.parse(text) as Record<string, { unpackedSize: number }>;
  return Object.values(answer)[0]?.unpackedSize ?? NaN;
}

const sizes = new Map<string, number>();

/** Bytes of a competitor's packages and all that they depend on; of this package what it packs. NaN for another language's. */
export function installedBytes({ name, packages }: Competitor): number {
  const known = sizes.get(name);
  if (known !== undefined) return known;
  const ours = name === manifestOf(ROOT).name;
  const names = ours ? Object.keys(manifestOf(ROOT).dependencies ?? {}) : (packages ?? []);
  const folders = [...gather(names, ours ? ROOT : BENCH, new Set())];
  const total = folders.reduce((sum, folder) => sum + bytesOf(folder), ours ? packedBytes() : 0);
  const bytes = folders.length === 0 ? NaN : total;
  sizes.set(name, bytes);
  return bytes;
}

/** The version of a competitor, undefined for another language's. */
export function versionOf({ name, packages }: Pick<Competitor, 'name' | 'packages'>): string | undefined {
  // However it is set up.
  if (name.startsWith(manifestOf(ROOT).name)) return manifestOf(ROOT).version;
  const folder = packages && folderOf(packages[0], BENCH);
  return folder && manifestOf(folder).version;
}

/** Packages of these competitors that bench/node_modules lacks. */
export function missingPackages(competitors: readonly Competitor[]): string[] {
  return competitors.flatMap(({ packages = [] }) => packages).filter((name) => folderOf(name, BENCH) === undefined);
}

/** Installs bench/package.json's packages as its lockfile has them. */
export function install(): void {
  execFileSync('npm', ['ci', '--prefix', BENCH, '--ignore-scripts', '--no-audit', '--no-fund'], { stdio: 'inherit' });
}
