/** Messages that kill their subscriber, go to another database, or never come. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type BackendOptions, RedisBackend } from '../../src/index.ts';
import { eventually } from '../support/driver.ts';
import { live, lost } from '../support/live.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';

const MIB = 2 ** 20;
const keyOf = (id: string): string => `celery-task-meta-${id}`;

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

describe('a subscriber that Redis kills for its output buffer', () => {
  it('because one result is over 28 MiB gets it, and all others, by their keys', async () => {
    const [waiter, writer] = [open(), open()];
    const [big, small] = [randomUUID(), randomUUID()];
    const waits = await Promise.all([live(waiter, big), live(waiter, small)]);
    const gone = lost('subscriber');
    const value = 'x'.repeat(30 * MIB);
    await expect(writer.storeResult(big, value, 'SUCCESS')).resolves.toBe('stored');
    await gone;
    await writer.storeResult(small, 'beside it', 'SUCCESS');
    const [first, second] = await Promise.all(waits.map(({ result }) => result));
    expect(first === value).toBe(true);
    expect(second).toBe('beside it');
    expect(waiter.stats()).toMatchObject({ waits: 0, rescued: 0 });
  });

  it('because it was slow to read gets all results by their keys', async () => {
    await using proxy = await Proxy.start(server.port);
    await server.cli('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 1mb 1mb 0');
    const [waiter, writer] = [open({ url: proxy.url, deadAfter: 60 }), open()];
    const ids = Array.from({ length: 30 }, () => randomUUID());
    const waits = await Promise.all(ids.map((id) => live(waiter, id)));
    const gone = lost('subscriber');
    proxy.hold('down');
    const value = 'x'.repeat(MIB);
    for (const id of ids) await writer.storeResult(id, value, 'SUCCESS');
    await eventually(async () => (await server.clients()).every(({ sub }) => sub === '0'));
    proxy.release();
    await gone;
    const values = await Promise.all(waits.map(({ result }) => result));
    expect(values.every((each) => each === value)).toBe(true);
    expect(waiter.stats()).toMatchObject({ waits: 0, rescued: 0 });
  });
});

describe('a wait', () => {
  it('in one database is ended by a result of the same id in another, since channels know no databases', async () => {
    const [waiter, writer] = [open({ url: `redis://127.0.0.1:${server.port}/1` }), open()];
    const id = randomUUID();
    const { result } = await live(waiter, id);
    await writer.storeResult(id, 'of database 0', 'SUCCESS');
    expect(await result).toBe('of database 0');
  });

  it('in one database is not ended by another where a prefix keeps them apart', async () => {
    const [waiter, writer] = [open({ url: `redis://127.0.0.1:${server.port}/1`, globalKeyprefix: 'one_' }), open()];
    const id = randomUUID();
    const { result } = await live(waiter, id);
    await writer.storeResult(id, 'of database 0', 'SUCCESS');
    await waiter.storeResult(id, 'of database 1', 'SUCCESS');
    expect(await result).toBe('of database 1');
  });

  it('is told nothing when its key is deleted, and ends by its deadline or by the next result', async () => {
    const [waiter, writer] = [open(), open()];
    const id = randomUUID();
    const { result } = await live(waiter, id);
    await server.cli('DEL', keyOf(id));
    await expect(waiter.waitFor(id, { timeout: 0.2 })).rejects.toMatchObject({
      code: 'CELERY_TIMEOUT',
      lastLook: 'unready',
    });
    await writer.storeResult(id, 'once more', 'SUCCESS');
    expect(await result).toBe('once more');
  });

  it('that begins after its result has expired cannot tell it from one that never was', async () => {
    const [waiter, writer] = [open(), open({ expires: 1 })];
    const id = randomUUID();
    await writer.storeResult(id, 'gone', 'SUCCESS');
    await eventually(async () => (await server.cli('EXISTS', keyOf(id))) === 0);
    await expect(waiter.getStatus(id)).resolves.toBe('PENDING');
    await expect(waiter.waitFor(id, { timeout: 0.1 })).rejects.toMatchObject({
      code: 'CELERY_TIMEOUT',
      lastLook: 'unready',
    });
  });

  it('ends with the first ready state, whatever replaces it', async () => {
    const [waiter, writer] = [open(), open()];
    const id = randomUUID();
    const { result } = await live(waiter, id);
    await writer.storeResult(id, new RangeError('first'), 'FAILURE');
    await expect(result).rejects.toThrow('first');
    await writer.storeResult(id, 'then', 'SUCCESS');
    await expect(waiter.waitFor(id)).resolves.toBe('then');
  });
});
