import { describe, expect, it } from '@jest/globals';
import { INVARIANTS } from './check.ts';
import { type Mutant, MUTANTS } from './mutants.ts';
import { isCaught, mutate, simulateMutant } from './mutate.ts';

/** The rarest is found by one seed in two hundred. */
const SEEDS = 1000;

describe('the simulator finds the bug when', () => {
  it.each(MUTANTS.map((mutant): [string, Mutant] => [mutant.title, mutant]))('%s', async (_title, mutant) => {
    const report = await simulateMutant(mutant, SEEDS, true);
    expect(isCaught(report, mutant) ? 'found' : report).toBe('found');
  });
});

describe('the mutants', () => {
  it('show that every invariant can be violated', () => {
    const proven = (name: string): boolean =>
      MUTANTS.some(({ caughtBy }) => caughtBy.some((beginning) => name.startsWith(beginning)));
    expect(Object.keys(INVARIANTS).filter((name) => !proven(name))).toEqual([]);
  });

  it.each(['nothing of it', 'twice twice'])('are refused where the code has changed: %s', (text) => {
    const mutant = { title: 'title', file: 'a.ts', from: 'twice', to: '', caughtBy: [] };
    expect(() => mutate(text, mutant)).toThrow(/^src\/a\.ts has [02] places for the mutant "title": write it anew/);
  });
});
