/** Links that break, fall silent or lead elsewhere, under a whole backend that waits. */
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import dns from 'node:dns';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { type BackendOptions, RedisBackend } from '../../src/index.ts';
import { eventually } from '../support/driver.ts';
import { live, lost } from '../support/live.ts';
import { type Direction, Proxy } from '../support/proxy.ts';
import { freePort, RedisServer } from '../support/redis.ts';

const quick = { heartbeat: 0.1, deadAfter: 0.4 };
/** Seconds in which a link that fell silent is found, by far. */
const SOON = 5;

let server: RedisServer;
let proxy: Proxy;
const backends: RedisBackend[] = [];

beforeEach(async () => {
  server = await RedisServer.start();
  proxy = await Proxy.start(server.port);
});

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
  await proxy[Symbol.asyncDispose]();
  await server.stop();
});

/** A backend behind the proxy, whose backstop would hide what is missed. */
function open(options: BackendOptions = {}): RedisBackend {
  const backend = new RedisBackend({}, { url: proxy.url, backstop: 0, ...options });
  backends.push(backend);
  return backend;
}

/** A backend with a way of its own. */
const direct = (): RedisBackend => open({ url: server.url });

const DIRECTIONS: readonly [string, Direction[]][] = [
  ['to Redis', ['up']],
  ['from Redis', ['down']],
  ['both ways', []],
];

describe('a link that is half open', () => {
  it.each(DIRECTIONS)(
    '%s, that of the subscriber, is found by its heartbeat, and no result is missed',
    async (_title, ways) => {
      const [waiter, writer] = [open(quick), direct()];
      await waiter.connect();
      const id = randomUUID();
      const { result } = await live(waiter, id);
      const start = performance.now();
      const gone = lost('subscriber');
      proxy.freeze(1, ...ways);
      await writer.storeResult(id, 'heard', 'SUCCESS');
      expect(await result).toBe('heard');
      expect((await gone)?.message).toBe('it did not answer for 0.4 s');
      expect(performance.now() - start).toBeLessThan(SOON * 1000);
    },
  );

  it.each(DIRECTIONS)(
    '%s, that of the commands, is found by its heartbeat, and what is asked meanwhile is stored',
    async (_title, ways) => {
      const backend = open(quick);
      await backend.connect();
      const id = randomUUID();
      const { result } = await live(backend, id);
      const start = performance.now();
      const gone = lost('commands');
      proxy.freeze(0, ...ways);
      await expect(backend.storeResult(id, 'stored', 'SUCCESS')).resolves.toMatch(/stored|kept/);
      expect(await result).toBe('stored');
      expect((await gone)?.message).toBe('it did not answer for 0.4 s');
      expect(performance.now() - start).toBeLessThan(SOON * 1000);
    },
  );

  it('on both connections at once is found, and a wait that has a deadline keeps it meanwhile', async () => {
    const backend = open({ heartbeat: 1, deadAfter: 600, lastLook: 0.05 });
    const id = randomUUID();
    const { result } = await live(backend, id);
    proxy.hold();
    await expect(backend.waitFor(id, { timeout: 0.05 })).rejects.toMatchObject({
      code: 'CELERY_TIMEOUT',
      lastLook: 'failed',
    });
    proxy.release();
    await direct().storeResult(id, 1, 'SUCCESS');
    expect(await result).toBe(1);
  });

  it.each([
    ['of the subscriber', 1],
    ['of the commands', 0],
  ])(
    'in a handshake %s that is never answered is found, and the wait goes on over the next',
    async (_title, number) => {
      proxy.freeze(number, 'down');
      const [waiter, writer] = [open({ ...quick, commandTimeout: 60 }), direct()];
      // The commands connect first.
      const connected = waiter.connect({ timeout: 60 });
      const id = randomUUID();
      await eventually(async () => {
        await server.cli('PING');
        return proxy.accepted > 0;
      });
      const result = waiter.waitFor(id);
      await writer.storeResult(id, 'at last', 'SUCCESS');
      await connected;
      expect(await result).toBe('at last');
      expect(proxy.accepted).toBeGreaterThanOrEqual(3);
    },
  );
});

describe('a server that is killed', () => {
  it('and comes back with its data gives the result that was stored behind the back of a wait', async () => {
    await using durable = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always']);
    await using way = await Proxy.start(durable.port);
    const [waiter, writer] = [open({ url: way.url }), open({ url: durable.url })];
    const id = randomUUID();
    const { result } = await live(waiter, id);
    way.hold('down');
    await writer.storeResult(id, 'durable', 'SUCCESS');
    const gone = lost('subscriber');
    await durable.kill();
    way.cut();
    await gone;
    way.release();
    await durable.restart();
    expect(await result).toBe('durable');
  });

  it('and comes back without its data leaves a wait pending, to its deadline or until the task is done again', async () => {
    const [waiter, writer] = [open(), direct()];
    const id = randomUUID();
    const { result } = await live(waiter, id);
    proxy.hold('down');
    await writer.storeResult(id, 'lost', 'SUCCESS');
    const gone = lost('subscriber');
    await server.kill();
    proxy.cut();
    await gone;
    proxy.release();
    await server.restart();
    await waiter.connect();
    await expect(waiter.waitFor(id, { timeout: 0.5 })).rejects.toMatchObject({ code: 'CELERY_TIMEOUT' });
    await expect(waiter.getStatus(id)).resolves.toBe('PENDING');
    await writer.storeResult(id, 'again', 'SUCCESS');
    expect(await result).toBe('again');
  });
});

describe('a subscription', () => {
  it('whose link is cut before its confirmation 30 times is confirmed at last', async () => {
    // Attempts follow one another at once.
    jest.spyOn(Math, 'random').mockReturnValue(0);
    const [waiter, writer] = [open(), direct()];
    await waiter.connect();
    const id = randomUUID();
    const { result } = await live(waiter, id);
    let cuts = 0;
    const cut = (event: unknown): void => {
      const { connection, state } = event as { readonly connection: string; readonly state: string };
      if (connection !== 'subscriber' || state !== 'ready' || cuts === 30) return;
      cuts += 1;
      proxy.cut();
    };
    subscribe('celery-redis-backend:connection', cut);
    const gone = lost('subscriber');
    proxy.cut();
    await gone;
    await writer.storeResult(id, 'confirmed', 'SUCCESS');
    expect(await result).toBe('confirmed');
    unsubscribe('celery-redis-backend:connection', cut);
    expect(cuts).toBe(30);
  });
});

describe('a host name', () => {
  it('is looked up again for each attempt', async () => {
    const lookup = dns.lookup.bind(dns) as (...args: unknown[]) => void;
    let known = false;
    let asked = 0;
    jest.spyOn(dns, 'lookup').mockImplementation(((host: string, options: object, done: (error: Error) => void) => {
      if (host !== 'redis.example') {
        lookup(host, options, done);
        return;
      }
      asked += 1;
      if (known) lookup('127.0.0.1', options, done);
      else done(Object.assign(new Error('getaddrinfo ENOTFOUND redis.example'), { code: 'ENOTFOUND' }));
    }) as unknown as typeof dns.lookup);
    const backend = open({ url: `redis://redis.example:${server.port}/0` });
    const gone = lost('subscriber');
    const id = randomUUID();
    const result = backend.waitFor(id);
    expect((await gone)?.message).toMatch(/ENOTFOUND/);
    known = true;
    await direct().storeResult(id, 'found', 'SUCCESS');
    expect(await result).toBe('found');
    expect(asked).toBeGreaterThanOrEqual(2);
  });
});

describe('a given client', () => {
  it('that its owner ends while it lends its options changes nothing for a wait', async () => {
    const client = new Redis({ port: server.port, lazyConnect: true });
    await client.connect();
    const backend = new RedisBackend({}, { client, backstop: 0 });
    backends.push(backend);
    const id = randomUUID();
    const { result } = await live(backend, id);
    await client.quit();
    await direct().storeResult(id, 'not his', 'SUCCESS');
    expect(await result).toBe('not his');
  });
});

describe('an address where nothing listens', () => {
  it('ends a wait at its deadline, and close ends one that has none', async () => {
    const backend = open({ url: `redis://127.0.0.1:${await freePort()}/0` });
    const endless = expect(backend.waitFor('a')).rejects.toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
    const gone = lost('subscriber');
    await expect(backend.waitFor('b', { timeout: 0.3 })).rejects.toMatchObject({ code: 'CELERY_TIMEOUT' });
    await gone;
    await backend.close();
    await endless;
  });
});
