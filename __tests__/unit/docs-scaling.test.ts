/** docs/scaling.md has what was measured, and all of it. */
import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import type { Results } from '../../bench/scaling/figures.ts';
import { fill, TABLES } from '../../bench/scaling/tables.ts';

const guide = readFileSync('docs/scaling.md', 'utf8');
const results = JSON.parse(readFileSync('bench/results/scaling.json', 'utf8')) as Results;

/** Without what prettier does to tables. */
function plain(text: string): string {
  return text.replace(/ +/g, ' ').replace(/-+/g, '-');
}

it('docs/scaling.md has each table once', () => {
  const names = [...guide.matchAll(/^<!-- table (\w+) -->$/gm)].map((match) => match[1]);
  expect(names.toSorted()).toEqual(TABLES.toSorted());
});

it('docs/scaling.md has the figures of bench/results/scaling.json', () => {
  expect(plain(fill(guide, results))).toBe(plain(guide));
});

it('a mark of no table is an error', () => {
  expect(() => fill('<!-- table nothing -->\n\nnothing\n\n', results)).toThrow('no table nothing');
});
