import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { BackendError } from '../../src/errors.ts';
import type { SuccessGuard } from '../../src/ports.ts';
import { isRetryable } from '../../src/retry.ts';
import { DriverUnderTest, guard, meta, probeless } from '../support/driver.ts';
import { failure as failureOf } from '../support/failure.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const failure = failureOf<BackendError>;

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.cli('FLUSHALL');
  await server.cli('CONFIG', 'RESETSTAT');
});

/** How often a command was called. */
async function calls(command: string): Promise<number> {
  const stats = String(await server.cli('INFO', 'commandstats'));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describe('the writes of one turn', () => {
  it('shares one script between the writes of a turn, and tells each its own outcome', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    const write = (key: string) => test.driver.store.write({ key, payload: meta('FAILURE'), ttl: 60, guard: guard });
    await server.cli('SET', 'done', meta('SUCCESS'));
    await server.cli('RPUSH', 'other', 'precious');
    // The first time, the script itself is sent.
    await Promise.all(['1', '2', '3', '4'].map(write));
    const before = await calls('evalsha');
    const outcomes = await Promise.allSettled(['new', 'done', 'other', 'new too'].map(write));
    expect(outcomes).toEqual([
      { status: 'fulfilled', value: 'stored' },
      { status: 'fulfilled', value: 'kept' },
      { status: 'rejected', reason: expect.objectContaining({ reply: 'WRONGTYPE' }) },
      { status: 'fulfilled', value: 'stored' },
    ]);
    expect((await calls('evalsha')) - before).toBe(1);
  });

  it('lets those that Redis permits pass, where the user may not write the key of another', async () => {
    await server.cli('ACL', 'SETUSER', 'narrow', 'reset', 'on', '>p', '~celery-task-meta-a*', '+@all', '&*');
    await using test = new DriverUnderTest({ url: `redis://narrow:p@127.0.0.1:${server.port}/0` });
    const write = (id: string) =>
      test.driver.store.write({ key: `celery-task-meta-${id}`, payload: meta('SUCCESS', id), ttl: 60, guard });
    await server.cli('SET', 'celery-task-meta-a3', meta('SUCCESS'));
    const outcomes = await Promise.allSettled(['a1', 'b1', 'a2', 'a3', 'b2'].map(write));
    const forbidden = (id: string): unknown => ({
      status: 'rejected',
      reason: expect.objectContaining({
        code: 'CELERY_BACKEND_REFUSED',
        reply: 'NOPERM',
        message: expect.stringContaining(`the store of celery-task-meta-${id} for user 'narrow': `),
      }),
    });
    expect(outcomes).toEqual([
      { status: 'fulfilled', value: 'stored' },
      forbidden('b1'),
      { status: 'fulfilled', value: 'stored' },
      { status: 'fulfilled', value: 'kept' },
      forbidden('b2'),
    ]);
    expect(await server.cli('GET', 'celery-task-meta-a2')).toBe(meta('SUCCESS', 'a2'));
  });

  it('are not sent again one by one for an error that passes', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    const write = (key: string) => test.driver.store.write({ key, payload: meta('SUCCESS'), ttl: 60, guard });
    await Promise.all(['1', '2'].map(write));
    const before = await calls('evalsha');
    await server.cli('CONFIG', 'SET', 'maxmemory', 1);
    const outcomes = await Promise.allSettled(['3', '4', '5'].map(write));
    await server.cli('CONFIG', 'SET', 'maxmemory', 0);
    const oom = { status: 'rejected', reason: expect.objectContaining({ reply: 'OOM' }) };
    expect(outcomes).toEqual([oom, oom, oom]);
    expect((await calls('evalsha')) - before).toBeLessThanOrEqual(1);
  });

  it('sends a turn of many writes in several scripts, in order', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    const large = 'x'.repeat(40 * 1024);
    const writes = [...Array.from({ length: 150 }, (_, i) => `${i}`), large, large].map((result, i) =>
      test.driver.store.write({ key: `many-${i}`, payload: meta('STARTED', result), ttl: 60, guard: guard }),
    );
    await test.driver.store.remove('many-0');
    expect(new Set(await Promise.all(writes))).toEqual(new Set(['stored']));
    expect(await server.cli('EXISTS', 'many-0', 'many-1', 'many-149', 'many-150', 'many-151')).toBe(4);
  });
});

describe('a read', () => {
  it('resolves to the bytes, and to null without a key', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await server.cli('SET', 'bytes', bytes);
    await expect(test.driver.store.read('bytes')).resolves.toEqual(bytes);
    await expect(test.driver.store.read('absent')).resolves.toBeNull();
  });

  it('shares an MGET of at most 100 keys with the others of its tick', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    const { store } = test.driver;
    const keys = Array.from({ length: 250 }, (_, index) => `key${index}`);
    await Promise.all(keys.map((key) => server.cli('SET', key, key)));
    const deep = async (key: string): Promise<Uint8Array | null> => {
      await Promise.resolve();
      await Promise.resolve();
      return store.read(key);
    };
    const values = await Promise.all(keys.map((key, index) => (index % 2 === 0 ? store.read(key) : deep(key))));
    expect(values.map(String)).toEqual(keys);
    expect(await calls('mget')).toBe(3);
    expect(await calls('get')).toBe(0);
  });

  it('is a GET when it is alone', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    await test.driver.store.read('key');
    expect(await calls('get')).toBe(1);
    expect(await calls('mget')).toBe(0);
  });

  it('of many keys keeps their order, and repeats repeated keys', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    await server.cli('SET', 'a', '1');
    await server.cli('SET', 'b', '2');
    const values = await test.driver.store.readMany(['b', 'absent', 'a', 'b']);
    expect(values.map((value) => value && String(value))).toEqual(['2', null, '1', '2']);
    await expect(test.driver.store.readMany([])).resolves.toEqual([]);
  });
});

describe.each([
  ['with a probe', guard],
  ['without a probe', probeless],
] as const)('a write %s', (_title, guarded: SuccessGuard) => {
  it.each([
    ['text', 'é"\u{1f600}'],
    ['a Buffer', Buffer.from([0, 255, 13, 10, 128])],
    ['a view of other bytes', new Uint8Array([9, 0, 255, 1, 9]).subarray(1, 4)],
    ['nothing', ''],
  ])('stores and publishes the same bytes: %s', async (_kind, payload) => {
    await using test = new DriverUnderTest({ url: server.url });
    await test.driver.source.subscribe(['key']);
    await expect(test.driver.store.write({ key: 'key', payload, ttl: 60, guard: guarded })).resolves.toBe('stored');
    await test.until(() => test.messages.length === 1);
    const bytes = Buffer.from(payload);
    expect(test.messages).toEqual([{ channel: 'key', payload: bytes }]);
    await expect(test.driver.store.read('key')).resolves.toEqual(bytes);
  });

  it('keeps a SUCCESS, says so and publishes nothing', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    const { store, source } = test.driver;
    await source.subscribe(['key']);
    const write = { key: 'key', ttl: 60, guard: guarded };
    const outcomes = [];
    for (const status of ['STARTED', 'FAILURE', 'SUCCESS', 'FAILURE', 'SUCCESS', 'STARTED']) {
      outcomes.push(await store.write({ ...write, payload: meta(status) }));
    }
    expect(outcomes).toEqual(['stored', 'stored', 'stored', 'kept', 'kept', 'kept']);
    await expect(store.read('key').then(String)).resolves.toBe(meta('SUCCESS'));
    await source.subscribe(['marker']);
    expect(test.messages.map(({ payload }) => String(payload))).toEqual(
      ['STARTED', 'FAILURE', 'SUCCESS'].map((s) => meta(s)),
    );
  });

  it('gives the key its time to live, or none', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    const write = { key: 'key', payload: meta('STARTED'), guard: guarded };
    await test.driver.store.write({ ...write, ttl: 86_400 });
    expect(await server.cli('TTL', 'key')).toBe(86_400);
    await test.driver.store.write({ ...write, ttl: null });
    expect(await server.cli('TTL', 'key')).toBe(-1);
    await test.driver.store.write({ ...write, ttl: 1 });
    expect(await server.cli('TTL', 'key')).toBe(1);
  });

  it('works after SCRIPT FLUSH', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    const write = { payload: meta('STARTED'), ttl: 60, guard: guarded };
    const writeAll = () => Promise.all(['a', 'b', 'c'].map((key) => test.driver.store.write({ ...write, key })));
    await writeAll();
    await server.cli('SCRIPT', 'FLUSH');
    expect(await writeAll()).toEqual(['stored', 'stored', 'stored']);
    expect(await calls('evalsha')).toBeGreaterThan(0);
  });

  it('leaves a key of another type alone, and names it', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    await server.cli('RPUSH', 'list', 'precious');
    const careless = guarded.probe === undefined ? guarded : { ...guarded, probe: 'return false' };
    const error = await failure(
      test.driver.store.write({ key: 'list', payload: meta('SUCCESS'), ttl: 60, guard: careless }),
    );
    expect(error).toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: 'WRONGTYPE' });
    expect(error.message).toMatch(/ list: WRONGTYPE Operation against a key holding the wrong kind of value$/);
    expect(await server.cli('LRANGE', 'list', 0, -1)).toEqual(['precious']);
  });

  it('that Redis has no memory for is refused, and worth a retry', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    await server.cli('CONFIG', 'SET', 'maxmemory', 1);
    const write = { key: 'key', payload: meta('SUCCESS'), ttl: 60, guard: guarded };
    const error = await failure(test.driver.store.write(write));
    await server.cli('CONFIG', 'SET', 'maxmemory', 0);
    expect(error).toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: 'OOM' });
    expect(isRetryable(error)).toBe(true);
    await expect(test.driver.store.read('key')).resolves.toBeNull();
    await expect(test.driver.store.write(write)).resolves.toBe('stored');
  });

  it('is unannounced where the user may not publish: stored, with a warning', async () => {
    await server.cli('ACL', 'SETUSER', 'mute', 'reset', 'on', '>p', '~*', '+@all', 'resetchannels');
    await using test = new DriverUnderTest({ url: `redis://mute:p@127.0.0.1:${server.port}/0` });
    const write = { key: 'key', payload: meta('SUCCESS'), ttl: 60, guard: guarded };
    await expect(test.driver.store.write(write)).resolves.toBe('unannounced');
    await expect(test.driver.store.read('key').then(String)).resolves.toBe(meta('SUCCESS'));
    expect(test.warnings.given.map(({ code }) => code)).toEqual(['CELERY_UNANNOUNCED']);
  });

  it('of SUCCESS stands against 2,000 racing failures from another driver', async () => {
    await using one = new DriverUnderTest({ url: server.url });
    await using other = new DriverUnderTest({ url: server.url });
    const keys = Array.from({ length: 2000 }, (_, index) => `race${index}`);
    const store = (test: DriverUnderTest, key: string, status: string): Promise<string> =>
      test.driver.store.write({ key, payload: meta(status), ttl: 60, guard: guarded });
    await Promise.all(
      keys.flatMap((key, index) => {
        const [winner, loser] = index % 2 === 0 ? [one, other] : [other, one];
        return [store(loser, key, 'FAILURE'), store(winner, key, 'SUCCESS'), store(loser, key, 'FAILURE')];
      }),
    );
    const left = await one.driver.store.readMany(keys);
    expect(new Set(left.map(String))).toEqual(new Set([meta('SUCCESS')]));
  });
});

describe('a write without a probe', () => {
  it('looks again when the value changed between its read and its script', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url });
    await server.cli('SET', 'key', meta('STARTED'));
    let asked = 0;
    let overtaken: Promise<unknown> | undefined;
    const suspicious: SuccessGuard = {
      isSuccess: (payload) => {
        asked += 1;
        if (asked === 1) {
          proxy.hold('up');
          overtaken = server.cli('SET', 'key', meta('SUCCESS')).then(() => {
            proxy.release();
          });
        }
        return guard.isSuccess(payload);
      },
    };
    const write = { key: 'key', payload: meta('FAILURE'), ttl: 60, guard: suspicious };
    await expect(test.driver.store.write(write)).resolves.toBe('kept');
    await overtaken;
    expect(asked).toBe(2);
    await expect(test.driver.store.read('key').then(String)).resolves.toBe(meta('SUCCESS'));
  });
});

describe('a store', () => {
  it('without a guard replaces whatever is there, and publishes the same bytes', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    const { store, source } = test.driver;
    await source.subscribe(['group']);
    for (const [payload, ttl] of [
      [meta('SUCCESS'), 60],
      [Buffer.from('members'), null],
    ] as const) {
      await expect(store.write({ key: 'group', payload, ttl, guard: null })).resolves.toBe('stored');
      await expect(store.read('group').then(String)).resolves.toBe(String(payload));
      expect(await server.cli('TTL', 'group')).toBe(ttl ?? -1);
    }
    await test.until(() => test.messages.length === 2);
    expect(test.messages.map(({ payload }) => String(payload))).toEqual([meta('SUCCESS'), 'members']);
    await store.remove('group');
    await store.remove('group');
    await expect(store.read('group')).resolves.toBeNull();
  });

  it('moves 64 MB over a slow link, beyond the timeouts that small commands have', async () => {
    await using proxy = await Proxy.start(server.port);
    const clock = new VirtualClock();
    await using test = new DriverUnderTest({ url: proxy.url, commandTimeout: 1, heartbeat: 1, deadAfter: 0.5, clock });
    await using reader = new DriverUnderTest({ url: server.url });
    const payload = Buffer.alloc(64 * 2 ** 20, meta('STARTED'));
    await test.driver.connect(5);
    proxy.hold('up');
    const store = test.driver.store.write({ key: 'large', payload, ttl: 60, guard });
    // In this time the command's timeout passes, and a PING that waits behind the payload.
    await clock.advance(2500);
    proxy.release();
    await expect(store).resolves.toBe('stored');
    expect(proxy.accepted).toBe(1);
    const back = await reader.driver.store.read('large');
    expect(back?.equals(payload)).toBe(true);
  });

  it('sends the commands of one caller in the order of its calls', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    const { store } = test.driver;
    const statuses = Array.from({ length: 200 }, (_, index) => `STATE${index}`);
    await test.driver.source.subscribe(['key']);
    await Promise.all(statuses.map((status) => store.write({ key: 'key', payload: meta(status), ttl: 60, guard })));
    await test.until(() => test.messages.length === 200);
    expect(test.messages.map(({ payload }) => String(payload))).toEqual(statuses.map((status) => meta(status)));
  });
});
