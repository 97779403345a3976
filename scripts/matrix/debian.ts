/**
 * Servers of a Debian release, without installing them: apt downloads the package with all it depends on, dpkg unpacks them into a
 * folder, and the server runs with the C library it was built for. Takes apt, dpkg and Debian's keyring; no root.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const RELEASE = 'trixie';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const PROGRAMS: Readonly<Record<string, string>> = { 'redis 8': 'redis-server', 'valkey 8': 'valkey-server' };

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 26 });

/** Downloads a package and all it depends on, with apt's state in `folder`, by which nothing is installed yet. */
function download(program: string, folder: string): void {
  for (const name of ['lists/partial', 'archives/partial']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'status'), '');
  writeFileSync(
    join(folder, 'sources.list'),
    `deb [signed-by=${KEYRING}] http://deb.debian.org/debian ${RELEASE} main\n`,
  );
  const settings = {
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': folder,
    'Dir::Cache::archives': join(folder, 'archives'),
    'Debug::NoLocking': '1',
  };
  const apt = (...words: string[]): string =>
    run('apt-get', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]), '-qq', ...words);
  apt('update');
  apt('install', '--yes', '--no-install-recommends', '--download-only', program);
}

/**
 * Makes a program `redis-server` in `folder`, whatever Debian calls it: the tests look for that name first.
 *
 * @param server - `redis 8` or `valkey 8`
 * @throws Error for another, and what apt and dpkg throw
 */
export function unpackServer(server: string, folder: string): void {
  const program = PROGRAMS[server];
  if (program === undefined) throw new Error(`Debian ${RELEASE} has no ${server}`);
  const apt = join(folder, 'apt');
  download(program, apt);
  for (const name of readdirSync(join(apt, 'archives'))) {
    if (name.endsWith('.deb')) run('dpkg', '-x', join(apt, 'archives', name), join(folder, 'root'));
  }
  const script = `#!/bin/sh
root="$(dirname "$0")/root"
libraries="$(echo "$root"/usr/lib/*-linux-gnu)"
exec "$(echo "$libraries"/ld-linux-*.so.*)" --library-path "$libraries" "$root/usr/bin/${program}" "$@"
`;
  writeFileSync(join(folder, 'redis-server'), script, { mode: 0o755 });
}
