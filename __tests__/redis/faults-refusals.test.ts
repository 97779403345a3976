/** What Redis refuses, for now or for good, under a whole backend that waits. */
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { type BackendOptions, RedisBackend } from '../../src/index.ts';
import { eventually } from '../support/driver.ts';
import { live, lost } from '../support/live.ts';
import { freePort, RedisServer } from '../support/redis.ts';

const WARNINGS = 'celery-redis-backend:warning';

let server: RedisServer;
const backends: RedisBackend[] = [];
let warned: string[] = [];
const note = (warning: unknown): void => {
  warned.push((warning as { readonly code: string }).code);
};

beforeEach(async () => {
  warned = [];
  subscribe(WARNINGS, note);
  server = await RedisServer.start();
});

afterEach(async () => {
  unsubscribe(WARNINGS, note);
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
  await server.stop();
});

function open(options: BackendOptions = {}): RedisBackend {
  const backend = new RedisBackend({}, { url: server.url, backstop: 0, ...options });
  backends.push(backend);
  return backend;
}

const as = (login: string): string => `redis://${login}@127.0.0.1:${server.port}/0`;
const allowUser = (name: string, ...rules: string[]): Promise<unknown> =>
  server.cli('ACL', 'SETUSER', name, 'reset', 'on', '>p', '~*', '&*', '+@all', ...rules);

/** Resolves once so many are subscribed to the channel of a task. */
const subscribed = (id: string, count: number): Promise<void> =>
  eventually(async () => {
    const [, now] = (await server.cli('PUBSUB', 'NUMSUB', `celery-task-meta-${id}`)) as [string, number];
    return now === count;
  });

describe('a wait, and the store that ends it', () => {
  it('go on while their Redis is a replica that refuses writes (READONLY)', async () => {
    const [waiter, writer] = [open(), open()];
    const id = randomUUID();
    const { result } = await live(waiter, id);
    await writer.connect();
    await server.cli('REPLICAOF', '127.0.0.1', await freePort());
    const gone = lost('commands');
    const stored = writer.storeResult(id, 'promoted', 'SUCCESS');
    expect((await gone)?.message).toMatch(/^READONLY/);
    await server.cli('REPLICAOF', 'NO', 'ONE');
    expect(await stored).toBe('stored');
    expect(await result).toBe('promoted');
  });

  it('go on while their Redis is a replica that has lost its master (MASTERDOWN)', async () => {
    await server.cli('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
    await server.cli('REPLICAOF', '127.0.0.1', await freePort());
    const backend = open();
    const id = randomUUID();
    const result = backend.waitFor(id);
    await subscribed(id, 1);
    await expect(backend.getStatus(id)).rejects.toMatchObject({ cause: { reply: 'MASTERDOWN' } });
    const stored = backend.storeResult(id, 'served', 'SUCCESS');
    await server.cli('REPLICAOF', 'NO', 'ONE');
    expect(await stored).toBe('stored');
    expect(await result).toBe('served');
  });

  it.each([
    ['from the start', false],
    ['in between', true],
  ])('go on while their Redis loads its data %s (LOADING)', async (_title, before) => {
    // 200 keys, and 10 ms for each.
    await Promise.all(Array.from({ length: 200 }, (_, i) => server.cli('SET', `k${i}`, 'x'.repeat(2048))));
    await server.cli('CONFIG', 'SET', 'rdbcompression', 'no');
    await server.cli('SAVE');
    const backend = open();
    const id = randomUUID();
    const early = before ? (await live(backend, id)).result : undefined;
    await server.kill();
    await server.restart(['--key-load-delay', '10000', '--loading-process-events-interval-bytes', '1024']);
    await expect(server.cli('GET', 'k0')).rejects.toThrow(/^LOADING/);
    const result = early ?? backend.waitFor(id);
    const stored = backend.storeResult(id, 'loaded', 'SUCCESS');
    expect(await stored).toBe('stored');
    expect(await result).toBe('loaded');
  });

  it('go on after SCRIPT FLUSH, which Redis answers with NOSCRIPT', async () => {
    const backend = open();
    const id = randomUUID();
    const { result } = await live(backend, id);
    await server.cli('SCRIPT', 'FLUSH');
    await expect(backend.storeResult(id, 'anew', 'SUCCESS')).resolves.toBe('stored');
    expect(await result).toBe('anew');
  });

  it('go on after a subscriber that was kept out by maxclients', async () => {
    const backend = open();
    const id = randomUUID();
    const { result } = await live(backend, id);
    const clients = (await server.clients()).length + 1;
    const crowd = new Redis(server.port);
    await crowd.ping();
    await server.cli('CONFIG', 'SET', 'maxclients', clients);
    const gone = lost('subscriber');
    await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await gone;
    await eventually(async () => /rejected_connections:[1-9]/.test(String(await server.cli('INFO', 'stats'))));
    await backend.storeResult(id, 'let in', 'SUCCESS');
    await server.cli('CONFIG', 'SET', 'maxclients', 100);
    expect(await result).toBe('let in');
    crowd.disconnect();
  });
});

describe('a wait', () => {
  it.each([
    ['that has no password where one is asked for', 'NOAUTH', ''],
    ['with a wrong password', 'WRONGPASS', 'default:wrong@'],
  ])('as a user %s is refused at once with %s', async (_title, reply, login) => {
    await server.cli('CONFIG', 'SET', 'requirepass', 'right');
    const backend = open({ url: `redis://${login}127.0.0.1:${server.port}/0` });
    await expect(backend.waitFor(randomUUID())).rejects.toMatchObject({
      code: 'CELERY_BACKEND_GET',
      cause: { code: 'CELERY_BACKEND_REFUSED', reply },
    });
  });

  it('outlives the removal of its user, until there is one again', async () => {
    await allowUser('worker');
    const [waiter, writer] = [open({ url: as('worker:p') }), open()];
    const id = randomUUID();
    const { result } = await live(waiter, id);
    const gone = lost('subscriber');
    await server.cli('ACL', 'DELUSER', 'worker');
    await gone;
    await writer.storeResult(id, 'welcome back', 'SUCCESS');
    await allowUser('worker');
    expect(await result).toBe('welcome back');
  });

  it('on a channel that its user may not have is warned of, and answered by the backstop', async () => {
    await allowUser('deaf', 'resetchannels');
    const [waiter, writer] = [open({ url: as('deaf:p'), backstop: 0.2 }), open()];
    const id = randomUUID();
    const result = waiter.waitFor(id);
    await eventually(async () => {
      await server.cli('PING');
      return warned.includes('CELERY_CHANNEL_REFUSED');
    });
    await writer.storeResult(id, 'by reading', 'SUCCESS');
    expect(await result).toBe('by reading');
  });

  it('whose user loses its channels meanwhile is answered by the backstop', async () => {
    await allowUser('reader');
    const [waiter, writer] = [open({ url: as('reader:p'), backstop: 0.2 }), open()];
    const id = randomUUID();
    const { result } = await live(waiter, id);
    const gone = lost('subscriber');
    // Redis hangs up on those who are subscribed to what they may not have.
    await server.cli('ACL', 'SETUSER', 'reader', 'resetchannels');
    await gone;
    await eventually(async () => {
      await server.cli('PING');
      return warned.includes('CELERY_CHANNEL_REFUSED');
    });
    await writer.storeResult(id, 'all the same', 'SUCCESS');
    expect(await result).toBe('all the same');
    expect(waiter.stats().rescued).toBe(1);
  });

  it('that ends while Redis is busy with a script is unsubscribed once Redis is free', async () => {
    await server.cli('CONFIG', 'SET', 'busy-reply-threshold', 10);
    const backend = open();
    const id = randomUUID();
    const controller = new AbortController();
    const { result } = await live(backend, randomUUID());
    result.catch(() => undefined);
    const wait = backend.waitFor(id, { signal: controller.signal });
    await subscribed(id, 1);
    await backend.ping();
    const endless = new Redis(server.port, { retryStrategy: () => null });
    const script = endless.eval('while true do end', 0).catch((error: unknown) => error);
    await eventually(async () => String(await server.cli('PING').catch((error: unknown) => error)).includes('BUSY'));
    controller.abort(new Error('enough'));
    await expect(wait).rejects.toThrow('enough');
    // It is answered, with BUSY, before what is asked after it.
    await expect(backend.ping()).rejects.toMatchObject({ reply: 'BUSY' });
    await server.cli('SCRIPT', 'KILL');
    await script;
    await subscribed(id, 0);
    await eventually(async () => {
      await server.cli('PING');
      return backend.stats().channels === 1;
    });
    expect(backend.stats().reconnects).toBe(0);
    endless.disconnect();
  });
});
