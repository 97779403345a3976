import { describe, expect, it } from '@jest/globals';
import { simulate } from './mutate.ts';
import { type Plan, planOf, PROFILES } from './plan.ts';
import { hashOf, historyOf, replayOf, runSeed } from './seed.ts';

/** What CI can afford; `npm run sim` runs as many as one likes. */
const SEEDS = 1000;

describe('the simulator', () => {
  it(`finds nothing wrong in ${SEEDS} seeds`, async () => {
    const { first, failing, seeds } = await simulate(undefined, ['--seeds', String(SEEDS)]);
    expect(first.map(replayOf).join('\n')).toBe('');
    expect({ seeds, failing }).toEqual({ seeds: SEEDS, failing: 0 });
  });

  it('runs the code under test in this process as well', async () => {
    for (let seed = 0; seed < 5 * PROFILES.length; seed += 1) {
      const verdict = await runSeed(seed);
      expect(verdict.violations.length === 0 ? '' : replayOf(verdict)).toBe('');
    }
  });

  it('repeats a history exactly when it is given the same seed', async () => {
    for (const seed of PROFILES.keys()) {
      const [first, second] = [await runSeed(seed), await runSeed(seed)];
      expect(first.run && hashOf(first.run)).toBe(second.run && hashOf(second.run));
      expect(historyOf(first)).toBe(historyOf(second));
    }
  });

  it('has different histories for different seeds', async () => {
    const hashes = new Set<string>();
    for (let seed = 0; seed < 20; seed += 1) {
      const { run } = await runSeed(seed);
      if (run) hashes.add(hashOf(run));
    }
    expect(hashes.size).toBe(20);
  });

  it('gives the globals back', async () => {
    const globals = (): unknown[] => [
      globalThis.setImmediate,
      Math.random,
      Reflect.get(process, 'emitWarning'),
      Error.stackTraceLimit,
    ];
    const before = globals();
    await runSeed(1);
    expect(globals()).toEqual(before);
  });

  it('breaks everything it can break, and uses every way to wait', () => {
    const plans = Array.from({ length: 500 }, (_, seed) => planOf(seed));
    const kinds = new Set(plans.flatMap(({ faults }) => faults.map(({ kind }) => kind)));
    expect([...kinds].sort()).toEqual([
      'black',
      'busy',
      'cut',
      'deaf',
      'failover',
      'full',
      'hang',
      'pause',
      'refuse',
      'restart',
      'silence',
      'slow',
      'stall',
    ]);
    const waits = plans.flatMap((plan) => plan.waits);
    expect(waits.some(({ many }) => many)).toBe(true);
    expect(waits.some(({ timeout }) => timeout === 0)).toBe(true);
    expect(waits.some(({ abortAt }) => abortAt === Infinity)).toBe(true);
    expect(
      plans.some(({ closes, forgets, clockSteps }) => closes.length * forgets.length * clockSteps.length > 0),
    ).toBe(true);
  });

  it('stores several tasks in one turn, and waits for tasks that were called and forgotten', () => {
    const plans = Array.from({ length: 100 }, (_, seed) => planOf(seed));
    const inOneTurn = ({ stores }: Plan): boolean =>
      stores.some(({ at, by, task }) =>
        stores.some((other) => other.at === at && other.by === by && other.task !== task),
      );
    expect(plans.filter(inOneTurn).length).toBeGreaterThan(10);
    const forgotten = ({ calls, forgets, waits }: Plan): boolean =>
      forgets.some(
        ({ at, by, task }) =>
          calls.some((call) => call.by === by && call.task === task && call.at < at) &&
          waits.some((wait) => wait.by === by && wait.tasks.includes(task) && wait.at > at),
      );
    expect(plans.filter(forgotten).length).toBeGreaterThan(10);
    expect(plans.some(({ keptBytes }) => keptBytes < 1000)).toBe(true);
  });
});
