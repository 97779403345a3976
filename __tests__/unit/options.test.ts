import { describe, expect, it } from '@jest/globals';
import { ImproperlyConfigured } from '../../src/errors.ts';
import { DEFAULTS, resolveOptions } from '../../src/options.ts';

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
      globalKeyprefix: '',
      commandTimeout: 5,
      connectTimeout: 5,
      heartbeat: 2,
      deadAfter: 6,
      backstop: 30,
      lastLook: 0.25,
      closeTimeout: 10,
      retryPolicy: { maxRetries: 20, intervalStart: 0, intervalStep: 1, intervalMax: 1 },
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
    ['globalKeyprefix', 5, 'globalKeyprefix: expected a string or null; got 5.'],
    ['url', 5, 'url: expected a string; got 5.'],
    ['serializer', 5, 'serializer: expected a name or a serializer; got 5.'],
    ['retryPolicy', { maxRetries: -1 }, 'retryPolicy.maxRetries: expected a whole number of at least 0; got -1.'],
    ['retryPolicy', { intervalMax: NaN }, 'retryPolicy.intervalMax: expected seconds, 0 or more; got NaN.'],
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
  ])('take expires %j for %j seconds', (expires, seconds) => {
    expect(resolve({ expires })['expires']).toBe(seconds);
  });
});

describe('settings of app.conf', () => {
  it.each([
    ['resultBackend', 'redis://h/1', { url: 'redis://h/1' }],
    ['resultSerializer', 'superjson', { serializer: 'superjson' }],
    ['acceptContent', ['json'], { acceptContent: ['json'] }],
    ['resultAcceptContent', ['yaml'], { acceptContent: ['yaml'] }],
    ['resultExpires', 60, { expires: 60 }],
    ['resultExpires', null, { expires: null }],
    ['resultExtended', true, { extended: true }],
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
  ])('%s: %j is honoured, in camelCase and in snake_case', (name, value, expected) => {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    expect(resolve({}, { [name]: value })).toMatchObject(expected);
    expect(resolve({}, { [snake]: value })).toMatchObject(expected);
  });

  it('lose against options', () => {
    const conf = { resultExpires: 60, resultSerializer: 'yaml', resultCacheMax: 5, resultExtended: true };
    const options = { expires: null, serializer: 'json', maxCachedResults: 7, extended: false };
    expect(resolve(options, conf)).toMatchObject(options);
    expect(resolve({ expires: undefined }, conf)).toMatchObject({ expires: 60 });
  });

  it('are checked like options', () => {
    expect(() => resolve({}, { resultExpires: -5 })).toThrow('expires: expected seconds, 0 or more, or null; got -5.');
    expect(() => resolve({}, { resultBackendTransportOptions: 'x' })).toThrow(ImproperlyConfigured);
    expect(() => resolve({}, 5 as never)).toThrow('app.conf: expected an object; got a value of type number.');
  });
});
