import { describe, expect, it } from '@jest/globals';
import type { Clock } from '../../../src/clock.ts';
import { Watchdog } from '../../../src/redis/watchdog.ts';
import { settle } from '../../support/virtual-clock.ts';

/** A watchdog whose timers the test runs itself. */
function watch(): { dog: Watchdog; timers: (() => void)[]; deaths: number[] } {
  const timers: (() => void)[] = [];
  const deaths: number[] = [];
  const clock: Clock = {
    now: () => 0,
    wall: () => 0,
    after: (_ms, run) => {
      timers.push(run);
      return { cancel: () => undefined };
    },
  };
  const stream = { writable: true, bytesRead: 0, writableLength: 0, destroy: () => undefined };
  const options = { clock, heartbeatMs: 2_000, deadAfterMs: 6_000, onDead: (ms: number) => deaths.push(ms) };
  return { dog: new Watchdog(stream, { ...options, ping: () => new Promise(() => undefined) }), timers, deaths };
}

describe('the watchdog, in the very turn of its deadline', () => {
  it('destroys a link that is still silent', async () => {
    const { dog, timers, deaths } = watch();
    dog.start();
    timers[0]?.();
    await settle();
    expect(deaths).toEqual([6_000]);
  });

  it('spares one whose answer is read in that turn', async () => {
    const { dog, timers, deaths } = watch();
    dog.start();
    timers[0]?.();
    dog.answered();
    await settle();
    expect(deaths).toEqual([]);
  });

  it('says nothing of one that ends in that turn', async () => {
    const { dog, timers, deaths } = watch();
    dog.start();
    timers[0]?.();
    dog.stop();
    await settle();
    expect(deaths).toEqual([]);
  });
});

describe('a watchdog that was not started', () => {
  it('can be stopped, or told of an answer', () => {
    watch().dog.stop();
    const { dog, timers } = watch();
    dog.answered();
    expect(timers).toHaveLength(1);
  });
});
