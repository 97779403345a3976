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

const HEAD = ['phase', 'longest turn, ms', 'least to greatest', 'without the collector, ms', 'turns over 10 ms'];

/** The rows of the table, its head first: medians of the rounds. */
export function turnRows({ phases }: TurnsRun): string[][] {
  return [
    HEAD,
    ...Object.entries(phases).map(([phase, rounds]) => {
      const { min, median, max } = spread(rounds.map(({ longest }) => longest));
      const bare = spread(rounds.map(({ uncollected }) => uncollected)).median;
      const over = spread(rounds.map((turns) => turns.over)).median;
      return [phase, digits(median), `${digits(min)} to ${digits(max)}`, digits(bare), digits(over)];
    }),
  ];
}
