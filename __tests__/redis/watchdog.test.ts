import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DriverUnderTest, eventually } from '../support/driver.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';

const quick = { heartbeat: 0.1, deadAfter: 0.4 };

describe('the watchdog', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());

  it('finds a half-open link, idle subscriber or not, and it is made anew', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url, ...quick });
    await test.driver.connect(5);
    await test.driver.source.subscribe(['a']);
    const start = performance.now();
    proxy.hold();
    await test.until(() => test.count('commands', 'lost') === 1 && test.count('subscriber', 'lost') === 1);
    // The PING that finds it may have been sent up to a heartbeat before or after the link died.
    expect(performance.now() - start).toBeGreaterThan(290);
    expect(performance.now() - start).toBeLessThan(3000);
    expect(test.events.at(-1)?.error?.message).toMatch(/^it did not answer for 0\.4 s$/);
    proxy.release();
    await test.until(() => test.count('commands', 'ready') === 2 && test.count('subscriber', 'ready') === 2);
  });

  it('rejects what is in flight on a half-open link', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url, ...quick, commandTimeout: 20 });
    await test.driver.connect(5);
    await test.driver.source.subscribe(['a']);
    proxy.hold();
    const calls = await Promise.allSettled([test.driver.store.read('key'), test.driver.source.subscribe(['b'])]);
    const unavailable = { status: 'rejected', reason: { code: 'CELERY_BACKEND_UNAVAILABLE' } };
    expect(calls).toMatchObject([unavailable, unavailable]);
  });

  it('finds a handshake that is never answered, and tries again', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url, ...quick, commandTimeout: 60 });
    proxy.hold('down');
    const read = test.driver.store.read('absent');
    await test.until(() => test.count('commands', 'lost') === 1);
    await eventually(async () => {
      await server.cli('PING');
      return proxy.accepted >= 2;
    });
    proxy.release();
    await expect(read).resolves.toBeNull();
  });

  it('finds a server that hangs, and is back when it goes on', async () => {
    await using own = await RedisServer.start();
    await using test = new DriverUnderTest({ url: own.url, ...quick });
    await test.driver.source.subscribe(['a']);
    own.pause();
    await test.until(() => test.count('subscriber', 'lost') === 1);
    own.resume();
    await test.until(() => test.count('subscriber', 'ready') === 2);
  });

  it('leaves a quiet, healthy link alone', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url, heartbeat: 0.01, deadAfter: 5 });
    await test.driver.connect(5);
    await test.driver.source.subscribe(['a']);
    await server.cli('CONFIG', 'RESETSTAT');
    await eventually(async () => {
      const stats = String(await server.cli('INFO', 'commandstats'));
      return Number(/cmdstat_ping:calls=(\d+)/.exec(stats)?.[1] ?? 0) > 50;
    });
    expect(proxy.accepted).toBe(2);
    expect(test.count('commands', 'lost') + test.count('subscriber', 'lost')).toBe(0);
  });
});
