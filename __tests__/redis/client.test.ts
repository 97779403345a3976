import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import type { ClusterOptions } from 'ioredis';
import type { GivenClient } from '../../src/redis/client.ts';
import { DriverUnderTest, guard, meta } from '../support/driver.ts';
import { RedisServer } from '../support/redis.ts';

const cluster = (options: ClusterOptions): Cluster => new Cluster([{ port: 1 }], { lazyConnect: true, ...options });
const withSentinels = { options: { sentinels: [{ port: 1 }] } };

describe('a given client', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start(['--requirepass', 'pass']);
  });
  afterAll(() => server.stop());
  const open = (client: unknown): DriverUnderTest => new DriverUnderTest({ client: client as GivenClient });

  it('lends its options, and is itself never connected, commanded, subscribed or closed', async () => {
    const given = new Redis({ port: server.port, password: 'pass', db: 2, lazyConnect: true, connectionName: 'mine' });
    {
      await using test = open(given);
      await test.driver.store.write({ key: 'key', payload: meta('SUCCESS'), ttl: 60, guard });
      await test.driver.source.subscribe(['a']);
      const names = (await server.clients()).map(({ name }) => name);
      expect(names.sort()).toEqual(['celery-redis-backend:commands:mine', 'celery-redis-backend:subscriber:mine']);
      expect(test.driver.uri(true)).toBe(`redis://:pass@localhost:${server.port}/2`);
      expect(test.driver.uri(false)).toBe(`redis://:**@localhost:${server.port}/2`);
    }
    expect(given.status).toBe('wait');
    expect(given.eventNames()).toEqual([]);
    await expect(given.get('key')).resolves.toBe(meta('SUCCESS'));
    given.disconnect();
  });

  it('keeps its own connection, in whatever use, when the driver is closed', async () => {
    const given = new Redis({ port: server.port, password: 'pass' });
    const mode = given.subscribe('mine');
    {
      await using test = open(given);
      await test.driver.connect(5);
    }
    await mode;
    expect(given.status).toBe('ready');
    given.disconnect();
  });

  it('keeps its own ways to itself: offline queue, timeouts, retries, scripts', async () => {
    const given = new Redis({
      port: server.port,
      password: 'pass',
      lazyConnect: true,
      commandTimeout: 1,
      socketTimeout: 1,
      enableAutoPipelining: true,
      stringNumbers: true,
      retryStrategy: () => {
        throw new Error('not asked');
      },
    });
    await using test = open(given);
    await test.driver.source.subscribe(['a']);
    await test.driver.store.write({ key: 'k', payload: meta('STARTED'), ttl: 60, guard });
    await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await test.until(() => test.reconnects === 1);
  });

  it.each([
    ['with a keyPrefix', () => new Redis({ lazyConnect: true, keyPrefix: 'pre:' }), /^client: it has a keyPrefix/],
    ['that reads from replicas', () => new Redis({ lazyConnect: true, role: 'slave' }), /role: 'slave'/],
    ['that is readOnly', () => new Redis({ lazyConnect: true, readOnly: true }), /readOnly/],
    ['of a cluster with a keyPrefix', () => cluster({ keyPrefix: 'pre:' }), /^client: it has a keyPrefix/],
    [
      'of a cluster whose nodes have a keyPrefix',
      () => cluster({ redisOptions: { keyPrefix: 'pre:' } }),
      /^client: it has a keyPrefix/,
    ],
    ['of a cluster that reads from replicas', () => cluster({ scaleReads: 'slave' }), /^client: .*scaleReads/],
    ['of a cluster found by SRV', () => cluster({ useSRVRecords: true }), /^client: .*SRV records/],
    [
      'of Sentinel without a name of the master',
      () => ({ ...withSentinels, duplicate: () => undefined, arget: () => undefined }),
      /^client: it has sentinels, and no name/,
    ],
    ['of an older ioredis', () => ({ options: {}, duplicate: () => undefined }), /^client: expected ioredis 5\.11\.1/],
    ['that is none', () => ({ get: () => undefined }), /^client: expected a Redis of ioredis/],
    ['that is a number', () => 5, /^client: expected a Redis of ioredis/],
  ])('%s is refused', (_title, make: () => unknown, message) => {
    expect(() => open(make())).toThrow(
      expect.objectContaining({ name: 'ImproperlyConfigured', message: expect.stringMatching(message) }),
    );
  });

  it('beside a URL is refused', () => {
    const client = new Redis({ lazyConnect: true });
    expect(() => new DriverUnderTest({ client, url: 'redis://' })).toThrow(
      /^client: expected either a client or a url/,
    );
  });
});

describe('a driver', () => {
  it('refuses a connection name that CLIENT SETNAME would refuse', () => {
    expect(() => new DriverUnderTest({ connectionName: 'two words' })).toThrow(/^connectionName: expected/);
  });

  it('connects by a Unix socket', async () => {
    await using server = await RedisServer.start();
    const path = `${server.folder}/s ocket`;
    await server.kill();
    await server.restart(['--unixsocket', path]);
    await using test = new DriverUnderTest({ url: `redis+socket://${encodeURI(path)}?virtual_host=3` });
    await test.driver.store.write({ key: 'key', payload: 'x', ttl: null, guard: null });
    await server.cli('SELECT', 3);
    await expect(server.cli('GET', 'key')).resolves.toBe('x');
  });

  it('connects by an address of IPv6', async () => {
    await using server = await RedisServer.start();
    // An IPv4 address as IPv6 writes it: machines without an IPv6 network have it too.
    await using test = new DriverUnderTest({ url: `redis://[::ffff:127.0.0.1]:${server.port}/0` });
    await test.driver.store.write({ key: 'key', payload: 'x', ttl: null, guard: null });
    await expect(server.cli('GET', 'key')).resolves.toBe('x');
    expect(test.driver.uri(false)).toBe(`redis://[::ffff:127.0.0.1]:${server.port}/0`);
  });

  it('measures the round trip of a PING in milliseconds', async () => {
    await using server = await RedisServer.start();
    await using test = new DriverUnderTest({ url: server.url });
    const start = performance.now();
    const ms = await test.driver.ping();
    expect(ms).toBeGreaterThan(0);
    expect(ms).toBeLessThanOrEqual(performance.now() - start);
  });
});
