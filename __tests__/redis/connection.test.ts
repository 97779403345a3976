import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/clock.ts';
import type { BackendError } from '../../src/errors.ts';
import { isRetryable } from '../../src/retry.ts';
import { DriverUnderTest, eventually, guard, meta } from '../support/driver.ts';
import { failure as failureOf } from '../support/failure.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer, freePort } from '../support/redis.ts';

const failure = failureOf<BackendError>;

/** The sockets that `open` makes. */
async function socketsOf(open: () => Promise<unknown>): Promise<Socket[]> {
  const sockets: Socket[] = [];
  const onSocket = (message: unknown): void => {
    sockets.push((message as { socket: Socket }).socket);
  };
  subscribe('net.client.socket', onSocket);
  await open();
  unsubscribe('net.client.socket', onSocket);
  return sockets;
}

describe('a connection', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());

  it('is not made before the first use', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url });
    expect(test.driver.store.usable).toBe(true);
    expect(proxy.accepted).toBe(0);
    await test.driver.store.read('absent');
    expect(proxy.accepted).toBe(1);
    await test.driver.source.subscribe(['a']);
    expect(proxy.accepted).toBe(2);
  });

  it('is named for CLIENT LIST, with the name of the user after ours', async () => {
    await using test = new DriverUnderTest({ url: server.url, connectionName: 'api' });
    await test.driver.connect(5);
    await test.driver.source.subscribe(['a']);
    const names = (await server.clients()).map(({ name }) => name);
    expect(names.sort()).toEqual(['celery-redis-backend:commands:api', 'celery-redis-backend:subscriber:api']);
  });

  it('rejects a call at its deadline while nothing listens, and says what to check', async () => {
    const port = await freePort();
    await using test = new DriverUnderTest({ url: `redis://127.0.0.1:${port}`, commandTimeout: 0.3 });
    const start = performance.now();
    const error = await failure(test.driver.store.read('key'));
    expect(performance.now() - start).toBeGreaterThanOrEqual(299);
    expect(error).toMatchObject({ name: 'BackendError', code: 'CELERY_BACKEND_UNAVAILABLE' });
    expect(error.message).toBe(`Redis at 127.0.0.1:${port} is out of reach (ECONNREFUSED: is Redis running there?).`);
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
    expect(isRetryable(error)).toBe(true);
    expect(test.driver.store.usable).toBe(false);
    expect(test.warnings.given.map(({ code }) => code)).toEqual(['CELERY_CONNECTION']);
  });

  it('explains a host name that is not known', async () => {
    await using test = new DriverUnderTest({ url: 'redis://no-such-host.invalid', commandTimeout: 2 });
    const error = await failure(test.driver.store.read('key'));
    expect(error.message).toMatch(
      /^Redis at no-such-host\.invalid:6379 is out of reach \((ENOTFOUND|EAI_AGAIN): the host/,
    );
  });

  it('sends a call that waited for it, once it is there', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url });
    proxy.refuse(true);
    const read = test.driver.store.read('absent');
    await test.until(() => test.count('commands', 'lost') === 1);
    proxy.refuse(false);
    await expect(read).resolves.toBeNull();
    expect(test.events.at(-1)).toMatchObject({ state: 'ready', connection: 'commands' });
    expect(test.driver.store.usable).toBe(true);
  });

  it('rejects what is in flight when the link breaks, and is made anew', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url });
    await test.driver.connect(5);
    proxy.hold('down');
    const calls = [test.driver.store.read('key'), test.driver.store.remove('key'), test.driver.ping()].map((call) =>
      failure(call),
    );
    await eventually(async () => String(await server.cli('INFO', 'commandstats')).includes('cmdstat_del'));
    proxy.cut();
    proxy.release();
    for (const error of await Promise.all(calls)) {
      expect(error).toMatchObject({ name: 'BackendError', code: 'CELERY_BACKEND_UNAVAILABLE' });
      expect(error.message).toMatch(/^The link to Redis at \S+ broke during /);
    }
    await expect(test.driver.store.read('absent')).resolves.toBeNull();
    expect(test.driver.reconnects()).toBe(1);
    expect(test.events.map(({ state }) => state)).toEqual(['ready', 'lost', 'ready']);
    expect(test.events.map(({ attempt }) => attempt)).toEqual([1, 0, 1]);
  });

  it('comes back after a restart of the server', async () => {
    await using own = await RedisServer.start();
    await using test = new DriverUnderTest({ url: own.url });
    await test.driver.store.write({ key: 'key', payload: meta('STARTED'), ttl: 60, guard });
    await own.kill();
    await test.until(() => test.count('commands', 'lost') === 1);
    const read = test.driver.store.read('key');
    await own.restart();
    await expect(read).resolves.toBeNull();
    await expect(test.driver.store.write({ key: 'key', payload: meta('SUCCESS'), ttl: 60, guard })).resolves.toBe(
      'stored',
    );
  });

  it('tells a first connection from one that is back, and how long it was down', async () => {
    await using own = await RedisServer.start();
    await using test = new DriverUnderTest({ url: own.url });
    await test.driver.ping();
    await own.kill();
    await test.until(() => test.count('commands', 'lost') === 1);
    await own.restart();
    await test.until(() => test.count('commands', 'ready') === 2);
    const told = test.events.map(({ state, first, downFor }) => [state, first, downFor]);
    expect(told).toEqual([
      ['ready', true, undefined],
      ['lost', false, undefined],
      ['ready', false, expect.any(Number)],
    ]);
    expect(told.at(-1)?.[2]).toBeGreaterThan(0);
  });

  it('makes calls wait that come between the break of its socket and the event that tells of it', async () => {
    await using own = await RedisServer.start();
    await using test = new DriverUnderTest({ url: own.url });
    const [socket] = await socketsOf(() => test.driver.connect(5));
    if (!socket) throw new Error('it made no socket');
    const killed = own.kill();
    await once(socket, 'finish');
    expect(test.events.map(({ state }) => state)).toEqual(['ready']);
    const calls = [test.driver.store.read('key'), test.driver.ping(), test.driver.connect(20)];
    await killed;
    await own.restart();
    await expect(Promise.all(calls)).resolves.toEqual([null, expect.any(Number), undefined]);
  });

  it('is waited for by connect() when the server is killed right before, in whatever moment', async () => {
    await using own = await RedisServer.start();
    await using test = new DriverUnderTest({ url: own.url });
    for (let round = 0; round < 5; round += 1) {
      await test.driver.connect(20);
      const killed = own.kill();
      const connected = [test.driver.connect(20)];
      await killed;
      connected.push(test.driver.connect(20));
      await own.restart();
      await Promise.all(connected);
    }
    expect(test.warnings.given.length).toBeGreaterThan(0);
  });

  it('spends one deadline on connecting and on PING', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url, commandTimeout: 5 });
    await test.driver.connect(5);
    proxy.hold('down');
    const start = performance.now();
    const error = await failure(test.driver.connect(0.3));
    expect(performance.now() - start).toBeLessThan(3000);
    expect(error.message).toMatch(/did not answer PING within 0\.\d+ s\.$/);
    proxy.release();
  });

  it.each([
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
    ['an SSH server', 'SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n'],
  ])('to %s says that it is not Redis', async (_title, answer) => {
    const other = createServer((socket) => {
      socket.on('error', () => undefined).once('data', () => socket.end(answer));
    });
    other.listen(0, '127.0.0.1').unref();
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await using test = new DriverUnderTest({ url: `redis://127.0.0.1:${port}`, commandTimeout: 0.5 });
    const error = await failure(test.driver.store.read('key'));
    expect(error.message).toBe(
      `Redis at 127.0.0.1:${port} is out of reach (what answers there is not Redis; check host and port).`,
    );
    expect(test.warnings.given[0]?.message).toContain('is not Redis');
    other.close();
  });

  it('waits while Redis loads its data', async () => {
    await using own = await RedisServer.start();
    for (let index = 0; index < 100; index += 1) await own.cli('SET', `key${index}`, 'x'.repeat(1000));
    await own.cli('SAVE');
    await own.kill();
    await own.restart(['--key-load-delay', '10000', '--loading-process-events-interval-bytes', '1024']);
    await using test = new DriverUnderTest({ url: own.url, heartbeat: 0.1, deadAfter: 1.5, commandTimeout: 20 });
    await expect(test.driver.store.read('key99')).resolves.toHaveLength(1000);
  });

  it('passes on error replies with their first word, and stays', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    await server.cli('RPUSH', 'list', 'x');
    const error = await failure(test.driver.store.read('list'));
    expect(error).toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: 'WRONGTYPE' });
    expect(error.message).toBe(
      'Redis refused GET list: WRONGTYPE Operation against a key holding the wrong kind of value',
    );
    expect(isRetryable(error)).toBe(false);
    expect(test.count('commands', 'lost')).toBe(0);
  });

  it('is made anew after READONLY, since there may be another master', async () => {
    await using own = await RedisServer.start();
    await using test = new DriverUnderTest({ url: own.url });
    await test.driver.connect(5);
    await own.cli('REPLICAOF', '127.0.0.1', await freePort());
    const write = { key: 'key', payload: meta('SUCCESS'), ttl: 60, guard };
    const error = await failure(test.driver.store.write(write));
    expect(error).toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: 'READONLY' });
    expect(isRetryable(error)).toBe(true);
    await own.cli('REPLICAOF', 'NO', 'ONE');
    await test.until(() => test.count('commands', 'ready') === 2);
    await expect(test.driver.store.write(write)).resolves.toBe('stored');
  });

  it('ignores a reply that comes after its deadline', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url, commandTimeout: 0.2 });
    await test.driver.connect(5);
    await server.cli('SET', 'late', '1');
    await server.cli('SET', 'next', '2');
    proxy.hold('down');
    const error = await failure(test.driver.store.read('late'));
    expect(error.message).toMatch(/did not answer GET late within 0.2 s\.$/);
    proxy.release();
    await expect(test.driver.store.read('next')).resolves.toEqual(Buffer.from('2'));
    expect(test.count('commands', 'lost')).toBe(0);
  });

  it('does not take a stall of its own process for a late reply', async () => {
    await using test = new DriverUnderTest({ url: server.url, commandTimeout: 0.1, heartbeat: 0.05, deadAfter: 0.1 });
    await test.driver.connect(5);
    for (let round = 0; round < 5; round += 1) {
      const read = test.driver.store.read('absent');
      // Long enough for the request to be written before the stall.
      await new Promise((resolve) => setImmediate(resolve));
      const until = systemClock.now() + 300;
      while (systemClock.now() < until);
      await expect(read).resolves.toBeNull();
    }
    expect(test.count('commands', 'lost')).toBe(0);
  });

  it('refuses a database that does not exist, rather than use another', async () => {
    await using test = new DriverUnderTest({ url: `redis://127.0.0.1:${server.port}/999` });
    const error = await failure(test.driver.store.read('key'));
    expect(error).toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: 'ERR' });
    expect(error.message).toMatch(/ERR DB index is out of range \(check the database number\)/);
  });

  it('uses the database of the URL, after a reconnect as well', async () => {
    await using test = new DriverUnderTest({ url: `redis://127.0.0.1:${server.port}/3` });
    await test.driver.store.write({ key: 'in-three', payload: '3', ttl: null, guard: null });
    const [client] = await server.clients();
    await server.cli('CLIENT', 'KILL', 'ID', client?.id ?? '');
    await test.until(() => test.count('commands', 'ready') === 2);
    await expect(test.driver.store.read('in-three')).resolves.toEqual(Buffer.from('3'));
    await expect(server.cli('GET', 'in-three')).resolves.toBeNull();
  });

  it('says so when the server is full', async () => {
    await using own = await RedisServer.start();
    await own.cli('CONFIG', 'SET', 'maxclients', 1);
    await using test = new DriverUnderTest({ url: own.url, commandTimeout: 0.5 });
    const error = await failure(test.driver.store.read('key'));
    expect(error.code).toBe('CELERY_BACKEND_UNAVAILABLE');
    expect(error.message).toMatch(/maxclients/);
  });

  it('never shows a payload or a password in an error', async () => {
    await using own = await RedisServer.start(['--requirepass', 'SECRET-PASSWORD']);
    await using proxy = await Proxy.start(own.port);
    await using test = new DriverUnderTest({ url: `redis://:SECRET-PASSWORD@127.0.0.1:${proxy.port}` });
    await own.cli('RPUSH', 'list', 'x');
    const write = { payload: meta('SUCCESS', 'SECRET-PAYLOAD'), ttl: 60, guard };
    const errors = [await failure(test.driver.store.write({ ...write, key: 'list' }))];
    await own.cli('CONFIG', 'SET', 'maxmemory', 1);
    errors.push(await failure(test.driver.store.write({ ...write, key: 'key' })));
    proxy.hold('down');
    const broken = failure(test.driver.store.write({ ...write, key: 'key' }));
    await own.cli('CONFIG', 'SET', 'requirepass', 'OTHER');
    proxy.cut();
    proxy.release();
    errors.push(await broken, await failure(test.driver.connect(0.5)));
    await using wrong = new DriverUnderTest({ url: `redis://:SECRET-PASSWORD@127.0.0.1:${proxy.port}` });
    errors.push(await failure(wrong.driver.store.read('key')));
    expect(errors.map(({ reply }) => reply)).toEqual(['WRONGTYPE', 'OOM', undefined, undefined, 'WRONGPASS']);
    for (const shown of [
      ...errors.map((error) => inspect(error, { depth: Infinity, showHidden: true })),
      ...errors.map((error) => JSON.stringify(error)),
      ...errors.map(({ cause }) => JSON.stringify(cause)),
      inspect(test.driver, { depth: Infinity }),
      inspect(test.events, { depth: Infinity, showHidden: true }),
      inspect(test.warnings.given),
    ]) {
      expect(shown).not.toContain('SECRET');
    }
  });
});

describe('a server that hangs up on idle clients (timeout 1)', () => {
  let server: RedisServer;
  beforeEach(async () => {
    server = await RedisServer.start(['--timeout', '1']);
  });
  afterEach(() => server.stop());

  it('keeps a link that has a heartbeat within that time', async () => {
    await using test = new DriverUnderTest({ url: server.url, heartbeat: 0.2 });
    await test.driver.connect(5);
    const pings = async (): Promise<number> => {
      const stats = (await server.cli('INFO', 'commandstats')) as string;
      return Number(/cmdstat_ping:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };
    // Three seconds at least.
    const begun = await pings();
    await eventually(async () => (await pings()) >= begun + 15);
    expect(test.count('commands', 'lost')).toBe(0);
    await expect(test.driver.ping()).resolves.toBeGreaterThan(0);
  });

  it('cuts one that has none, which is made anew', async () => {
    await using test = new DriverUnderTest({ url: server.url, heartbeat: 3600 });
    await test.driver.connect(5);
    await test.until(() => test.count('commands', 'lost') === 1);
    await test.until(() => test.count('commands', 'ready') === 2);
    await expect(test.driver.store.read('key')).resolves.toBeNull();
  });
});
