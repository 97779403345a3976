/** What a server can do to stores besides error replies: forget, evict, stall, refuse sizes, be left by its replica. */
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type BackendOptions, type BackendStoreError, RedisBackend } from '../../src/index.ts';
import { eventually } from '../support/driver.ts';
import { failure } from '../support/failure.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';

const MIB = 2 ** 20;
const keyOf = (id: string): string => `celery-task-meta-${id}`;

let server: RedisServer;
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await server.stop();
});

async function open(options: BackendOptions = {}): Promise<RedisBackend> {
  const backend = new RedisBackend({}, { url: server.url, backstop: 0, maxCachedResults: -1, ...options });
  closing.push(() => backend.close());
  await backend.connect();
  return backend;
}

describe('a store while Redis is away', () => {
  it('is tried again until Redis is back, and then there', async () => {
    const backend = await open({ commandTimeout: 0.2 });
    await server.kill();
    const id = randomUUID();
    const stored = backend.storeResult(id, 'done', 'SUCCESS');
    await new Promise<void>((resolve) => {
      subscribe('celery-redis-backend:store-retry', function retried() {
        unsubscribe('celery-redis-backend:store-retry', retried);
        resolve();
      });
    });
    await server.restart();
    expect(['stored', 'kept']).toContain(await stored);
    expect(JSON.parse(String(await server.cli('GET', keyOf(id))))).toMatchObject({ status: 'SUCCESS', result: 'done' });
  });

  it('rejects with its cause once its retries are used up, and is not made later', async () => {
    const backend = await open({ commandTimeout: 0.2, retryPolicy: { maxRetries: 2, intervalMax: 0.05 } });
    await server.kill();
    const id = randomUUID();
    const error = await failure<BackendStoreError>(backend.storeResult(id, 'a secret', 'SUCCESS'));
    expect(error).toMatchObject({ code: 'CELERY_BACKEND_STORE', taskId: id, state: 'SUCCESS' });
    expect(error.cause).toMatchObject({ code: 'CELERY_BACKEND_UNAVAILABLE' });
    expect(error.message).toMatch(/^Could not store SUCCESS of task \S+ after \d tries: Redis at \S+ is out of reach/);
    expect(error.message).not.toContain('a secret');
    await server.restart();
    await backend.connect({ timeout: 20 });
    expect(await server.cli('DBSIZE')).toBe(0);
  });
});

describe('Redis without memory', () => {
  it('with noeviction refuses stores alone: reads, waits, messages and removals go on', async () => {
    const backend = await open({ retryPolicy: { maxRetries: 0 } });
    const [there, awaited] = [randomUUID(), randomUUID()];
    await backend.storeResult(there, 1, 'SUCCESS');
    await server.cli('CONFIG', 'SET', 'maxmemory', 1);
    const waiting = backend.waitFor(awaited, { timeout: 20 });
    expect((await failure<BackendStoreError>(backend.storeResult(awaited, 2, 'SUCCESS'))).cause).toMatchObject({ reply: 'OOM' }); // prettier-ignore
    expect(await backend.getResult(there)).toBe(1);
    await eventually(async () => (await server.cli('PUBSUB', 'NUMSUB', keyOf(awaited)) as unknown[])[1] === 1); // prettier-ignore
    await server.cli('PUBLISH', keyOf(awaited), JSON.stringify({ status: 'SUCCESS', result: 3, task_id: awaited }));
    expect(await waiting).toBe(3);
    await backend.forget(there);
    expect(await server.cli('DBSIZE')).toBe(0);
    await server.cli('CONFIG', 'SET', 'maxmemory', 0);
    expect(await backend.storeResult(there, 4, 'SUCCESS')).toBe('stored');
  });

  it.each(['allkeys-lru', 'volatile-ttl'])(
    'with %s drops results that it had acknowledged, which then read as PENDING',
    async (policy) => {
      const backend = await open();
      const used = Number(/used_memory:(\d+)/.exec(String(await server.cli('INFO', 'memory')))?.[1]);
      await server.cli('CONFIG', 'SET', 'maxmemory', used + 4 * MIB);
      await server.cli('CONFIG', 'SET', 'maxmemory-policy', policy);
      const ids = Array.from({ length: 400 }, () => randomUUID());
      for (const id of ids) expect(await backend.storeResult(id, 'x'.repeat(20_000), 'SUCCESS')).toBe('stored');
      expect(Number(await server.cli('DBSIZE'))).toBeLessThan(400);
      const states = await Promise.all(ids.map((id) => backend.getStatus(id)));
      expect(new Set(states)).toEqual(new Set(['PENDING', 'SUCCESS']));
    },
  );
});

describe('scripts that Redis has forgotten', () => {
  it.each(['SCRIPT FLUSH', 'a restart'])(
    'after %s are sent again, of one store, of many in a turn, of a group and a chord',
    async (how) => {
      const sent: unknown[] = [];
      const app = { applySignature: (_: unknown, args: unknown) => Promise.resolve(void sent.push(args)) };
      const backend = new RedisBackend(app, { url: server.url, maxCachedResults: -1 });
      closing.push(() => backend.close());
      const ids = Array.from({ length: 8 }, () => randomUUID());
      const use = async (): Promise<void> => {
        const stores = ids.map((id) => backend.storeResult(id, id, 'STARTED'));
        expect(new Set(await Promise.all(stores))).toEqual(new Set(['stored']));
        expect(await backend.storeResult('alone', 1, 'SUCCESS')).toBe('stored');
        await backend.saveGroup('g', [['g', null], [[['alone', null], null]]]);
        await backend.setChordSize('g', 1);
        const chord = { task: 'app.body', options: { task_id: 'the-body' } };
        await backend.onChordPartReturn({ id: 'alone', group: 'g', group_index: 0, chord }, 'SUCCESS', 1);
      };
      await use();
      if (how === 'SCRIPT FLUSH') {
        await server.cli('SCRIPT', 'FLUSH');
        await backend.forget('alone');
      } else {
        await server.kill();
        await server.restart();
      }
      await use();
      expect(sent).toEqual([[[1]], [[1]]]);
    },
  );
});

it('a restart without persistence makes results PENDING, but those this process has in its cache', async () => {
  const backend = await open({ maxCachedResults: 1000 });
  const [known, unknown] = [randomUUID(), randomUUID()];
  for (const id of [known, unknown]) await backend.storeResult(id, id, 'SUCCESS');
  expect(await backend.getResult(known)).toBe(known);
  await server.kill();
  await server.restart();
  await backend.ping();
  expect([await backend.getStatus(known), await backend.getStatus(unknown)]).toEqual(['SUCCESS', 'PENDING']);
  await expect(backend.waitFor(unknown, { timeout: 0.5 })).rejects.toMatchObject({ name: 'TimeoutError' });
});

describe('CLIENT PAUSE WRITE', () => {
  it('holds a store, and the reads behind it, until it ends', async () => {
    const backend = await open();
    const id = randomUUID();
    await server.cli('CLIENT', 'PAUSE', 60_000, 'WRITE');
    let settled = false;
    const stored = backend.storeResult(id, 1, 'SUCCESS').finally(() => (settled = true));
    const state = backend.getStatus(id);
    await eventually(async () => String(await server.cli('INFO', 'clients')).includes('blocked_clients:1'));
    expect(settled).toBe(false);
    await server.cli('CLIENT', 'UNPAUSE');
    expect([await stored, await state]).toEqual(['stored', 'SUCCESS']);
    expect(backend.stats().storeRetries).toBe(0);
  });

  it('longer than a command may take makes the store be tried again: once it has ended it is there, once', async () => {
    const backend = await open({ commandTimeout: 0.3 });
    const id = randomUUID();
    await server.cli('CLIENT', 'PAUSE', 60_000, 'WRITE');
    const stored = backend.storeResult(id, 1, 'SUCCESS');
    await eventually(async () => {
      await server.cli('PING');
      return backend.stats().storeRetries > 0;
    });
    await expect(backend.getStatus(id)).rejects.toMatchObject({ code: 'CELERY_BACKEND_GET' });
    await server.cli('CLIENT', 'UNPAUSE');
    expect(['stored', 'kept']).toContain(await stored);
    expect(await backend.getResult(id)).toBe(1);
  });
});

describe('a time to live', () => {
  it('may be as long as the option takes, and never reaches Redis beyond that', async () => {
    const longest = Math.floor(Number.MAX_SAFE_INTEGER / 1000);
    const backend = await open({ expires: longest });
    expect(await backend.storeResult('long', 1, 'SUCCESS')).toBe('stored');
    expect(Number(await server.cli('TTL', keyOf('long')))).toBeGreaterThan(longest - 60);
    for (const expires of [longest + 2, 9e18, -1, NaN, Infinity, '1d']) {
      expect(() => new RedisBackend({}, { url: server.url, expires })).toThrow(/^expires: expected seconds/);
    }
    for (const [expires, ttl] of [[0, -1], [null, -1], [0.9, -1], [1.9, 1], ['60', 60]] as const) {
      const other = await open({ expires });
      const id = randomUUID();
      await other.storeResult(id, 1, 'SUCCESS');
      expect(await server.cli('TTL', keyOf(id))).toBe(ttl);
    } // prettier-ignore
  });
});

describe('a master that dies before its replica has what it acknowledged', () => {
  /** A replica whose link is held from now on; `min-replicas` as given. */
  async function split(minReplicas: number): Promise<RedisServer> {
    const replica = await RedisServer.start(['--repl-ping-replica-period', '1']);
    const link = await Proxy.start(server.port);
    closing.push(() => replica.stop(), () => link[Symbol.asyncDispose]()); // prettier-ignore
    await server.cli('CONFIG', 'SET', 'repl-diskless-sync-delay', 0);
    await replica.cli('REPLICAOF', '127.0.0.1', link.port);
    await eventually(async () => String(await server.cli('INFO', 'replication')).includes('state=online'));
    await server.cli('CONFIG', 'SET', 'min-replicas-max-lag', 1);
    await server.cli('CONFIG', 'SET', 'min-replicas-to-write', minReplicas);
    const backend = await open();
    expect(await backend.storeResult('replicated', 1, 'SUCCESS')).toBe('stored');
    await eventually(async () => (await replica.cli('EXISTS', keyOf('replicated'))) === 1);
    link.hold();
    return replica;
  }

  it('takes it along: the new master reads as PENDING', async () => {
    const replica = await split(0);
    expect(await (await open()).storeResult('late', 1, 'SUCCESS')).toBe('stored');
    await server.kill();
    await replica.cli('REPLICAOF', 'NO', 'ONE');
    const backend = await open({ url: replica.url });
    expect([await backend.getStatus('replicated'), await backend.getStatus('late')]).toEqual(['SUCCESS', 'PENDING']);
  });

  it('with min-replicas-to-write acknowledges nothing once its replica lags, split brain or not', async () => {
    const replica = await split(1);
    // The lag is known to the second.
    await eventually(async () => String(await server.cli('INFO', 'replication')).includes('min_slaves_good_slaves:0'));
    const master = await open({ retryPolicy: { maxRetries: 0 } });
    await replica.cli('REPLICAOF', 'NO', 'ONE');
    const error = await failure<BackendStoreError>(master.storeResult('late', 1, 'SUCCESS'));
    expect(error.cause).toMatchObject({ reply: 'NOREPLICAS' });
    const backend = await open({ url: replica.url });
    expect(await backend.storeResult('late', 2, 'SUCCESS')).toBe('stored');
  });
});
