import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BackendError } from '../../src/errors.ts';
import { DriverUnderTest, eventually, guard, meta } from '../support/driver.ts';
import { failure as failureOf } from '../support/failure.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer, freePort } from '../support/redis.ts';

const failure = failureOf<BackendError>;
const CLOSED = { name: 'BackendClosedError', code: 'CELERY_BACKEND_CLOSED' };

/** How many sockets and timers keep this process alive. */
function resources(): number {
  const kinds = /^(TCPSocketWrap|TCPConnectWrap|TLSWrap|Timeout|GetAddrInfoReqWrap)$/;
  return process.getActiveResourcesInfo().filter((kind) => kinds.test(kind)).length;
}

describe('close', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());
  /** Resolves when there are no more of them than before. ioredis 5 leaves a timer of 100 ms to itself. */
  const freed = (before: number): Promise<void> =>
    eventually(async () => {
      await server.cli('PING');
      return resources() <= before;
    });

  it('leaves no connection, socket or timer behind', async () => {
    const before = resources();
    const test = new DriverUnderTest({ url: server.url });
    await test.driver.store.write({ key: 'key', payload: meta('SUCCESS'), ttl: 60, guard });
    await test.driver.source.subscribe(['a']);
    await test[Symbol.asyncDispose]();
    await freed(before);
    await eventually(async () => (await server.clients()).length === 0);
  });

  it('of a driver that was never used does nothing', async () => {
    const test = new DriverUnderTest({ url: 'redis://127.0.0.1:1' });
    await test[Symbol.asyncDispose]();
    expect(test.events).toEqual([]);
  });

  it('may be called again, and rejects later calls', async () => {
    const test = new DriverUnderTest({ url: server.url });
    const { driver } = test;
    await driver.connect(5);
    await Promise.all([driver.close(), driver.close()]);
    await test[Symbol.asyncDispose]();
    await expect(failure(driver.store.read('key'))).resolves.toMatchObject(CLOSED);
    await expect(failure(driver.source.subscribe(['a']))).resolves.toMatchObject(CLOSED);
    await expect(failure(driver.connect(1))).resolves.toMatchObject(CLOSED);
    await expect(driver.source.unsubscribe(['a'])).resolves.toEqual([null]);
  });

  it('waits for what is in flight', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url });
    await test.driver.connect(5);
    proxy.hold('down');
    const store = test.driver.store.write({ key: 'last', payload: meta('SUCCESS'), ttl: 60, guard });
    await eventually(async () => (await server.cli('EXISTS', 'last')) === 1);
    const closed = test.driver.close();
    await expect(failure(test.driver.store.read('key'))).resolves.toMatchObject(CLOSED);
    proxy.release();
    await expect(store).resolves.toBe('stored');
    await closed;
  });

  it('sends and awaits what was asked for in its own tick', async () => {
    const test = new DriverUnderTest({ url: server.url });
    await test.driver.connect(5);
    const store = test.driver.store.write({ key: 'same-tick', payload: meta('SUCCESS'), ttl: 60, guard });
    await test[Symbol.asyncDispose]();
    await expect(store).resolves.toBe('stored');
    expect(await server.cli('GET', 'same-tick')).toBe(meta('SUCCESS'));
  });

  it('waits no longer than a call may take', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url, commandTimeout: 0.2 });
    await test.driver.connect(5);
    await test.driver.source.subscribe(['a']);
    proxy.hold();
    const calls = [failure(test.driver.store.remove('key')), failure(test.driver.source.subscribe(['b']))];
    await test.driver.close();
    const [removed, subscribed] = await Promise.all(calls);
    expect(removed).toMatchObject({ code: 'CELERY_BACKEND_UNAVAILABLE' });
    expect(subscribed).toMatchObject(CLOSED);
  });

  it('during the handshake ends it, and rejects the calls that wait', async () => {
    const before = resources();
    await using proxy = await Proxy.start(server.port);
    const test = new DriverUnderTest({ url: proxy.url, commandTimeout: 20 });
    proxy.hold();
    const calls = [failure(test.driver.store.read('key')), failure(test.driver.source.subscribe(['a']))];
    await eventually(async () => {
      await server.cli('PING');
      return proxy.accepted === 2;
    });
    await test[Symbol.asyncDispose]();
    expect(await Promise.all(calls)).toEqual([expect.objectContaining(CLOSED), expect.objectContaining(CLOSED)]);
    await proxy[Symbol.asyncDispose]();
    await freed(before);
  });

  it('in the tick of the first call makes no connection', async () => {
    const before = resources();
    const test = new DriverUnderTest({ url: server.url });
    const read = failure(test.driver.store.read('key'));
    const connected = failure(test.driver.connect(5));
    await test[Symbol.asyncDispose]();
    await expect(read).resolves.toMatchObject(CLOSED);
    await expect(connected).resolves.toMatchObject(CLOSED);
    await freed(before);
  });

  it('during an outage cancels the next attempt', async () => {
    const before = resources();
    const test = new DriverUnderTest({ url: `redis://127.0.0.1:${await freePort()}`, commandTimeout: 20 });
    const read = failure(test.driver.store.read('key'));
    await test.until(() => test.count('commands', 'lost') === 1);
    await test[Symbol.asyncDispose]();
    await expect(read).resolves.toMatchObject(CLOSED);
    await freed(before);
  });

  it('while Redis hangs ends in time', async () => {
    await using own = await RedisServer.start();
    const test = new DriverUnderTest({ url: own.url, commandTimeout: 0.2 });
    await test.driver.connect(5);
    own.pause();
    const removal = failure(test.driver.store.remove('key'));
    await test[Symbol.asyncDispose]();
    await expect(removal).resolves.toMatchObject({ code: 'CELERY_BACKEND_UNAVAILABLE' });
    own.resume();
  });
});
