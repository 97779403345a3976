/** docs/performance.md has the figures of the run that it speaks of. */
import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fill } from '../../bench/guide.ts';
import { panels, wordsOf } from '../../bench/chart-panels.ts';
import type { Run } from '../../bench/report.ts';
import type { TurnsRun } from '../../bench/turns/table.ts';

const guide = readFileSync('docs/performance.md', 'utf8');
const run = JSON.parse(readFileSync('bench/results/latest.json', 'utf8')) as Run;
const turns = JSON.parse(readFileSync('bench/results/turns.json', 'utf8')) as TurnsRun;

it('docs/performance.md has the figures of bench/results/latest.json and turns.json', () => {
  expect(fill(guide, run, turns)).toBe(guide);
});

it('docs/bench.svg has them too', () => {
  expect(readFileSync('docs/bench.svg', 'utf8')).toContain(`<desc id="desc">${wordsOf(panels(run), run.floor)}</desc>`);
});

it('latest.json says which version of each competitor it is of', () => {
  for (const competitor of Object.keys(run.figures[0]?.rounds ?? {})) expect(run.where).toHaveProperty([competitor]);
});

it('a guide without the marks of a table is an error', () => {
  expect(() => fill('<!-- goals -->\n', run, turns)).toThrow('the marks of goals');
});
