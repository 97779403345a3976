/** Figures to medians, ratios and tables. Nothing here measures. */
import type { Figure } from './harness.ts';

/** The rounds of one figure, by competitor. Null where there is no answer, as JSON has no NaN. */
export interface Answer extends Figure {
  readonly question: string;
  readonly rounds: Readonly<Record<string, readonly (number | null)[]>>;
  /** Why a competitor has none, where it did not get through to the end. */
  readonly failures: Readonly<Record<string, string>>;
}

/** A run, as it is in the JSON. */
export interface Run {
  /** Machine and versions. */
  readonly where: Readonly<Record<string, string>>;
  readonly rounds: number;
  /** The competitor that the ratios are taken to. */
  readonly floor: string;
  readonly figures: readonly Answer[];
}

/** The least, the middle and the greatest. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** A competitor's part of an answer. `ratio` compares with another, round by round. */
export interface Row {
  readonly competitor: string;
  readonly value: Spread;
  readonly ratio: Spread;
}

/** The p50 and p99 of values, NaN where there are none. */
export function quantiles(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return [0.5, 0.99].map((share) => sorted[Math.floor(values.length * share)] ?? NaN);
}

/** Of no values, or with a NaN among them, all three are NaN. */
export function spread(values: readonly number[]): Spread {
  if (values.some(Number.isNaN)) return { min: NaN, median: NaN, max: NaN };
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? NaN;
  const median = (at(Math.floor((sorted.length - 1) / 2)) + at(Math.ceil((sorted.length - 1) / 2))) / 2;
  return { min: at(0), median, max: at(sorted.length - 1) };
}

/** What a competitor's rounds were, without those that have no answer. */
export function valuesOf({ rounds }: Answer, competitor: string): Spread {
  return spread((rounds[competitor] ?? []).map((value) => value ?? NaN));
}

/** A competitor's rounds divided by those of another. */
export function ratioOf({ rounds }: Answer, competitor: string, other: string): Spread {
  return spread((rounds[competitor] ?? []).map((value, i) => (value ?? NaN) / (rounds[other]?.[i] ?? NaN)));
}

/** One row for each competitor that was asked. */
export function rows(answer: Answer, floor: string): Row[] {
  return Object.keys(answer.rounds).map((competitor) => ({
    competitor,
    value: valuesOf(answer, competitor),
    ratio: ratioOf(answer, competitor, floor),
  }));
}

/** Lines for a terminal. Those without an answer have a dash. */
export function table(answer: Answer, floor: string): string {
  const head = `${answer.name}${answer.unit === '' ? '' : `, ${answer.unit}`} (${answer.better} is better)`;
  const lines = rows(answer, floor).map(({ competitor, value, ratio }) => {
    const values = [value.min, value.median, value.max].map((each) => digits(each).padStart(12)).join('');
    const range = `${times(ratio.median)}  (${times(ratio.min)} to ${times(ratio.max)})`;
    const compared = competitor === floor || Number.isNaN(ratio.median) ? '' : range;
    const label = competitor === floor ? (answer.floor ?? floor) : competitor;
    return `  ${label.padEnd(32)}${values}   ${compared}`.trimEnd();
  });
  return [head, ...lines].join('\n');
}

/** A ratio. */
export function times(ratio: number): string {
  const decimals = ratio < 0.1 ? 4 : ratio < 10 ? 2 : ratio < 100 ? 1 : 0;
  return `${ratio.toFixed(decimals)}x`;
}

/** A value, as exact as it deserves. */
export function digits(value: number): string {
  if (Number.isNaN(value)) return '-';
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 });
}

/** A table in Markdown, as Prettier formats it. @param cells - the first row is the head */
export function markdown(cells: readonly (readonly string[])[]): string {
  const [head = []] = cells;
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...cells.slice(1).map(line)].join('\n');
}

/** What may differ between the pieces of a run: the date, and the system with its load. */
const OF_A_PIECE = ['date', 'system'];

/**
 * The same run with the figures of another put in the place of those of the same questions. Date, load and `rounds` are those
 * of the last piece, versions those of all who were asked in any.
 *
 * @throws Error where the pieces differ in the machine or in a version
 */
export function merge(before: Run | undefined, run: Run): Run {
  const asked = new Set(run.figures.map(({ question }) => question));
  const kept = before?.figures.filter(({ question }) => !asked.has(question)) ?? [];
  if (!before || kept.length === 0) return run;
  for (const [name, is] of Object.entries(run.where)) {
    const was = before.where[name] ?? is;
    if (was !== is && !OF_A_PIECE.includes(name))
      throw new Error(`The pieces differ in ${name}: ${was}, and now ${is}.`);
  }
  return { ...run, where: { ...before.where, ...run.where }, figures: [...kept, ...run.figures] };
}
