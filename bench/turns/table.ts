/** The longest turns as a table. */
import { digits, spread } from '../report.ts';
import type { Turns } from './probe.ts';

/** A run, as it is in the JSON. */
export interface TurnsRun {
  /** Machine and versions. */
  readonly where: Readonly<Record<string, string>>;
  readonly waits: number;
  /** The rounds of each phase. */
  readonly phases: Readonly<Record<string, readonly Turns[]>>;
}

const HEAD = [
  'phase',
  'longest turn, ms',
  'least to greatest',
  'without the collector, ms',
  '99 of 100 turns so, ms',
  'turns over 10 ms',
  'without the collector',
];

/** The rows of the table, its head first: medians of the rounds. */
export function turnRows({ phases }: TurnsRun): string[][] {
  return [
    HEAD,
    ...Object.entries(phases).map(([phase, rounds]) => {
      const { min, max } = spread(rounds.map(({ longest }) => longest));
      const medianOf = (figure: (turns: Turns) => number): string => digits(spread(rounds.map(figure)).median);
      return [
        phase,
        medianOf(({ longest }) => longest),
        `${digits(min)} to ${digits(max)}`,
        medianOf(({ uncollected }) => uncollected),
        medianOf(({ most }) => most),
        medianOf(({ over }) => over),
        medianOf(({ overUncollected }) => overUncollected),
      ];
    }),
  ];
}
