import { describe, expect, it } from '@jest/globals';
import { addressOf, formatUrl, maskUrl, parseRedisUrl } from '../../../src/redis/options.ts';
import type { RedisDefaults, RedisTarget } from '../../../src/redis/options.ts';

const local = { host: 'localhost', port: 6379, path: undefined, db: 0, username: undefined, password: undefined };
const verified = { verify: true, checkHostname: true };

describe('a Redis URL', () => {
  it.each<[string, Partial<RedisTarget>]>([
    ['redis://', {}],
    ['redis:///', {}],
    ['redis:///5', { db: 5 }],
    ['redis://h:7000/5', { host: 'h', port: 7000, db: 5 }],
    ['redis://h//5', { host: 'h', db: 5 }],
    ['redis://h/5/', { host: 'h', db: 5 }],
    ['redis://:7000', { port: 7000 }],
    ['redis://h:0', { host: 'h', port: 6379 }],
    ['redis://H.Example', { host: 'h.example' }],
    ['redis://[::1]:7000/1', { host: '::1', port: 7000, db: 1 }],
    ['redis://[::1]', { host: '::1' }],
    ['redis://:pw@h', { host: 'h', password: 'pw' }],
    ['redis://user:pw@h', { host: 'h', username: 'user', password: 'pw' }],
    ['redis://user@h', { host: 'h', username: 'user' }],
    ['redis://:p:w@h', { host: 'h', password: 'p:w' }],
    ['redis://:p@w@h', { host: 'h', password: 'p@w' }],
    ['redis://:p%40s%3As%2F%25w@h/1', { host: 'h', password: 'p@s:s/%w', db: 1 }],
    ['redis://:100%@h', { host: 'h', password: '100%' }],
    ['redis://us%C3%A9r:%E2%82%AC@h', { host: 'h', username: 'usér', password: '€' }],
    ['redis://h?virtual_host=3', { host: 'h', db: 0 }],
    ['redis://h/1?db=7', { host: 'h', db: 7 }],
    ['redis://h/1?db=&socket_timeout=5', { host: 'h', db: 1 }],
    ['redis://a:b@h?username=c&password=d', { host: 'h', username: 'c', password: 'd' }],
    ['redis://h?client_name=api', { host: 'h', clientName: 'api' }],
    ['redis://h/2#fragment', { host: 'h', db: 2 }],
    ['valkey://h/1', { scheme: 'valkey', host: 'h', db: 1 }],
    ['rediss://h/0', { scheme: 'rediss', host: 'h', tls: verified }],
    ['valkeys://h', { scheme: 'valkeys', host: 'h', tls: verified }],
    ['rediss://h?ssl_cert_reqs=CERT_REQUIRED', { scheme: 'rediss', host: 'h', tls: verified }],
    ['rediss://h?ssl_cert_reqs=optional', { scheme: 'rediss', host: 'h', tls: verified }],
    ['rediss://h?ssl_cert_reqs=none', { scheme: 'rediss', host: 'h', tls: { verify: false, checkHostname: false } }],
    [
      'rediss://h?ssl_cert_reqs=CERT_NONE',
      { scheme: 'rediss', host: 'h', tls: { verify: false, checkHostname: false } },
    ],
    ['rediss://h?ssl_check_hostname=no', { scheme: 'rediss', host: 'h', tls: { verify: true, checkHostname: false } }],
    [
      'rediss://h?ssl_ca_certs=%2Fca.pem&ssl_certfile=/c&ssl_keyfile=/k',
      { scheme: 'rediss', host: 'h', tls: { ...verified, caFile: '/ca.pem', certFile: '/c', keyFile: '/k' } },
    ],
    [
      'redis+socket:///run/redis.sock?virtual_host=3',
      { scheme: 'redis+socket', host: undefined, port: undefined, path: '/run/redis.sock', db: 3 },
    ],
    [
      'redis+socket://:pw@/run/a%20b.sock?db=4',
      { scheme: 'redis+socket', host: undefined, port: undefined, path: '/run/a b.sock', db: 4, password: 'pw' },
    ],
  ])('%s is read as Celery reads it', (url, expected) => {
    expect(parseRedisUrl(url)).toEqual({
      ...local,
      scheme: 'redis',
      tls: undefined,
      clientName: undefined,
      ...expected,
    });
  });

  it.each<[string | undefined, RedisDefaults, Partial<RedisTarget>]>([
    [undefined, {}, local],
    [
      undefined,
      { host: 'd', port: 1, db: 2, username: 'u', password: 'p' },
      { host: 'd', port: 1, db: 2, username: 'u' },
    ],
    [
      'redis://',
      { host: 'd', port: 1, db: 2, username: 'u', password: 'p' },
      { host: 'd', port: 1, db: 0, password: 'p' },
    ],
    ['redis://h:7/3', { host: 'd', port: 1, db: 2 }, { host: 'h', port: 7, db: 3 }],
    ['redis://:x@h', { username: 'u', password: 'p' }, { username: 'u', password: 'x' }],
    ['redis+socket:///s', { db: 2 }, { db: 2, path: '/s' }],
  ])('%s takes what it lacks from the settings', (url, defaults, expected) => {
    expect(parseRedisUrl(url, defaults)).toMatchObject(expected);
  });

  it.each([
    ['REDIS://h', /^url: expected it to start with one of redis:\/\/, /],
    ['http://h', /^url: expected it to start with one of/],
    ['SECRET', /^url: expected it to start with one of/],
    ['', /^url: expected it to start with one of/],
    ['socket:///SECRET', /^url: expected it to start with one of/],
    [
      'redis+sentinel://:SECRET@a:26379',
      /^url: redis\+sentinel:\/\/ is one plain Redis to Celery.* write sentinel:\/\/\.$/,
    ],
    ['redis://h?credential_provider=SECRET', /^url: credential_provider names a class of Python/],
    ['redis://h:99999', /^url: the port is wrong: expected a port from 1 to 65535/],
    ['redis://h:SECRET', /^url: the port is wrong/],
    ['redis://:SEC/RET@h:6379', /^url: the port is wrong.*percent-encode it\.$/],
    ['redis://user/SECRET@h/0', /^url: the database \(path or db\) is wrong.*percent-encode it\.$/],
    ['redis://:SEC#RET@h', /^url: the port is wrong.*percent-encode it\.$/],
    ['redis://a:b:c', /^url: the host is wrong/],
    ['redis://[::1', /^url: the host is wrong/],
    ['redis://h/abc', /^url: the database \(path or db\) is wrong: expected a number from 0\.$/],
    ['redis://h/-1', /^url: the database/],
    ['redis://h/1.5', /^url: the database/],
    ['redis://h?db=x', /^url: the database/],
    ['redis://h?nonsense=SECRET', /^url: unknown option "nonsense" in the query/],
    ['redis://h?ssl_cert_reqs=none', /^url: ssl_cert_reqs needs rediss:\/\//],
    ['rediss://h?ssl_cert_reqs=maybe', /^ssl_cert_reqs: expected required, optional or none/],
    ['redis+socket://host/path', /^url: expected redis\+socket:\/\/\/ followed by the path/],
    ['redis+socket://', /^url: expected redis\+socket:\/\/\/ followed by the path/],
    ['redis://a;redis://b', /^url: the database/],
  ])('%s is refused by the name of the part that is wrong', (url, message) => {
    const parse = (): unknown => parseRedisUrl(url);
    expect(parse).toThrow(
      expect.objectContaining({ name: 'ImproperlyConfigured', message: expect.stringMatching(message) }),
    );
    expect(parse).not.toThrow(/SEC|RET/);
  });

  it('refuses a redisDb that is no number from 0', () => {
    expect(() => parseRedisUrl(undefined, { db: -1 })).toThrow(/^redisDb: expected a number from 0; got -1\.$/);
  });

  it.each([
    ['redis://h', 'redis://h/'],
    ['redis://', 'redis://'],
    ['redis://h/1', 'redis://h/1'],
    ['redis://:pw@h', 'redis://:**@h/'],
    ['redis://user:p@w:d@h:1/2?db=3', 'redis://user:**@h:1/2'],
    ['redis://user@h', 'redis://user@h/'],
    ['redis://h/1?password=pw', 'redis://h/1'],
    ['redis+socket://:pw@/run/r.sock?virtual_host=1', 'redis+socket://:**@/run/r.sock'],
  ])('%s is shown as %s', (url, shown) => {
    expect(maskUrl(url)).toBe(shown);
  });

  it.each([
    'redis://localhost:6379/0',
    'redis://u%40:p%2Fw@h:1/2',
    'redis://:p@[::1]:1/2',
    'redis+socket://:p@/run/a%20b?virtual_host=3',
  ])('%s is what it was read from', (url) => {
    expect(formatUrl(parseRedisUrl(url))).toBe(url);
  });

  it.each([
    ['redis://[::1]:5', '[::1]:5'],
    ['redis://', 'localhost:6379'],
    ['redis+socket:///s', '/s'],
  ])('%s is at %s', (url, address) => {
    expect(addressOf(parseRedisUrl(url))).toBe(address);
  });
});
