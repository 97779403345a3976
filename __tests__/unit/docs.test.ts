import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { resolveOptions } from '../../src/options.ts';

const readme = readFileSync('README.md', 'utf8');
const guides = readdirSync('docs')
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`);

/** What is under a heading. */
function sectionOf(heading: string): string {
  return readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
}

/** The names in the first column of the table under a heading. */
function firstColumn(heading: string): string[] {
  return [...sectionOf(heading).matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1] ?? '');
}

/** Where the relative links of a text lead, as they are written. Code has none. */
function linksOf(text: string): string[] {
  const prose = text.replace(/(`+).*?\1/gs, '');
  return [...prose.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map((match) => match[1] ?? '');
}

/** The anchors of a document, as GitHub makes them of its headings. */
function anchorsOf(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('the README', () => {
  it('lists every guide once', () => {
    expect(linksOf(sectionOf('Guides')).sort()).toEqual(guides);
  });

  it('has two commands first, of one line each', () => {
    const blocks = [...readme.matchAll(/^```sh\n(.*?)^```/gms)].map((match) => match[1]);
    expect(blocks.slice(0, 2)).toEqual(['npm ci && npm run demo\n', 'npm ci && npm run setup && npm test\n']);
  });

  it('lists every option, and no other', () => {
    const options = Object.keys(resolveOptions({}, {})).filter((name) => name !== 'connectionDefaults');
    expect(firstColumn('Options').sort()).toEqual(options.sort());
  });

  it('lists every error code, and no other', () => {
    const source = readFileSync('src/errors.ts', 'utf8').split('export type ErrorCode =')[1]?.split(';')[0] ?? '';
    const codes = [...source.matchAll(/'(CELERY_\w+)'/g)].map((match) => match[1]);
    expect(codes.length).toBeGreaterThan(10);
    expect(firstColumn('Errors').sort()).toEqual(codes.sort());
  });
});

it.each(['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'bench/README.md', ...guides])(
  'the links of %s lead to files and headings that there are',
  (path) => {
    const broken = linksOf(readFileSync(path, 'utf8')).filter((link) => {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : normalize(join(path, '..', file));
      return !existsSync(target) || (anchor !== undefined && !anchorsOf(target).includes(anchor));
    });
    expect(broken).toEqual([]);
  },
);
