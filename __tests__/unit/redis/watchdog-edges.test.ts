import { describe, expect, it } from '@jest/globals';
import type { Clock } from '../../../src/clock.ts';
import { Watchdog } from '../../../src/redis/watchdog.ts';
import { settle } from '../../support/virtual-clock.ts';

interface Watched {
  readonly dog: Watchdog;
  readonly stream: { bytesRead: number };
  readonly timers: (() => void)[];
  readonly deaths: number[];
  /** The deadline has come. */
  readonly late: () => void;
}

/** A watchdog whose timers the test runs itself. */
function watch(): Watched {
  let now = 0;
  const timers: (() => void)[] = [];
  const deaths: number[] = [];
  const clock: Clock = {
    now: () => now,
    wall: () => now,
    after: (_ms, run) => {
      timers.push(run);
      return { cancel: () => undefined };
    },
  };
  const stream = { writable: true, bytesRead: 0, writableLength: 0, destroy: () => undefined };
  const options = { clock, heartbeatMs: 2_000, deadAfterMs: 6_000, onDead: (ms: number) => deaths.push(ms) };
  const dog = new Watchdog(stream, { ...options, ping: () => new Promise(() => undefined) });
  const late = (): void => {
    now = 6_000;
    timers[0]?.();
  };
  return { dog, stream, timers, deaths, late };
}

describe('the watchdog, in the very turn of its deadline', () => {
  it('destroys a link that is still silent', async () => {
    const { dog, late, deaths } = watch();
    dog.start();
    late();
    await settle();
    expect(deaths).toEqual([6_000]);
  });

  it('spares one whose answer is read in that turn', async () => {
    const { dog, late, deaths } = watch();
    dog.start();
    late();
    dog.answered();
    await settle();
    expect(deaths).toEqual([]);
  });

  it('spares one that says anything in that turn, and listens on', async () => {
    const { dog, stream, timers, late, deaths } = watch();
    dog.start();
    late();
    stream.bytesRead += 1;
    await settle();
    expect([deaths, timers.length]).toEqual([[], 2]);
  });

  it('says nothing of one that ends in that turn', async () => {
    const { dog, late, deaths } = watch();
    dog.start();
    late();
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
