/**
 * Runs the chaos suite: `npm run chaos -- --seeds 100`, or `--seed 17` for one. With `--mutant`, a bug from
 * ../sim/mutants.ts is planted first, and found or not.
 */
import { parseArgs } from 'node:util';
import { type Mutant, MUTANTS } from '../sim/mutants.ts';
import { type Errand, replayOf, runSeeds } from './launch.ts';
import { PROFILES, TOPOLOGIES } from './plan.ts';
import { type Figures, sum, type Verdict } from './seed.ts';

const { values } = parseArgs({
  options: {
    /** How many, and the first one. */
    seeds: { type: 'string', default: '6' },
    from: { type: 'string', default: '0' },
    /** One only. */
    seed: { type: 'string' },
    topology: { type: 'string', default: 'standalone' },
    /** The major version of ioredis. */
    ioredis: { type: 'string', default: '5' },
    /** Instead of those that the seeds go round. */
    profile: { type: 'string' },
    /** A part of its title. Ends with the first seed that finds it. */
    mutant: { type: 'string' },
  },
});

/** @throws Error that says what there is */
function oneOf<T extends string>(name: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw new Error(`--${name}: expected one of ${choices.join(', ')}.`);
  return found;
}

function mutantOf(title: string): Mutant {
  const found = MUTANTS.filter((each) => each.title.includes(title));
  const [mutant] = found;
  if (!mutant || found.length > 1) {
    throw new Error(
      `--mutant: expected a part of one of these titles:\n${MUTANTS.map((each) => each.title).join('\n')}`,
    );
  }
  return mutant;
}

const COLUMNS: readonly [name: keyof Figures, title: string, unit: string][] = [
  ['seeds', 'seeds', ''],
  ['tasks', 'tasks', ''],
  ['waits', 'waits', ''],
  ['faults', 'faults', ''],
  ['lost', 'lost', ''],
  ['wrong', 'wrong', ''],
  ['late', 'late', ''],
  ['leaked', 'leaked', ''],
  ['worstLateness', 'latest', ' ms'],
  ['worstLag', 'worst lag', ' ms'],
];

function table(rows: readonly (readonly [name: string, figures: Figures])[]): string {
  const cells = rows.map(([name, figures]) => [
    name,
    ...COLUMNS.map(([column, , unit]) => `${figures[column].toFixed(0)}${unit}`),
  ]);
  const all = [['', ...COLUMNS.map(([, title]) => title)], ...cells];
  return all.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(10) : cell.padStart(10))).join('')).join('\n');
}

async function main(): Promise<void> {
  const errand: Errand = {
    topology: oneOf('topology', values.topology, TOPOLOGIES),
    ioredis: oneOf('ioredis', values.ioredis, ['5', '6']) === '6' ? 6 : 5,
    from: Number(values.seed ?? values.from),
    seeds: values.seed === undefined ? Number(values.seeds) : 1,
    profile: values.profile === undefined ? undefined : oneOf('profile', values.profile, PROFILES),
    mutant: values.mutant === undefined ? undefined : mutantOf(values.mutant),
  };
  const verdicts: Verdict[] = [];
  await runSeeds(errand, (verdict) => {
    verdicts.push(verdict);
    const { seed, profile, violations } = verdict;
    console.log(violations.length > 0 ? replayOf(errand, verdict) : `seed ${seed}, ${profile}: all right`);
  });
  const profiles = [...new Set(verdicts.map(({ profile }) => profile))];
  const of = (wanted: string): Figures =>
    sum(verdicts.filter(({ profile }) => profile === wanted).map(({ figures }) => figures));
  const rows = profiles.map((profile) => [profile, of(profile)] as const);
  console.log(`\n${table([...rows, ['all', sum(verdicts.map(({ figures }) => figures))]])}`);
  const failing = verdicts.filter(({ violations }) => violations.length > 0).length;
  if (errand.mutant) console.log(`\n${failing > 0 ? 'found' : 'MISSED'}: ${errand.mutant.title}`);
  process.exitCode = failing > 0 === (errand.mutant === undefined) ? 1 : 0;
}

await main();
