/** The package as npm publishes it: a tarball, made of what `npm run build` left in dist. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** A packed tarball. */
export interface Tarball {
  /** Its path. */
  readonly file: string;
  /** Bytes, as it is downloaded. */
  readonly size: number;
  /** Bytes, as it lies in node_modules. */
  readonly unpackedSize: number;
  /** The paths of its files. */
  readonly files: readonly string[];
}

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

/** Packs into `folder`. @throws Error when there is no build */
export function pack(folder: string): Tarball {
  if (!existsSync('dist/esm/index.js')) throw new Error('dist is missing: run npm run build first');
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const answer: unknown = JSON.parse(
    execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  // A list up to npm 11, an object by the names of packages from then on.
  const [packed] = Object.values(answer as Record<string, Packed>);
  if (!packed) throw new Error('npm pack made nothing');
  const { filename, size, unpackedSize, files } = packed;
  return { file: join(folder, filename), size, unpackedSize, files: files.map(({ path }) => path) };
}
