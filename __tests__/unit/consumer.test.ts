import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { subscribe } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { ResultCache } from '../../src/cache.ts';
import { type WaitEnd, WaitFailure, type WaitLimits, type WaitTrace } from '../../src/consumer/channel.ts';
import { Consumer } from '../../src/consumer/consumer.ts';
import { Warnings } from '../../src/diagnostics.ts';
import { BackendClosedError, BackendError, DecodeError, TimeoutError } from '../../src/errors.ts';
import { createKeys } from '../../src/keys.ts';
import type { TaskMeta } from '../../src/meta.ts';
import { recording } from '../support/events.ts';
import { type Asked, ScriptedDriver } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';
import { nextTurn } from '../../src/turns.ts';

const keys = createKeys('');
const key = keys.task('t1');

let driver: ScriptedDriver;
let clock: VirtualClock;
let cache: ResultCache;
let consumer: Consumer;

function decode(payload: Uint8Array, taskId: string): TaskMeta {
  try {
    const meta = JSON.parse(Buffer.from(payload).toString()) as TaskMeta;
    if (meta.task_id === taskId) return meta;
  } catch {
    throw new DecodeError('not JSON');
  }
  throw new DecodeError('of another task');
}

function bytes(status: string, result: unknown = null, taskId = 't1'): Uint8Array {
  return Buffer.from(JSON.stringify({ status, result, task_id: taskId }));
}

/** A wait, with what it came to. */
interface Watched {
  readonly seen: string[];
  end: WaitEnd | undefined;
}

function wait(limits: WaitLimits = {}, taskId = 't1'): Watched {
  const watched: Watched = { seen: [], end: undefined };
  const onMessage = (meta: TaskMeta): void => {
    watched.seen.push(`${meta.status}:${String(meta.result)}`);
  };
  void consumer.wait(taskId, { onMessage, ...limits }).then((end) => {
    watched.end = end;
  });
  return watched;
}

function valueOf(watched: Watched): unknown {
  if (watched.end === undefined) return 'still waiting';
  return watched.end instanceof WaitFailure ? watched.end.error() : watched.end.result;
}

function last<T>(asked: readonly Asked<T>[]): Asked<T> {
  const question = asked.at(-1);
  if (!question) throw new Error('nothing was asked');
  return question;
}

async function confirm(): Promise<void> {
  await settle();
  const asked = last(driver.subscribes);
  asked.answer(asked.keys.map(() => null));
  await settle();
}

async function readReply(...payloads: (Uint8Array | null)[]): Promise<void> {
  last(driver.reads).answer(payloads);
  await settle();
}

async function message(payload: Uint8Array, channel = key): Promise<void> {
  driver.listener.onMessage(channel, payload);
  await settle();
}

/** Milliseconds that {@link ponder} takes, and what it was shown. */
const PONDERING = 100;
let pondered: unknown[] = [];

/** An observer that takes its time. */
function ponder(meta: TaskMeta): Promise<void> {
  if (meta.status !== 'STARTED') pondered.push(meta.result);
  return new Promise((resolve) => clock.after(PONDERING, resolve));
}

/** Brings the channel of t1 to `live`. */
async function goLive(): Promise<void> {
  await confirm();
  await readReply(null);
}

beforeEach(() => {
  pondered = [];
  driver = new ScriptedDriver();
  clock = new VirtualClock();
  cache = new ResultCache({ maxEntries: 100, maxBytes: 1e6, expires: null }, clock);
  consumer = new Consumer({
    store: driver,
    source: driver,
    keys,
    cache,
    clock,
    warnings: new Warnings(),
    decode,
    backstopMs: 30_000,
    lastLookMs: 250,
    holdForMs: 60_000,
    maxHeld: 3,
    maxHeldBytes: 500,
  });
});

afterEach(async () => {
  await consumer.close();
  await settle();
  expect({
    held: consumer.holds.size,
    waits: consumer.waits,
    channels: consumer.channels,
    timers: clock.timers,
  }).toEqual({
    held: 0,
    waits: 0,
    channels: 0,
    timers: 0,
  });
});

describe('the machine of a channel', () => {
  it('absent -> subscribing: the first waiter subscribes, and nothing is read before the confirmation', async () => {
    wait();
    await settle();
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`]);
  });

  it('subscribing -> reading: the confirmation makes it read the key once', async () => {
    wait();
    await confirm();
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `GET ${key}`]);
  });

  it('subscribing -> reading: a refused channel is read all the same', async () => {
    const warned = new Promise((resolve) => {
      subscribe('celery-redis-backend:warning', resolve);
    });
    wait();
    await settle();
    last(driver.subscribes).answer([new Error('NOPERM no channel')]);
    await settle();
    expect(driver.log.at(-1)).toBe(`GET ${key}`);
    expect(await warned).toMatchObject({ code: 'CELERY_CHANNEL_REFUSED' });
  });

  it('reading -> live: a reply without a result leaves the waiter waiting for the message', async () => {
    const watched = wait();
    await goLive();
    expect(valueOf(watched)).toBe('still waiting');
    await message(bytes('SUCCESS', 42));
    expect(valueOf(watched)).toBe(42);
  });

  it('reading -> reading: a read that failed is tried again without a second SUBSCRIBE', async () => {
    const watched = wait();
    await confirm();
    last(driver.reads).fail();
    await clock.advance(10_000);
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `GET ${key}`, `GET ${key}`]);
    await readReply(bytes('SUCCESS', 1));
    expect(valueOf(watched)).toBe(1);
  });

  it('reading -> reading: a first connection that comes up tries again at once', async () => {
    wait();
    await confirm();
    last(driver.reads).fail();
    await settle();
    driver.listener.onReady();
    await settle();
    expect(driver.reads).toHaveLength(2);
  });

  it('subscribing -> subscribing: a link that breaks before the confirmation is tried again', async () => {
    const watched = wait();
    await settle();
    last(driver.subscribes).fail();
    await clock.advance(10_000);
    expect(driver.subscribes).toHaveLength(2);
    await confirm();
    await readReply(bytes('SUCCESS', 'late'));
    expect(valueOf(watched)).toBe('late');
  });

  it('subscribing -> subscribing: a channel that is refused by a reply that passes is tried again', async () => {
    const [watched] = [wait(), wait({}, 't2')];
    await settle();
    const busy = new BackendError('BUSY', { code: 'CELERY_BACKEND_REFUSED', reply: 'BUSY' });
    last(driver.subscribes).answer([busy, null]);
    await settle();
    expect(driver.log).toEqual([`SUBSCRIBE ${key} ${keys.task('t2')}`, `GET ${keys.task('t2')}`]);
    await readReply(null);
    await clock.advance(10_000);
    await confirm();
    expect(driver.log.slice(2)).toEqual([`SUBSCRIBE ${key}`, `GET ${key}`]);
    await readReply(null);
    await message(bytes('SUCCESS', 'heard'));
    expect(valueOf(watched)).toBe('heard');
  });

  it('reading -> unsubscribing: a ready reply settles all waiters and unsubscribes', async () => {
    const [first, second] = [wait(), wait()];
    await confirm();
    await readReply(bytes('SUCCESS', 7));
    expect([valueOf(first), valueOf(second)]).toEqual([7, 7]);
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `GET ${key}`, `UNSUBSCRIBE ${key}`]);
  });

  it('live -> live: a waiter that joins does not read, and is shown the last meta', async () => {
    wait();
    await goLive();
    await message(bytes('PROGRESS', 50));
    const joined = wait();
    await settle();
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `GET ${key}`]);
    expect(joined.seen).toEqual(['PROGRESS:50']);
  });

  it('live -> reading: a message that does not decode is no answer, the key is read once more', async () => {
    const watched = wait();
    await goLive();
    await message(Buffer.from('rubbish'));
    expect(driver.log.at(-1)).toBe(`GET ${key}`);
    expect(valueOf(watched)).toBe('still waiting');
    await readReply(bytes('SUCCESS', 'truth'));
    expect(valueOf(watched)).toBe('truth');
  });

  it('live -> reading: a message with the id of another task is no answer', async () => {
    const watched = wait();
    await goLive();
    await message(bytes('SUCCESS', 'foreign', 'other'));
    await readReply(null);
    expect(valueOf(watched)).toBe('still waiting');
    expect(driver.reads).toHaveLength(2);
  });

  it('reading -> reading: a message that is no answer makes the read under way not count', async () => {
    const watched = wait();
    await confirm();
    await message(Buffer.from('rubbish'));
    expect(driver.reads).toHaveLength(2);
    driver.reads[0]?.answer([bytes('PROGRESS', 'old')]);
    await readReply(bytes('PROGRESS', 'new'));
    expect(watched.seen).toEqual(['PROGRESS:new']);
  });

  it('reading: a key that does not decode rejects, for this task only', async () => {
    const [bad, good] = [wait(), wait({}, 't2')];
    await confirm();
    await readReply(Buffer.from('rubbish'), bytes('SUCCESS', 2, 't2'));
    expect(valueOf(bad)).toBeInstanceOf(DecodeError);
    expect(valueOf(good)).toBe(2);
  });

  it('subscribing -> unsubscribing: the last waiter leaves before the confirmation, which then does not read', async () => {
    const controller = new AbortController();
    wait({ signal: controller.signal });
    await settle();
    controller.abort();
    await confirm();
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `UNSUBSCRIBE ${key}`, `UNSUBSCRIBE ${key}`]);
    expect(driver.reads).toHaveLength(0);
  });

  it('live -> unsubscribing: the channel stays while one of two waiters leaves', async () => {
    const controller = new AbortController();
    wait({ signal: controller.signal });
    const other = wait();
    await goLive();
    controller.abort();
    await settle();
    expect(driver.unsubscribes).toHaveLength(0);
    await message(bytes('SUCCESS', 3));
    expect(valueOf(other)).toBe(3);
  });

  it('unsubscribing -> absent: the confirmed UNSUBSCRIBE lets go of the channel', async () => {
    wait();
    await goLive();
    await message(bytes('SUCCESS', 3));
    expect(consumer.channels).toBe(1);
    last(driver.unsubscribes).answer([null]);
    await settle();
    expect(consumer.channels).toBe(0);
  });

  it('unsubscribing -> unsubscribing: an UNSUBSCRIBE that is refused by a reply that passes is sent again', async () => {
    wait({ timeoutMs: 10 });
    await goLive();
    await clock.advance(300);
    const busy = new BackendError('busy', { code: 'CELERY_BACKEND_REFUSED', reply: 'BUSY' });
    last(driver.unsubscribes).answer([busy]);
    await settle();
    expect([consumer.channels, driver.unsubscribes.length]).toEqual([1, 1]);
    await clock.advance(100);
    expect(driver.unsubscribes).toHaveLength(2);
    last(driver.unsubscribes).answer([null]);
    await settle();
    expect(consumer.channels).toBe(0);
  });

  it('unsubscribing -> subscribing: a waiter that joins after a refused UNSUBSCRIBE keeps its subscription', async () => {
    wait({ timeoutMs: 10 });
    await goLive();
    await clock.advance(300);
    const busy = new BackendError('busy', { code: 'CELERY_BACKEND_REFUSED', reply: 'BUSY' });
    last(driver.unsubscribes).answer([busy]);
    await settle();
    const watched = wait();
    await goLive();
    await clock.advance(10_000);
    expect(driver.unsubscribes).toHaveLength(1);
    await message(bytes('SUCCESS', 1));
    expect(valueOf(watched)).toBe(1);
  });

  it('unsubscribing -> absent: an UNSUBSCRIBE that is refused for good is not sent again', async () => {
    wait({ timeoutMs: 10 });
    await goLive();
    await clock.advance(300);
    last(driver.unsubscribes).answer([new BackendError('no', { code: 'CELERY_BACKEND_REFUSED', reply: 'NOPERM' })]);
    await clock.advance(60_000);
    expect([consumer.channels, driver.unsubscribes.length]).toEqual([0, 1]);
  });

  it('unsubscribing -> absent: a refusal that comes after close arms nothing', async () => {
    wait({ timeoutMs: 10 });
    await goLive();
    await clock.advance(300);
    last(driver.unsubscribes).answer([new BackendError('b', { code: 'CELERY_BACKEND_REFUSED', reply: 'BUSY' })]);
    void consumer.close();
    await settle();
    expect(clock.timers).toBe(0);
  });

  it('unsubscribing -> subscribing: a waiter that joins has a SUBSCRIBE, confirmation and read of its own', async () => {
    wait();
    await goLive();
    await message(bytes('FAILURE', 'first'));
    const second = wait();
    await settle();
    expect(driver.log.slice(2)).toEqual([`UNSUBSCRIBE ${key}`, `SUBSCRIBE ${key}`]);
    last(driver.unsubscribes).answer([null]);
    await confirm();
    await readReply(bytes('SUCCESS', 'second'));
    expect(valueOf(second)).toBe('second');
  });

  it('unsubscribing -> absent: a link made anew has forgotten the channel already', async () => {
    wait();
    await goLive();
    await message(bytes('SUCCESS', 3));
    driver.listener.onReconnect();
    await settle();
    expect(consumer.channels).toBe(0);
    expect(driver.subscribes).toHaveLength(1);
  });

  it('live -> subscribing: a link made anew subscribes and reads again', async () => {
    const watched = wait();
    await goLive();
    driver.listener.onReconnect();
    await confirm();
    expect(driver.log.slice(2)).toEqual([`SUBSCRIBE ${key}`, `GET ${key}`]);
    await readReply(bytes('SUCCESS', 'from the gap'));
    expect(valueOf(watched)).toBe('from the gap');
  });

  it('subscribing: a confirmation counts for its own generation only', async () => {
    wait();
    await settle();
    driver.listener.onReconnect();
    await settle();
    driver.subscribes[0]?.answer([null]);
    await settle();
    expect(driver.reads).toHaveLength(0);
    await confirm();
    expect(driver.reads).toHaveLength(1);
  });

  it('any: a ready reply of an older generation counts', async () => {
    const watched = wait();
    await confirm();
    driver.listener.onReconnect();
    await settle();
    await readReply(bytes('SUCCESS', 'early'));
    expect(valueOf(watched)).toBe('early');
  });

  it('any: an unready reply that a message has overtaken is dropped', async () => {
    const watched = wait();
    await confirm();
    await message(bytes('PROGRESS', 2));
    await readReply(bytes('PROGRESS', 1));
    expect(watched.seen).toEqual(['PROGRESS:2']);
  });

  it('any: the message of a meta that the read has shown is not shown twice, its repetition is', async () => {
    const watched = wait();
    await confirm();
    await readReply(bytes('PROGRESS', 1));
    await message(bytes('PROGRESS', 1));
    expect(watched.seen).toEqual(['PROGRESS:1']);
    await message(bytes('PROGRESS', 1));
    expect(watched.seen).toEqual(['PROGRESS:1', 'PROGRESS:1']);
  });

  it('any: a message for a channel that nobody waits on is ignored', async () => {
    await message(bytes('SUCCESS', 1));
    expect(driver.log).toEqual([]);
    expect(cache.size).toBe(0);
  });
});

describe('a wait', () => {
  it('sees every state and ends with the ready one only', async () => {
    const watched = wait();
    await goLive();
    for (const state of ['STARTED', 'RETRY', 'PROGRESS', 'REJECTED', 'CUSTOM']) await message(bytes(state));
    expect(valueOf(watched)).toBe('still waiting');
    await message(bytes('FAILURE', 'boom'));
    expect(watched.seen.map((seen) => seen.split(':')[0])).toEqual([
      'STARTED',
      'RETRY',
      'PROGRESS',
      'REJECTED',
      'CUSTOM',
      'FAILURE',
    ]);
    expect(valueOf(watched)).toBe('boom');
  });

  it('puts a SUCCESS in the cache, and no other state', async () => {
    wait();
    wait({}, 't2');
    await confirm();
    await readReply(bytes('SUCCESS', 1), bytes('FAILURE', 'x', 't2'));
    expect([cache.has('t1'), cache.has('t2')]).toEqual([true, false]);
  });

  it('puts a result in the cache that came over a link made after a forget', async () => {
    wait();
    await goLive();
    cache.forget('t1');
    driver.listener.onReconnect();
    await confirm();
    await readReply(bytes('SUCCESS', 'second run'));
    expect(cache.has('t1')).toBe(true);
  });

  it('does not put a result in the cache that was forgotten during the wait', async () => {
    wait();
    await goLive();
    cache.forget('t1');
    await message(bytes('SUCCESS', 1));
    expect(cache.has('t1')).toBe(false);
  });

  it('reads once more at its deadline, and resolves with what is there', async () => {
    const watched = wait({ timeoutMs: 1000 });
    await goLive();
    await clock.advance(1000);
    await readReply(bytes('SUCCESS', 'just in time'));
    expect(valueOf(watched)).toBe('just in time');
  });

  it('ends at its deadline when the last look finds nothing', async () => {
    const watched = wait({ timeoutMs: 1000 });
    await goLive();
    await clock.advance(1000);
    await readReply(null);
    expect(valueOf(watched)).toMatchObject({ code: 'CELERY_TIMEOUT', timeout: 1, lastLook: 'unready', taskId: 't1' });
    expect(valueOf(watched)).toBeInstanceOf(TimeoutError);
  });

  it('gives its last look 250 ms', async () => {
    const watched = wait({ timeoutMs: 1000 });
    await goLive();
    await clock.advance(1249);
    expect(valueOf(watched)).toBe('still waiting');
    await clock.advance(1);
    expect(valueOf(watched)).toMatchObject({ lastLook: 'failed' });
  });

  it('skips its last look when the link is known to be down', async () => {
    const watched = wait({ timeoutMs: 1000 });
    await goLive();
    driver.usable = false;
    await clock.advance(1000);
    expect(valueOf(watched)).toMatchObject({ lastLook: 'skipped' });
    expect(driver.reads).toHaveLength(1);
  });

  it('may be longer than the timers of Node', async () => {
    const watched = wait({ timeoutMs: 2 ** 40 });
    await goLive();
    await clock.advance(5);
    expect(valueOf(watched)).toBe('still waiting');
  });

  it('ends with the reason of its signal, and lets go of it', async () => {
    const controller = new AbortController();
    const watched = wait({ signal: controller.signal });
    await settle();
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    controller.abort(new Error('enough'));
    await settle();
    expect(valueOf(watched)).toEqual(new Error('enough'));
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  it('sends nothing when its signal is aborted already', async () => {
    const watched = wait({ signal: AbortSignal.abort(new Error('too late')) });
    await settle();
    expect(valueOf(watched)).toEqual(new Error('too late'));
    expect(driver.log).toEqual([]);
  });

  it('shares one listener with 10,000 others on one signal, which the last one takes away', async () => {
    const { signal } = new AbortController();
    const watched = Array.from({ length: 10_000 }, (_, i) => wait({ signal }, `t${i}`));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (let i = 0; i < watched.length; i += 1) {
      driver.listener.onMessage(keys.task(`t${i}`), bytes('SUCCESS', i, `t${i}`));
    }
    await settle();
    expect(watched.every((one, i) => valueOf(one) === i)).toBe(true);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('ends with what its observer throws or rejects, and others go on', async () => {
    const throwing = wait({
      onMessage: () => {
        throw new Error('observer');
      },
    });
    const rejecting = wait({ onMessage: () => Promise.reject(new Error('async observer')) });
    const thenable = wait({
      onMessage: () => ({
        then: (_: unknown, reject: (error: Error) => void) => {
          reject(new Error('thenable observer'));
        },
      }),
    });
    const other = wait();
    await goLive();
    await message(bytes('PROGRESS', 1));
    expect(valueOf(throwing)).toEqual(new Error('observer'));
    expect(valueOf(rejecting)).toEqual(new Error('async observer'));
    expect(valueOf(thenable)).toEqual(new Error('thenable observer'));
    expect(valueOf(other)).toBe('still waiting');
  });

  it('shows what is ready once to an observer that takes its time, whatever else brings it', async () => {
    const watched = wait({ onMessage: ponder });
    await confirm();
    await message(bytes('FAILURE', 'once'));
    await readReply(bytes('FAILURE', 'once'));
    await message(bytes('STARTED'));
    await message(bytes('FAILURE', 'again'));
    expect(pondered).toEqual(['once']);
    await clock.advance(PONDERING);
    expect(valueOf(watched)).toBe('once');
  });

  it('ends with what is ready when it joins while an observer takes its time over that', async () => {
    wait({ onMessage: ponder });
    await goLive();
    await message(bytes('FAILURE', 'known'));
    const joined = wait();
    await settle();
    expect([valueOf(joined), joined.seen]).toEqual(['known', ['FAILURE:known']]);
    await clock.advance(PONDERING);
  });

  it('ends at its deadline with what is ready by then, whatever its observer still does', async () => {
    const [looked, told] = [
      wait({ onMessage: ponder, timeoutMs: 1000 }),
      wait({ onMessage: ponder, timeoutMs: 2000 }, 't2'),
    ];
    await confirm();
    await readReply(null, null);
    await clock.advance(1000);
    await readReply(bytes('SUCCESS', 'found'));
    expect(valueOf(looked)).toBe('found');
    await clock.advance(999);
    await message(bytes('SUCCESS', 'told', 't2'), keys.task('t2'));
    driver.usable = false;
    await clock.advance(1);
    expect(valueOf(told)).toBe('told');
    await clock.advance(PONDERING);
  });

  it('ends with BackendClosedError when the consumer closes, and so does every later one', async () => {
    const watched = wait();
    await goLive();
    void consumer.close();
    const later = wait();
    await settle();
    expect([valueOf(watched), valueOf(later)]).toEqual([new BackendClosedError(), new BackendClosedError()]);
  });

  it('ends with an error that will not pass', async () => {
    const watched = wait();
    await confirm();
    last(driver.reads).fail(new BackendError('NOPERM', { code: 'CELERY_BACKEND_REFUSED', reply: 'NOPERM' }));
    await settle();
    expect(valueOf(watched)).toMatchObject({ code: 'CELERY_BACKEND_GET', taskId: 't1' });
  });
});

describe('a hostile meta', () => {
  const hostile = (taskId = 't1'): Uint8Array => {
    const date = { toString: 1, valueOf: 1 };
    return Buffer.from(JSON.stringify({ status: 'SUCCESS', result: 1, date_done: date, task_id: taskId }));
  };

  it('is harmless as a message', async () => {
    const watched = wait();
    await goLive();
    await message(hostile());
    expect(valueOf(watched)).toBe(1);
  });

  it('is harmless as a reply, for those read with it too', async () => {
    const [bad, good] = [wait(), wait({}, 't2')];
    await confirm();
    await readReply(hostile(), bytes('SUCCESS', 2, 't2'));
    expect([valueOf(bad), valueOf(good)]).toEqual([1, 2]);
  });

  it('is harmless at the last look and to the backstop', async () => {
    const [late, saved] = [wait({ timeoutMs: 1000 }), wait({}, 't2')];
    await confirm();
    await readReply(null, null);
    await clock.advance(1000);
    await readReply(hostile());
    await clock.advance(40_000);
    await readReply(hostile('t2'));
    expect([valueOf(late), valueOf(saved)]).toEqual([1, 1]);
  });
});

describe('an empty value', () => {
  it('is no result, by read, at the last look and to the backstop', async () => {
    const empty = new Uint8Array();
    const [late, watched] = [wait({ timeoutMs: 1000 }), wait({}, 't2')];
    await confirm();
    await readReply(empty, empty);
    await clock.advance(1000);
    await readReply(empty);
    await clock.advance(40_000);
    await readReply(empty);
    expect(valueOf(late)).toMatchObject({ lastLook: 'unready' });
    expect(valueOf(watched)).toBe('still waiting');
  });
});

describe('a result whose observer takes its time over it', () => {
  const slow = (): Promise<void> => new Promise((resolve) => clock.after(60_000, resolve));
  const trace: WaitTrace = { by: undefined };

  it('is not found again at the deadline: the wait ends without a read, and nothing is counted', async () => {
    const watched = wait({ onMessage: slow, timeoutMs: 1000, trace });
    await goLive();
    await message(bytes('SUCCESS', 'told'));
    await clock.advance(1000);
    expect([valueOf(watched), trace.by, driver.reads.length]).toEqual(['told', 'message', 1]);
    expect(consumer.tally).toMatchObject({ foundAtDeadline: 0, timeouts: 0 });
    await clock.advance(60_000);
  });

  it('is not rescued by the backstop', async () => {
    const watched = wait({ onMessage: slow, trace });
    await goLive();
    await message(bytes('SUCCESS', 'told'));
    await clock.advance(30_000 * 1.25);
    await readReply(bytes('SUCCESS', 'told'));
    await clock.advance(60_000);
    expect([valueOf(watched), trace.by, consumer.tally.rescued]).toEqual(['told', 'message', 0]);
  });

  it('is not healed by the read after a gap', async () => {
    const watched = wait({ onMessage: slow, trace });
    await goLive();
    await message(bytes('SUCCESS', 'told'));
    driver.listener.onReconnect();
    await confirm();
    await readReply(bytes('SUCCESS', 'told'));
    await clock.advance(60_000);
    expect([valueOf(watched), trace.by, consumer.tally.healed]).toEqual(['told', 'message', 0]);
  });
});

describe('many waits', () => {
  it('share one SUBSCRIBE and one read where they are made in one tick', async () => {
    for (let i = 0; i < 200; i += 1) wait({}, `t${i}`);
    await confirm();
    expect(driver.subscribes.map((asked) => asked.keys.length)).toEqual([200]);
    expect(driver.reads.map((asked) => asked.keys.length)).toEqual([200]);
  });

  it('go out in batches, a bounded number at a time', async () => {
    for (let i = 0; i < 10_000; i += 1) wait({}, `t${i}`);
    await settle();
    await settle();
    // Until the link is known to work.
    expect(driver.subscribes.map((asked) => asked.keys.length)).toEqual([256]);
    driver.subscribes[0]?.answer(driver.subscribes[0].keys.map(() => null));
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    expect(driver.subscribes.map((asked) => asked.keys.length)).toEqual(Array.from({ length: 8 }, () => 256));
    for (let next = 0; next < driver.subscribes.length || next < driver.reads.length; next += 1) {
      driver.subscribes[next]?.answer(driver.subscribes[next]?.keys.map(() => null) ?? []);
      await settle();
      driver.reads[next]?.answer(driver.reads[next]?.keys.map(() => null) ?? []);
      await settle();
    }
    expect(driver.reads.reduce((sum, asked) => sum + asked.keys.length, 0)).toBe(10_000);
  });
});

describe('a gap in a link', () => {
  it('is healed by the read that finds a result before any message: it is counted and told', async () => {
    using heard = recording('celery-redis-backend:healed');
    const watched = wait();
    await goLive();
    await clock.advance(1_000);
    wait();
    driver.listener.onReconnect();
    await settle();
    await clock.advance(500);
    driver.listener.onReconnect();
    await confirm();
    await readReply(bytes('SUCCESS', 'missed'));
    expect(valueOf(watched)).toBe('missed');
    expect([consumer.tally.healed, heard.told]).toEqual([1, [{ taskId: 't1', duration: 1.5 }]]);
  });

  it('is told without a duration where the wait began before anyone listened', async () => {
    wait();
    await goLive();
    using heard = recording('celery-redis-backend:healed');
    driver.listener.onReconnect();
    await confirm();
    await readReply(bytes('SUCCESS', 'missed'));
    expect(heard.told).toEqual([{ taskId: 't1', duration: undefined }]);
  });

  it('is counted from the first wait, not from the hold that it takes, nor from a wait that has ended', async () => {
    using heard = recording('celery-redis-backend:healed');
    const gone = wait({ timeoutMs: 1_000 });
    await goLive();
    await clock.advance(1_000);
    await readReply(null);
    expect(gone.end).toBeDefined();
    void consumer.holds.add('t1');
    await settle();
    await clock.advance(1_000);
    last(driver.subscribes).answer([null]);
    await settle();
    wait();
    await settle();
    await readReply(null);
    await clock.advance(250);
    driver.listener.onReconnect();
    await confirm();
    await readReply(bytes('SUCCESS', 'missed'));
    expect(heard.told).toEqual([{ taskId: 't1', duration: 0.25 }]);
  });

  it('is none for a channel that was not live yet, was live for another wait, or was told since', async () => {
    wait();
    await settle();
    driver.listener.onReconnect();
    await confirm();
    await readReply(bytes('SUCCESS', 'first read'));
    wait({}, 't2');
    await goLive();
    driver.listener.onReconnect();
    await message(bytes('SUCCESS', 'told', 't2'), keys.task('t2'));
    wait({}, 't2');
    await confirm();
    last(driver.reads).answer([bytes('SUCCESS', 'again', 't2')]);
    await settle();
    expect([consumer.waits, consumer.tally.healed]).toEqual([0, 0]);
  });
});

describe('the backstop', () => {
  it('finds what no message announced, and counts it', async () => {
    const watched = wait();
    await goLive();
    await clock.advance(30_000 * 1.25);
    expect(driver.reads).toHaveLength(2);
    await readReply(bytes('SUCCESS', 'silent'));
    expect(valueOf(watched)).toBe('silent');
    expect(consumer.tally.rescued).toBe(1);
  });

  it('finds a stored result while only the subscriber is away, after a whole interval', async () => {
    const watched = wait();
    await settle();
    await clock.advance(29_999);
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`]);
    await clock.advance(7_501);
    await readReply(bytes('SUCCESS', 'stored'));
    expect([valueOf(watched), consumer.tally.rescued]).toEqual(['stored', 1]);
  });

  it('is not put off by links that do not live to confirm', async () => {
    const watched = wait();
    for (let links = 0; links < 4; links += 1) {
      await clock.advance(10_000);
      driver.listener.onReconnect();
      await settle();
    }
    await readReply(bytes('SUCCESS', 'stored'));
    expect(valueOf(watched)).toBe('stored');
  });

  it('takes only a ready meta before the confirmation', async () => {
    const [early, broken] = [wait(), wait({}, 't2')];
    await settle();
    await clock.advance(30_000 * 1.25);
    const [backstop] = driver.reads;
    await confirm();
    await message(bytes('PROGRESS', 'new'));
    backstop?.answer([bytes('STARTED', 'old'), Buffer.from('rubbish')]);
    await settle();
    expect([early.seen, valueOf(broken)]).toEqual([['PROGRESS:new'], 'still waiting']);
  });

  it('reads no key twice within its interval', async () => {
    wait();
    await goLive();
    await clock.advance(30_000 * 1.25);
    await readReply(null);
    await clock.advance(29_000);
    expect(driver.reads).toHaveLength(2);
  });

  it('reads at most 1,000 keys a second', async () => {
    for (let i = 0; i < 2_000; i += 1) wait({}, `t${i}`);
    await settle();
    for (let next = 0; next < 8; next += 1) {
      driver.subscribes[next]?.answer(driver.subscribes[next]?.keys.map(() => null) ?? []);
      await settle();
      driver.reads[next]?.answer(driver.reads[next]?.keys.map(() => null) ?? []);
      await settle();
    }
    const before = driver.reads.length;
    let answered = before;
    let reads = 0;
    for (let ms = 0; ms < 39_000; ms += 100) {
      await clock.advance(100);
      for (; answered < driver.reads.length; answered += 1) {
        const asked = driver.reads[answered];
        reads += asked?.keys.length ?? 0;
        asked?.answer(asked.keys.map(() => null));
      }
      const sinceFirst = ms + 100 - 30_000;
      expect(reads).toBeLessThanOrEqual(Math.max(0, sinceFirst) + 100);
    }
    expect(reads).toBeGreaterThan(0);
  });

  it('sends nothing while nobody waits', async () => {
    await clock.advance(1e6);
    expect(driver.log).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});
