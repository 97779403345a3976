import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Timer } from '../../src/clock.ts';
import { calls, Deadlines } from '../../src/consumer/deadlines.ts';
import { nextTurn } from '../../src/turns.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

let clock: VirtualClock;
let told: string[];
let deadlines: Deadlines<string>;

beforeEach(() => {
  clock = new VirtualClock();
  told = [];
  deadlines = new Deadlines(clock, (item) => told.push(`${item} at ${clock.now()}`));
});

describe('deadlines', () => {
  it('share one timer, and are told of at their time, whatever the order they were set in', async () => {
    for (const ms of [30, 10, 20]) deadlines.after(ms, `${ms}`);
    // One more for each that came before the one armed for would be one too many.
    expect(clock.timers).toBe(1);
    await clock.advance(29);
    expect(told).toEqual(['10 at 10', '20 at 20']);
    await clock.advance(1);
    expect([told.at(-1), clock.timers]).toEqual(['30 at 30', 0]);
  });

  it('arm a timer for one that comes first only, and none while others are told of', async () => {
    const armed: number[] = [];
    const counting = {
      now: () => clock.now(),
      after: (ms: number, run: () => void): Timer => {
        armed.push(ms);
        return clock.after(ms, run);
      },
    };
    const each = new Deadlines<number>(counting, (ms) => {
      if (ms === 10) for (const more of [1, 2]) each.after(more, more);
    });
    for (const ms of [10, 10, 20, 5]) each.after(ms, ms);
    expect(armed).toEqual([10, 5]);
    await clock.advance(20);
    // For the first two of 10, then for the four that these set, in pairs, then for that of 20.
    expect(armed).toEqual([10, 5, 5, 1, 1, 8]);
  });

  it('of the same time are told of in the order they were set', async () => {
    for (let i = 0; i < 100; i += 1) deadlines.after(5, `${i}`);
    await clock.advance(5);
    expect(told).toEqual(Array.from({ length: 100 }, (_, i) => `${i} at 5`));
  });

  it('that are cancelled are not told of; no timer is left when all are', async () => {
    const [first, second] = [deadlines.after(10, 'first'), deadlines.after(20, 'second')];
    deadlines.after(30, 'third');
    first.cancel();
    second.cancel();
    second.cancel();
    await clock.advance(30);
    expect(told).toEqual(['third at 30']);
    deadlines.after(10, 'fourth').cancel();
    expect(clock.timers).toBe(0);
  });

  it('may be cancelled once they were told of, to no effect', async () => {
    const first = deadlines.after(10, 'first');
    deadlines.after(20, 'second');
    await clock.advance(10);
    first.cancel();
    await clock.advance(10);
    expect(told).toEqual(['first at 10', 'second at 20']);
  });

  it('may be set and cancelled while others are told of', async () => {
    const others: Timer[] = [];
    const due = calls(clock);
    due.after(10, () => {
      others[0]?.cancel();
      due.after(5, () => told.push(`set at 10, at ${clock.now()}`));
    });
    others.push(due.after(10, () => told.push('cancelled')));
    await clock.advance(20);
    expect([told, clock.timers]).toEqual([['set at 10, at 15'], 0]);
  });

  it('that come at once are told of 64 a turn, in their order', async () => {
    let fire: (() => void) | undefined;
    const after = (_: number, run: () => void): Timer => {
      fire = run;
      return { cancel: () => undefined };
    };
    const items: number[] = [];
    const many = new Deadlines<number>({ now: () => 0, after }, (item) => items.push(item));
    for (let i = 0; i < 150; i += 1) many.after(0, i);
    fire?.();
    const seen = [items.length];
    for (let turn = 0; turn < 2; turn += 1) {
      await nextTurn();
      seen.push(items.length);
    }
    expect(seen).toEqual([64, 128, 150]);
    expect(items).toEqual(Array.from({ length: 150 }, (_, i) => i));
  });

  it.each([7, 77, 777])('come in order after any number of them were cancelled: %d', async (first) => {
    // A small generator of its own, so that a failure comes again.
    let seed = first;
    const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
    const set = Array.from({ length: 1000 }, (_, i) => {
      const ms = random(1009);
      return { i, ms, timer: deadlines.after(ms, `${i}`) };
    });
    const kept = set.filter(({ timer }) => {
      if (random(3) === 0) return true;
      timer.cancel();
      return false;
    });
    await clock.advance(1009);
    const expected = kept.sort((a, b) => a.ms - b.ms || a.i - b.i).map(({ i, ms }) => `${i} at ${ms}`);
    expect([told, clock.timers]).toEqual([expected, 0]);
  });
});
