/** Stores of a whole backend while Redis is away, and when their acknowledgements are lost. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type BackendOptions, BackendClosedError, BackendStoreError, RedisBackend } from '../../src/index.ts';
import { outcome } from '../support/contract/context.ts';
import { failure } from '../support/failure.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';

const WARNINGS = 'celery-redis-backend:warning';

let server: RedisServer;
let warnings: { readonly code: string; readonly message: string }[];
const backends: RedisBackend[] = [];
const note = (warning: unknown): void => {
  warnings.push(warning as (typeof warnings)[number]);
};

beforeEach(async () => {
  warnings = [];
  subscribe(WARNINGS, note);
  server = await RedisServer.start();
});

afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
  unsubscribe(WARNINGS, note);
  await server.stop();
});

function open(options: BackendOptions = {}): RedisBackend {
  const backend = new RedisBackend({}, { url: server.url, ...options });
  backends.push(backend);
  return backend;
}

describe('stores while Redis is away', () => {
  it('are kept up to maxPendingStores, and the next ones rejected at once; those kept are stored when it is back', async () => {
    const backend = open({ maxPendingStores: 3 });
    await server.kill();
    const kept = ['a', 'b', 'c'].map((id) => backend.storeResult(id, id, 'SUCCESS'));
    const error = await failure(backend.storeResult('d', 'd', 'SUCCESS'));
    expect(error).toBeInstanceOf(BackendStoreError);
    expect(error).toMatchObject({ code: 'CELERY_STORE_OVERLOADED', taskId: 'd', state: 'SUCCESS' });
    expect(error.cause).toBeUndefined();
    expect(backend.stats().stores).toBe(3);
    await server.restart();
    expect(await Promise.all(kept)).toEqual(['stored', 'stored', 'stored']);
    expect(await server.cli('EXISTS', ...['a', 'b', 'c', 'd'].map((id) => `celery-task-meta-${id}`))).toBe(3);
    expect(backend.stats()).toMatchObject({ stores: 0, storeBytes: 0 });
    expect(await backend.storeResult('d', 'd', 'SUCCESS')).toBe('stored');
  });

  it('count their encoded bytes, those of saved groups and the parts of chords among them', async () => {
    const backend = open({ maxPendingBytes: 1_000 });
    await server.kill();
    const bytes = (): number => backend.stats().storeBytes;
    const ends = [outcome(backend.storeResult('é', '€'.repeat(50), 'SUCCESS'))];
    const ofTask = bytes();
    // In ASCII, as Python writes it.
    expect(ofTask).toBeGreaterThan(50 * '\\u20ac'.length);
    ends.push(outcome(backend.saveGroup('g', [['g', null], [[['a', null], null]]])));
    expect(bytes() - ofTask).toBeGreaterThan('[["g", null], [[["a", null], null]]]'.length);
    ends.push(outcome(backend.setChordSize('g', 12)));
    expect(backend.stats().stores).toBe(3);
    const error = await failure(backend.storeResult('b', 'x'.repeat(600), 'SUCCESS'));
    expect(error).toMatchObject({ code: 'CELERY_STORE_OVERLOADED', taskId: 'b' });
    await server.restart();
    await Promise.all(ends);
  });

  it('end with BackendStoreError, and a cause that shows neither payload nor password', async () => {
    const url = `redis://:SECRET-PASSWORD@127.0.0.1:${server.port}/0`;
    const backend = open({ url, commandTimeout: 0.1, retryPolicy: { maxRetries: 0 } });
    await server.kill();
    const error = await failure<BackendStoreError>(backend.storeResult('t', 'SECRET-PAYLOAD', 'FAILURE'));
    expect(error).toMatchObject({ code: 'CELERY_BACKEND_STORE', taskId: 't', state: 'FAILURE' });
    expect(error.message).toMatch(/^Could not store FAILURE of task t: Redis at .* is out of reach/);
    expect(error.cause).toMatchObject({ name: 'BackendError', code: 'CELERY_BACKEND_UNAVAILABLE' });
    expect(JSON.stringify([error, error.cause, String(error.stack)])).not.toContain('SECRET');
  });
});

describe('close while Redis is away', () => {
  it('rejects a store of its own turn at the end of closeTimeout, and warns of it once', async () => {
    await server.kill();
    const backend = open({ closeTimeout: 0.2 });
    const failures = ['a', 'b'].map((id) => failure(backend.storeResult(id, id, 'SUCCESS')));
    await backend.close();
    for (const [i, error] of (await Promise.all(failures)).entries()) {
      expect(error).toBeInstanceOf(BackendStoreError);
      expect(error).toMatchObject({ taskId: 'ab'[i], state: 'SUCCESS', cause: expect.any(BackendClosedError) });
    }
    expect(warnings.filter(({ code }) => code === 'CELERY_STORES_LOST')).toEqual([
      {
        code: 'CELERY_STORES_LOST',
        message: 'The backend was closed before it could store SUCCESS of task a, store SUCCESS of task b (2 in all).',
      },
    ]);
    expect(backend.stats().stores).toBe(0);
    await expect(backend.storeResult('c', 1, 'SUCCESS')).rejects.toBeInstanceOf(BackendClosedError);
  });

  it('stores what was accepted when Redis is back in time', async () => {
    await server.kill();
    const backend = open({ closeTimeout: 30 });
    const stored = backend.storeResult('t', 1, 'SUCCESS');
    const marked = backend.markAsDone('u', 1);
    const closed = backend.close();
    await server.restart();
    expect(await Promise.all([stored, marked])).toEqual(['stored', 'stored']);
    await closed;
    expect(await server.cli('EXISTS', 'celery-task-meta-t', 'celery-task-meta-u')).toBe(2);
    expect(warnings.filter(({ code }) => code === 'CELERY_STORES_LOST')).toEqual([]);
  });

  it('rejects also what hangs on a link that has gone silent, whatever commandTimeout is', async () => {
    await using proxy = await Proxy.start(server.port);
    const backend = open({ url: proxy.url, closeTimeout: 0.1, commandTimeout: 3600 });
    await backend.connect();
    proxy.hold();
    const failures = ['STARTED', 'SUCCESS'].map((state) => failure(backend.storeResult('t', 1, state)));
    await backend.close();
    for (const error of await Promise.all(failures)) expect(error.cause).toBeInstanceOf(BackendClosedError);
    expect(warnings.at(-1)?.message).toBe(
      'The backend was closed before it could store STARTED of task t, store SUCCESS of task t (2 in all).',
    );
  });
});

/** What is published of a task, state by state. */
class History implements AsyncDisposable {
  readonly states: string[] = [];
  readonly #client: ReturnType<RedisServer['admin']>;

  private constructor(client: ReturnType<RedisServer['admin']>) {
    this.#client = client;
    client.on('message', (_channel, payload) => {
      this.states.push((JSON.parse(payload) as { status: string }).status);
    });
  }

  static async of(taskId: string): Promise<History> {
    const history = new History(server.admin().duplicate());
    await history.#client.subscribe(`celery-task-meta-${taskId}`);
    return history;
  }

  async until(condition: (states: readonly string[]) => boolean): Promise<void> {
    while (!condition(this.states)) await once(this.#client, 'message');
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client.disconnect();
    return Promise.resolve();
  }
}

describe('stores whose acknowledgements are lost', () => {
  const STATES = ['STARTED', 'PROGRESS', 'RETRY', 'FAILURE', 'SUCCESS'];

  it('with their link are published in order, each again at most right after itself, and SUCCESS once', async () => {
    await using proxy = await Proxy.start(server.port);
    await using history = await History.of('t');
    const backend = open({ url: proxy.url });
    await backend.connect();
    const outcomes: Promise<string>[] = [];
    for (const state of STATES) {
      // Each is executed, then its reply is lost with the link; the next one waits behind it.
      await Promise.all(outcomes);
      proxy.hold('down');
      outcomes.push(backend.storeResult('t', null, state));
      if (state === 'STARTED') outcomes.push(backend.storeResult('t', null, 'SECOND'));
      await history.until((states) => states.at(-1) === state);
      proxy.cut();
      proxy.release();
    }
    // That a SUCCESS is there is all that the retry can see.
    const told = ['stored', 'stored', 'stored', 'stored', 'stored', 'kept'];
    expect(await Promise.all(outcomes)).toEqual(told);
    expect(await backend.storeResult('t', null, 'FAILURE')).toBe('kept');
    await history.until((states) => states.includes('SUCCESS'));
    const twice = (state: string): string[] => [state, state];
    expect(history.states).toEqual([
      ...twice('STARTED'),
      'SECOND',
      ...['PROGRESS', 'RETRY', 'FAILURE'].flatMap(twice),
      'SUCCESS',
    ]);
    expect(await backend.getStatus('t')).toBe('SUCCESS');
  });

  it('for a time, while the link stands, are published in order too', async () => {
    await using proxy = await Proxy.start(server.port);
    await using history = await History.of('t');
    const backend = open({ url: proxy.url, commandTimeout: 0.1, deadAfter: 60 });
    await backend.connect();
    proxy.hold('down');
    const outcomes = ['STARTED', 'FAILURE', 'SUCCESS'].map((state) => backend.storeResult('t', null, state));
    await history.until(({ length }) => length >= 3);
    expect(new Set(history.states)).toEqual(new Set(['STARTED']));
    proxy.release();
    await Promise.all(outcomes);
    await history.until((states) => states.includes('SUCCESS'));
    expect(history.states.filter((state, i) => state !== history.states[i - 1])).toEqual([
      'STARTED',
      'FAILURE',
      'SUCCESS',
    ]);
    expect(history.states.filter((state) => state === 'SUCCESS')).toHaveLength(1);
  });
});
