import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { withDeadline, within } from '../../../src/redis/deadline.ts';
import type { Timer } from '../../../src/clock.ts';
import { nextTurn } from '../../../src/turns.ts';
import { MIB, traffic } from '../../../src/redis/traffic.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const late = (): Error => new Error('late');

describe('the deadline of a command', () => {
  it('is not moved by what came in before it', async () => {
    const clock = new VirtualClock();
    const stream = { writable: true, bytesRead: 10 * MIB, writableLength: 0, destroy: () => undefined };
    const never = (): Promise<never> => new Promise(() => undefined);
    let over: number | undefined;
    withDeadline(stream, never, { clock, acceptedMs: 0, timeoutMs: 5_000, bytes: 0, late }).catch(() => {
      over = clock.now();
    });
    await clock.advance(60_000);
    expect(over).toBe(5_000);
  });
});

describe('a command whose time is over after a stall', () => {
  it('is judged once nothing more comes in: its reply may lie behind others', async () => {
    let now = 0;
    let fire: (() => void) | undefined;
    const after = (_: number, run: () => void): Timer => {
      fire = run;
      return { cancel: () => undefined };
    };
    const clock = { now: () => now, wall: () => now, after };
    const stream = { writable: true, bytesRead: 0, writableLength: 0, destroy: () => undefined };
    const ends: unknown[] = [];
    const never = (): Promise<never> => new Promise(() => undefined);
    const options = { clock, acceptedMs: 0, timeoutMs: 5_000, bytes: 0, late };
    withDeadline(stream, never, options).catch((error: unknown) => ends.push(error));
    now = 60_000;
    fire?.();
    for (let turn = 0; turn < 20; turn += 1) {
      stream.bytesRead += 65_536;
      await nextTurn();
    }
    expect(ends).toEqual([]);
    for (let turn = 0; turn < 2; turn += 1) await nextTurn();
    expect(ends).toEqual([late()]);
  });
});

describe('a command that is answered', () => {
  it.each([
    ['with a value', () => Promise.resolve(1), 1],
    ['with an error', () => Promise.reject(new Error('no')), new Error('no')],
  ])('%s leaves no timer, and no bytes that later ones would wait for', async (_how, send, end) => {
    const clock = new VirtualClock();
    const stream = { writable: true, bytesRead: 0, writableLength: 0, destroy: () => undefined };
    const options = { clock, acceptedMs: 0, timeoutMs: 5_000, bytes: 10 * MIB, late };
    const sent = withDeadline<unknown>(stream, send, options).catch((error: unknown) => error);
    expect([clock.timers, traffic(stream)]).toEqual([1, 10 * MIB]);
    expect(await sent).toEqual(end);
    expect([clock.timers, traffic(stream)]).toEqual([0, 0]);
  });
});

describe('a promise within a time', () => {
  it('settles as it does, and leaves no timer', async () => {
    const clock = new VirtualClock();
    await expect(within(Promise.resolve(1), clock, 100, late)).resolves.toBe(1);
    await expect(within(Promise.reject(new Error('no')), clock, 100, late)).rejects.toThrow('no');
    expect(clock.timers).toBe(0);
  });

  it('rejects when it is stopped; however it ends, it leaves no timer and no listener', async () => {
    const clock = new VirtualClock();
    const stopping = new AbortController();
    const never = new Promise<never>(() => undefined);
    const ends = [never, never, Promise.resolve(1), Promise.reject(new Error('no'))].map((promise, index) =>
      within(promise, clock, index === 0 ? 100 : 200, late, stopping.signal).catch((error: unknown) => String(error)),
    );
    await clock.advance(100);
    expect([clock.timers, getEventListeners(stopping.signal, 'abort').length]).toEqual([1, 1]);
    stopping.abort();
    expect(await Promise.all(ends)).toEqual(['Error: late', 'Error: stopped', 1, 'Error: no']);
    expect([clock.timers, getEventListeners(stopping.signal, 'abort').length]).toEqual([0, 0]);
  });

  it('rejects when the time is over, and what it comes to later is ignored', async () => {
    const clock = new VirtualClock();
    let fail: (error: Error) => void = () => undefined;
    const promise = new Promise<never>((_, reject) => {
      fail = reject;
    });
    let over: unknown;
    within(promise, clock, 100, late).catch((error: unknown) => (over = error));
    await clock.advance(99);
    expect(over).toBeUndefined();
    await clock.advance(1);
    expect(over).toEqual(late());
    fail(new Error('later'));
    await clock.advance(100);
    expect(over).toEqual(late());
  });
});
