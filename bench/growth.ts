/** How figures grow as waiters, payload and rate grow. */
import { type Answer, times, valuesOf } from './report.ts';

interface Series {
  readonly of: string;
  /** Names of figures; each step is ten times the one before, unless it says otherwise. */
  readonly steps: readonly string[];
}

const counts = ['1,000', '10,000', '100,000'];
const sizes = ['10 kB', '100 kB', '1 MB'];
const rates = ['idle', 'under 1,000/s', 'under 10,000/s'];

const SERIES: readonly Series[] = [
  { of: 'register, waiters x10', steps: counts.map((count) => `${count} waiters: register`) },
  { of: 'wakes/s, waiters x10', steps: counts.map((count) => `${count} waiters: wakes`) },
  { of: 'CPU a result, waiters x10', steps: counts.map((count) => `${count} waiters: CPU a result`) },
  { of: 'longest stall, waiters x10', steps: counts.map((count) => `${count} waiters: longest stall`) },
  { of: 'heap of a waiter, waiters x10', steps: counts.map((count) => `heap of a waiter, of ${count}`) },
  { of: 'stores/s, payload x10', steps: sizes.map((size) => `stores, ${size}`) },
  { of: 'CPU of a store, payload x10', steps: sizes.map((size) => `CPU of a store, ${size}`) },
  { of: 'wake p50, idle, 1,000/s, 10,000/s', steps: rates.map((when) => `wake p50, ${when}`) },
  { of: 'wake p99, idle, 1,000/s, 10,000/s', steps: rates.map((when) => `wake p99, ${when}`) },
];

/**
 * The rows of a table, its head first: by what each step multiplies the median of each competitor.
 *
 * @param competitors - the columns, by name
 */
export function growthRows(answers: readonly Answer[], competitors: readonly string[]): string[][] {
  const medianOf = (figure: string, competitor: string): number => {
    const answer = answers.find(({ name }) => name === figure);
    return answer ? valuesOf(answer, competitor).median : NaN;
  };
  const cell = (steps: readonly string[], competitor: string): string =>
    steps
      .slice(1)
      .map((step, i) => medianOf(step, competitor) / medianOf(steps[i] ?? '', competitor))
      .map((factor) => (Number.isNaN(factor) ? '-' : times(factor)))
      .join(', ');
  const body = SERIES.map(({ of, steps }) => [of, ...competitors.map((competitor) => cell(steps, competitor))]);
  return [['growth', ...competitors], ...body.filter((row) => row.slice(1).some((text) => /\d/.test(text)))];
}
