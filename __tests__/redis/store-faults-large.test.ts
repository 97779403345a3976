/** Values that are large, or larger than a server takes. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type BackendOptions, type BackendStoreError, RedisBackend } from '../../src/index.ts';
import { eventually } from '../support/driver.ts';
import { failure } from '../support/failure.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';

const MIB = 2 ** 20;

let server: RedisServer;
const backends: RedisBackend[] = [];
beforeAll(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
  await server.cli('CONFIG', 'SET', 'proto-max-bulk-len', 512 * MIB);
  await server.cli('FLUSHALL');
});
afterAll(() => server.stop());

async function open(options: BackendOptions = {}): Promise<RedisBackend> {
  const backend = new RedisBackend({}, { url: server.url, backstop: 0, maxCachedResults: -1, ...options });
  backends.push(backend);
  await backend.connect();
  return backend;
}

describe('a value beyond proto-max-bulk-len, at which Redis hangs up', () => {
  it('is given up with its retries, names what to check, and is not stored; later stores are', async () => {
    const backend = await open({ retryPolicy: { maxRetries: 2, intervalMax: 0.05 } });
    await server.cli('CONFIG', 'SET', 'proto-max-bulk-len', 2 * MIB);
    const id = randomUUID();
    const error = await failure<BackendStoreError>(backend.storeResult(id, 'x'.repeat(30 * MIB), 'SUCCESS'));
    expect(error).toMatchObject({ code: 'CELERY_BACKEND_STORE', taskId: id });
    // Whether its answer is read before the connection is gone is chance.
    expect(error.message).toMatch(/proto-max-bulk-len|invalid bulk length/);
    expect(await backend.storeResult(randomUUID(), 'small', 'SUCCESS')).toBe('stored');
    expect(await backend.getStatus(id)).toBe('PENDING');
    expect(await server.cli('DBSIZE')).toBe(1);
  });

  it('takes no small store down that is made beside it, or while it is tried again', async () => {
    const backend = await open({ retryPolicy: { maxRetries: 3 } });
    await server.cli('CONFIG', 'SET', 'proto-max-bulk-len', MIB);
    const poison = failure<BackendStoreError>(backend.storeResult('poison', 'x'.repeat(3 * MIB), 'SUCCESS'));
    const over = new AbortController();
    void poison.then(() => {
      over.abort();
    });
    const small = Array.from({ length: 10 }, (_, i) => backend.storeResult(`beside-${i}`, 'small', 'SUCCESS'));
    let during = 0;
    while (!over.signal.aborted) {
      small.push(backend.storeResult(`during-${during}`, 'small', 'SUCCESS'));
      during += 1;
      await new Promise((resolve) => setImmediate(resolve));
      if (during % 10 === 0) await Promise.allSettled(small);
    }
    const ends = await Promise.allSettled(small);
    expect(ends.filter(({ status }) => status === 'rejected')).toEqual([]);
    expect((await poison).message).toMatch(/proto-max-bulk-len|invalid bulk length/);
    expect(await server.cli('DBSIZE')).toBe(10 + during);
  });

  it('is named as what may have broken the link by the error of a large store, and of no small one', async () => {
    await using proxy = await Proxy.start(server.port);
    const backend = await open({ url: proxy.url, retryPolicy: { maxRetries: 0 } });
    const messages: string[] = [];
    for (const size of [10, 3 * MIB]) {
      await backend.connect();
      proxy.hold('down');
      const id = randomUUID();
      const failed = failure(backend.storeResult(id, 'x'.repeat(size), 'SUCCESS'));
      await eventually(async () => (await server.cli('EXISTS', `celery-task-meta-${id}`)) === 1);
      proxy.cut();
      proxy.release();
      messages.push((await failed).message);
    }
    expect(messages[0]).not.toContain('proto-max-bulk-len');
    expect(messages[1]).toMatch(/It sends 3\.0 MiB: .* more than proto-max-bulk-len\.$/);
  });

  it('is refused before anything is sent where the option says how much the server takes', async () => {
    const backend = await open({ limits: { maxPayload: 2 * MIB } });
    await server.cli('CONFIG', 'SET', 'proto-max-bulk-len', 2 * MIB);
    const large = failure(backend.storeResult(randomUUID(), 'x'.repeat(3 * MIB), 'SUCCESS'));
    const others = Array.from({ length: 10 }, () => backend.storeResult(randomUUID(), 1, 'SUCCESS'));
    expect(await large).toMatchObject({ code: 'CELERY_VALUE_TOO_LARGE' });
    expect(new Set(await Promise.all(others))).toEqual(new Set(['stored']));
    expect(backend.stats()).toMatchObject({ storeRetries: 0, reconnects: 0 });
  });
});

it('values of 29 and of 128 MiB are stored at the first try, are whole, and reach who waits for them', async () => {
  const [writer, reader] = [await open(), await open()];
  for (const size of [29 * MIB, 128 * MIB]) {
    const id = randomUUID();
    const waiting = reader.waitFor<string>(id, { timeout: 50 });
    await eventually(async () => ((await server.cli('PUBSUB', 'NUMSUB', `celery-task-meta-${id}`)) as unknown[])[1] === 1); // prettier-ignore
    expect(await writer.storeResult(id, 'x'.repeat(size), 'SUCCESS')).toBe('stored');
    expect((await waiting).length).toBe(size);
    expect(await server.cli('STRLEN', `celery-task-meta-${id}`)).toBeGreaterThan(size);
    await server.cli('DEL', `celery-task-meta-${id}`);
  }
  expect(writer.stats()).toMatchObject({ storeRetries: 0, reconnects: 0 });
});
