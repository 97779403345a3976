/** Sentinel, on real processes: finding the master, and losing it. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisBackend } from '../../src/index.ts';
import type { BackendError } from '../../src/index.ts';
import { DriverUnderTest, eventually, guard, meta } from '../support/driver.ts';
import { failure as failureOf } from '../support/failure.ts';
import type { RedisServer } from '../support/redis.ts';
import { SentinelDeployment } from '../support/sentinel.ts';

const failure = failureOf<BackendError>;
const sentinel = { masterName: 'mymaster' };
const OURS = ['celery-redis-backend:commands', 'celery-redis-backend:subscriber'];

function keysOf(ids: readonly string[]): string[] {
  return ids.map((id) => `celery-task-meta-${id}`);
}

async function ours(server: RedisServer): Promise<string[]> {
  const names = (await server.clients()).map(({ name }) => name);
  return names.filter((name) => OURS.includes(name)).sort();
}

describe('a backend by Sentinel', () => {
  let deployment: SentinelDeployment;
  beforeAll(async () => {
    deployment = await SentinelDeployment.start();
  });
  afterAll(() => deployment.stop());
  const fast = { sentinel, heartbeat: 0.2, deadAfter: 2 };

  it('puts both connections on the master, in the database of the first host', async () => {
    await using test = new DriverUnderTest({ url: deployment.url('', 3), sentinel });
    await test.driver.store.write({ key: 'placed', payload: meta('SUCCESS'), ttl: 60, guard });
    await expect(test.driver.source.subscribe(['a'])).resolves.toEqual([null]);
    const master = await deployment.master();
    expect(await ours(master)).toEqual(OURS);
    const plain = new Redis({ port: master.port, db: 3 });
    await expect(plain.get('placed')).resolves.toBe(meta('SUCCESS'));
    plain.disconnect();
    expect(test.driver.uri(true)).toBe(deployment.url('', 3));
  });

  it('takes a given client of Sentinel, which stays unused', async () => {
    const sentinels = deployment.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
    const given = new Redis({ sentinels, name: 'mymaster', db: 1, lazyConnect: true });
    await using test = new DriverUnderTest({ client: given });
    await expect(test.driver.store.read('absent')).resolves.toBeNull();
    expect(given.status).toBe('wait');
    expect(test.driver.uri(false)).toMatch(/^sentinel:\/\/127\.0\.0\.1:\d+\/1;sentinel:\/\/127/);
  });

  it('says which name the sentinels do not know', async () => {
    await using test = new DriverUnderTest({
      url: deployment.url(),
      sentinel: { masterName: 'other' },
      commandTimeout: 1,
    });
    const error = await failure(test.driver.store.read('key'));
    expect(error.code).toBe('CELERY_BACKEND_UNAVAILABLE');
    expect(error.message).toMatch(/master other of sentinels .* do not know a master of this name/);
  });

  it('believes no sentinel that sees fewer others than minOtherSentinels', async () => {
    const wanting = { ...sentinel, minOtherSentinels: 3 };
    await using test = new DriverUnderTest({ url: deployment.url(), sentinel: wanting, commandTimeout: 1 });
    const error = await failure(test.driver.store.read('key'));
    expect(error.message).toMatch(/a sentinel sees 2 others, of the 3 that minOtherSentinels asks for/);
    await using enough = new DriverUnderTest({
      url: deployment.url(),
      sentinel: { ...sentinel, minOtherSentinels: 2 },
    });
    await expect(enough.driver.store.read('key')).resolves.toBeNull();
  });

  it('gets by on one sentinel, while another is hung and the third is dead', async () => {
    const [first, second, third] = deployment.sentinels;
    if (!first || !second || !third) throw new Error('there are three');
    await first.kill();
    second.pause();
    try {
      await using test = new DriverUnderTest({ url: deployment.url(), sentinel });
      await expect(test.driver.store.read('key')).resolves.toBeNull();
      await expect(test.driver.source.subscribe(['a'])).resolves.toEqual([null]);
    } finally {
      second.resume();
      first.start();
    }
  });

  it('fails in time while every sentinel is hung, and closes', async () => {
    for (const each of deployment.sentinels) each.pause();
    try {
      await using test = new DriverUnderTest({ url: deployment.url(), sentinel, commandTimeout: 0.5, deadAfter: 1 });
      const error = await failure(test.driver.store.read('key'));
      expect(error.code).toBe('CELERY_BACKEND_UNAVAILABLE');
      expect(error.message).toMatch(/is out of reach/);
    } finally {
      for (const each of deployment.sentinels) each.resume();
    }
  });

  it('leaves a master that was demoted, with both connections, while it still answers', async () => {
    await using test = new DriverUnderTest({ ...fast, url: deployment.url() });
    await test.driver.connect(20);
    await test.driver.source.subscribe(['a']);
    const before = await deployment.master();
    const [first] = deployment.sentinels;
    // Refused while the sentinels still see one another's absence of the tests before.
    await eventually(async () => {
      const reply = await first?.cli('SENTINEL', 'FAILOVER', 'mymaster').catch(() => undefined);
      return reply === 'OK';
    });
    await test.until(() => test.count('commands', 'ready') >= 2 && test.count('subscriber', 'ready') >= 2);
    await eventually(async () => (await ours(await deployment.master())).length === 2);
    expect(await deployment.master()).not.toBe(before);
    expect(await ours(before)).toEqual([]);
    await expect(test.driver.store.write({ key: 'k', payload: 'x', ttl: null, guard: null })).resolves.toBe('stored');
  });

  it('leaves a hung master as soon as the sentinels have another, well before its own watchdog', async () => {
    await using test = new DriverUnderTest({ ...fast, deadAfter: 60, commandTimeout: 30, url: deployment.url() });
    await test.driver.connect(20);
    await test.driver.source.subscribe(['a']);
    const hung = await deployment.master();
    hung.pause();
    try {
      await test.until(() => test.count('commands', 'ready') >= 2 && test.count('subscriber', 'ready') >= 2);
      await expect(test.driver.store.read('key')).resolves.toBeNull();
      await expect(test.driver.source.subscribe(['a'])).resolves.toEqual([null]);
      expect(test.events.find(({ state }) => state === 'lost')?.error?.message).toMatch(/^the master is now at /);
    } finally {
      hung.resume();
    }
  });

  it('loses no wait and no store to the death of the master', async () => {
    const url = deployment.url();
    const [waiter, writer] = [
      new RedisBackend({}, { ...fast, url, backstop: 0 }),
      new RedisBackend({}, { ...fast, url, backstop: 0 }),
    ];
    await Promise.all([waiter.connect({ timeout: 20 }), writer.connect({ timeout: 20 })]);
    const [early, late] = [0, 1].map(() => Array.from({ length: 100 }, () => randomUUID()));
    if (!early || !late) throw new Error('there are two');
    const waits = [...early, ...late].map((id) => waiter.waitFor(id, { timeout: 50 }));
    const master = await deployment.master();
    await eventually(async () => {
      const replica = deployment.servers.find((server) => server !== master);
      return String(await replica?.cli('INFO', 'replication')).includes('master_link_status:up');
    });
    await Promise.all(early.map((id) => writer.storeResult(id, id, 'SUCCESS')));
    // WAIT is about the writes of its own connection.
    await master.cli('SET', 'mark', 1);
    await expect(master.cli('WAIT', 1, 10_000)).resolves.toBe(1);
    await master.kill();
    const outcomes = await Promise.all(late.map((id) => writer.storeResult(id, id, 'SUCCESS')));
    expect(outcomes.every((outcome) => outcome === 'stored' || outcome === 'kept')).toBe(true);
    await expect(Promise.all(waits)).resolves.toEqual([...early, ...late]);
    const now = await deployment.master();
    expect(now).not.toBe(master);
    const stored = await Promise.all([early, late].map((ids) => now.cli('EXISTS', ...keysOf(ids))));
    expect(stored).toEqual([100, 100]);
    expect(waiter.stats()).toMatchObject({ waits: 0, rescued: 0 });
    await Promise.all([waiter.close(), writer.close()]);
  });
});

describe('a backend by Sentinel with passwords', () => {
  let deployment: SentinelDeployment;
  beforeAll(async () => {
    deployment = await SentinelDeployment.start({ password: 'master-pw', sentinelPassword: 'sentinel-pw' });
  });
  afterAll(() => deployment.stop());
  const url = (): string => deployment.url(':master-pw@');

  it('logs in to the sentinels by one, and to the master by the other', async () => {
    const backend = new RedisBackend(
      {
        conf: {
          result_backend: url(),
          result_backend_transport_options: {
            master_name: 'mymaster',
            sentinel_kwargs: { password: 'sentinel-pw', socket_timeout: 3 },
          },
        },
      },
      {},
    );
    const id = randomUUID();
    const wait = backend.waitFor(id, { timeout: 20 });
    await backend.storeResult(id, 1, 'SUCCESS');
    await expect(wait).resolves.toBe(1);
    expect(backend.asUri()).not.toContain('pw');
    await backend.close();
  });

  it.each([
    ['the sentinels', () => ({ url: url(), sentinel: { ...sentinel, password: 'wrong-pw' } })],
    ['the master', () => ({ url: deployment.url(':wrong-pw@'), sentinel: { ...sentinel, password: 'sentinel-pw' } })],
    ['the sentinels, for want of a password,', () => ({ url: url(), sentinel })],
  ])('that %s refuse rejects at once, and tells no secret', async (_title, options) => {
    await using test = new DriverUnderTest({ ...options(), commandTimeout: 30 });
    const error = await failure(test.driver.store.read('key'));
    expect(error.code).toBe('CELERY_BACKEND_REFUSED');
    expect(error.message).toMatch(/WRONGPASS|NOAUTH/);
    expect(error.message).not.toContain('-pw');
  });
});
