/** Whatever Redis does, a wait ends by its deadline and the budget of its last look; without a deadline it outlives it. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ResultCache } from '../../src/cache.ts';
import { type WaitEnd, WaitFailure } from '../../src/consumer/channel.ts';
import { Consumer } from '../../src/consumer/consumer.ts';
import { BackendError, DecodeError, TimeoutError } from '../../src/errors.ts';
import { createKeys } from '../../src/keys.ts';
import type { TaskMeta } from '../../src/meta.ts';
import type { ChannelListener, ChannelSource, ResultStore } from '../../src/ports.ts';
import { RecordedWarnings } from '../support/driver.ts';
import { outage } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const TIMEOUT = 1000;
const LOOK = 250;

const FOUND = Buffer.from('{"status":"SUCCESS","result":42}');
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
const refusal = (word: string): BackendError => new BackendError(word, { code: 'CELERY_BACKEND_REFUSED', reply: word });

/** A Redis of which each behaviour can be chosen. */
class Moody implements ResultStore, ChannelSource {
  usable = true;
  listener!: ChannelListener;
  onSubscribe: () => Promise<Error | null> = () => Promise.resolve(null);
  onUnsubscribe: () => Promise<Error | null> = () => Promise.resolve(null);
  onRead: () => Promise<Uint8Array | null> = () => Promise.resolve(null);
  /** The last look: the first read from then on. */
  onLook: () => Promise<Uint8Array | null> = never;
  lookAt = Infinity;

  listen(listener: ChannelListener): void {
    this.listener = listener;
  }

  async subscribe(channels: readonly string[]): Promise<(Error | null)[]> {
    const outcome = await this.onSubscribe();
    return channels.map(() => outcome);
  }

  async unsubscribe(channels: readonly string[]): Promise<(Error | null)[]> {
    const outcome = await this.onUnsubscribe();
    return channels.map(() => outcome);
  }

  async readMany(keys: readonly string[]): Promise<(Uint8Array | null)[]> {
    const payload = await this.onRead();
    return keys.map(() => payload);
  }

  read(): Promise<Uint8Array | null> {
    if (clock.now() < this.lookAt) return this.onRead();
    this.lookAt = Infinity;
    return this.onLook();
  }

  write(): Promise<never> {
    return Promise.reject(new Error('not asked'));
  }

  remove(): Promise<never> {
    return Promise.reject(new Error('not asked'));
  }
}

let redis: Moody;
let clock: VirtualClock;
let consumer: Consumer;

function decode(payload: Uint8Array): TaskMeta {
  const text = Buffer.from(payload).toString();
  if (!text.startsWith('{')) throw new DecodeError('no meta');
  return JSON.parse(text) as TaskMeta;
}

beforeEach(() => {
  redis = new Moody();
  clock = new VirtualClock();
  consumer = new Consumer({
    store: redis,
    source: redis,
    keys: createKeys(''),
    cache: new ResultCache({ maxEntries: 0, maxBytes: 1e6, expires: null }, clock),
    clock,
    warnings: new RecordedWarnings(),
    decode,
    backstopMs: 0,
    lastLookMs: LOOK,
    holdForMs: 60_000,
    maxHeld: 10,
    maxHeldBytes: 1e6,
  });
});

afterEach(async () => {
  await consumer.close();
  await settle();
  expect([consumer.waits, consumer.channels, consumer.holds.size, clock.timers]).toEqual([0, 0, 0, 0]);
});

/** How a wait ends, and when. */
interface Outcome {
  at?: number;
  what?: string;
}

function describeEnd(end: WaitEnd): string {
  if (!(end instanceof WaitFailure)) return String(end.result);
  const error = end.error();
  return error instanceof TimeoutError ? error.lastLook : (error as Error).name;
}

function wait(timeoutMs?: number): Outcome {
  const outcome: Outcome = {};
  const from = clock.now();
  if (timeoutMs !== undefined) redis.lookAt = from + timeoutMs;
  void consumer.wait('t1', { timeoutMs }).then((end) => {
    outcome.at = clock.now() - from;
    outcome.what = describeEnd(end);
  });
  return outcome;
}

function again(everyMs: number, run: () => void): () => void {
  let timer = clock.after(everyMs, next);
  function next(): void {
    run();
    timer = clock.after(everyMs, next);
  }
  return () => {
    timer.cancel();
  };
}

/** Brings about a state and keeps it. The last of them may return what ends it. */
const WAYS: readonly [string, () => Promise<(() => void) | undefined> | (() => void) | undefined][] = [
  ['subscribing: never confirmed', () => void (redis.onSubscribe = never)],
  ['subscribing: the link breaks each time', () => void (redis.onSubscribe = () => Promise.reject(outage()))],
  ['subscribing: refused each time for now', () => void (redis.onSubscribe = () => Promise.resolve(refusal('BUSY')))],
  ['reading: never answered', () => void (redis.onRead = never)],
  ['reading: the link breaks each time', () => void (redis.onRead = () => Promise.reject(outage()))],
  ['reading: refused each time for now', () => void (redis.onRead = () => Promise.reject(refusal('LOADING')))],
  [
    'reading: refused a channel, and never answered',
    () => {
      redis.onSubscribe = () => Promise.resolve(refusal('NOPERM'));
      redis.onRead = never;
    },
  ],
  ['live: no message comes', () => undefined],
  [
    'live: messages that are no end',
    () =>
      again(90, () => {
        message('{"status":"PROGRESS","result":1}');
      }),
  ],
  [
    'live or reading: messages that are no answer',
    () =>
      again(90, () => {
        message('rubbish');
      }),
  ],
  [
    'subscribing, reading, live: links are made anew',
    () =>
      again(90, () => {
        redis.listener.onReconnect();
      }),
  ],
  [
    'reading: taken over from a hold, never answered',
    async () => {
      await consumer.holds.add('t1');
      redis.onRead = never;
    },
  ],
  [
    'subscribing: after an UNSUBSCRIBE without an answer, never confirmed',
    async () => {
      redis.onUnsubscribe = never;
      wait(1);
      redis.onLook = () => Promise.resolve(null);
      await clock.advance(2);
      redis.onLook = never;
      redis.onSubscribe = never;
      return undefined;
    },
  ],
];

function message(text: string): void {
  redis.listener.onMessage('celery-task-meta-t1', Buffer.from(text));
}

function after(ms: number, value: Uint8Array | Error | null): Moody['onLook'] {
  return () =>
    new Promise((resolve, reject) => {
      clock.after(ms, () => {
        if (value instanceof Error) reject(value);
        else resolve(value);
      });
    });
}

const LOOKS: readonly [string, () => void, number, string][] = [
  ['is not tried, since the link is known to be down', () => void (redis.usable = false), TIMEOUT, 'skipped'],
  ['is never answered', () => void (redis.onLook = never), TIMEOUT + LOOK, 'failed'],
  ['fails at once', () => void (redis.onLook = () => Promise.reject(outage())), TIMEOUT, 'failed'],
  ['fails in time', () => void (redis.onLook = after(100, outage())), TIMEOUT + 100, 'failed'],
  ['fails too late', () => void (redis.onLook = after(300, outage())), TIMEOUT + LOOK, 'failed'],
  ['is refused', () => void (redis.onLook = after(10, refusal('NOPERM'))), TIMEOUT + 10, 'failed'],
  ['finds nothing', () => void (redis.onLook = after(100, null)), TIMEOUT + 100, 'unready'],
  ['finds nothing, too late', () => void (redis.onLook = after(300, null)), TIMEOUT + LOOK, 'failed'],
  ['finds the result', () => void (redis.onLook = after(249, FOUND)), TIMEOUT + 249, '42'],
  ['finds the result too late', () => void (redis.onLook = after(251, FOUND)), TIMEOUT + LOOK, 'failed'],
  ['finds rubbish', () => void (redis.onLook = after(20, Buffer.from('x'))), TIMEOUT + 20, 'DecodeError'],
];

describe.each(WAYS)('a wait in state %s', (_way, begin) => {
  it.each(LOOKS)('ends by its deadline when the last look %s', async (_look, look, at, what) => {
    const end = await begin();
    look();
    const outcome = wait(TIMEOUT);
    await clock.advance(at - 1);
    expect(outcome).toEqual({});
    await clock.advance(1);
    expect(outcome).toEqual({ at, what });
    end?.();
    await clock.advance(10 * TIMEOUT);
  });

  it.each([1, 500, TIMEOUT + 1])('ends at once when the backend is closed after %d ms', async (at) => {
    const end = await begin();
    const outcome = wait(TIMEOUT);
    await clock.advance(at);
    void consumer.close();
    await settle();
    expect(outcome).toEqual({ at, what: 'BackendClosedError' });
    end?.();
  });

  it('without a deadline goes on, and has its result when Redis is well again', async () => {
    const end = await begin();
    const outcome = wait();
    await clock.advance(120_000);
    expect(outcome).toEqual({});
    end?.();
    redis.onSubscribe = () => Promise.resolve(null);
    redis.onUnsubscribe = () => Promise.resolve(null);
    redis.onRead = () => Promise.resolve(FOUND);
    redis.listener.onReconnect();
    await settle();
    expect(outcome).toEqual({ at: 120_000, what: '42' });
    await clock.advance(1000);
  });
});
