import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENV_VARIABLES } from '../../src/env.ts';
import { configFromEnv, ImproperlyConfigured, RedisBackend } from '../../src/index.ts';

describe('configFromEnv', () => {
  it.each([
    ['CELERY_RESULT_BACKEND', 'rediss://u:p@h/1', { url: 'rediss://u:p@h/1' }],
    ['CELERY_RESULT_BACKEND', ' redis://h ', { url: 'redis://h' }],
    ['CELERY_RESULT_BACKEND', 'redis', {}],
    ['CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS', '{"global_keyprefix": "x:"}', { globalKeyprefix: 'x:' }],
    [
      'CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS',
      '{"retry_policy": {"max_retries": null}, "result_chord_ordered": false}',
      { retryPolicy: { maxRetries: Infinity }, chordOrdered: false },
    ],
    ['CELERY_RESULT_SERIALIZER', 'yaml', { serializer: 'yaml' }],
    ['CELERY_RESULT_ACCEPT_CONTENT', 'json, yaml', { acceptContent: ['json', 'yaml'] }],
    ['CELERY_RESULT_EXPIRES', '90.5', { expires: 90.5 }],
    ['CELERY_RESULT_EXPIRES', 'None', { expires: null }],
    ['CELERY_RESULT_EXTENDED', 'true', { extended: true }],
    ['CELERY_RESULT_EXTENDED', '0', { extended: false }],
    ['CELERY_RESULT_CACHE_MAX', '-1', { maxCachedResults: -1 }],
    ['CELERY_RESULT_CHORD_JOIN_TIMEOUT', '.5', { chordJoinTimeout: 0.5 }],
    ['CELERY_RESULT_BACKEND_ALWAYS_RETRY', '1', { alwaysRetry: {} }],
    ['CELERY_RESULT_BACKEND_ALWAYS_RETRY', 'false', { alwaysRetry: false }],
    ['CELERY_RESULT_BACKEND_BASE_SLEEP_BETWEEN_RETRIES_MS', '5', {}],
    ['CELERY_RESULT_BACKEND_MAX_SLEEP_BETWEEN_RETRIES_MS', '5', {}],
    ['CELERY_RESULT_BACKEND_MAX_RETRIES', '5', {}],
    ['CELERY_TIMEZONE', 'Asia/Tokyo', { timezone: 'Asia/Tokyo' }],
    ['CELERY_ENABLE_UTC', 'TRUE', {}],
    ['CELERY_TASK_IGNORE_RESULT', 'True', { ignoreResult: true }],
    ['CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED', '1', { storeErrorsEvenIfIgnored: true }],
    ['CELERY_TASK_TRACK_STARTED', '1', { trackStarted: true }],
    ['CELERY_REDIS_SOCKET_TIMEOUT', '7', { commandTimeout: 7 }],
    ['CELERY_REDIS_SOCKET_CONNECT_TIMEOUT', '8', { connectTimeout: 8 }],
    ['CELERY_REDIS_CLIENT_NAME', 'shop', { connectionName: 'shop' }],
    ['CELERY_REDIS_BACKEND_HEALTH_CHECK_INTERVAL', '4', { heartbeat: 4 }],
  ])('reads %s=%s', (name, text, expected) => {
    expect(ENV_VARIABLES.has(name)).toBe(true);
    expect(configFromEnv({ [name]: text })).toEqual(expected);
  });

  it('takes several together, and gives a backend what it needs', async () => {
    const options = configFromEnv({
      CELERY_RESULT_BACKEND: 'memory://env',
      CELERY_RESULT_BACKEND_ALWAYS_RETRY: 'true',
      CELERY_RESULT_BACKEND_BASE_SLEEP_BETWEEN_RETRIES_MS: '20',
      CELERY_RESULT_BACKEND_MAX_RETRIES: '3',
    });
    expect(options).toEqual({ url: 'memory://env', alwaysRetry: { baseSleep: 0.02, maxRetries: 3 } });
    await using backend = new RedisBackend({}, options);
    expect(backend.url).toBe('memory://env');
  });

  it('takes an empty text, and a blank one, for not set', () => {
    const env = Object.fromEntries([...ENV_VARIABLES.keys()].map((name, i) => [name, i % 2 ? '' : '  ']));
    expect(configFromEnv(env)).toEqual({});
  });

  it('reads the environment of the process when it is given none', () => {
    process.env['CELERY_RESULT_EXPIRES'] = '5';
    try {
      expect(configFromEnv()).toMatchObject({ expires: 5 });
    } finally {
      delete process.env['CELERY_RESULT_EXPIRES'];
    }
  });

  it.each([
    ['CELERY_RESULT_EXPIRES', 'soon', 'CELERY_RESULT_EXPIRES: expected a number or none; got "soon".'],
    ['CELERY_RESULT_EXPIRES', '-5', 'CELERY_RESULT_EXPIRES: expires: expected seconds, 0 or more, or null; got -5.'],
    ['CELERY_RESULT_EXPIRES', '1e3', 'CELERY_RESULT_EXPIRES: expected a number or none; got "1e3".'],
    ['CELERY_RESULT_CACHE_MAX', '0x10', 'CELERY_RESULT_CACHE_MAX: expected a number; got "0x10".'],
    ['CELERY_RESULT_CACHE_MAX', '1.5', 'CELERY_RESULT_CACHE_MAX: maxCachedResults: expected a whole number'],
    ['CELERY_RESULT_EXTENDED', 'yes', 'CELERY_RESULT_EXTENDED: expected true, false, 1 or 0; got "yes".'],
    ['CELERY_RESULT_EXTENDED', 'constructor', 'CELERY_RESULT_EXTENDED: expected true, false, 1 or 0'],
    ['CELERY_RESULT_ACCEPT_CONTENT', 'json,,yaml', 'CELERY_RESULT_ACCEPT_CONTENT: expected names with commas between'],
    ['CELERY_TIMEZONE', 'Mars', 'CELERY_TIMEZONE: timezone: expected the IANA name of a time zone'],
    ['CELERY_REDIS_CLIENT_NAME', 'my api', 'CELERY_REDIS_CLIENT_NAME: connectionName: expected 1 to 200'],
    [
      'CELERY_RESULT_BACKEND_MAX_SLEEP_BETWEEN_RETRIES_MS',
      '-1',
      'CELERY_RESULT_BACKEND_MAX_SLEEP_BETWEEN_RETRIES_MS: app.conf.resultBackendMaxSleepBetweenRetriesMs: expected',
    ],
  ])('refuses %s=%s by its name', (name, text, message) => {
    expect(() => configFromEnv({ [name]: text })).toThrow(ImproperlyConfigured);
    expect(() => configFromEnv({ [name]: text })).toThrow(message);
  });

  it.each(['{"sentinel_kwargs": {"password": "secret"}', '["secret"]', 'secret', '5', 'null'])(
    'refuses CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS=%s without showing it',
    (text) => {
      const name = 'CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS';
      let error: unknown;
      try {
        configFromEnv({ [name]: text });
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(ImproperlyConfigured);
      expect((error as Error).message).toBe(`${name}: expected an object in JSON.`);
      expect((error as Error).cause).toBeUndefined();
    },
  );

  it('does not pollute any prototype', () => {
    const text = '{"__proto__": {"polluted": 1}, "retry_policy": {"__proto__": {"polluted": 1}}}';
    expect(configFromEnv({ CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS: text })).toEqual({});
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('.env.example', () => {
  const example = readFileSync('.env.example', 'utf8');
  const listed = new Map([...example.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
  const compose = readFileSync('docker-compose.yml', 'utf8');

  /** Names that the system or the tests themselves set. */
  const OWN = /^(?:PATH|INTEROP_\w+)$/;
  const READS = [
    /process\.env\['(\w+)'\]/g,
    /process\.env\.(\w+)/g,
    /os\.environ(?:\.get\(|\[)"(\w+)"/g,
    /\$\{([A-Z_]+):-/g,
  ];

  function textOf(folder: string): string {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(?:ts|py|sh)$/.test(file) && !file.includes('node_modules'))
      .map((file) => readFileSync(join(folder, file), 'utf8'))
      .join('\n');
  }

  it('lists every variable that is read, and no other', () => {
    const folders = ['examples', 'scripts', 'bench', '__tests__/support'];
    const text = [compose, ...folders.filter(existsSync).map(textOf)].join();
    const read = READS.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name = '']) => name));
    const all = new Set([...read.filter((name) => !OWN.test(name)), ...ENV_VARIABLES.keys()]);
    expect([...listed.keys()].sort()).toEqual([...all].sort());
  });

  it('explains each variable in the lines before it', () => {
    const bare = [...example.matchAll(/^([A-Z_]+)=/gm)].filter(
      ({ index }) => !/\n# .+\n$/.test(example.slice(0, index)),
    );
    expect(bare.map(([, name]) => name)).toEqual([]);
  });

  it('has the defaults of docker-compose.yml, which hands on all that a backend reads', () => {
    const defaults = [...compose.matchAll(/\$\{(\w+):-([^}]*)\}/g)].map(([, name = '', value = '']) => [name, value]);
    expect(Object.fromEntries(defaults)).toEqual(
      Object.fromEntries([...listed].filter(([name]) => compose.includes(`\${${name}:-`))),
    );
    for (const name of ENV_VARIABLES.keys()) expect(compose).toContain(`  ${name}: \${${name}:-`);
  });
});
