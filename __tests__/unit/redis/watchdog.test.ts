import { describe, expect, it } from '@jest/globals';
import { withDeadline } from '../../../src/redis/deadline.ts';
import { addTraffic, MIB } from '../../../src/redis/traffic.ts';
import { Watchdog } from '../../../src/redis/watchdog.ts';
import { VirtualClock, settle } from '../../support/virtual-clock.ts';

class FakeStream {
  readonly writable = true;
  bytesRead = 0;
  writableLength = 0;
  destroyed = false;

  destroy(): void {
    this.destroyed = true;
  }
}

function watch(): { clock: VirtualClock; stream: FakeStream; dog: Watchdog; pings: (() => void)[]; deaths: number[] } {
  const clock = new VirtualClock();
  const stream = new FakeStream();
  const pings: (() => void)[] = [];
  const deaths: number[] = [];
  const dog = new Watchdog(stream, {
    clock,
    heartbeatMs: 2000,
    deadAfterMs: 6000,
    ping: () =>
      new Promise<void>((resolve) => {
        pings.push(resolve);
      }),
    onDead: (ms) => deaths.push(ms),
  });
  dog.start();
  return { clock, stream, dog, pings, deaths };
}

describe('the watchdog', () => {
  it('destroys a link whose handshake is silent', async () => {
    const { clock, stream, pings, deaths } = watch();
    await clock.advance(5999);
    expect(stream.destroyed).toBe(false);
    await clock.advance(1);
    expect(stream.destroyed).toBe(true);
    expect(deaths).toEqual([6000]);
    expect(pings).toHaveLength(0);
    expect(clock.timers).toBe(0);
  });

  it('sends one PING a heartbeat after the answer to the last', async () => {
    const { clock, dog, pings } = watch();
    dog.answered();
    await clock.advance(1999);
    expect(pings).toHaveLength(0);
    await clock.advance(1);
    expect(pings).toHaveLength(1);
    await clock.advance(5000);
    expect(pings).toHaveLength(1);
    pings[0]?.();
    await clock.advance(2000);
    expect(pings).toHaveLength(2);
  });

  it('destroys a link that does not answer a PING, once', async () => {
    const { clock, dog, stream, pings, deaths } = watch();
    dog.answered();
    await clock.advance(2000 + 6000);
    expect(stream.destroyed).toBe(true);
    pings[0]?.();
    await clock.advance(60_000);
    expect(deaths).toEqual([6000]);
    expect(clock.timers).toBe(0);
  });

  it.each([
    ['a few bytes', 0, 1, 12_000],
    ['a few bytes, after many before the PING', 100 * MIB, 1, 12_000],
    ['2 MiB a second', 0, 2 * MIB, 6000],
  ])(
    'takes other bytes for a sign of life, for twice deadAfter and a second a MiB: %s',
    async (_, before, bytes, unanswered) => {
      const { clock, dog, stream, pings, deaths } = watch();
      stream.bytesRead = before;
      dog.answered();
      await clock.advance(2000);
      expect(pings).toHaveLength(1);
      for (let second = 1; second <= 30; second += 1) {
        stream.bytesRead += bytes;
        await clock.advance(1000);
        expect(stream.destroyed).toBe(bytes === 1 && second > 12);
      }
      await clock.advance(6600);
      expect(deaths).toEqual([unanswered]);
    },
  );

  it.each([1, 300, 599, 601, 3000, 5999])(
    'counts silence from the last byte: one that comes %d ms after the PING gives a tenth of deadAfter more at most',
    async (ms) => {
      const { clock, dog, stream, pings, deaths } = watch();
      dog.answered();
      await clock.advance(2000 + ms);
      stream.bytesRead += 1;
      await clock.advance(5999);
      expect(stream.destroyed).toBe(false);
      await clock.advance(601);
      expect([stream.destroyed, deaths, pings.length]).toEqual([true, [6000], 1]);
      expect(clock.timers).toBe(0);
    },
  );

  it('has one timer, however many bytes come', async () => {
    const { clock, dog, stream } = watch();
    dog.answered();
    await clock.advance(2000);
    for (let i = 0; i < 1000; i += 1) {
      stream.bytesRead += 1;
      await clock.advance(1);
      expect(clock.timers).toBe(1);
    }
    dog.stop();
  });

  it('gives a second more for each MiB that waits before the PING', async () => {
    const { clock, dog, stream } = watch();
    dog.answered();
    stream.writableLength = 10 * MIB;
    await clock.advance(2000 + 15_999);
    expect(stream.destroyed).toBe(false);
    await clock.advance(1);
    expect(stream.destroyed).toBe(true);
  });

  it('gives that second also for what the kernel took, until it has its answer', async () => {
    const { clock, dog, stream } = watch();
    const other = watch();
    for (const each of [stream, other.stream]) addTraffic(each, 10 * MIB);
    addTraffic(other.stream, -10 * MIB);
    dog.answered();
    other.dog.answered();
    await clock.advance(2000 + 15_999);
    expect(stream.destroyed).toBe(false);
    await clock.advance(1);
    expect(stream.destroyed).toBe(true);
    await other.clock.advance(8000);
    expect(other.stream.destroyed).toBe(true);
  });

  it('is quiet once it is stopped', async () => {
    const { clock, dog, stream, pings } = watch();
    dog.stop();
    dog.answered();
    await clock.advance(60_000);
    expect([stream.destroyed, pings.length, clock.timers]).toEqual([false, 0, 0]);
  });
});

describe('a deadline', () => {
  const late = (): Error => new Error('late');
  const never = (): Promise<never> => new Promise(() => undefined);

  it('counts from acceptance', async () => {
    const clock = new VirtualClock();
    await clock.advance(3000);
    const call = withDeadline(new FakeStream(), never, { clock, acceptedMs: 0, timeoutMs: 5000, bytes: 0, late });
    const outcome = call.catch(() => clock.now());
    await clock.advance(10_000);
    await expect(outcome).resolves.toBe(5000);
    expect(clock.timers).toBe(0);
  });

  it.each([
    ['that the call sends', 2 * MIB, 0, 0],
    ['that wait before it', 0, 2 * MIB, 0],
    ['that come in', 0, 0, 2 * MIB],
  ])('is a second later for each MiB %s', async (_title, bytes, queued, incoming) => {
    const clock = new VirtualClock();
    const stream = new FakeStream();
    stream.writableLength = queued;
    let state = 'pending';
    withDeadline(stream, never, { clock, acceptedMs: 0, timeoutMs: 5000, bytes, late }).catch(() => {
      state = 'late';
    });
    stream.bytesRead += incoming;
    await clock.advance(6999);
    expect(state).toBe('pending');
    await clock.advance(1);
    expect(state).toBe('late');
  });

  it('is a second later for each MiB of the commands before it, until they have their answers', async () => {
    const clock = new VirtualClock();
    const stream = new FakeStream();
    let answer = (): void => undefined;
    const large = (): Promise<void> =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const options = { clock, acceptedMs: 0, timeoutMs: 5000, late };
    const uploaded = withDeadline(stream, large, { ...options, bytes: 2 * MIB });
    const ends: number[] = [];
    const small = (acceptedMs: number): void => {
      withDeadline(stream, never, { ...options, acceptedMs, bytes: 0 }).catch(() => ends.push(clock.now()));
    };
    small(0);
    await clock.advance(1000);
    answer();
    await uploaded;
    small(1000);
    await clock.advance(20_000);
    expect(ends).toEqual([6000, 7000]);
  });

  it('passes on what comes in time, and leaves no timer', async () => {
    const clock = new VirtualClock();
    const options = { clock, acceptedMs: 0, timeoutMs: 5000, bytes: 0, late };
    await expect(withDeadline(new FakeStream(), async () => Promise.resolve(1), options)).resolves.toBe(1);
    await expect(withDeadline(new FakeStream(), () => Promise.reject(new Error('no')), options)).rejects.toThrow('no');
    expect(clock.timers).toBe(0);
  });

  it('leaves no timer when a large reply comes in the very turn of the deadline', async () => {
    let now = 0;
    const armed: (() => void)[] = [];
    const clock = {
      now: () => now,
      wall: () => now,
      after: (_ms: number, run: () => void) => {
        armed.push(run);
        return { cancel: () => undefined };
      },
    };
    const stream = new FakeStream();
    let reply: (value: number) => void = () => undefined;
    const send = (): Promise<number> =>
      new Promise((resolve) => {
        reply = resolve;
      });
    const call = withDeadline(stream, send, { clock, acceptedMs: 0, timeoutMs: 5000, bytes: 0, late });
    now = 5000;
    armed[0]?.();
    stream.bytesRead += 10 * MIB;
    reply(1);
    await expect(call).resolves.toBe(1);
    await settle();
    expect(armed).toHaveLength(1);
  });
});
