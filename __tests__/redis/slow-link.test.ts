/** What is behind a large payload on a slow link: nothing of it may time out, nor the link be taken for dead. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DriverUnderTest, guard, meta } from '../support/driver.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';

const MIB = 2 ** 20;
/** A fraction of what they are by default; the transfers take several times as long. */
const TIMES = { commandTimeout: 1, heartbeat: 0.3, deadAfter: 1.2 };

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

/** Small calls of every kind, begun all the while until `end`; their outcomes. */
async function trickle({ driver }: DriverUnderTest, end: Promise<unknown>): Promise<PromiseSettledResult<unknown>[]> {
  const calls: Promise<unknown>[] = [];
  const timer = setInterval(() => {
    const write = { key: `small${calls.length}`, payload: meta('STARTED'), ttl: 60, guard };
    calls.push(driver.store.write(write), driver.store.read('small0'), driver.ping());
  }, 20);
  await Promise.allSettled([end]);
  clearInterval(timer);
  return Promise.allSettled(calls);
}

describe.each([
  // The kernel takes in several MiB at once, so that the socket's own buffer is empty long before they have arrived.
  ['64 MiB at 16 MiB a second', 64 * MIB, 16 * MIB],
  ['8 MiB at 1.5 MiB a second', 8 * MIB, 1.5 * MIB],
])('on a slow link, with %s', (_title, bytes, rate) => {
  const payload = Buffer.alloc(bytes, meta('STARTED'));

  it.each(['store', 'read'] as const)(
    'all that is behind a large %s succeeds, on the same connection',
    async (what) => {
      await using proxy = await Proxy.start(server.port);
      await using test = new DriverUnderTest({ url: proxy.url, ...TIMES });
      const { store } = test.driver;
      await test.driver.connect(5);
      if (what === 'read') await server.cli('SET', 'large', payload);
      proxy.throttle(rate);
      const begun = performance.now();
      const large = what === 'read' ? store.read('large') : store.write({ key: 'large', payload, ttl: 60, guard });
      const small = await trickle(test, large);
      const moved = await large;
      expect(Buffer.isBuffer(moved) ? moved.equals(payload) : moved).toBe(what === 'read' ? true : 'stored');
      expect(small.filter(({ status }) => status === 'rejected')).toEqual([]);
      // It was slow indeed: several timeouts long.
      expect(performance.now() - begun).toBeGreaterThan(TIMES.commandTimeout * 3000);
      expect([proxy.accepted, test.count('commands', 'lost')]).toEqual([1, 0]);
    },
  );
});
