/** Waits for what is known already end as others do, whatever their observers do. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { type WaitEnd, WaitFailure, type WaitLimits } from '../../src/consumer/channel.ts';
import { KnownWaits } from '../../src/consumer/known-waits.ts';
import { BackendClosedError } from '../../src/errors.ts';
import type { TaskMeta } from '../../src/meta.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const META: TaskMeta = { status: 'SUCCESS', result: 1 };

let clock: VirtualClock;
let waits: KnownWaits;
/** Lets the observer of `slow` go on. */
let goOn: () => void;
let failWith: (error: Error) => void;

const slow = (): Promise<void> =>
  new Promise((resolve, reject) => {
    goOn = resolve;
    failWith = reject;
  });

/** What a wait came to: its meta, or its outcome and error. */
function shown(end: WaitEnd): unknown {
  return end instanceof WaitFailure ? [end.outcome, end.error()] : end;
}

/** Begins a wait; what it came to is the last of the list once it has ended. */
function begin(limits: WaitLimits): unknown[] {
  const ends: unknown[] = [];
  void Promise.resolve(waits.wait(META, limits)).then((end) => ends.push(shown(end)));
  return ends;
}

beforeEach(() => {
  clock = new VirtualClock();
  waits = new KnownWaits(clock);
});

describe('a wait for a known meta', () => {
  it('is over at once where nobody observes it, closed or not', () => {
    expect(waits.wait(META, { timeoutMs: 0 })).toBe(META);
    waits.close();
    expect(waits.wait(META, {})).toBe(META);
  });

  it('ends with the meta once its observer has seen it', async () => {
    const seen: TaskMeta[] = [];
    const ends = begin({ onMessage: (meta) => seen.push(meta) });
    await settle();
    expect([seen, ends, waits.size]).toEqual([[META], [META], 0]);
  });

  it('lasts as long as its observer takes, and leaves no timer and no listener behind', async () => {
    const { signal } = new AbortController();
    const ends = begin({ onMessage: slow, timeoutMs: 1000, signal });
    await settle();
    expect([ends, waits.size, clock.timers, getEventListeners(signal, 'abort').length]).toEqual([[], 1, 1, 1]);
    goOn();
    await settle();
    expect([ends, waits.size, clock.timers, getEventListeners(signal, 'abort').length]).toEqual([[META], 0, 0, 0]);
  });

  it('has no timer without a limit', () => {
    begin({ onMessage: slow });
    expect(clock.timers).toBe(0);
  });

  it('ends at its limit with the meta', async () => {
    const ends = begin({ onMessage: slow, timeoutMs: 1000 });
    await clock.advance(999);
    expect(ends).toEqual([]);
    await clock.advance(1);
    expect([ends, waits.size]).toEqual([[META], 0]);
    goOn();
    await settle();
    expect(ends).toHaveLength(1);
  });

  it('ends by its signal with the reason', async () => {
    const controller = new AbortController();
    const ends = begin({ onMessage: slow, signal: controller.signal });
    controller.abort('enough');
    await settle();
    expect([ends, waits.size]).toEqual([[['aborted', 'enough']], 0]);
  });

  it.each([
    [
      'throws',
      (error: Error) => (): never => {
        throw error;
      },
      undefined,
    ],
    [
      'rejects',
      () => slow,
      (error: Error) => {
        failWith(error);
      },
    ],
  ] as const)('fails with what its observer %s', async (_, observer, fail) => {
    const error = new Error('mine');
    const ends = begin({ onMessage: observer(error) });
    fail?.(error);
    await settle();
    expect([ends, waits.size]).toEqual([[['failed', error]], 0]);
  });

  it('ends when it is closed, as does each that comes later', async () => {
    const ends = begin({ onMessage: slow });
    waits.close();
    const later = begin({ onMessage: () => undefined });
    await settle();
    const closed = ['closed', expect.any(BackendClosedError)];
    expect([ends, later, waits.size]).toEqual([[closed], [closed], 0]);
  });
});
