/** Each setting of `app.conf` alone, and what it changes in the commands or bytes that Redis sees. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { RedisBackend } from '../../src/index.ts';
import { type Command, Monitor } from '../support/monitor.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';

let server: RedisServer;
let monitor: Monitor;

beforeAll(async () => {
  server = await RedisServer.start();
  await server.cli('ACL', 'SETUSER', 'me', 'on', '>secret', '~*', '&*', '+@all');
  monitor = await Monitor.start(server);
});

afterAll(async () => {
  await monitor[Symbol.asyncDispose]();
  await server.stop();
});

const REQUEST = { task: 'app.add', args: [1], kwargs: {}, hostname: 'w@h', delivery_info: { routing_key: 'q' } };

/** What a backend with this `app.conf` sends when it stores a result and reads it twice. */
async function use(conf: object, options: object = { url: server.url }): Promise<readonly Command[]> {
  const id = randomUUID();
  const seen = monitor.commands.length;
  const backend = new RedisBackend({ conf }, options);
  await backend.storeResult(id, new Map([['n', 1n]]), 'SUCCESS', { request: REQUEST });
  await backend.getResult(id);
  await backend.getResult(id);
  await backend.close();
  await monitor.caughtUp();
  return monitor.commands.slice(seen);
}

function named(commands: readonly Command[], name: string): readonly Command[] {
  return commands.filter((command) => command.name === name);
}

/** The payload of the one store among commands. */
function payload(commands: readonly Command[]): string {
  const [store] = [...named(commands, 'SETEX'), ...named(commands, 'SET')];
  return (store?.name === 'SETEX' ? store.args[2] : store?.args[1]) ?? '';
}

const DEFAULT_PAYLOAD = /^\{"status": "SUCCESS", "result": \{"n": 1\}, .* "task_id": "[^"]+"\}$/;

describe('a setting of app.conf', () => {
  it('changes nothing when there is none', async () => {
    const commands = await use({});
    expect(named(commands, 'SETEX')[0]?.args.slice(0, 2)).toEqual([
      expect.stringMatching(/^celery-task-meta-/),
      '86400',
    ]);
    expect(named(commands, 'PUBLISH')[0]?.args).toEqual([
      named(commands, 'SETEX')[0]?.args[0],
      named(commands, 'SETEX')[0]?.args[2],
    ]);
    expect(payload(commands)).toMatch(DEFAULT_PAYLOAD);
    expect(payload(commands)).not.toContain('"name"');
    expect(named(commands, 'GET')).toHaveLength(1);
  });

  it('resultExpires is the time to live, null is none', async () => {
    expect(named(await use({ resultExpires: 90.9 }), 'SETEX')[0]?.args[1]).toBe('90');
    const forEver = await use({ result_expires: null });
    expect(named(forEver, 'SETEX')).toEqual([]);
    expect(named(forEver, 'SET')).toHaveLength(1);
  });

  it('resultSerializer changes the bytes', async () => {
    expect(payload(await use({ resultSerializer: 'superjson' }))).toContain('"__superjson__": 1');
  });

  it('resultExtended adds the fields of the request', async () => {
    expect(payload(await use({ resultExtended: true }))).toContain(
      '"name": "app.add", "args": [1], "kwargs": {}, "worker": "w@h", "retries": 0, "queue": "q", "task_id"',
    );
  });

  it('resultCacheMax of -1 makes every read a GET', async () => {
    expect(named(await use({ resultCacheMax: -1 }), 'GET')).toHaveLength(2);
  });

  it('globalKeyprefix of resultBackendTransportOptions is before key and channel', async () => {
    const commands = await use({ resultBackendTransportOptions: { globalKeyprefix: 'mine' } });
    for (const name of ['SETEX', 'PUBLISH', 'GET']) {
      expect(named(commands, name)[0]?.args[0]).toMatch(/^mine_celery-task-meta-/);
    }
  });

  it('resultBackend is where it connects to', async () => {
    expect(named(await use({ resultBackend: server.url }, {}), 'SETEX')).toHaveLength(1);
  });

  it('resultBackend of "redis" leaves the place to redisHost and redisPort', async () => {
    const commands = await use({ resultBackend: 'redis', redisHost: '127.0.0.1', redisPort: server.port }, {});
    expect(named(commands, 'SETEX')).toHaveLength(1);
  });

  it('CELERY_RESULT_BACKEND, the old name, is refused before anything is sent', () => {
    expect(() => new RedisBackend({ conf: { CELERY_RESULT_BACKEND: server.url } })).toThrow('resultBackend');
  });

  it('redisBackendUseSsl is honoured: nothing goes to a server without TLS', async () => {
    const seen = monitor.commands.length;
    await using backend = new RedisBackend(
      { conf: { redisBackendUseSsl: true, redisPassword: 'secret' } },
      { url: server.url, commandTimeout: 0.3 },
    );
    await expect(backend.ping()).rejects.toThrow('both sides or neither use TLS');
    await monitor.caughtUp();
    expect(monitor.commands.slice(seen).map(({ name }) => name)).toEqual(['ECHO']);
  });

  it('redisBackendUseSsl that is not understood is refused, and so it is with a socket', () => {
    const create = (redisBackendUseSsl: object, url: string): unknown =>
      new RedisBackend({ conf: { redisBackendUseSsl } }, { url });
    expect(() => create({ ssl_ciphers: 'x' }, server.url)).toThrow('got "ssl_ciphers"');
    expect(() => create({ sslCertReqs: 'maybe' }, server.url)).toThrow('ssl_cert_reqs: expected required');
    expect(() => create({}, 'redis+socket:///run/redis.sock')).toThrow('redisBackendUseSsl: there is no TLS on');
  });

  it('redisHost and redisPort are used where the URL lacks them', async () => {
    const commands = await use({ redisHost: '127.0.0.1', redisPort: server.port }, {});
    expect(named(commands, 'SETEX')).toHaveLength(1);
    const port = await use({ redisPort: server.port }, { url: 'redis://127.0.0.1' });
    expect(named(port, 'SETEX')).toHaveLength(1);
  });

  it('redisDb is selected where there is no URL', async () => {
    const commands = await use({ redisHost: '127.0.0.1', redisPort: server.port, redisDb: 3 }, {});
    expect(named(commands, 'SELECT')[0]?.args).toEqual(['3']);
  });

  it('redisUsername and redisPassword log in', async () => {
    const settings = { redisUsername: 'me', redisPassword: 'secret' };
    const id = randomUUID();
    await using backend = new RedisBackend({ conf: settings }, { url: server.url });
    await backend.storeResult(id, 1, 'SUCCESS');
    expect(String(await server.cli('CLIENT', 'LIST'))).toMatch(/name=celery-redis-backend:commands .*user=me/);
    const wrong = new RedisBackend({ conf: { ...settings, redisPassword: 'wrong' } }, { url: server.url });
    await expect(wrong.ping()).rejects.toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: 'WRONGPASS' });
    await wrong.close();
  });

  it('redisClientName is the name in CLIENT LIST', async () => {
    await using backend = new RedisBackend({ conf: { redisClientName: 'shop' } }, { url: server.url });
    await backend.ping();
    expect((await server.clients()).map(({ name }) => name)).toContain('celery-redis-backend:commands:shop');
  });

  it('redisSocketTimeout bounds a read', async () => {
    await using proxy = await Proxy.start(server.port);
    await using backend = new RedisBackend({ conf: { redisSocketTimeout: 0.05 } }, { url: proxy.url });
    await backend.connect({ timeout: 30 });
    proxy.hold('down');
    await expect(backend.getStatus('a')).rejects.toThrow('within 0.05 s');
    proxy.release();
  });

  it('redisSocketConnectTimeout bounds connect', async () => {
    await using proxy = await Proxy.start(server.port);
    proxy.hold('down');
    const conf = { redisSocketConnectTimeout: 0.05 };
    await using backend = new RedisBackend({ conf }, { url: proxy.url });
    await expect(backend.connect()).rejects.toMatchObject({ code: 'CELERY_BACKEND_UNAVAILABLE' });
  });

  it('retryPolicy of resultBackendTransportOptions is how often a store is tried', async () => {
    const retryPolicy = { maxRetries: 2, intervalStart: 0, intervalStep: 0, intervalMax: 0 };
    const id = randomUUID();
    await using backend = new RedisBackend(
      { conf: { resultBackendTransportOptions: { retryPolicy } } },
      { url: server.url },
    );
    await server.cli('CONFIG', 'SET', 'maxmemory', '1');
    await expect(backend.storeResult(id, 1, 'SUCCESS')).rejects.toThrow('after 3 tries');
    await server.cli('CONFIG', 'SET', 'maxmemory', '0');
    await monitor.caughtUp();
    const tries = monitor.commands.filter(
      ({ name, args }) => name.startsWith('EVAL') && args.some((arg) => arg.endsWith(id)),
    );
    expect(tries.length).toBeGreaterThanOrEqual(3);
  });

  it('resultBackendAlwaysRetry makes a read go on until it is answered', async () => {
    await using proxy = await Proxy.start(server.port);
    const conf = { result_backend_always_retry: true, redis_socket_timeout: 0.2 };
    await using backend = new RedisBackend({ conf }, { url: proxy.url });
    await backend.connect({ timeout: 30 });
    const id = randomUUID();
    const asked = (): number => monitor.commands.filter(({ args }) => args.some((arg) => arg.endsWith(id))).length;
    proxy.hold('down');
    const status = backend.getStatus(id);
    await monitor.until(() => asked() >= 3);
    proxy.release();
    expect(await status).toBe('PENDING');
  });

  it('timezone is that of date_done', async () => {
    expect(payload(await use({ timezone: 'Asia/Kolkata' }))).toMatch(/"date_done": "[^"]+\+05:30"/);
  });

  it.each(['acceptContent', 'resultAcceptContent'])('%s refuses other serializers before anything is sent', (name) => {
    expect(() => new RedisBackend({ conf: { [name]: ['yaml'] } }, { url: server.url })).toThrow(
      expect.objectContaining({ code: 'CELERY_CONTENT_DISALLOWED' }),
    );
  });
});
