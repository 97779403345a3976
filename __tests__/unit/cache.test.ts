import { beforeEach, describe, expect, it } from '@jest/globals';
import { type CacheLimits, ResultCache } from '../../src/cache.ts';
import type { TaskMeta } from '../../src/meta.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const ORIGIN = Date.UTC(2026, 0, 1);
let clock: VirtualClock;

beforeEach(() => {
  clock = new VirtualClock(ORIGIN);
});

function cache(limits: Partial<CacheLimits> = {}): ResultCache {
  return new ResultCache({ maxEntries: 10, maxBytes: 1000, expires: 60, ...limits }, clock);
}

function success(date: string | null = '2026-01-01T00:00:00.000000+00:00'): TaskMeta {
  return { status: 'SUCCESS', result: 1, date_done: date };
}

describe('the cache', () => {
  it('drops the least recently used entry past its number', () => {
    const results = cache({ maxEntries: 2 });
    for (const id of ['a', 'b']) results.set(id, success(), 1, results.epoch);
    results.get('a');
    results.set('c', success(), 1, results.epoch);
    expect(['a', 'b', 'c'].map((id) => results.has(id))).toEqual([true, false, true]);
  });

  it('is bounded in payload bytes, also where the number is not', () => {
    const results = cache({ maxEntries: 0, maxBytes: 100 });
    for (const id of ['a', 'b', 'c']) results.set(id, success(), 40, results.epoch);
    expect(results.bytes).toBe(80);
    expect(results.has('a')).toBe(false);
    results.set('huge', success(), 101, results.epoch);
    expect(results.has('huge')).toBe(false);
  });

  it('keeps nothing at all with -1', () => {
    const results = cache({ maxEntries: -1 });
    results.set('a', success(), 1, results.epoch);
    expect(results.get('a')).toBeUndefined();
    expect([results.size, results.bytes]).toEqual([0, 0]);
  });

  it('keeps a result no longer than the result itself lives, counted from its date', async () => {
    const results = cache({ expires: 60 });
    results.set('new', success(), 1, results.epoch);
    results.set('old', success('2025-12-31T23:59:30+00:00'), 1, results.epoch);
    results.set('gone', success('2025-12-31T23:58:00+00:00'), 1, results.epoch);
    expect(results.has('gone')).toBe(false);
    await clock.advance(29_000);
    expect(results.has('old')).toBe(true);
    await clock.advance(2_000);
    expect(results.has('old')).toBe(false);
    expect(results.has('new')).toBe(true);
    await clock.advance(30_000);
    expect(results.get('new')).toBeUndefined();
  });

  it.each([
    ['2025-12-31T23:59:30', 'without an offset it is UTC'],
    ['2025-12-31T23:59:30.000000+00:00', 'in UTC'],
    ['2026-01-01T00:59:30+01:00', 'in another zone'],
    ['2025-12-31T23:59:30Z', 'with a Z'],
  ])('reads the date %s: %s', async (date) => {
    const results = cache({ expires: 60 });
    results.set('a', success(date), 1, results.epoch);
    await clock.advance(29_000);
    expect(results.has('a')).toBe(true);
    await clock.advance(1_001);
    expect(results.has('a')).toBe(false);
  });

  it.each([[null], ['rubbish'], ['2030-01-01T00:00:00+00:00']])(
    'takes a result with the date %s for new',
    async (date) => {
      const results = cache({ expires: 60 });
      results.set('a', success(date), 1, results.epoch);
      await clock.advance(59_000);
      expect(results.has('a')).toBe(true);
      await clock.advance(1_001);
      expect(results.has('a')).toBe(false);
    },
  );

  it('keeps results for ever where they do not expire', async () => {
    const results = cache({ expires: null });
    results.set('a', success('1999-01-01T00:00:00'), 1, results.epoch);
    await clock.advance(1e12);
    expect(results.has('a')).toBe(true);
  });

  it('keeps the last of a burst, as many as there is room for', () => {
    const results = cache({ maxEntries: 10, maxBytes: 2 ** 20 });
    for (let i = 0; i < 3000; i += 1) results.set(`${i}`, success(), 1, results.epoch);
    const kept = Array.from({ length: 3000 }, (_, i) => i).filter((i) => results.has(`${i}`));
    expect(kept).toEqual(Array.from({ length: 10 }, (_, i) => 2990 + i));
    expect([results.size, results.bytes]).toEqual([10, 10]);
  });

  it('keeps a whole burst where entries have no limit', () => {
    const results = cache({ maxEntries: 0, maxBytes: 2 ** 20 });
    for (let i = 0; i < 3000; i += 1) results.set(`${i}`, success(), 1, results.epoch);
    expect([results.size, results.bytes]).toEqual([3000, 3000]);
  });

  it('forgets a result that nobody has looked for', () => {
    const results = cache();
    results.set('a', success(), 1, results.epoch);
    results.forget('a');
    expect(results.has('a')).toBe(false);
  });

  it('does not take in a result that was forgotten since its read began', () => {
    const results = cache();
    const { epoch } = results;
    results.forget('a');
    results.set('a', success(), 1, epoch);
    results.set('b', success(), 1, epoch);
    expect([results.has('a'), results.has('b')]).toEqual([false, true]);
    results.set('a', success(), 1, results.epoch);
    expect(results.has('a')).toBe(true);
  });

  it('refuses reads older than the forgets that it remembers', () => {
    const results = cache();
    const { epoch } = results;
    results.forget('a');
    for (let i = 0; i < 10_001; i += 1) results.forget(`t${i}`);
    results.set('a', success(), 1, epoch);
    expect(results.has('a')).toBe(false);
  });

  it('ignores every other state, also where a SUCCESS is known', () => {
    const results = cache();
    results.set('a', success(), 1, results.epoch);
    results.set('a', { status: 'PENDING', result: null }, 0, results.epoch);
    results.set('b', { status: 'FAILURE', result: null }, 1, results.epoch);
    expect([results.has('a'), results.has('b')]).toEqual([true, false]);
  });
});
