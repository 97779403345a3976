import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { resolveOptions } from '../../src/options.ts';

const readme = readFileSync('README.md', 'utf8');

/** The names in the first column of the table under a heading. */
function firstColumn(heading: string): string[] {
  const section = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1] ?? '');
}

describe('the README', () => {
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
