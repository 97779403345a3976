import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Channel, Waiter } from '../../src/consumer/channel.ts';
import { Verifier, type VerifierHost } from '../../src/consumer/verifier.ts';
import { BackendClosedError, BackendError } from '../../src/errors.ts';
import { outage, ScriptedDriver } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const refusal = (reply = 'NOAUTH'): BackendError => new BackendError(reply, { code: 'CELERY_BACKEND_REFUSED', reply });

let driver: ScriptedDriver;
let clock: VirtualClock;
let verifier: Verifier;
/** What the host was told, in order. */
let told: string[];
let wanted: boolean;

beforeEach(() => {
  driver = new ScriptedDriver();
  clock = new VirtualClock();
  told = [];
  wanted = true;
  const host: VerifierHost = {
    isWanted: () => wanted,
    onRefused: ({ taskId }) => told.push(`refused ${taskId}`),
    onRead: ({ taskId }, generation) => told.push(`read ${taskId} ${generation}`),
    onFailed: ({ taskId }) => told.push(`failed ${taskId}`),
    onUnsubscribed: ({ taskId }, generation) => told.push(`unsubscribed ${taskId} ${generation}`),
  };
  verifier = new Verifier(driver, driver, clock, host);
  jest.spyOn(Math, 'random').mockReturnValue(0);
});

afterEach(() => {
  jest.restoreAllMocks();
  verifier.close();
});

/** A channel that somebody waits on. */
function awaited(taskId: string): Channel {
  const channel = new Channel(taskId, `key-${taskId}`);
  channel.waiters.add(new Waiter(channel, {}, () => undefined));
  return channel;
}

async function subscribing(taskId = 't'): Promise<Channel> {
  const channel = awaited(taskId);
  verifier.verify(channel);
  await settle();
  return channel;
}

async function failLast(error?: Error): Promise<void> {
  driver.subscribes.at(-1)?.fail(error);
  await settle();
}

/** Has the last SUBSCRIBE fail, again and again: another one follows after each of these pauses, and none before. */
async function retriedAfter(pauses: readonly number[], fail: () => Promise<void>): Promise<void> {
  for (const ms of pauses) {
    const before = driver.subscribes.length;
    await fail();
    await clock.advance(ms - 1);
    expect(driver.subscribes).toHaveLength(before);
    await clock.advance(1);
    expect(driver.subscribes).toHaveLength(before + 1);
  }
}

describe('the retries of a verifier', () => {
  it('are made after half of 100 ms, 200 ms and so on up to 5 s, at least', async () => {
    await subscribing();
    await retriedAfter([50, 100, 200, 400, 800, 1_600, 2_500, 2_500], failLast);
  });

  it('are made within the whole of it', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    await subscribing();
    await failLast();
    await clock.advance(74);
    expect(driver.subscribes).toHaveLength(1);
    await clock.advance(1);
    expect(driver.subscribes).toHaveLength(2);
  });

  it('begin with the shortest pause again once something has worked', async () => {
    await subscribing();
    await failLast();
    await clock.advance(50);
    driver.subscribes.at(-1)?.answer([null]);
    await settle();
    driver.reads.at(-1)?.answer([null]);
    await settle();
    await subscribing('other');
    await failLast();
    await clock.advance(50);
    expect(driver.subscribes).toHaveLength(4);
  });

  it('begin with the shortest pause again once a read alone has worked', async () => {
    await subscribing();
    driver.subscribes.at(-1)?.answer([null]);
    await settle();
    for (const ms of [50, 100]) {
      driver.reads.at(-1)?.fail();
      await settle();
      await clock.advance(ms);
    }
    driver.reads.at(-1)?.answer([null]);
    await settle();
    await subscribing('other');
    await failLast();
    await clock.advance(50);
    expect(driver.subscribes).toHaveLength(3);
  });

  it('grow apart while each SUBSCRIBE is refused for now', async () => {
    await subscribing();
    await retriedAfter([50, 100, 200], async () => {
      driver.subscribes.at(-1)?.answer([refusal('BUSY')]);
      await settle();
    });
  });

  it.each([1, 2])('grow apart while %d of 2 reads fail', async (failing) => {
    const read = jest
      .spyOn(driver, 'read')
      .mockImplementation((key) =>
        failing === 2 || key === 'key-a' ? Promise.reject(outage()) : Promise.resolve(null),
      );
    for (const taskId of ['a', 'b']) verifier.verify(awaited(taskId));
    await settle();
    driver.subscribes.at(-1)?.answer([null, null]);
    await settle();
    for (const ms of [50, 100, 200]) {
      const before = read.mock.calls.length;
      await clock.advance(ms - 1);
      expect(read.mock.calls).toHaveLength(before);
      await clock.advance(1);
      expect(read.mock.calls.length).toBeGreaterThan(before);
    }
  });

  it('share one timer', async () => {
    await subscribing('a');
    await subscribing('b');
    driver.subscribes[0]?.fail();
    driver.subscribes[1]?.fail();
    await settle();
    expect(clock.timers).toBe(1);
    await clock.advance(50);
    expect(driver.subscribes[2]?.keys).toEqual(['key-a', 'key-b']);
  });

  it('are not made for a channel that nobody wants', async () => {
    await subscribing();
    wanted = false;
    await failLast();
    expect(clock.timers).toBe(0);
  });

  it('are not made, and nobody is told, when the connection was closed', async () => {
    await subscribing();
    await failLast(new BackendClosedError());
    expect([told, clock.timers]).toEqual([[], 0]);
  });

  it('are not made after an error that will not pass, which those of a newer generation are not told of', async () => {
    const [old, current] = [awaited('old'), awaited('current')];
    verifier.verify(old);
    verifier.verify(current);
    await settle();
    old.generation += 1;
    await failLast(refusal());
    expect([told, clock.timers]).toEqual([['failed current'], 0]);
  });

  it('end at close, with what was not sent yet', async () => {
    await subscribing();
    await failLast();
    verifier.verify(awaited('other'));
    verifier.leave(new Channel('third', 'third'));
    verifier.close();
    verifier.ready();
    await settle();
    expect([driver.log, clock.timers]).toEqual([['SUBSCRIBE key-t'], 0]);
  });
});

describe('an UNSUBSCRIBE that is refused for now', () => {
  async function leave(): Promise<void> {
    wanted = false;
    verifier.leave(new Channel('t', 'key-t'));
    await settle();
  }

  async function refuse(): Promise<void> {
    driver.unsubscribes.at(-1)?.answer([refusal('BUSY')]);
    await settle();
  }

  it('is sent again while nobody wants the channel, and the server is not said to have let go of it', async () => {
    await leave();
    await refuse();
    await clock.advance(50);
    expect([driver.log, told]).toEqual([['UNSUBSCRIBE key-t', 'UNSUBSCRIBE key-t'], []]);
  });

  it('is not to be sent again when somebody wants the channel at the refusal', async () => {
    await leave();
    wanted = true;
    await refuse();
    expect(clock.timers).toBe(0);
  });

  it('keeps back no newer one of the same channel', async () => {
    const channel = await subscribing();
    for (let turn = 1; turn <= 2; turn += 1) {
      wanted = false;
      channel.generation += 1;
      channel.state = 'unsubscribing';
      verifier.leave(channel);
      // The first one has left when the second is asked for, and is refused before the second leaves.
      if (turn === 1) await settle();
    }
    driver.unsubscribes[0]?.answer([refusal('BUSY')]);
    await settle();
    expect([driver.log.slice(1), clock.timers]).toEqual([['UNSUBSCRIBE key-t', 'UNSUBSCRIBE key-t'], 0]);
  });

  it('is not sent again when somebody else has come to want the channel since', async () => {
    await leave();
    await refuse();
    wanted = true;
    await clock.advance(10_000);
    expect(driver.log).toEqual(['UNSUBSCRIBE key-t']);
  });
});

describe('a read that is refused for good', () => {
  it.each([
    ['ends the waits of its channel', 0, ['failed t']],
    ['ends none of a newer generation', 1, []],
  ])('%s', async (_title, newer, failed) => {
    const channel = await subscribing();
    driver.subscribes[0]?.answer([null]);
    await settle();
    channel.generation += newer;
    driver.reads[0]?.fail(refusal());
    await settle();
    expect([told, clock.timers]).toEqual([failed, 0]);
  });
});

describe('a confirmation', () => {
  it('of an older generation does not count for the one that is subscribing now', async () => {
    const channel = await subscribing();
    channel.generation += 1;
    driver.subscribes[0]?.answer([null]);
    await settle();
    expect([channel.state, driver.log]).toEqual(['subscribing', ['SUBSCRIBE key-t']]);
  });

  it('does not bring back a channel that was left without a new generation', async () => {
    const channel = await subscribing();
    channel.state = 'unsubscribing';
    driver.subscribes[0]?.answer([null]);
    await settle();
    expect([channel.state, driver.log]).toEqual(['unsubscribing', ['SUBSCRIBE key-t']]);
  });

  it('that nobody wants any more is taken back', async () => {
    const channel = await subscribing();
    channel.generation += 1;
    channel.state = 'unsubscribing';
    wanted = false;
    driver.subscribes[0]?.answer([null]);
    await settle();
    expect(driver.log).toEqual(['SUBSCRIBE key-t', 'UNSUBSCRIBE key-t']);
    driver.unsubscribes[0]?.answer([null]);
    await settle();
    expect(told).toEqual(['unsubscribed t 1']);
  });

  it('makes what messages came before it count no longer', async () => {
    const channel = await subscribing();
    channel.overtaken = true;
    driver.subscribes[0]?.answer([null]);
    await settle();
    expect([channel.state, channel.overtaken]).toEqual(['reading', false]);
  });
});
