/** What the fuzzer found, each with an input of its own. */
import { afterEach, beforeEach, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/clock.ts';
import { Codec } from '../../src/codec.ts';
import { configFromEnv } from '../../src/env.ts';
import { DecodeError, ImproperlyConfigured } from '../../src/errors.ts';
import { ExceptionRegistry } from '../../src/exceptions.ts';
import { RedisBackend } from '../../src/index.ts';
import { closeSpace, openSpace } from '../../src/memory/space.ts';
import { resolveOptions } from '../../src/options.ts';
import { formatUrl, parseRedisUrl } from '../../src/redis/options.ts';
import { requestFromMessage } from '../../src/request.ts';
import { readable } from '../../src/serializers/excerpt.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { createSuperJsonSerializer } from '../../src/serializers/superjson.ts';

const superjson = createSuperJsonSerializer();
beforeAll(() => superjson.load?.());

function unwrap(json: unknown, meta: unknown): unknown {
  return superjson.unwrap?.({ __superjson__: 1, json, meta });
}

describe('superjson from the wire', () => {
  it.each([
    ['a path beyond the end of an array', [], { values: { '4294967294': ['undefined'] }, v: 1 }],
    ['a typed array of a number', 4e9, { values: [['typed-array', 'Int8Array']], v: 1 }],
    ['a typed array of an object with a length', { length: 4e9 }, { values: [['typed-array', 'Int8Array']], v: 1 }],
    ['a typed array named constructor', [1], { values: [['typed-array', 'constructor']], v: 1 }],
    ['an integer of too many digits', '9'.repeat(4301), { values: ['bigint'], v: 1 }],
    ['an integer in base 16', '0xff', { values: ['bigint'], v: 1 }],
    ['a 64-bit integer of many digits', ['9'.repeat(500)], { values: [['custom', 'celery-redis-backend.BigInt64Array']], v: 1 }],
    ['a path into what is a set already', { a: [1, 2] }, { values: { 'a': ['set'], 'a.0': ['undefined'] }, v: 1 }],
    ['an error whose name is no text', { name: { toString: 1 }, message: 'a' }, { values: ['Error'], v: 1 }],
    ['a path through __proto__', { a: {} }, { referentialEqualities: { a: ['__proto__.x'] }, v: 1 }],
  ])('is refused with %s', (_what, json, meta) => {
    expect(() => unwrap(json, meta)).toThrow(DecodeError);
  }); // prettier-ignore

  it('is refused when its references double from object to object', () => {
    const json = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`a${i}`, [0, 0]]));
    const links = Array.from({ length: 39 }, (_, i) => [`a${i}`, [`a${i + 1}.0`, `a${i + 1}.1`]] as const);
    expect(() => unwrap(json, { referentialEqualities: Object.fromEntries(links), v: 1 })).toThrow(
      /expands, by its references/,
    );
  });

  it('is refused without control characters in the message when it names an unknown class', () => {
    expect(() => unwrap({}, { values: [['class', '\x1b[2J']], v: 1 })).toThrow(/unknown class '\\u001b\[2J'/);
  });

  it('keeps cycles, shared objects in maps and sets, and their order', () => {
    const shared = { x: 1 };
    const value = {
      first: shared,
      map: new Map<unknown, unknown>([['k', shared]]),
      set: new Set([shared, 2]),
      list: [shared],
      self: {},
    };
    value.self = value;
    // Over the wire, where nothing is shared.
    const text = Buffer.from(superjson.encode(superjson.wrap?.(value)));
    const back = superjson.unwrap?.(superjson.decode(text)) as typeof value;
    expect(back.self).toBe(back);
    expect([...back.set]).toEqual([{ x: 1 }, 2]);
    for (const other of [back.list[0], back.map.get('k'), [...back.set][0]]) expect(other).toBe(back.first);
  });
});

describe('messages of errors', () => {
  it('have no control characters of the JSON they are about', () => {
    expect(() => createJsonSerializer().decode(Buffer.from('\x1b[2J'))).toThrow(/Unexpected token '\\u001b'/);
  });

  it('show a wrong option neither whole, nor with control characters, nor with a password in it', () => {
    expect(() => configFromEnv({ CELERY_TASK_IGNORE_RESULT: '\x9b' })).toThrow(/got "\\u009b"/);
    expect(() => resolveOptions({ timezone: 'redis://:pw@h' }, {})).toThrow(/a text with an address in it/);
    expect(() => resolveOptions({ expires: 'x'.repeat(9000) }, {})).toThrow(/^.{1,300}$/);
    expect(() => resolveOptions({ serializer: 10n ** 4000n } as never, {})).toThrow(/^.{1,300}$/);
  });

  it('show an object of many fields in part', () => {
    const many = Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`k${i}`, { a: i }]));
    expect(readable(many, 8192).length).toBeLessThanOrEqual(8192);
    expect(readable(many, 8192)).toMatch(/^\{ k0: \[Object\], /);
    expect(readable({ a: { b: { c: 1 } } }, 100)).toBe('{ a: { b: { c: 1 } } }');
  });
});

describe('settings', () => {
  it('refuse a url that is no text when sentinels are given', () => {
    expect(() => resolveOptions({ url: {}, sentinel: { masterName: 'm' } } as never, {})).toThrow(ImproperlyConfigured);
  });

  it.each([
    [{ redisBackendUseSsl: { '\x9b2J': true } }, /got "\\u009b2J"\.$/],
    [{ resultBackendTransportOptions: { sentinelKwargs: { '\x9b2J': 1 } } }, /got "\\u009b2J"\.$/],
  ])('refuse a name of TLS without its control characters in the message: %j', (conf, message) => {
    expect(() => resolveOptions({ url: 'rediss://h' }, conf)).toThrow(message);
  });

  it('refuse a scheme that is a property of every object', () => {
    expect(() => parseRedisUrl('constructor://localhost')).toThrow(/^url: expected it to start with one of/);
  });

  it('refuse half a surrogate pair in a URL, and write none', () => {
    expect(() => parseRedisUrl('redis://:\ud83d@localhost')).toThrow(ImproperlyConfigured);
    expect(formatUrl({ ...parseRedisUrl('redis://h'), password: '\ud83d' })).toBe('redis://:%EF%BF%BD@h:6379/0');
  });
});

describe('a task', () => {
  it('whose message has signatures 2,000 levels deep is refused', () => {
    let body: object = { task: 'app.last' };
    for (let i = 0; i < 2000; i++) body = { task: 'celery.group', kwargs: { tasks: [body] } };
    const message = { headers: { id: 'a', task: 'app.add' }, body: [[], {}, { chord: body }] };
    expect(() => requestFromMessage(message)).toThrow('deeper than 1000');
  });

  it('whose message has one object in many places, or within itself, is looked through once a level', () => {
    let shared: unknown = [];
    for (let level = 0; level < 100; level += 1) shared = [shared, shared];
    const headers = { id: 'a', task: 't', shared };
    expect(requestFromMessage({ headers, properties: {}, body: [[], {}, {}] })).toMatchObject({ id: 'a' });
    const cycle: unknown[] = [];
    cycle.push(cycle, cycle);
    expect(() =>
      requestFromMessage({ headers: { ...headers, shared: cycle }, properties: {}, body: [[], {}, {}] }),
    ).toThrow('deeper than 1000');
  });

  it('whose part of a chord has an object for an id is read', () => {
    const codec = new Codec({
      serializer: createJsonSerializer(),
      exceptions: new ExceptionRegistry(),
      maxPayload: 2 ** 20,
    });
    const part = codec.decodePart(Buffer.from('[1, {"toString": 1}, "SUCCESS", 2]'));
    expect(part).toEqual({ taskId: 'an object', state: 'SUCCESS', result: 2 });
  });
});

describe('a chord', () => {
  const url = 'memory://hostile-chord';
  const hostile = (excType: string) => ({ exc_type: excType, exc_message: [{ toString: 1 }], exc_module: 'builtins' });
  const member = { task: 'app.last', options: { task_id: 'member' } };
  const body = { task: 'celery.group', kwargs: { tasks: [member] }, options: { task_id: 'body' } };
  const request = { id: 'part', group: 'g', chord: body };
  let backend: RedisBackend;

  beforeEach(() => {
    backend = new RedisBackend({ applySignature: () => undefined }, { url });
  });
  afterEach(() => backend.close());

  it('fails its body when a part failed with an argument that has no text', async () => {
    await backend.setChordSize('g', 1);
    await backend.markAsFailure('part', hostile('ValueError'), { request });
    const { status, traceback } = await backend.getTaskMeta('member');
    expect({ status, traceback }).toEqual({ status: 'FAILURE', traceback: 'ValueError: { toString: 1 }\n' });
  });

  it('is settled by a body that failed with an argument that has no text', async () => {
    await backend.storeResult('member', hostile('ChordError'), 'FAILURE');
    openSpace(url, systemClock).set('celery-taskset-meta-g.s', Buffer.from('no number'), null);
    try {
      expect(await backend.onChordPartReturn(request, 'SUCCESS', 1)).toBe('elsewhere');
    } finally {
      closeSpace(url);
    }
  });
});
