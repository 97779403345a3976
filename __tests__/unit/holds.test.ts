/** The machine of a channel that is held for a wait to come. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ResultCache } from '../../src/cache.ts';
import { type WaitEnd, WaitFailure } from '../../src/consumer/channel.ts';
import { Consumer } from '../../src/consumer/consumer.ts';
import { Warnings } from '../../src/diagnostics.ts';
import { BackendError, DecodeError } from '../../src/errors.ts';
import { createKeys } from '../../src/keys.ts';
import type { TaskMeta } from '../../src/meta.ts';
import { type Asked, ScriptedDriver } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const keys = createKeys('');
const key = keys.task('t1');

let driver: ScriptedDriver;
let clock: VirtualClock;
let cache: ResultCache;
let consumer: Consumer;

function decode(payload: Uint8Array): TaskMeta {
  try {
    return JSON.parse(Buffer.from(payload).toString()) as TaskMeta;
  } catch {
    throw new DecodeError('not JSON');
  }
}

function bytes(status: string, result: unknown = null, taskId = 't1'): Uint8Array {
  return Buffer.from(JSON.stringify({ status, result, task_id: taskId }));
}

/** What a promise has come to so far. */
function watch<T>(promise: Promise<T>): { end: T | 'pending' } {
  const watched: { end: T | 'pending' } = { end: 'pending' };
  void promise.then((end) => (watched.end = end));
  return watched;
}

function hold(taskId = 't1'): { end: unknown } {
  return watch(consumer.holds.add(taskId));
}

function wait(taskId = 't1'): { end: WaitEnd | 'pending' } {
  return watch(consumer.wait(taskId, {}));
}

function valueOf({ end }: { end: WaitEnd | 'pending' }): unknown {
  if (end === 'pending') return end;
  return end instanceof WaitFailure ? end.error() : end.result;
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

async function message(payload: Uint8Array, taskId = 't1'): Promise<void> {
  driver.listener.onMessage(keys.task(taskId), payload);
  await settle();
}

beforeEach(() => {
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
  expect([consumer.holds.size, consumer.waits, consumer.channels, clock.timers]).toEqual([0, 0, 0, 0]);
});

describe('the machine of a held channel', () => {
  it('absent -> subscribing -> held: it is subscribed to and not read, and the confirmation is what is waited for', async () => {
    const held = hold();
    await settle();
    expect(held.end).toBe('pending');
    await confirm();
    expect(held.end).toBeUndefined();
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`]);
    expect(consumer.holds.size).toBe(1);
  });

  it('held -> reading: the first waiter takes the hold, and the key is read once', async () => {
    hold();
    await confirm();
    const [first, second] = [wait(), wait()];
    await settle();
    expect(consumer.holds.size).toBe(0);
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `GET ${key}`]);
    last(driver.reads).answer([null]);
    await message(bytes('SUCCESS', 42));
    expect([valueOf(first), valueOf(second)]).toEqual([42, 42]);
  });

  it('held -> reading: what came before the subscription is found by that read', async () => {
    hold();
    await confirm();
    const waiting = wait();
    await settle();
    last(driver.reads).answer([bytes('FAILURE', 'early')]);
    await settle();
    expect(valueOf(waiting)).toBe('early');
  });

  it('held -> reading: a message that comes while the read is in flight counts', async () => {
    hold();
    await confirm();
    const waiting = wait();
    await message(bytes('SUCCESS', 1));
    expect(valueOf(waiting)).toBe(1);
  });

  it('subscribing -> reading: a waiter that joins before the confirmation shares its SUBSCRIBE', async () => {
    const held = hold();
    await settle();
    const waiting = wait();
    await confirm();
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `GET ${key}`]);
    last(driver.reads).answer([bytes('SUCCESS', 1)]);
    await settle();
    expect([held.end, valueOf(waiting)]).toEqual([undefined, 1]);
  });

  it('held -> unsubscribing: a SUCCESS is held, and nothing is read for it', async () => {
    hold();
    await confirm();
    await message(bytes('SUCCESS', 5));
    expect(consumer.holds.metaOf('t1')).toMatchObject({ status: 'SUCCESS', result: 5 });
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `UNSUBSCRIBE ${key}`]);
    last(driver.unsubscribes).answer([null]);
    await settle();
    expect([consumer.channels, consumer.holds.size]).toEqual([0, 1]);
    expect(cache.has('t1')).toBe(true);
  });

  it.each(['FAILURE', 'REVOKED'])(
    'held -> held: %s is not kept, since a SUCCESS may still replace it; the first wait reads',
    async (status) => {
      hold();
      await confirm();
      await message(bytes(status, 5));
      expect(consumer.holds.metaOf('t1')).toBeUndefined();
      expect([driver.log, consumer.holds.size]).toEqual([[`SUBSCRIBE ${key}`], 1]);
      const waiting = wait();
      await settle();
      expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `GET ${key}`]);
      last(driver.reads).answer([bytes(status, 5)]);
      await settle();
      expect([valueOf(waiting), consumer.holds.size]).toEqual([5, 0]);
    },
  );

  it('held -> unsubscribing: a SUCCESS that follows a FAILURE is what is held', async () => {
    hold();
    await confirm();
    await message(bytes('FAILURE', 'boom'));
    await message(bytes('SUCCESS', 42));
    expect(consumer.holds.metaOf('t1')).toMatchObject({ status: 'SUCCESS', result: 42 });
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `UNSUBSCRIBE ${key}`]);
  });

  it('subscribing -> unsubscribing: a SUCCESS counts before the confirmation as well', async () => {
    const held = hold();
    await settle();
    await message(bytes('SUCCESS', 5));
    expect(consumer.holds.metaOf('t1')).toMatchObject({ result: 5 });
    await confirm();
    expect(held.end).toBeUndefined();
    expect(driver.reads).toEqual([]);
  });

  it('held -> held: what is no SUCCESS, or no answer, is neither kept nor read', async () => {
    hold();
    await confirm();
    await message(bytes('PROGRESS', 1));
    await message(Buffer.from('rubbish'));
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`]);
    const seen: unknown[] = [];
    void consumer.wait('t1', { onMessage: (meta) => seen.push(meta.result) });
    await settle();
    expect(seen).toEqual([]);
    last(driver.reads).answer([bytes('PROGRESS', 1)]);
    await settle();
    expect(seen).toEqual([1]);
  });

  it('held -> subscribing -> held: a link made anew subscribes again, and reads nothing', async () => {
    hold();
    await confirm();
    driver.listener.onReconnect();
    await confirm();
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `SUBSCRIBE ${key}`]);
    await message(bytes('SUCCESS', 'after'));
    expect(consumer.holds.metaOf('t1')).toMatchObject({ result: 'after' });
  });

  it('subscribing -> subscribing: a link that breaks first is tried again, and the confirmation still comes', async () => {
    const held = hold();
    await settle();
    last(driver.subscribes).fail();
    await clock.advance(10_000);
    expect([driver.subscribes.length, held.end]).toEqual([2, 'pending']);
    await confirm();
    expect(held.end).toBeUndefined();
  });

  it('subscribing -> unsubscribing: a refused channel is not held', async () => {
    const held = hold();
    await settle();
    last(driver.subscribes).answer([new Error('NOPERM no channel')]);
    await settle();
    expect([held.end, consumer.holds.size, driver.reads.length]).toEqual([undefined, 0, 0]);
  });

  it('subscribing -> unsubscribing: an error that will not pass ends the hold', async () => {
    const held = hold();
    await settle();
    last(driver.subscribes).fail(new BackendError('NOAUTH', { code: 'CELERY_BACKEND_REFUSED', reply: 'NOAUTH' }));
    await settle();
    expect([held.end, consumer.holds.size]).toEqual([undefined, 0]);
  });

  it('unsubscribing -> subscribing: a hold after a wait has a SUBSCRIBE of its own', async () => {
    wait();
    await confirm();
    last(driver.reads).answer([bytes('FAILURE', 'first')]);
    await settle();
    const held = hold();
    await settle();
    expect(driver.log.slice(2)).toEqual([`UNSUBSCRIBE ${key}`, `SUBSCRIBE ${key}`]);
    expect(held.end).toBe('pending');
    last(driver.unsubscribes).answer([null]);
    await confirm();
    expect([held.end, consumer.channels]).toEqual([undefined, 1]);
  });

  it('live -> live: somebody waits already, so that nothing is held', async () => {
    const waiting = wait();
    const held = hold();
    await settle();
    expect(held.end).toBe('pending');
    await confirm();
    expect([held.end, consumer.holds.size]).toEqual([undefined, 0]);
    last(driver.reads).answer([bytes('SUCCESS', 1)]);
    await settle();
    expect(valueOf(waiting)).toBe(1);
    expect(consumer.holds.metaOf('t1')).toBeUndefined();
  });
});

describe('a hold', () => {
  it('ends after 60 s without a wait; the wait after it subscribes and reads', async () => {
    hold();
    await confirm();
    await clock.advance(59_999);
    expect(consumer.holds.size).toBe(1);
    await clock.advance(1);
    expect(consumer.holds.size).toBe(0);
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `UNSUBSCRIBE ${key}`]);
    const waiting = wait();
    await confirm();
    last(driver.reads).answer([bytes('SUCCESS', 'late')]);
    await settle();
    expect(valueOf(waiting)).toBe('late');
  });

  it('ends after 60 s with its ready meta as well', async () => {
    hold();
    await confirm();
    await message(bytes('SUCCESS', 1));
    expect(consumer.holds.metaOf('t1')).toBeDefined();
    await clock.advance(60_000);
    expect(consumer.holds.metaOf('t1')).toBeUndefined();
    expect(clock.timers).toBe(0);
  });

  it('is not read by the backstop', async () => {
    hold();
    await confirm();
    await clock.advance(59_000);
    expect(driver.reads).toEqual([]);
  });

  it('shares one timer with all others, each of which has its own time', async () => {
    hold('t1');
    await clock.advance(20_000);
    hold('t2');
    hold('t3');
    await settle();
    expect(clock.timers).toBe(1);
    await clock.advance(40_000);
    expect(consumer.holds.size).toBe(2);
    await clock.advance(20_000);
    expect([consumer.holds.size, clock.timers]).toEqual([0, 0]);
  });

  it('begins anew when its task is sent again', async () => {
    hold();
    await confirm();
    await clock.advance(40_000);
    expect(hold().end).toBe('pending');
    await settle();
    await clock.advance(40_000);
    expect(consumer.holds.size).toBe(1);
    expect(driver.subscribes).toHaveLength(1);
  });

  it('ends in its time though an older one began anew', async () => {
    hold('t1');
    await clock.advance(10_000);
    hold('t2');
    await clock.advance(10_000);
    hold('t1');
    await clock.advance(50_000);
    expect(consumer.holds.size).toBe(1);
    await confirm();
    await message(bytes('SUCCESS', 1));
    expect(consumer.holds.metaOf('t1')).toBeDefined();
  });

  it('gives way, as the oldest, to one more than there may be; whoever sends it is not kept', async () => {
    const oldest = hold('t0');
    await settle();
    for (const taskId of ['t1', 't2', 't3']) hold(taskId);
    await settle();
    expect([consumer.holds.size, oldest.end]).toEqual([3, undefined]);
    expect(driver.log).toContain(`UNSUBSCRIBE ${keys.task('t0')}`);
    const waiting = wait('t0');
    await confirm();
    last(driver.reads).answer([bytes('SUCCESS', 'read', 't0')]);
    await settle();
    expect(valueOf(waiting)).toBe('read');
  });

  it('gives way with its meta, as the oldest, where payloads are more than there may be', async () => {
    for (const taskId of ['t1', 't2', 't3']) hold(taskId);
    await confirm();
    await message(bytes('SUCCESS', 'x'.repeat(200), 't2'), 't2');
    await message(bytes('SUCCESS', 'x'.repeat(200), 't1'), 't1');
    expect(consumer.holds.size).toBe(3);
    await message(bytes('SUCCESS', 'x'.repeat(200), 't3'), 't3');
    expect(['t1', 't2', 't3'].map((taskId) => consumer.holds.metaOf(taskId) !== undefined)).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('without a meta does not give way to payloads', async () => {
    for (const taskId of ['t1', 't2', 't3']) hold(taskId);
    await confirm();
    await message(bytes('SUCCESS', 'x'.repeat(300), 't2'), 't2');
    await message(bytes('SUCCESS', 'x'.repeat(300), 't3'), 't3');
    expect(consumer.holds.size).toBe(2);
    await message(bytes('SUCCESS', 1));
    expect(consumer.holds.metaOf('t1')).toMatchObject({ result: 1 });
  });

  it('does not keep a payload that is more than there may be by itself', async () => {
    hold();
    await confirm();
    await message(bytes('SUCCESS', 'x'.repeat(600)));
    expect(consumer.holds.size).toBe(0);
  });

  it('that is dropped is unsubscribed, once', async () => {
    hold();
    await confirm();
    consumer.holds.drop('t1');
    consumer.holds.drop('t1');
    await settle();
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`, `UNSUBSCRIBE ${key}`]);
  });

  it('ends when the consumer closes, and does nothing after it', async () => {
    const held = hold();
    await settle();
    void consumer.close();
    const later = hold('t2');
    await settle();
    expect([held.end, later.end]).toEqual([undefined, undefined]);
    expect(driver.log).toEqual([`SUBSCRIBE ${key}`]);
  });
});
