import { describe, expect, it } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { Channel, failureOf, observe, Waiter } from '../../src/consumer/channel.ts';
import { type HoldHost, Holds } from '../../src/consumer/holds.ts';
import { lookOnce } from '../../src/consumer/last-look.ts';
import { abortable, Signals } from '../../src/consumer/signals.ts';
import { BackendClosedError } from '../../src/errors.ts';
import type { TaskMeta } from '../../src/meta.ts';
import { ScriptedDriver } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const STARTED: TaskMeta = { status: 'STARTED', result: null };
const SUCCESS: TaskMeta = { status: 'SUCCESS', result: 1 };

function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

describe('a channel', () => {
  it('begins as one that nobody wants, unread and unseen', () => {
    const channel = new Channel('t', 'key');
    const unseen = { last: undefined, overtaken: false, gap: false, readAt: -Infinity };
    expect(channel).toMatchObject({ state: 'subscribing', held: false, wanted: false, generation: 0, ...unseen });
  });

  it('is subscribed, for all who ask, once it leaves `subscribing`', async () => {
    const channel = new Channel('t', 'key');
    const told: number[] = [];
    for (const who of [1, 2]) void channel.whenSubscribed().then(() => told.push(who));
    channel.state = 'subscribing';
    await settle();
    expect(told).toEqual([]);
    channel.state = 'held';
    await settle();
    expect(told).toEqual([1, 2]);
    await channel.whenSubscribed();
  });

  it.each<[states: Channel['state'][], gap: boolean]>([
    [['reading', 'subscribing'], false],
    [['live', 'reading'], false],
    [['live', 'subscribing'], true],
    [['live', 'subscribing', 'subscribing', 'reading'], true],
    [['live', 'subscribing', 'reading', 'live'], false],
    [['live', 'unsubscribing', 'subscribing'], false],
    [['live', 'subscribing', 'unsubscribing', 'subscribing'], false],
  ])('has a gap from its new link until it is live or left: %j, %p', (states, gap) => {
    const channel = new Channel('t', 'key');
    for (const state of states) channel.state = state;
    expect(channel.gap).toBe(gap);
  });

  it('tells the bytes that were seen last from others', () => {
    const channel = new Channel('t', 'key');
    expect(channel.isLast(Buffer.from('a'))).toBe(false);
    channel.last = { meta: STARTED, payload: Buffer.from('a'), by: 'message' };
    expect([channel.isLast(Buffer.from('a')), channel.isLast(Buffer.from('b'))]).toEqual([true, false]);
    expect([channel.isNews(Buffer.from('a')), channel.isNews(Buffer.from('b'))]).toEqual([false, true]);
    channel.overtaken = true;
    expect(channel.isNews(Buffer.from('b'))).toBe(false);
  });
});

describe('a waiter', () => {
  it('is given nothing once its signal is aborted, though its turn to end is still to come', () => {
    const channel = new Channel('t', 'key');
    const aborting = new AbortController();
    const seen: unknown[] = [];
    const waiter = new Waiter(
      channel,
      { signal: aborting.signal, onMessage: (meta) => seen.push(meta) },
      () => undefined,
    );
    channel.waiters.add(waiter);
    const give = (meta: TaskMeta): void => {
      waiter.give(meta, (end) => seen.push(end));
    };
    give(STARTED);
    aborting.abort();
    give(SUCCESS);
    expect(seen).toEqual([STARTED]);
  });
});

describe('the failure of an error', () => {
  const reason = new Error('enough');
  const aborted = AbortSignal.abort(reason);

  it.each([
    ['aborted', reason, aborted],
    ['failed', new Error('other'), aborted],
    ['failed', reason, new AbortController().signal],
    ['failed', undefined, new AbortController().signal],
    ['failed', reason, undefined],
    ['closed', new BackendClosedError(), undefined],
  ])('is %s', (outcome, error, signal) => {
    const failure = failureOf(error, signal);
    expect([failure.outcome, failure.error()]).toEqual([outcome, error]);
  });
});

describe('an observer', () => {
  const never = (error: unknown): void => {
    throw error as Error;
  };

  it.each([undefined, null, 1, 'text', true])('that returns %p takes no time', (value) => {
    expect(observe(() => value, STARTED, never)).toBeUndefined();
  });

  it('that returns a promise takes its time, which is all that it tells', async () => {
    await expect(observe(() => Promise.resolve(1), STARTED, never)).resolves.toBeUndefined();
  });
});

describe('a last look', () => {
  it('has failed when the read fails', async () => {
    const driver = new ScriptedDriver();
    const outcomes: string[] = [];
    const handlers = {
      onRead: (): void => {
        outcomes.push('read');
      },
      onExpired: (outcome: string): void => {
        outcomes.push(outcome);
      },
    };
    lookOnce(driver, new VirtualClock(), 250, 'key', handlers);
    driver.reads[0]?.fail();
    await settle();
    expect(outcomes).toEqual(['failed']);
  });
});

describe('the signals of waits', () => {
  it('are listened to until the last member is gone, and each member is told once', () => {
    const told: unknown[] = [];
    const signals = new Signals<string>((member, reason) => told.push([member, reason]));
    const { signal, abort } = withAbort();
    signals.add(signal, 'a');
    signals.add(signal, 'b');
    expect(listeners(signal)).toBe(1);
    signals.remove(signal, 'a');
    signals.remove(signal, 'a');
    expect(listeners(signal)).toBe(1);
    signals.add(signal, 'c');
    expect(listeners(signal)).toBe(1);
    abort('enough');
    expect(told).toEqual([
      ['b', 'enough'],
      ['c', 'enough'],
    ]);
    expect(listeners(signal)).toBe(0);
  });

  it('are let go with their last member, and listened to again for the next', () => {
    const signals = new Signals<string>(() => undefined);
    const { signal } = withAbort();
    signals.remove(signal, 'a');
    signals.add(signal, 'a');
    signals.remove(signal, 'a');
    expect(listeners(signal)).toBe(0);
    signals.add(signal, 'b');
    expect(listeners(signal)).toBe(1);
  });
});

describe('a promise with a signal', () => {
  it('is the promise where there is none', async () => {
    await expect(abortable(Promise.resolve(1), undefined)).resolves.toBe(1);
  });

  it('settles as the promise does, and lets go of the signal', async () => {
    const { signal } = withAbort();
    await expect(abortable(Promise.resolve(1), signal)).resolves.toBe(1);
    await expect(abortable(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
    expect(listeners(signal)).toBe(0);
  });

  it('rejects with the reason when the signal comes first, and lets go of it', async () => {
    const { signal, abort } = withAbort();
    const promise = abortable(new Promise(() => undefined), signal);
    expect(listeners(signal)).toBe(1);
    abort('enough');
    await expect(promise).rejects.toBe('enough');
    expect(listeners(signal)).toBe(0);
  });
});

describe('holds', () => {
  function holds(maxHeldBytes = 100): { holds: Holds; clock: VirtualClock; left: string[]; channels: Channel[] } {
    const clock = new VirtualClock();
    const left: string[] = [];
    const channels: Channel[] = [];
    const host: HoldHost = {
      join: (taskId) => {
        const channel = new Channel(taskId, taskId);
        channel.state = 'held';
        channels.push(channel);
        return channel;
      },
      leave: ({ taskId }) => left.push(taskId),
    };
    return { holds: new Holds({ holdForMs: 1_000, maxHeld: 10, maxHeldBytes }, clock, host), clock, left, channels };
  }

  it('keep metas up to the very bound', async () => {
    const { holds: each, channels } = holds();
    await each.add('a');
    await each.add('b');
    for (const channel of channels) each.fill(channel, SUCCESS, 50);
    expect([each.metaOf('a'), each.metaOf('b')]).toEqual([SUCCESS, SUCCESS]);
    await each.add('c');
    for (const channel of channels.slice(2)) each.fill(channel, SUCCESS, 1);
    expect([each.metaOf('a'), each.metaOf('b')]).toEqual([undefined, SUCCESS]);
  });

  it('leave a channel once, when its meta is there; whoever waits on it later keeps it', async () => {
    const { holds: each, channels, left } = holds();
    await each.add('a');
    for (const channel of channels) each.fill(channel, SUCCESS, 1);
    expect(left).toEqual(['a']);
    each.drop('a');
    expect(left).toEqual(['a']);
  });

  it('end in their time when another is dropped, and leave no timer with the last one', async () => {
    const { holds: each, clock, left } = holds();
    await each.add('a');
    await each.add('b');
    each.drop('a');
    await clock.advance(1_000);
    expect([each.size, left, clock.timers]).toEqual([0, ['a', 'b'], 0]);
    await each.add('c');
    each.drop('c');
    expect(clock.timers).toBe(0);
  });

  it('let go of their channels at close, without a command', async () => {
    const { holds: each, channels, left, clock } = holds();
    await each.add('a');
    expect(channels[0]?.held).toBe(true);
    each.close();
    expect([channels[0]?.held, left, clock.timers]).toEqual([false, [], 0]);
  });
});

function withAbort(): { readonly signal: AbortSignal; readonly abort: (reason: unknown) => void } {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    abort: (reason) => {
      controller.abort(reason);
    },
  };
}
