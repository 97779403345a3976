/** What the chart shows: which figures, and what range each panel needs. */
import { GOALS } from './goals.ts';
import { digits, ratioOf, type Run, times, valuesOf } from './report.ts';

/** One competitor in a panel. */
export interface Bar {
  readonly name: string;
  readonly ours: boolean;
  /** To the floor. */
  readonly ratio: number;
  /** The ratio, and the figure itself. */
  readonly label: string;
}

/** One figure. */
export interface Panel {
  readonly title: string;
  /** Which way is better, and the goal. */
  readonly hint: string;
  readonly bars: readonly Bar[];
  /** A ratio to the floor. */
  readonly goal: number | undefined;
  /** Of the axis: powers of ten. */
  readonly range: readonly [number, number];
}

const OURS = 'celery-redis-backend';

/** The figures of the chart, by name. */
const SHOWN = [
  'wake p50, idle',
  'wake p50, under 10,000/s',
  'stores, 300 B',
  'reads of ready results',
  '10,000 waiters: register',
  '10,000 waiters: wakes',
  '10,000 waiters: CPU a result',
  'import and first answer',
];

/** Panels of the figures that the run has. A competitor without an answer is left out of them. */
export function panels({ figures, floor }: Run): Panel[] {
  return SHOWN.flatMap((name) => {
    const answer = figures.find((each) => each.name === name);
    if (!answer) return [];
    const bars = Object.keys(answer.rounds).flatMap((competitor) => {
      const ratio = ratioOf(answer, competitor, floor).median;
      const value = `${digits(valuesOf(answer, competitor).median)} ${answer.unit}`;
      if (Number.isNaN(ratio)) return [];
      return [{ name: competitor, ours: competitor === OURS, ratio, label: `${times(ratio)}   ${value}` }];
    });
    const goal = GOALS.find(({ figure, rival }) => figure === name && rival === floor);
    const limit = goal?.atMost ?? goal?.atLeast;
    return [
      {
        title: `${answer.name}, ${answer.unit}`,
        hint: `${answer.better} is better${limit === undefined ? '' : `, goal ${times(limit)}`}`,
        bars,
        goal: limit,
        range: rangeOf(bars.map(({ ratio }) => ratio)),
      },
    ];
  });
}

/** The same in words, for those who do not see it. */
export function wordsOf(all: readonly Panel[], floor: string): string {
  const told = all.map(({ title, hint, bars }) => {
    const ratios = bars.map(({ name, ratio }) => `${name} ${times(ratio)}`).join(', ');
    return `${title} (${hint}): ${ratios}.`;
  });
  return [`Bars, a panel a figure: each competitor's median as a ratio to ${floor}.`, ...told].join(' ');
}

/** The powers of ten that hold all ratios, 1 among them, with room on the right for a label. */
export function rangeOf(ratios: readonly number[]): readonly [number, number] {
  const low = Math.floor(Math.log10(Math.min(0.5, ...ratios)));
  const high = Math.ceil(Math.log10(Math.max(2, ...ratios) * 3));
  return [10 ** low, 10 ** high];
}
