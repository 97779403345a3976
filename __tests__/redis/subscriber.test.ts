import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BackendError } from '../../src/errors.ts';
import { DriverUnderTest, eventually } from '../support/driver.ts';
import { failure as failureOf } from '../support/failure.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';

const failure = failureOf<BackendError>;

describe('a subscriber', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());
  const subscribers = async (channel: string): Promise<number> =>
    Number(((await server.cli('PUBSUB', 'NUMSUB', channel)) as unknown[])[1]);

  it('is subscribed once its promise resolves, and gets the bytes and the name of the channel', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    await expect(test.driver.source.subscribe(['a', 'é b'])).resolves.toEqual([null, null]);
    expect(await server.cli('PUBLISH', 'é b', Buffer.from([0, 255, 10]))).toBe(1);
    await server.cli('PUBLISH', 'other', 'x');
    await server.cli('PUBLISH', 'a', 'x');
    await test.until(() => test.messages.length === 2);
    expect(test.messages).toEqual([
      { channel: 'é b', payload: Buffer.from([0, 255, 10]) },
      { channel: 'a', payload: Buffer.from('x') },
    ]);
  });

  it('gets nothing from a channel it unsubscribed from', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    await test.driver.source.subscribe(['a', 'b']);
    await test.driver.source.unsubscribe(['a', 'never']);
    expect(await subscribers('a')).toBe(0);
    await test.driver.source.unsubscribe(['b']);
    await expect(test.driver.source.subscribe(['a'])).resolves.toEqual([null]);
    expect(await subscribers('a')).toBe(1);
  });

  it('takes 10,000 channels at once, and lets them go', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    const channels = Array.from({ length: 10_000 }, (_, index) => `many${index}`);
    const outcomes = await test.driver.source.subscribe(channels);
    expect(outcomes).toHaveLength(10_000);
    expect(outcomes.every((outcome) => outcome === null)).toBe(true);
    expect((await server.clients())[0]?.sub).toBe('10000');
    await test.driver.source.unsubscribe(channels);
    expect((await server.clients())[0]?.sub).toBe('0');
  });

  it('reports the channels that this user may not have, and has the others', async () => {
    await server.cli('ACL', 'SETUSER', 'reader', 'reset', 'on', '>p', '~*', '+@all', 'resetchannels', '&yes*');
    await using test = new DriverUnderTest({ url: `redis://reader:p@127.0.0.1:${server.port}` });
    const [first, refusal, last] = await test.driver.source.subscribe(['yes1', 'no', 'yes2']);
    expect([first, last]).toEqual([null, null]);
    expect(refusal).toMatchObject({ name: 'BackendError', code: 'CELERY_BACKEND_REFUSED', reply: 'NOPERM' });
    expect(refusal?.message).toMatch(/^Redis refused SUBSCRIBE no for user 'reader': NOPERM/);
    expect(await server.cli('PUBLISH', 'yes2', 'x')).toBe(1);
    await test.until(() => test.messages.length === 1);
  });

  it('tells of its first connection and of each new one, and subscribes to nothing by itself', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    await test.driver.source.subscribe(['a']);
    expect([test.readies, test.reconnects]).toEqual([1, 0]);
    await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await test.until(() => test.reconnects === 1);
    expect(await subscribers('a')).toBe(0);
    await expect(test.driver.source.subscribe(['a'])).resolves.toEqual([null]);
    await server.cli('PUBLISH', 'a', 'x');
    await test.until(() => test.messages.length === 1);
  });

  it('tells of new connections of the store as well', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    await test.driver.connect(5);
    expect([test.readies, test.reconnects]).toEqual([1, 0]);
    const [client] = await server.clients();
    await server.cli('CLIENT', 'KILL', 'ID', client?.id ?? '');
    await test.until(() => test.reconnects === 1);
    expect(test.driver.reconnects()).toBe(1);
  });

  it('rejects what is not confirmed when the link breaks, and tells of the next one', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url });
    await test.driver.source.subscribe(['a']);
    proxy.hold('down');
    const pending = failure(test.driver.source.subscribe(['b', 'c']));
    await eventually(async () => (await subscribers('c')) === 1);
    proxy.cut();
    proxy.release();
    const error = await pending;
    expect(error.code).toBe('CELERY_BACKEND_UNAVAILABLE');
    expect(error.message).toMatch(/broke during SUBSCRIBE b and 1 more/);
    await test.until(() => test.reconnects === 1);
  });

  it('rejects at once while the link is known to be down', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url, commandTimeout: 20 });
    await test.driver.source.subscribe(['a']);
    proxy.refuse(true);
    proxy.cut();
    await test.until(() => test.count('subscriber', 'lost') === 1);
    await expect(failure(test.driver.source.subscribe(['b']))).resolves.toMatchObject({
      code: 'CELERY_BACKEND_UNAVAILABLE',
    });
    await expect(test.driver.source.unsubscribe(['a'])).resolves.toEqual([null]);
    proxy.refuse(false);
    await test.until(() => test.reconnects === 1);
  });

  it('keeps replies and calls together wherever in a confirmation the link is cut', async () => {
    await using proxy = await Proxy.start(server.port);
    await using test = new DriverUnderTest({ url: proxy.url });
    const { source } = test.driver;
    await source.subscribe(['a']);
    // Three confirmations of 31 bytes at most; a cut after each of them, and inside each.
    for (let bytes = 1; bytes <= 90; bytes += 6) {
      const before = test.reconnects;
      proxy.cutAfter(bytes);
      const outcome = await source.subscribe(['c1', 'c2', 'c3']).catch((error: unknown) => error);
      expect(outcome).toMatchObject({ code: 'CELERY_BACKEND_UNAVAILABLE' });
      await test.until(() => test.reconnects > before);
      await expect(source.subscribe(['c1'])).resolves.toEqual([null]);
      await source.unsubscribe(['c1']);
      expect(await subscribers('c1')).toBe(0);
    }
  });

  it('survives a message that Redis kills it for, and tells so', async () => {
    await using test = new DriverUnderTest({ url: server.url });
    await test.driver.source.subscribe(['a']);
    await server.cli('PUBLISH', 'a', Buffer.alloc(33 * 2 ** 20));
    await test.until(() => test.reconnects === 1);
    expect(test.messages).toEqual([]);
    await expect(test.driver.source.subscribe(['a'])).resolves.toEqual([null]);
  });
});
