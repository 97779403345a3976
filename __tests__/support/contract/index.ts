/**
 * What every driver must do, whatever it is made of. A driver's whole test is a few lines that open it and call
 * {@link describeBackend}.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { awaiting } from './awaiting.ts';
import { caching } from './caching.ts';
import { chords } from './chords.ts';
import { completing } from './completing.ts';
import { Context, type RawStore } from './context.ts';
import { grouping } from './grouping.ts';
import { holding } from './holding.ts';
import { reading } from './reading.ts';
import { storing } from './storing.ts';
import { waiting } from './waiting.ts';
import { working } from './working.ts';

/** Titles of tests that a driver cannot pass, each with the reason. */
export type Exceptions = Readonly<Record<string, string>>;

/** Groups of 10,000 take their time on a cluster, where each key is a command, and on a machine that is busy. */
const SLOWEST_MS = 300_000;

/** Declares the whole contract for one driver. */
export function describeBackend(name: string, open: () => Promise<RawStore>, exceptions: Exceptions = {}): void {
  describe(name, () => {
    let context: Context;
    const titles: string[] = [];

    beforeAll(async () => {
      context = new Context(await open());
    });
    afterEach(async () => {
      await context.closeBackends();
    });
    afterAll(async () => {
      await context.raw.close();
    });

    for (const declare of [
      storing,
      reading,
      waiting,
      caching,
      grouping,
      working,
      chords,
      completing,
      holding,
      awaiting,
    ]) {
      declare((title, run) => {
        titles.push(title);
        if (!(title in exceptions)) it(title, () => run(context), SLOWEST_MS);
      });
    }

    it('has no exception without a test, and no more than a fifth', () => {
      expect(Object.keys(exceptions).filter((title) => !titles.includes(title))).toEqual([]);
      expect(Object.keys(exceptions).length * 5).toBeLessThanOrEqual(titles.length);
    });
  });
}
