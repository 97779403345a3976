import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { systemClock } from '../../src/clock.ts';

/** What Node's own timers take at the most, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/** Node's timer, if one is set: how long it takes, and what it calls. */
let set: { readonly ms: number; readonly run: () => void } | undefined;
let delays: number[];
let runs: number;

const count = (): void => {
  runs += 1;
};

/** The timer that is set goes off. */
function fire(): void {
  const { run } = set ?? { run: count };
  set = undefined;
  run();
}

beforeEach(() => {
  [set, delays, runs] = [undefined, [], 0];
  jest.spyOn(globalThis, 'setTimeout').mockImplementation(((run: () => void, ms: number) => {
    set = { ms, run };
    delays.push(ms);
    return set;
  }) as unknown as typeof setTimeout);
  jest.spyOn(globalThis, 'clearTimeout').mockImplementation((handle) => {
    if ((handle as unknown) === set) set = undefined;
  });
});

afterEach(() => {
  jest.restoreAllMocks();
});

describe('a timer of the system clock', () => {
  it.each([
    [-5, [0]],
    [0, [0]],
    [1.5, [1.5]],
    [LONGEST, [LONGEST]],
    [LONGEST + 1, [LONGEST, 1]],
    [2 * LONGEST + 5, [LONGEST, LONGEST, 5]],
  ])('of %d ms is one timer of Node, or several in a row: %j', (ms, expected) => {
    systemClock.after(ms, count);
    for (let more = expected.length; more > 1; more -= 1) fire();
    expect([delays, runs]).toEqual([expected, 0]);
    fire();
    expect([runs, set]).toEqual([1, undefined]);
  });

  it.each([0, 1])('does not run once it was cancelled, when %d of Node had gone off', (fired) => {
    const timer = systemClock.after(LONGEST + 10, count);
    for (let i = 0; i < fired; i += 1) fire();
    expect(set).toBeDefined();
    timer.cancel();
    expect([runs, set]).toEqual([0, undefined]);
  });
});
