/** A serializer whose `load` never settles, or is slow: every call keeps its own limit, and `close` ends. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BackendClosedError,
  type BackendOptions,
  type BackendStoreError,
  RedisBackend,
  type Serializer,
  TimeoutError,
} from '../../src/index.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { listening, recording } from '../support/events.ts';
import { failure } from '../support/failure.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const CALLBACKS = { applySignature: (): void => undefined };
/** The retries of a store, 0 + 1 + 1 s, and one more try. */
const POLICY = { maxRetries: 3 };
const PATIENCE = 2000 + 5000;

let clock: VirtualClock;
let loads: number;
let loaded: () => void;
let refuse: (error: Error) => void;
const backends: RedisBackend[] = [];

function open(options: BackendOptions = {}): RedisBackend {
  const json = createJsonSerializer();
  const serializer: Serializer = {
    name: 'slow',
    contentType: 'application/x-slow',
    load: () => {
      loads += 1;
      return new Promise((resolve, reject) => {
        loaded = resolve;
        refuse = reject;
      });
    },
    encode: (document) => json.encode(document),
    decode: (payload) => json.decode(payload),
  };
  const url = `memory://slow-${Math.random()}`;
  const backend = new RedisBackend(CALLBACKS, { url, serializer, clock, retryPolicy: POLICY, ...options });
  backends.push(backend);
  return backend;
}

/** Whether a promise has settled, as soon as it can. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  promise.then(note, note);
  await settle();
  return settled;
}

beforeEach(() => {
  clock = new VirtualClock();
  loads = 0;
});

afterEach(async () => {
  const closing = backends.splice(0).map((backend) => backend.close());
  await clock.advance(60_000);
  await Promise.all(closing);
  expect(clock.timers).toBe(0);
});

describe('while a serializer is not loaded', () => {
  it('a wait ends at its deadline, by an error that says why', async () => {
    const backend = open();
    using timeouts = recording('celery-redis-backend:timeout');
    const wait = failure<TimeoutError>(backend.waitFor('t', { timeout: 10 }));
    await clock.advance(9_999);
    expect(await isSettled(wait)).toBe(false);
    expect(backend.stats().waits).toBe(1);
    await clock.advance(1);
    const error = await wait;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: 'CELERY_TIMEOUT', taskId: 't', timeout: 10, lastLook: 'unloaded' });
    expect(error.message).toBe(
      'Task t did not become ready in 10 s: the serializer was not loaded at the deadline, so that nothing was read.',
    );
    expect(backend.stats()).toMatchObject({ waits: 0, timeouts: 1 });
    expect(timeouts.told).toEqual([{ taskId: 't', timeout: 10, duration: 10, lastLook: 'unloaded' }]);
  });

  it('a wait for many ends at its deadline, for each of them', async () => {
    const backend = open();
    using heard = listening(['celery-redis-backend:wait'], (message) => message as { readonly taskId: string });
    const next = failure(backend.asCompleted(['a', 'b'], { timeout: 3 }).next());
    await settle();
    expect(backend.stats().waits).toBe(2);
    await clock.advance(3_000);
    expect(await next).toMatchObject({ code: 'CELERY_TIMEOUT', taskId: 'a', timeout: 3, lastLook: 'unloaded' });
    expect(backend.stats()).toMatchObject({ waits: 0, timeouts: 2 });
    expect(heard.told.map(({ taskId }) => taskId)).toEqual(['a', 'b']);
  });

  it('a wait of 0 s, and each read, ends after commandTimeout', async () => {
    const backend = open({ commandTimeout: 5 });
    const reads = [
      backend.waitFor('t', { timeout: 0 }),
      backend.getTaskMeta('t'),
      backend.getMany(['t']),
      backend.reloadTaskResult('t'),
      backend.restoreGroup('t'),
    ].map(failure);
    await clock.advance(4_999);
    for (const read of reads) expect(await isSettled(read)).toBe(false);
    await clock.advance(1);
    for (const error of await Promise.all(reads)) {
      expect(error).toMatchObject({ code: 'CELERY_BACKEND_GET', cause: { code: 'CELERY_BACKEND' } });
      expect(error.message).toMatch(/^Could not read .*: The serializer slow was not loaded within 5 s\.$/);
    }
  });

  it('stores and marks end when their retries would', async () => {
    const backend = open({ commandTimeout: 5 });
    const request = { id: 't', group: 'g', group_index: 0, chord: { task: 'body' } };
    const stores = [
      backend.storeResult('t', 1, 'SUCCESS'),
      backend.markAsDone('t', 1),
      backend.markAsFailure('t', new Error('no'), { state: 'REJECTED' }),
      backend.saveGroup('g', [['g', null], []]),
      backend.applyChord([['g', null], []]),
      backend.onChordPartReturn(request, 'SUCCESS', 1),
    ].map((call) => failure<BackendStoreError>(call));
    await clock.advance(PATIENCE - 1);
    for (const store of stores) expect(await isSettled(store)).toBe(false);
    await clock.advance(1);
    const errors = await Promise.all(stores);
    expect(errors.map(({ code, taskId, state }) => [code, taskId, state])).toEqual(
      [
        ['t', 'SUCCESS'],
        ['t', 'SUCCESS'],
        ['t', 'REJECTED'],
        ['g', ''],
        ['', ''],
        ['t', 'SUCCESS'],
      ].map((fields) => ['CELERY_BACKEND_STORE', ...fields]),
    );
    expect(errors[0]?.message).toBe(
      'Could not store SUCCESS of task t: The serializer slow was not loaded within 7 s.',
    );
  });

  it('with alwaysRetry stores and reads wait on', async () => {
    const backend = open({ alwaysRetry: true });
    const calls = [backend.storeResult('t', 1, 'SUCCESS'), backend.getStatus('t')];
    await clock.advance(3_600_000);
    for (const call of calls) expect(await isSettled(call)).toBe(false);
    loaded();
    await expect(Promise.all(calls)).resolves.toEqual(['stored', 'SUCCESS']);
  });

  it('connect ends at its timeout', async () => {
    const connected = failure(open().connect({ timeout: 2 }));
    await clock.advance(2_000);
    await expect(connected).resolves.toMatchObject({
      code: 'CELERY_BACKEND',
      message: 'The serializer slow was not loaded within 2 s.',
    });
  });

  it('a wait obeys its signal', async () => {
    const backend = open();
    const controller = new AbortController();
    const { signal } = controller;
    const waits = [backend.waitFor('t', { signal }), backend.asCompleted(['a'], { signal }).next()].map(failure);
    await settle();
    controller.abort(new Error('enough'));
    for (const error of await Promise.all(waits)) expect(error.message).toBe('enough');
    expect(backend.stats().waits).toBe(0);
    expect(clock.timers).toBe(0);
  });

  it('close ends waits and reads at once, stores after closeTimeout, and warns of these', async () => {
    using warnings = recording('celery-redis-backend:warning');
    const backend = open({ closeTimeout: 4 });
    const others = [
      backend.waitFor('t'),
      backend.asCompleted(['a', 'b']).next(),
      backend.getStatus('t'),
      backend.connect(),
    ].map(failure);
    const store = failure<BackendStoreError>(backend.storeResult('t', 1, 'SUCCESS'));
    const closed = backend.close();
    for (const error of await Promise.all(others)) expect(error).toBeInstanceOf(BackendClosedError);
    await clock.advance(3_999);
    expect(await isSettled(closed)).toBe(false);
    await clock.advance(1);
    expect(await store).toMatchObject({ taskId: 't', state: 'SUCCESS', cause: expect.any(BackendClosedError) });
    await closed;
    expect(warnings.told).toEqual([
      {
        code: 'CELERY_STORES_LOST',
        message: 'The backend was closed before it could store SUCCESS of task t (1 in all).',
      },
    ]);
    await expect(backend.getStatus('t')).rejects.toBeInstanceOf(BackendClosedError);
  });

  it('close waits for no one where only reads wait', async () => {
    const backend = open();
    const read = failure(backend.getStatus('t'));
    await backend.close();
    await expect(read).resolves.toBeInstanceOf(BackendClosedError);
  });

  it('onTaskCall holds up nobody, and close ends it', async () => {
    const backend = open();
    const prepared = backend.onTaskCall('t');
    await clock.advance(100);
    await prepared;
    await backend.close();
    expect(clock.timers).toBe(0);
  });
});

describe('when a slow serializer is loaded at last', () => {
  it('all that waited goes on, in its order, and it is loaded once', async () => {
    const backend = open();
    const stores = ['STARTED', 'SUCCESS'].map((state) => backend.storeResult('t', state, state));
    const read = backend.waitFor('t');
    await clock.advance(1_000);
    loaded();
    await expect(Promise.all(stores)).resolves.toEqual(['stored', 'stored']);
    await expect(read).resolves.toBe('SUCCESS');
    expect(loads).toBe(1);
  });

  it('a wait has what is left of its timeout, and its error names the whole', async () => {
    const backend = open();
    const wait = failure<TimeoutError>(backend.waitFor('t', { timeout: 10 }));
    const many = failure<TimeoutError>(backend.asCompleted(['a', 'b'], { timeout: 10 }).next());
    await clock.advance(6_000);
    loaded();
    await clock.advance(3_999);
    expect(await isSettled(wait)).toBe(false);
    await clock.advance(1);
    await expect(wait).resolves.toMatchObject({ timeout: 10, lastLook: 'unready' });
    await expect(many).resolves.toMatchObject({ timeout: 10, lastLook: 'unready' });
  });

  it('close stores what was accepted before', async () => {
    const backend = open({ closeTimeout: 4 });
    const stored = backend.storeResult('t', 1, 'SUCCESS');
    const closed = backend.close();
    await clock.advance(2_000);
    loaded();
    await expect(stored).resolves.toBe('stored');
    await closed;
  });

  it('a call after its limit finds it loaded', async () => {
    const backend = open();
    const read = failure(backend.getStatus('t'));
    await clock.advance(5_000);
    await read;
    loaded();
    await settle();
    await expect(backend.getStatus('t')).resolves.toBe('PENDING');
    expect(loads).toBe(1);
  });

  it('with an error each that waited is told it, and the next one tries again', async () => {
    const backend = open();
    const calls = [
      backend.waitFor('t'),
      backend.asCompleted(['t']).next(),
      backend.getStatus('t'),
      backend.storeResult('t', 1, 'SUCCESS'),
    ].map(failure);
    await settle();
    refuse(new Error('no such module'));
    for (const error of await Promise.all(calls)) expect(error.message).toBe('no such module');
    const again = backend.getStatus('t');
    await settle();
    loaded();
    await expect(again).resolves.toBe('PENDING');
    expect(loads).toBe(2);
  });
});
