/** Logins that a provider gives, on real servers. */
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { BackendError } from '../../src/errors.ts';
import type { CredentialsProvider } from '../../src/redis/credentials.ts';
import type { RedisDriverOptions } from '../../src/redis/driver.ts';
import { ClusterDeployment } from '../support/cluster.ts';
import { DriverUnderTest } from '../support/driver.ts';
import { failure as failureOf } from '../support/failure.ts';
import { RedisServer } from '../support/redis.ts';
import { SentinelDeployment } from '../support/sentinel.ts';

const failure = failureOf<BackendError>;

/** Sets the password of the user `app`, which the default user may. */
async function setPassword(servers: readonly RedisServer[], password: string): Promise<void> {
  for (const server of servers) {
    await server.cli('ACL', 'SETUSER', 'app', 'reset', 'on', `>${password}`, '~*', '&*', '+@all');
  }
}

describe('a provider of credentials', () => {
  let server: RedisServer;
  let sentinel: SentinelDeployment;
  let cluster: ClusterDeployment;
  beforeAll(async () => {
    [server, sentinel, cluster] = await Promise.all([
      RedisServer.start(),
      SentinelDeployment.start(),
      ClusterDeployment.start(),
    ]);
  });
  afterAll(() => Promise.all([server.stop(), sentinel.stop(), cluster.stop()]));
  beforeEach(() => setPassword([server, ...sentinel.servers, ...cluster.masters], 'first-pw'));

  it.each<[string, () => Partial<RedisDriverOptions>, () => readonly RedisServer[]]>([
    ['one server', () => ({ url: `redis://old:old-pw@127.0.0.1:${server.port}` }), () => [server]],
    [
      'Sentinel',
      () => ({ url: sentinel.url('old:old-pw@'), sentinel: { masterName: 'mymaster' } }),
      () => sentinel.servers,
    ],
    ['a cluster', () => ({ url: cluster.url('old:old-pw@') }), () => cluster.masters],
  ])('is asked before each connection, so that both come back with a changed password: %s', async (_title, at, of) => {
    let password = 'first-pw';
    let asked = 0;
    const credentials: CredentialsProvider = async () => {
      asked += 1;
      return Promise.resolve({ username: 'app', password });
    };
    await using test = new DriverUnderTest({ ...at(), credentials });
    await test.driver.store.read('key');
    await test.driver.source.subscribe(['a']);
    const before = asked;
    password = 'second-pw';
    await setPassword(of(), password);
    for (const each of of()) await each.cli('CLIENT', 'KILL', 'USER', 'app');
    await test.until(() => test.count('commands', 'ready') >= 2 && test.count('subscriber', 'ready') >= 2);
    await expect(test.driver.store.read('key')).resolves.toBeNull();
    await expect(test.driver.source.subscribe(['a'])).resolves.toEqual([null]);
    expect(asked).toBeGreaterThanOrEqual(before + 2);
  });

  it.each<[string, CredentialsProvider, RegExp]>([
    [
      'that rejects',
      () => Promise.reject(Object.assign(new Error('SECRET'), { name: 'AccessDenied', code: 'E1', token: 'SECRET' })),
      /refused the login \(credentials: the provider failed \(AccessDenied E1\)\)/,
    ],
    [
      'that throws what is no error',
      () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- what others may throw
        throw 'SECRET';
      },
      /the provider failed \(a string was thrown\)/,
    ],
    ['that never answers', () => new Promise(() => undefined), /the provider did not answer within 0\.2 s/],
    [
      'that gives something else',
      () => ({ password: 5 }) as never,
      /expected the provider to give \{ username\?, password \}/,
    ],
    [
      'that gives what throws when it is read',
      () => ({
        get password(): string {
          throw new Error('SECRET');
        },
      }),
      /the provider failed \(Error\)/,
    ],
    ['with the wrong password', () => ({ username: 'app', password: 'SECRET' }), /WRONGPASS/],
  ])('%s is a refused login, which tells no secret', async (_title, credentials, message) => {
    await using test = new DriverUnderTest({ url: server.url, credentials, connectTimeout: 0.2, commandTimeout: 30 });
    const error = await failure(test.driver.store.read('key'));
    expect(error.code).toBe('CELERY_BACKEND_REFUSED');
    expect(error.message).toMatch(message);
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('SECRET');
  });

  it('that fails later is an outage, and heals', async () => {
    let failing = false;
    const credentials: CredentialsProvider = () => {
      if (failing) throw new Error('no');
      return { username: 'app', password: 'first-pw' };
    };
    await using test = new DriverUnderTest({ url: server.url, credentials, commandTimeout: 0.5 });
    await test.driver.connect(5);
    failing = true;
    await server.cli('CLIENT', 'KILL', 'USER', 'app');
    await test.until(() => test.count('commands', 'lost') === 1);
    const error = await failure(test.driver.store.read('key'));
    expect(error.code).toBe('CELERY_BACKEND_UNAVAILABLE');
    expect(error.message).toMatch(/credentials: the provider failed \(Error\)/);
    failing = false;
    await test.until(() => test.count('commands', 'ready') === 2);
    await expect(test.driver.store.read('key')).resolves.toBeNull();
  });
});
