/** A few seeds of each topology, over both majors of ioredis; `npm run chaos` runs as many as one likes. */
import { describe, expect, it } from '@jest/globals';
import { MUTANTS } from '../sim/mutants.ts';
import { type Errand, replayOf, runSeeds } from './launch.ts';
import { FAILOVERS, LINK_FAULTS, planOf, PROFILES, SERVER_FAULTS, type Topology, TOPOLOGIES } from './plan.ts';
import type { Verdict } from './seed.ts';

const FEW: readonly [Topology, Errand['ioredis'], from: number, seeds: number][] = [
  ['standalone', 5, 0, 1],
  ['standalone', 6, 1, 2],
  ['sentinel', 6, 2, 1],
  ['cluster', 5, 3, 1],
];

async function run(errand: Errand): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  await runSeeds(errand, (verdict) => verdicts.push(verdict));
  return verdicts;
}

describe('the chaos suite', () => {
  it.each(FEW)('finds nothing wrong on %s with ioredis %i, from seed %i', async (topology, ioredis, from, seeds) => {
    const errand = { topology, ioredis, from, seeds };
    const verdicts = await run(errand);
    expect(verdicts.map((verdict) => (verdict.violations.length > 0 ? replayOf(errand, verdict) : '')).join('')).toBe(
      '',
    );
    expect(verdicts).toHaveLength(seeds);
  });

  it('finds the bug when ioredis subscribes again by itself as well', async () => {
    const mutant = MUTANTS.find(({ title }) => title === 'ioredis subscribes again by itself as well');
    const verdicts = await run({ topology: 'standalone', ioredis: 5, from: 0, seeds: 3, mutant });
    expect(verdicts.at(-1)?.violations.length).toBeGreaterThan(0);
  });
});

describe('the plan of a seed', () => {
  it('is the same each time, and another for another seed or topology', () => {
    expect(planOf(7, 'sentinel')).toEqual(planOf(7, 'sentinel'));
    expect(planOf(7, 'sentinel')).not.toEqual(planOf(8, 'sentinel'));
    expect(planOf(7, 'sentinel').stores).not.toEqual(planOf(7, 'cluster').stores);
  });

  it('has every profile, and breaks everything that can be broken, within a hundred seeds', () => {
    const plans = TOPOLOGIES.flatMap((topology) => Array.from({ length: 100 }, (_, seed) => planOf(seed, topology)));
    expect(new Set(plans.map(({ profile }) => profile))).toEqual(new Set(PROFILES));
    const kinds = plans.flatMap(({ faults }) => faults.map(({ kind }) => kind));
    expect(new Set(kinds)).toEqual(new Set([...LINK_FAULTS, ...SERVER_FAULTS, ...FAILOVERS, 'stall']));
  });
});
