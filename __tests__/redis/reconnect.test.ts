/** Waits and stores of a whole backend while its links break. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type BackendOptions, RedisBackend } from '../../src/index.ts';
import { live, lost } from '../support/live.ts';
import { RedisServer } from '../support/redis.ts';

let server: RedisServer;
const backends: RedisBackend[] = [];

beforeEach(async () => {
  server = await RedisServer.start();
});

afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
  await server.stop();
});

function open(options: BackendOptions = {}): RedisBackend {
  const backend = new RedisBackend({}, { url: server.url, backstop: 0, ...options });
  backends.push(backend);
  return backend;
}

describe('a backend whose links break', () => {
  it.each(['pubsub', 'normal'])(
    'misses no result while its %s connections are killed again and again',
    async (type) => {
      const [waiter, writer] = [open(), open()];
      await Promise.all([waiter.connect(), writer.connect()]);
      const ids = Array.from({ length: 1_500 }, () => randomUUID());
      const storm = setInterval(() => {
        void server.cli('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
      }, 70);
      const outcomes: boolean[] = [];
      for (let from = 0; from < ids.length; from += 50) {
        const some = ids.slice(from, from + 50).map(async (id) => {
          const wait = waiter.waitFor(id);
          await delay(Math.random() * 50);
          await writer.storeResult(id, id, 'SUCCESS');
          return (await wait) === id;
        });
        outcomes.push(...(await Promise.all(some)));
      }
      clearInterval(storm);
      expect(outcomes.filter((right) => !right)).toEqual([]);
      expect(waiter.stats().reconnects).toBeGreaterThan(0);
      expect(waiter.stats()).toMatchObject({ waits: 0, rescued: 0 });
    },
  );

  it('finds a result that was published while its subscriber was away', async () => {
    const backend = open();
    const id = randomUUID();
    const { result } = await live(backend, id);
    const gone = lost();
    await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await gone;
    const writer = server.admin();
    const meta = `{"status": "SUCCESS", "result": "from the gap", "task_id": "${id}"}`;
    await writer.multi().set(`celery-task-meta-${id}`, meta).publish(`celery-task-meta-${id}`, meta).exec();
    expect(await result).toBe('from the gap');
  });

  it('resolves a wait without a limit after Redis was away, and came back without its data', async () => {
    const [waiter, writer] = [open(), open()];
    const id = randomUUID();
    const { result } = await live(waiter, id);
    const gone = lost();
    await server.kill();
    await gone;
    const stored = writer.storeResult(id, 'after the outage', 'SUCCESS');
    await server.restart();
    expect(await stored).toBe('stored');
    expect(await result).toBe('after the outage');
  });

  it('waits and stores from before Redis is there', async () => {
    await server.kill();
    const [waiter, writer] = [open(), open()];
    const id = randomUUID();
    const gone = lost();
    const result = waiter.waitFor(id);
    const stored = writer.storeResult(id, 'at last', 'SUCCESS');
    await gone;
    await server.restart();
    expect(await stored).toBe('stored');
    expect(await result).toBe('at last');
  });

  it('ends a wait at its deadline while Redis is away', async () => {
    const backend = open();
    const id = randomUUID();
    const { result } = await live(backend, id);
    const gone = lost();
    await server.kill();
    await gone;
    await expect(backend.waitFor(id, { timeout: 0.05 })).rejects.toMatchObject({
      code: 'CELERY_TIMEOUT',
      lastLook: 'skipped',
    });
    const closed = expect(result).rejects.toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
    await backend.close();
    await closed;
  });

  it('keeps the channels of 3,000 waits that are aborted and begun again at once', async () => {
    const backend = open();
    const ids = Array.from({ length: 3_000 }, () => randomUUID());
    const channels = async (): Promise<number> => ((await server.cli('PUBSUB', 'CHANNELS')) as string[]).length;
    const controller = new AbortController();
    const aborted = Promise.allSettled(ids.map((id) => backend.waitFor(id, { signal: controller.signal })));
    while ((await channels()) < ids.length) await backend.ping();
    controller.abort();
    const again = Promise.all(ids.map((id) => backend.waitFor(id)));
    await aborted;
    const writer = open();
    await Promise.all(ids.map((id) => writer.storeResult(id, id, 'SUCCESS')));
    expect(await again).toEqual(ids);
    expect(backend.stats()).toMatchObject({ waits: 0, rescued: 0 });
  });

  it('has two connections, and the second at the first wait', async () => {
    const backend = open();
    await backend.getStatus('a');
    expect((await server.clients()).map(({ name }) => name)).toEqual(['celery-redis-backend:commands']);
    const { result } = await live(backend, 'a');
    expect((await server.clients()).map(({ name }) => name).sort()).toEqual([
      'celery-redis-backend:commands',
      'celery-redis-backend:subscriber',
    ]);
    await backend.storeResult('a', 1, 'SUCCESS');
    expect(await result).toBe(1);
  });
});
