import { describe, expect, it, jest } from '@jest/globals';
import { CeleryError, ImproperlyConfigured, RedisBackend } from '../../src/index.ts';
import { machineTimezone } from '../../src/dates.ts';
import { DEFAULTS, resolveOptions } from '../../src/options.ts';
import { SETTING_TABLE, snakeCase, UNUSED_SETTINGS } from '../../src/setting-table.ts';

function resolve(options: object = {}, conf?: object): Record<string, unknown> {
  return { ...resolveOptions(options, conf) };
}

describe('options', () => {
  it('have the documented defaults', () => {
    expect(resolve()).toMatchObject({ ...DEFAULTS, url: undefined, acceptContent: undefined, client: undefined });
    expect(DEFAULTS).toMatchObject({
      serializer: 'json',
      maxCachedResults: 1000,
      maxCachedBytes: 67_108_864,
      expires: 86_400,
      extended: false,
      ignoreResult: false,
      storeErrorsEvenIfIgnored: false,
      trackStarted: false,
      chordJoinTimeout: 3,
      chordOrdered: true,
      globalKeyprefix: '',
      commandTimeout: 5,
      connectTimeout: 5,
      heartbeat: 2,
      deadAfter: 6,
      backstop: 30,
      lastLook: 0.25,
      closeTimeout: 10,
      retryPolicy: { maxRetries: 20, intervalStart: 0, intervalStep: 1, intervalMax: 1 },
      alwaysRetry: false,
      timezone: 'UTC',
      limits: { maxDepth: 1000, maxDigits: 4300, maxPayload: 536_870_912 },
    });
  });

  it('are frozen, and their source is not changed', () => {
    const options = Object.freeze({ expires: 5 });
    expect(Object.isFrozen(resolveOptions(options, {}))).toBe(true);
  });

  it.each([
    ['expires', -1, 'expires: expected seconds, 0 or more, or null; got -1.'],
    ['expires', -0.5, 'expires: expected seconds, 0 or more, or null; got -0.5.'],
    ['expires', NaN, 'expires: expected seconds, 0 or more, or null; got NaN.'],
    ['expires', 'soon', 'expires: expected seconds, 0 or more, or null; got "soon".'],
    ['expires', '', 'expires: expected seconds, 0 or more, or null; got "".'],
    ['expires', {}, 'expires: expected seconds, 0 or more, or null; got an object.'],
    ['maxCachedResults', -2, 'maxCachedResults: expected a whole number of at least -1; got -2.'],
    ['maxCachedResults', 1.5, 'maxCachedResults: expected a whole number of at least -1; got 1.5.'],
    ['maxCachedBytes', 0, 'maxCachedBytes: expected a whole number of at least 1; got 0.'],
    ['commandTimeout', 0, 'commandTimeout: expected seconds, more than 0; got 0.'],
    ['connectTimeout', '5', 'connectTimeout: expected seconds, more than 0; got "5".'],
    ['heartbeat', -1, 'heartbeat: expected seconds, more than 0; got -1.'],
    ['deadAfter', Infinity, 'deadAfter: expected seconds, more than 0; got Infinity.'],
    ['backstop', -1, 'backstop: expected seconds, 0 or more; got -1.'],
    ['lastLook', null, 'lastLook: expected seconds, 0 or more; got null.'],
    ['closeTimeout', [], 'closeTimeout: expected seconds, 0 or more; got an array.'],
    ['extended', 1, 'extended: expected a boolean; got 1.'],
    ['ignoreResult', 'no', 'ignoreResult: expected a boolean; got "no".'],
    ['storeErrorsEvenIfIgnored', null, 'storeErrorsEvenIfIgnored: expected a boolean; got null.'],
    ['trackStarted', 0, 'trackStarted: expected a boolean; got 0.'],
    ['chordOrdered', 1, 'chordOrdered: expected a boolean; got 1.'],
    ['chordJoinTimeout', 0, 'chordJoinTimeout: expected seconds, more than 0; got 0.'],
    ['alwaysRetry', 'yes', 'alwaysRetry: expected a boolean or an object; got "yes".'],
    ['alwaysRetry', null, 'alwaysRetry: expected a boolean or an object; got null.'],
    [
      'alwaysRetry',
      { sleep: 1 },
      'alwaysRetry: "sleep" is none of them; expected some of baseSleep, maxSleep, maxRetries',
    ],
    ['alwaysRetry', { baseSleep: -1 }, 'alwaysRetry.baseSleep: expected seconds, 0 or more; got -1.'],
    ['alwaysRetry', { maxSleep: NaN }, 'alwaysRetry.maxSleep: expected seconds, 0 or more; got NaN.'],
    ['alwaysRetry', { maxRetries: 1.5 }, 'alwaysRetry.maxRetries: expected a whole number of at least 0; got 1.5.'],
    ['timezone', 5, 'timezone: expected the IANA name of a time zone; got 5.'],
    ['globalKeyprefix', 5, 'globalKeyprefix: expected a string or null; got 5.'],
    ['url', 5, 'url: expected a string; got 5.'],
    ['serializer', 5, 'serializer: expected a name or a serializer; got 5.'],
    ['serializer', null, 'serializer: expected a name or a serializer; got null.'],
    ['serializer', {}, 'serializer.name: expected a string; got undefined.'],
    [
      'serializer',
      { name: 'mine', contentType: 'x/mine', encode: () => '' },
      'serializer: expected an object with the methods encode, decode; got an object without decode.',
    ],
    ['acceptContent', 'json', 'acceptContent: expected an array of strings; got "json".'],
    ['acceptContent', [5], 'acceptContent: expected an array of strings; got an array.'],
    ['clock', {}, 'clock: expected an object with the methods now, wall, after; got an object.'],
    ['clock', { now: Date.now, wall: Date.now }, 'got an object without after.'],
    ['exceptions', new Map(), 'exceptions: expected an object with the methods register, forError; got an object.'],
    ['connectionName', 'my api', 'connectionName: expected 1 to 200 printable ASCII characters without spaces.'],
    ['connectionName', 5, 'connectionName: expected 1 to 200 printable ASCII characters without spaces.'],
    ['expires', '0x10', 'expires: expected seconds, 0 or more, or null; got "0x10".'],
    ['expires', '1e2', 'expires: expected seconds, 0 or more, or null; got "1e2".'],
    ['expires', ' 45', 'expires: expected seconds, 0 or more, or null; got " 45".'],
    ['retryPolicy', 5, 'retryPolicy: expected an object; got 5.'],
    ['retryPolicy', { retries: 5 }, 'retryPolicy: "retries" is none of them; expected some of maxRetries, '],
    ['limits', 'x', 'limits: expected an object; got "x".'],
    ['limits', { depth: 5 }, 'limits: "depth" is none of them; expected some of maxDepth, '],
    ['maxRetries', 5, 'options: "maxRetries" is none of them; expected some of '],
    ['retryPolicy', { maxRetries: -1 }, 'retryPolicy.maxRetries: expected a whole number of at least 0; got -1.'],
    ['retryPolicy', { intervalMax: NaN }, 'retryPolicy.intervalMax: expected seconds, 0 or more; got NaN.'],
    ['maxPendingStores', 0, 'maxPendingStores: expected a whole number of at least 1; got 0.'],
    ['maxPendingBytes', Infinity, 'maxPendingBytes: expected a whole number of at least 1; got Infinity.'],
    ['limits', { maxDepth: 0 }, 'limits.maxDepth: expected a whole number of at least 1; got 0.'],
  ])('refuse %s: %j, and say what was expected and what came', (name, value, message) => {
    const attempt = (): unknown => resolve({ [name]: value });
    expect(attempt).toThrow(ImproperlyConfigured);
    expect(attempt).toThrow(message);
  });

  it.each([
    [undefined, 86_400],
    [null, null],
    [0, null],
    [0.9, null],
    [1, 1],
    [90.9, 90],
    ['45', 45],
    ['45.9', 45],
  ])('take expires %j for %j seconds', (expires, seconds) => {
    expect(resolve({ expires })['expires']).toBe(seconds);
  });
});

describe('a backend', () => {
  const create = (...args: unknown[]): RedisBackend => Reflect.construct(RedisBackend, args) as RedisBackend;

  it.each([
    ['no app', [null], 'app: expected an object, {} will do; got null.'],
    ['a URL for an app', ['redis://h'], 'app: expected an object, {} will do; got a text with an address in it.'],
    ['null for options', [{}, null], 'options: expected an object, such as { url }; got null.'],
    [
      'a URL for options',
      [{}, 'redis://h'],
      'options: expected an object, such as { url }; got a text with an address in it.',
    ],
    ['a bad name in memory', [{}, { url: 'memory://', connectionName: 'my api' }], 'connectionName: expected 1 to 200'],
  ])('refuses %s', (_title, args, message) => {
    expect(() => create(...args)).toThrow(ImproperlyConfigured);
    expect(() => create(...args)).toThrow(message);
  });

  it('refuses a client together with a url, unless that is of app.conf', () => {
    const client = { options: {}, duplicate: () => undefined };
    expect(() => resolve({ client, url: 'redis://h' })).toThrow('client: expected a client or a url; got both.');
    expect(resolve({ client }, { resultBackend: 'redis://h' })).toMatchObject({ client });
  });

  it('takes a retryPolicy without end', () => {
    expect(resolve({ retryPolicy: { maxRetries: Infinity } })).toMatchObject({
      retryPolicy: { maxRetries: Infinity, intervalStart: 0, intervalStep: 1, intervalMax: 1 },
    });
    expect(resolve({ retryPolicy: { maxRetries: undefined } })).toMatchObject({ retryPolicy: { maxRetries: 20 } });
  });
});

/** Each setting with a value, and the options that come of it. */
const credentials = () => ({ password: 'p' });

const SAMPLES: [name: string, value: unknown, expected: object][] = [
  ['resultBackend', 'redis://h/1', { url: 'redis://h/1' }],
  ['resultSerializer', 'superjson', { serializer: 'superjson' }],
  ['acceptContent', ['json'], { acceptContent: ['json'] }],
  ['resultAcceptContent', ['yaml'], { acceptContent: ['yaml'] }],
  ['resultExpires', 60, { expires: 60 }],
  ['resultExpires', null, { expires: null }],
  ['resultExtended', true, { extended: true }],
  ['resultChordJoinTimeout', 9, { chordJoinTimeout: 9 }],
  ['taskIgnoreResult', true, { ignoreResult: true }],
  ['taskStoreErrorsEvenIfIgnored', true, { storeErrorsEvenIfIgnored: true }],
  ['taskTrackStarted', true, { trackStarted: true }],
  ['resultBackendTransportOptions', { resultChordOrdered: false }, { chordOrdered: false }],
  ['resultBackendTransportOptions', { masterName: 'm' }, { sentinel: { masterName: 'm' } }],
  ['resultBackendTransportOptions', { minOtherSentinels: 1 }, { sentinel: { minOtherSentinels: 1 } }],
  ['resultBackendTransportOptions', { sentinelKwargs: { password: 'p' } }, { sentinel: { password: 'p' } }],
  ['redisBackendCredentialProvider', credentials, { credentials }],
  ['resultBackendTransportOptions', { result_chord_ordered: false }, { chordOrdered: false }],
  ['resultCacheMax', 5, { maxCachedResults: 5 }],
  ['resultCacheMax', -1, { maxCachedResults: -1 }],
  ['resultCacheMax', null, { maxCachedResults: 0 }],
  ['redisSocketTimeout', 7, { commandTimeout: 7 }],
  ['redisSocketConnectTimeout', 8, { connectTimeout: 8 }],
  ['redisSocketConnectTimeout', null, { connectTimeout: 5 }],
  ['redisClientName', 'me', { connectionName: 'me' }],
  ['redisHost', 'h', { connectionDefaults: { host: 'h' } }],
  ['redisPort', 7000, { connectionDefaults: { port: 7000 } }],
  ['redisDb', 3, { connectionDefaults: { db: 3 } }],
  ['redisUsername', 'u', { connectionDefaults: { username: 'u' } }],
  ['redisPassword', 'p', { connectionDefaults: { password: 'p' } }],
  ['resultBackendTransportOptions', { globalKeyprefix: 'x:' }, { globalKeyprefix: 'x:' }],
  ['resultBackendTransportOptions', { global_keyprefix: 'x:' }, { globalKeyprefix: 'x:' }],
  [
    'resultBackendTransportOptions',
    { retryPolicy: { maxRetries: 3, intervalStart: 2 } },
    { retryPolicy: { maxRetries: 3, intervalStart: 2, intervalStep: 1, intervalMax: 1 } },
  ],
  ['resultBackendTransportOptions', { retry_policy: { max_retries: null } }, { retryPolicy: { maxRetries: Infinity } }],
  ['resultBackend', 'redis', { url: undefined }],
  ['redisBackendUseSsl', true, { connectionDefaults: { tls: {} } }],
  ['redisBackendUseSsl', {}, { connectionDefaults: { tls: {} } }],
  ['redisBackendUseSsl', { sslCertReqs: 'none' }, { connectionDefaults: { tls: { ssl_cert_reqs: 'none' } } }],
  [
    'redisBackendUseSsl',
    { ssl_ca_certs: '/ca.pem', ssl_check_hostname: false },
    { connectionDefaults: { tls: { ssl_ca_certs: '/ca.pem', ssl_check_hostname: 'false' } } },
  ],
  ['redisBackendUseSsl', false, { connectionDefaults: {} }],
  ['timezone', 'Europe/Berlin', { timezone: 'Europe/Berlin' }],
  ['timezone', null, { timezone: 'UTC' }],
  ['enableUtc', true, { timezone: 'UTC' }],
  ['enableUtc', false, { timezone: machineTimezone() }],
  ['redisBackendHealthCheckInterval', 5, { heartbeat: 5 }],
  ['redisBackendHealthCheckInterval', 0, { heartbeat: 2 }],
  ['resultBackendAlwaysRetry', true, { alwaysRetry: { baseSleep: 0.01, maxSleep: 10, maxRetries: Infinity } }],
  ['resultBackendAlwaysRetry', false, { alwaysRetry: false }],
  ['resultBackendMaxRetries', 5, { alwaysRetry: false }],
  ['resultBackendBaseSleepBetweenRetriesMs', 5, { alwaysRetry: false }],
  ['resultBackendMaxSleepBetweenRetriesMs', 5, { alwaysRetry: false }],
];

describe('settings of app.conf', () => {
  it.each(SAMPLES)('%s: %j is honoured, in camelCase and in snake_case', (name, value, expected) => {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    expect(resolve({}, { [name]: value })).toMatchObject(expected);
    expect(resolve({}, { [snake]: value })).toMatchObject(expected);
  });

  it('are all sampled here that are honoured', () => {
    const sampled = SAMPLES.flatMap(([name, value]) =>
      name === 'resultBackendTransportOptions'
        ? Object.keys(value as object).map((part) => snakeCase(`${name}.${part}`))
        : snakeCase(name),
    );
    const honoured = [...SETTING_TABLE].filter(([, use]) => use !== 'unused');
    expect(new Set(sampled)).toEqual(new Set(honoured.map(([name]) => name)));
  });

  it('say how reads and stores are always tried again, for the option too', () => {
    const conf = {
      result_backend_base_sleep_between_retries_ms: 20,
      result_backend_max_sleep_between_retries_ms: 500,
      result_backend_max_retries: 7,
    };
    const policy = { baseSleep: 0.02, maxSleep: 0.5, maxRetries: 7 };
    expect(resolve({}, { ...conf, result_backend_always_retry: true })).toMatchObject({ alwaysRetry: policy });
    expect(resolve({ alwaysRetry: { maxRetries: 1 } }, conf)).toMatchObject({
      alwaysRetry: { ...policy, maxRetries: 1 },
    });
    expect(resolve({ alwaysRetry: false }, { ...conf, result_backend_always_retry: true })).toMatchObject({
      alwaysRetry: false,
    });
    expect(resolve({ alwaysRetry: true }, { resultBackendMaxRetries: null })).toMatchObject({
      alwaysRetry: { maxRetries: Infinity },
    });
  });

  it.each([
    ['resultBackendBaseSleepBetweenRetriesMs', -1],
    ['resultBackendMaxSleepBetweenRetriesMs', 'soon'],
  ])('%s of %j is refused', (name, value) => {
    expect(() => resolve({}, { [name]: value })).toThrow(`app.conf.${name}: expected milliseconds, 0 or more; got `);
  });

  it('take the zone of the machine for enableUtc of false', () => {
    const own = new Intl.DateTimeFormat().resolvedOptions();
    const zone = jest.spyOn(Intl.DateTimeFormat.prototype, 'resolvedOptions');
    zone.mockReturnValue({ ...own, timeZone: 'Asia/Tokyo' });
    try {
      expect(resolve({}, { enable_utc: false })).toMatchObject({ timezone: 'Asia/Tokyo' });
      expect(resolve({}, { enable_utc: true })).toMatchObject({ timezone: 'UTC' });
    } finally {
      zone.mockRestore();
    }
  });

  it('let the timezone win over enableUtc', () => {
    expect(resolve({}, { enableUtc: false, timezone: 'Asia/Tokyo' })).toMatchObject({ timezone: 'Asia/Tokyo' });
  });

  it('are accepted without meaning where there is none, and so is what concerns no backend', () => {
    const unused: Record<string, unknown> = Object.fromEntries(
      UNUSED_SETTINGS.flatMap((name): [string, unknown][] => [
        [name, 'x'],
        [snakeCase(name), 5],
      ]),
    );
    const unrelated = {
      broker_url: 'amqp://', task_routes: { '*': {} }, worker_concurrency: 4, beat_schedule: {}, task_serializer: 'pickle',
      imports: ['tasks'], task_default_queue: 'q', broker_transport_options: { visibility_timeout: 1 },
    }; // prettier-ignore
    expect(Object.keys(unused).length).toBeGreaterThan(20);
    expect(resolve({}, { ...unused, ...unrelated })).toEqual(resolve());
  });

  it('refuse what only Python can do', () => {
    const conf = { redis_backend_credential_provider: 'app.auth.Provider' };
    expect(() => resolve({}, conf)).toThrow(ImproperlyConfigured);
    expect(() => resolve({}, conf)).toThrow('credentials: expected a function; got a value of type string.');
    expect(resolve({}, { redis_backend_credential_provider: null })).toEqual(resolve());
  });

  it('lose against options', () => {
    const conf = { resultExpires: 60, resultSerializer: 'yaml', resultCacheMax: 5, resultExtended: true };
    const options = { expires: null, serializer: 'json', maxCachedResults: 7, extended: false };
    expect(resolve(options, conf)).toMatchObject(options);
    expect(resolve({ expires: undefined }, conf)).toMatchObject({ expires: 60 });
  });

  it.each([
    ['CELERY_RESULT_BACKEND', 'app.conf.CELERY_RESULT_BACKEND: expected the name resultBackend.'],
    ['CELERY_RESULT_SERIALIZER', 'app.conf.CELERY_RESULT_SERIALIZER: expected the name resultSerializer.'],
    ['CELERY_TASK_RESULT_EXPIRES', 'app.conf.CELERY_TASK_RESULT_EXPIRES: expected the name resultExpires.'],
    ['CELERY_RESULT_CACHE_MAX', 'app.conf.CELERY_RESULT_CACHE_MAX: expected the name resultCacheMax.'],
    ['CELERY_TIMEZONE', 'app.conf.CELERY_TIMEZONE: expected the name timezone.'],
    ['CELERY_REDIS_HOST', 'app.conf.CELERY_REDIS_HOST: expected the name redisHost.'],
  ])('are refused by their old name %s', (name, message) => {
    expect(() => resolve({}, { [name]: 'x' })).toThrow(message);
  });

  it.each([
    [{ ssl_ciphers: 'x' }, 'redisBackendUseSsl: expected true or some of ssl_cert_reqs, '],
    [{ ssl_cert_reqs: 0 }, 'redisBackendUseSsl.ssl_cert_reqs: expected a string; got a value of type number.'],
    ['yes', 'app.conf.redisBackendUseSsl: expected an object; got a value of type string.'],
  ])('redisBackendUseSsl of %j is refused', (value, message) => {
    expect(() => resolve({}, { redisBackendUseSsl: value })).toThrow(message);
  });

  it('are checked like options', () => {
    expect(() => resolve({}, { resultExpires: -5 })).toThrow('expires: expected seconds, 0 or more, or null; got -5.');
    expect(() => resolve({}, { resultBackendTransportOptions: 'x' })).toThrow(ImproperlyConfigured);
    expect(() => resolve({}, 5 as never)).toThrow('app.conf: expected an object; got a value of type number.');
  });

  it.each([
    ['options', () => new RedisBackend({}, 'redis://:hunter2@h' as never)],
    ['app', () => new RedisBackend('redis://:hunter2@h' as never)],
    ['credentials', () => new RedisBackend({}, { url: 'redis://h', credentials: 'hunter2' as never })],
    ['app.conf.redisHost', () => new RedisBackend({ conf: { redisHost: 'redis://:hunter2@h' } })],
    ['app.conf.redisPassword', () => new RedisBackend({ conf: { redisPassword: ['hunter2'] } })],
  ])('a secret in the place of %s is not shown', (name, make) => {
    expect(make).toThrow(CeleryError);
    expect(make).toThrow(name);
    expect(make).not.toThrow(/hunter2/);
  });

  it.each([
    ['redisPort', 'abc'],
    ['redisPort', 0],
    ['redisHost', 5],
    ['redisUsername', 1],
  ])('the setting %s is refused when it is %p', (name, value) => {
    expect(() => resolve({}, { [name]: value })).toThrow(`app.conf.${name}: expected`);
  });

  it('the option sentinel is refused without a URL of sentinel://', () => {
    expect(() => resolve({ url: 'redis://h', sentinel: { masterName: 'm' } })).toThrow(/^sentinel: /);
    expect(() => resolve({ sentinel: { masterName: 'm' } })).toThrow(ImproperlyConfigured);
  });
});
