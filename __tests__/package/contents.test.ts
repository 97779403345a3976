/** What npm publishes: which files, and how large. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildSync } from 'esbuild';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { linksOf } from '../support/docs.ts';
import { pack, type Tarball } from '../support/tarball.ts';

/** Bytes, about 5 % above what they were last. Whoever raises one says in the commit what it is spent on. */
const BUDGET = { tarball: 515_000, unpacked: 2_830_000, minified: 212_000 };

/** The documents of docs that are for who develops it, and stay in the repository. */
const OF_DEVELOPERS: ReadonlySet<string> = new Set(['testing-reliability.md']);

let folder: string;
let tarball: Tarball;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'celery-redis-tarball-'));
  tarball = pack(folder);
}, 120_000);
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The main entry with all of ours that it imports, and nothing of others. */
function minified(): number {
  const { outputFiles } = buildSync({
    entryPoints: ['dist/esm/index.js'],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    write: false,
  });
  return outputFiles.reduce((sum, { contents }) => sum + contents.byteLength, 0);
}

describe('the tarball', () => {
  it('has each module of src, compiled and declared, the documents, and nothing else', () => {
    const modules = readdirSync('src', { recursive: true, encoding: 'utf8' }).flatMap((file) =>
      file.endsWith('.ts') ? [file.slice(0, -'.ts'.length)] : [],
    );
    const built = modules.flatMap((name) =>
      (name.startsWith('cli/') ? ['esm'] : ['esm', 'cjs']).flatMap((format) =>
        ['.js', '.d.ts'].map((ending) => `dist/${format}/${name}${ending}`),
      ),
    );
    const guides = readdirSync('docs').filter((name) => !OF_DEVELOPERS.has(name));
    const ofRoot = ['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'SUPPORT.md'];
    const documents = [...ofRoot, ...guides.map((name) => `docs/${name}`)];
    expect([...tarball.files].sort()).toEqual([...built, ...documents, 'dist/cjs/package.json', 'package.json'].sort());
  });

  it('has no document that leads out of it without a word that it leads into the repository', () => {
    const astray = tarball.files.flatMap((document) => {
      if (!document.endsWith('.md')) return [];
      const paragraphs = readFileSync(document, 'utf8').split('\n\n');
      const silent = paragraphs.filter(
        (text, index) => !`${paragraphs[index - 1] ?? ''}${text}`.includes('repository'),
      );
      const links = linksOf(silent.join('\n\n')).filter((link) => !link.startsWith('#'));
      const targets = links.map((link) => join(dirname(document), link.replace(/#.*/, '')));
      return targets.filter((target) => !tarball.files.includes(target)).map((target) => [document, target]);
    });
    expect(astray).toEqual([]);
  });

  it('is within its budget, packed and unpacked, and so is the main entry without dependencies, minified', () => {
    const sizes = { tarball: tarball.size, unpacked: tarball.unpackedSize, minified: minified() };
    for (const [what, limit] of Object.entries(BUDGET) as [keyof typeof BUDGET, number][]) {
      expect({ what, bytes: sizes[what], within: sizes[what] <= limit }).toMatchObject({ within: true });
    }
  });
});
