import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/clock.ts';
import type { Clock } from '../../src/clock.ts';
import type { BackendError } from '../../src/errors.ts';
import { isRetryable } from '../../src/retry.ts';
import { DriverUnderTest, eventually, guard, meta } from '../support/driver.ts';
import { failure as failureOf } from '../support/failure.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';

const failure = failureOf<BackendError>;

/** The time, set forward at will. */
function adjustableClock(): Clock & { forward: (ms: number) => void } {
  let offset = 0;
  return {
    ...systemClock,
    now: () => systemClock.now() + offset,
    forward: (ms) => {
      offset += ms;
    },
  };
}

describe('a login', () => {
  let server: RedisServer;
  let proxy: Proxy;
  beforeEach(async () => {
    server = await RedisServer.start(['--requirepass', 'right']);
    proxy = await Proxy.start(server.port);
  });
  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
    await server.stop();
  });
  const url = (login: string): string => `redis://${login}@127.0.0.1:${proxy.port}/0`;

  it('with the password of the URL succeeds', async () => {
    await using test = new DriverUnderTest({ url: url(':right') });
    await expect(test.driver.connect(5)).resolves.toBeUndefined();
  });

  it('that is refused at first rejects every call at once, without trying again', async () => {
    await using test = new DriverUnderTest({ url: url(':wrong') });
    const { store, source } = test.driver;
    const errors = await Promise.all([
      failure(store.read('key')),
      failure(store.write({ key: 'key', payload: meta('SUCCESS'), ttl: 60, guard })),
    ]);
    errors.push(await failure(store.read('key')), await failure(source.subscribe(['key'])));
    errors.push(await failure(test.driver.connect(60)));
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: 'WRONGPASS' });
      expect(error.message).toMatch(
        /^Redis at \S+ refused the login for the default user \(WRONGPASS .* \(check user name and password\)\)\.$/,
      );
      expect(isRetryable(error)).toBe(false);
    }
    expect(proxy.accepted).toBe(2);
    expect(store.usable).toBe(false);
    const refusal = { state: 'refused', attempt: 1, first: true, error: expect.any(Error) };
    expect(test.events).toEqual(
      expect.arrayContaining(['commands', 'subscriber'].map((connection) => ({ connection, ...refusal }))),
    );
    expect(test.events).toHaveLength(2);
    expect(test.events[0]?.error?.message).toMatch(/^WRONGPASS /);
    expect(test.warnings.given).toEqual([]);
  });

  it('that is refused for want of a password says so', async () => {
    await using test = new DriverUnderTest({ url: proxy.url });
    const error = await failure(test.driver.store.read('key'));
    expect(error).toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: 'NOAUTH' });
    expect(error.message).toMatch(/ the login for the default user \(NOAUTH .*\(it asks for a password\)\)\.$/);
  });

  it('that was refused is tried again by a call some seconds later', async () => {
    const clock = adjustableClock();
    await using test = new DriverUnderTest({ url: url('worker:later'), clock });
    await failure(test.driver.store.read('key'));
    await server.cli('ACL', 'SETUSER', 'worker', 'on', '>later', '~*', '&*', '+@all');
    await expect(failure(test.driver.store.read('key'))).resolves.toMatchObject({
      reply: 'WRONGPASS',
      message: expect.stringContaining("refused the login for user 'worker' (WRONGPASS"),
    });
    clock.forward(3000);
    await expect(test.driver.store.read('key')).resolves.toBeNull();
    expect(test.readies).toBe(1);
  });

  it('that is refused later is an outage: calls wait for it, and it heals', async () => {
    await using test = new DriverUnderTest({ url: url(':right'), commandTimeout: 0.5 });
    await test.driver.connect(5);
    await server.cli('CONFIG', 'SET', 'requirepass', 'changed');
    proxy.cut();
    await test.until(() => test.count('commands', 'lost') === 1);
    const error = await failure(test.driver.store.read('key'));
    expect(error.code).toBe('CELERY_BACKEND_UNAVAILABLE');
    expect(error.message).toMatch(/is out of reach for the default user \(WRONGPASS/);
    // Attempts go on; one event and one warning an outage.
    const begun = proxy.accepted;
    await eventually(async () => {
      await server.cli('PING').catch(() => undefined);
      return proxy.accepted > begun + 1;
    });
    const refusals = test.events.filter(({ state }) => state === 'refused');
    expect(refusals).toEqual([
      { connection: 'commands', state: 'refused', attempt: expect.any(Number), first: false, error: expect.any(Error) },
    ]);
    expect(refusals[0]?.error?.message).toMatch(/^WRONGPASS /);
    const warned = test.warnings.given.filter(({ code }) => code === 'CELERY_LOGIN_REFUSED');
    expect(warned.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^Redis at \S+ refuses the commands connection its login for the default user \(WRONGPASS .*\); trying again until it does not\.$/,
      ),
    ]);
    await server.cli('CONFIG', 'SET', 'requirepass', 'right');
    await test.until(() => test.count('commands', 'ready') === 2);
    await expect(test.driver.store.read('key')).resolves.toBeNull();
    // The next outage is told anew.
    await server.cli('CONFIG', 'SET', 'requirepass', 'changed');
    proxy.cut();
    await test.until(() => test.count('commands', 'refused') === 2);
  });

  it('that is refused to the subscriber, after that of the commands was accepted, is an outage', async () => {
    await using test = new DriverUnderTest({ url: url(':right') });
    await test.driver.connect(5);
    await server.cli('CONFIG', 'SET', 'requirepass', 'changed');
    const subscribed = test.driver.source.subscribe(['key']);
    await test.until(() => test.count('subscriber', 'refused') === 1);
    const shared = { connection: 'subscriber', attempt: 1, first: true, error: expect.any(Error) };
    expect(test.events.filter(({ connection }) => connection === 'subscriber')).toEqual([
      { ...shared, state: 'lost' },
      { ...shared, state: 'refused' },
    ]);
    await server.cli('CONFIG', 'SET', 'requirepass', 'right');
    await expect(subscribed).resolves.toEqual([null]);
  });
});
