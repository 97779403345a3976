/** The command line of a run. */
import { parseArgs } from 'node:util';
import { type Competitor, familyOf, type Question } from './harness.ts';

/** What a run is asked for. */
export interface Plan {
  readonly questions: readonly Question[];
  readonly competitors: readonly Competitor[];
  /** Those that are counted; one before them warms up. */
  readonly rounds: number;
  readonly quick: boolean;
  /** Where to write the JSON. */
  readonly json: string | undefined;
  /** Whether figures of other questions that are in that file stay. */
  readonly merge: boolean;
  /** A folder for CPU profiles. */
  readonly profile: string | undefined;
}

/** How many competitors a quick run has: this package and the floor. */
const QUICK = 2;

/**
 * Reads the arguments.
 *
 * @param all - the questions and competitors that there are; of the latter this package and the floor come first
 * @throws Error that says which argument is wrong, and what there is
 */
export function parsePlan(args: readonly string[], all: Pick<Plan, 'questions' | 'competitors'>): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      competitors: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      merge: { type: 'boolean', default: false },
      profile: { type: 'string' },
    },
  });
  const { quick, merge, json, profile } = values;
  const rounds = Number(values.rounds ?? (quick ? 3 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds: expected a whole number of at least 1.');
  if (merge && json === undefined) throw new Error('--merge: expected a --json to merge into.');
  const usual = all.questions.filter(({ long = false }) => !(quick && long));
  const questions =
    values.only === undefined ? usual : pick('only', values.only, all.questions, (name) => [name, familyOf(name)]);
  const competitors =
    values.competitors === undefined
      ? all.competitors.slice(0, quick ? QUICK : undefined)
      : pick('competitors', values.competitors, all.competitors, (name) => [name]);
  return { questions, competitors, rounds, quick, json, merge, profile };
}

/** Those whose names are in a list, in their own order. */
function pick<T extends { readonly name: string }>(
  option: string,
  list: string,
  all: readonly T[],
  namesOf: (name: string) => readonly string[],
): T[] {
  const wanted = list.split(',').map((name) => name.trim());
  const known = new Set(all.flatMap(({ name }) => namesOf(name)));
  const unknown = wanted.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new Error(`--${option}: there is no ${unknown.join(', ')}; expected some of ${[...known].join(', ')}.`);
  }
  return all.filter(({ name }) => namesOf(name).some((each) => wanted.includes(each)));
}
