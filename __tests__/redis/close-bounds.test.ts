/** What `close` waits for is bounded by `closeTimeout`, whatever Redis does, and whatever one call may take by itself. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type BackendOptions, BackendClosedError, type BackendStoreError, RedisBackend } from '../../src/index.ts';
import { eventually } from '../support/driver.ts';
import { failure } from '../support/failure.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';
import { ScriptedRedis } from '../support/scripted-redis.ts';

const MIB = 2 ** 20;
const WARNINGS = 'celery-redis-backend:warning';
/** Far beyond the time of any test, so that only `close` can end what waits for it. */
const NEVER = 3600;

let server: RedisServer;
let warnings: { readonly code: string; readonly message: string }[];
const note = (warning: unknown): void => {
  warnings.push(warning as (typeof warnings)[number]);
};

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  warnings = [];
  subscribe(WARNINGS, note);
});
afterEach(() => {
  unsubscribe(WARNINGS, note);
});

function open(options: BackendOptions): RedisBackend {
  return new RedisBackend({}, { commandTimeout: NEVER, heartbeat: NEVER, closeTimeout: 0.1, ...options });
}

const lostStores = (): string[] =>
  warnings.filter(({ code }) => code === 'CELERY_STORES_LOST').map(({ message }) => message);

describe('close, after closeTimeout', () => {
  it('ends uploads that are under way, rejects their stores and warns of them', async () => {
    await using proxy = await Proxy.start(server.port);
    const backend = open({ url: proxy.url });
    await backend.connect();
    // 16 s; and to be given 16 s more, as each MiB has a second.
    proxy.throttle(MIB);
    const stores = ['a', 'b'].map((id) =>
      failure<BackendStoreError>(backend.storeResult(id, 'x'.repeat(8 * MIB), 'SUCCESS')),
    );
    const read = failure(backend.getStatus('c'));
    await backend.close();
    for (const [i, error] of (await Promise.all(stores)).entries()) {
      expect(error).toMatchObject({ code: 'CELERY_BACKEND_STORE', taskId: 'ab'[i], state: 'SUCCESS' });
      expect(error.cause).toBeInstanceOf(BackendClosedError);
    }
    expect((await read).cause ?? (await read)).toBeInstanceOf(BackendClosedError);
    expect(lostStores()).toEqual([
      'The backend was closed before it could store SUCCESS of task a, store SUCCESS of task b (2 in all).',
    ]);
    await eventually(async () => {
      await server.cli('PING');
      return proxy.open === 0;
    });
    expect(await server.cli('EXISTS', 'celery-task-meta-a', 'celery-task-meta-b')).toBe(0);
  });

  it('ends a download that is under way', async () => {
    await using proxy = await Proxy.start(server.port);
    await server.cli('SET', 'celery-task-meta-large', Buffer.alloc(16 * MIB, 'x'));
    const backend = open({ url: proxy.url });
    await backend.connect();
    proxy.throttle(MIB);
    const gets = async (): Promise<number> => {
      const stats = (await server.cli('INFO', 'commandstats')) as string;
      return Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };
    const before = await gets();
    const read = failure(backend.getStatus('large'));
    await eventually(async () => (await gets()) > before);
    await backend.close();
    await expect(read).resolves.toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
  });

  it('ends what a silent server keeps: stores, reads and what is sent alone', async () => {
    await using proxy = await Proxy.start(server.port);
    const backend = open({ url: proxy.url });
    await backend.connect();
    proxy.hold();
    const stores = [failure(backend.storeResult('a', 1, 'SUCCESS')), failure(backend.addToChord('g'))];
    const others = [failure(backend.getStatus('a')), failure(backend.forget('b')), failure(backend.ping())];
    await backend.close();
    for (const error of await Promise.all(stores)) expect(error.cause).toBeInstanceOf(BackendClosedError);
    for (const error of await Promise.all(others)) expect(error).toBeInstanceOf(BackendClosedError);
    expect(lostStores()).toEqual(['The backend was closed before it could store SUCCESS of task a (1 in all).']);
  });

  it('of 0 s takes in what Redis answers at once', async () => {
    const backend = open({ url: server.url, closeTimeout: 0 });
    await backend.connect();
    const stored = backend.storeResult('at-once', 1, 'SUCCESS');
    await backend.close();
    await expect(stored).resolves.toBe('stored');
    expect(lostStores()).toEqual([]);
  });

  it('ends for whoever calls it again too, with one warning', async () => {
    await using proxy = await Proxy.start(server.port);
    const backend = open({ url: proxy.url });
    await backend.connect();
    proxy.hold();
    const stored = failure(backend.storeResult('twice', 1, 'SUCCESS'));
    await Promise.all([backend.close(), backend.close(), backend[Symbol.asyncDispose]()]);
    expect((await stored).cause).toBeInstanceOf(BackendClosedError);
    await backend.close();
    expect(lostStores()).toHaveLength(1);
  });

  it.each(['sentinel', 'cluster'] as const)('ends the question of a %s that is not answered', async (kind) => {
    await using redis = await ScriptedRedis.start();
    await using proxy = await Proxy.start(redis.port);
    let asked!: () => void;
    const question = new Promise<void>((resolve) => {
      asked = resolve;
    });
    redis.answer = ([name]) => {
      if (name !== kind.toUpperCase()) return undefined;
      proxy.hold('down');
      asked();
      return '+OK';
    };
    const urls = {
      sentinel: { url: `sentinel://127.0.0.1:${proxy.port}/0`, sentinel: { masterName: 'm' } },
      cluster: { url: `redis+cluster://127.0.0.1:${proxy.port}` },
    };
    const backend = open({ ...urls[kind], connectTimeout: NEVER });
    const calls = [backend.storeResult('t', 1, 'SUCCESS'), backend.getStatus('t'), backend.waitFor('t')].map(failure);
    await question;
    await backend.close();
    const [stored, ...others] = await Promise.all(calls);
    expect(stored).toMatchObject({ code: 'CELERY_BACKEND_STORE', cause: expect.any(BackendClosedError) });
    for (const error of others) expect(error).toBeInstanceOf(BackendClosedError);
    expect(lostStores()).toHaveLength(1);
  });
});
