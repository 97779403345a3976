/** Payloads that are wrong in any way: each fails the call that reads it, by a typed error, and nothing else. */
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/clock.ts';
import { type BackendOptions, type DecodeError, RedisBackend } from '../../src/index.ts';
import { closeSpace, openSpace, type Space } from '../../src/memory/space.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { createMsgpackSerializer } from '../../src/serializers/msgpack.ts';
import { createYamlSerializer } from '../../src/serializers/yaml.ts';
import { failure } from '../support/failure.ts';

const SERIALIZERS = ['json', 'superjson', 'yaml', 'msgpack'] as const;
type Name = (typeof SERIALIZERS)[number];

let url: string;
let space: Space;
const backends: RedisBackend[] = [];
beforeEach(() => {
  url = `memory://${randomUUID()}`;
  space = openSpace(url, systemClock);
});
afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
  closeSpace(url);
});

function open(options: BackendOptions = {}): RedisBackend {
  const backend = new RedisBackend({}, { url, maxCachedResults: -1, ...options });
  backends.push(backend);
  return backend;
}

const keyOf = (id: string): string => `celery-task-meta-${id}`;
const put = (id: string, payload: string | Uint8Array): void => {
  space.set(keyOf(id), Buffer.from(payload), null);
};
const publish = (id: string, payload: string | Uint8Array): void => {
  space.publish(keyOf(id), Buffer.from(payload));
};
const text = (id: string, result: unknown, status = 'SUCCESS'): string =>
  JSON.stringify({ status, result, task_id: id });

/** Starts a wait, and resolves once its channel is live. */
async function live(backend: RedisBackend, id: string): Promise<{ readonly result: Promise<unknown> }> {
  let seen = (): void => undefined;
  const shown = new Promise<void>((resolve) => (seen = resolve));
  const result = backend.waitFor(id, { timeout: 20, onMessage: () => { seen(); } }); // prettier-ignore
  result.catch(() => undefined);
  await backend.storeResult(id, null, 'SEEN');
  await shown;
  return { result };
}

/** Bytes at a key or in a message, and what the error of a json backend says of them. */
const wrong: readonly (readonly [title: string, payload: string | Uint8Array, message: RegExp])[] = [
  ['cut off', '{"status": "SUCC', /not JSON/],
  ['plain text', 'rubbish', /not JSON/],
  ['only spaces', '   ', /not JSON/],
  ['of invalid UTF-8', Buffer.from('{"status": "SUCCESS", "result": "\xff"}', 'latin1'), /not UTF-8/],
  ['of a surrogate in UTF-8', Buffer.from('{"status": "SUCCESS", "result": "\xed\xa0\x80"}', 'latin1'), /not UTF-8/],
  ['with a byte order mark', '\ufeff{"status": "SUCCESS"}', /byte order mark/],
  ['with a NUL behind it', '{"status": "SUCCESS"}\0', /not JSON/],
  ['nested a million deep', '['.repeat(1_000_000), /deeper than/],
  ['with a number of 5,000 digits', `{"status": "SUCCESS", "result": ${'9'.repeat(5_000)}}`, /digits/],
  ['an array', '[1]', /meta; got an array/],
  ['null', 'null', /meta; got null/],
  ['without a status', '{"result": 1}', /status; got/],
  ['with a number for a status', '{"status": 5}', /status; got 5/],
  ['with null for a status', '{"status": null}', /status; got null/],
  ['with a list for a status', '{"status": ["SUCCESS"]}', /status; got an array/],
  ['with its status in __proto__', '{"__proto__": {"status": "SUCCESS"}}', /status; got/],
  ['of another task', '{"status": "SUCCESS", "task_id": "other"}', /task "\S+"; got that of "other"/],
  ['with a number for an id', '{"status": "SUCCESS", "task_id": 7}', /got that of 7/],
  ['with a broken date', '{"status": "SUCCESS", "result": {"__type__": "datetime", "__value__": "soon"}}', /datetime/],
];

describe.each(wrong)('a payload that is %s', (_, payload, message) => {
  it('at a key fails who reads it, names the task, and is replaced by the next store', async () => {
    const backend = open();
    const [bad, good] = [randomUUID(), randomUUID()];
    put(bad, payload);
    put(good, text(good, 1));
    const reads = [backend.getResult(bad), backend.getStatus(bad), backend.waitFor(bad, { timeout: 20 })];
    const errors = await Promise.all(reads.map((read) => failure<DecodeError>(read)));
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'CELERY_DECODE', taskId: bad });
      expect(error.message).toMatch(message);
      expect(error.message.length).toBeLessThan(400);
    }
    expect(await Promise.all([backend.getResult(good), backend.waitFor(good)])).toEqual([1, 1]);
    if (!String(payload).startsWith('{"status": "SUCCESS"')) {
      expect(await backend.storeResult(bad, 2, 'SUCCESS')).toBe('stored');
      expect(await backend.getResult(bad)).toBe(2);
    }
  });

  it('in a message is no answer: the key is read, this wait and those of others go on', async () => {
    const backend = open();
    const [one, other] = [randomUUID(), randomUUID()];
    const waits = [await live(backend, one), await live(backend, other)];
    const rejected: unknown[] = [];
    const note = (event: unknown): void => void rejected.push(event);
    subscribe('celery-redis-backend:rejected', note);
    publish(one, payload);
    await new Promise((resolve) => setImmediate(resolve));
    unsubscribe('celery-redis-backend:rejected', note);
    expect(rejected).toEqual([{ taskId: one, error: expect.objectContaining({ code: 'CELERY_DECODE' }) }]);
    await backend.storeResult(other, 'other', 'SUCCESS');
    await backend.storeResult(one, 'one', 'SUCCESS');
    expect(await Promise.all(waits.map(({ result }) => result))).toEqual(['one', 'other']);
  });
});

describe('a payload that is odd, and right', () => {
  it.each([
    ['NaN', NaN],
    ['[Infinity, -Infinity]', [Infinity, -Infinity]],
    ['12345678901234567890', 12345678901234567890n],
    [String.raw`"\ud83d"`, '\ud83d'],
    ['{"a": 1, "a": 2}', { a: 2 }],
    ['"\u2028\u{1f600}"', '\u2028\u{1f600}'],
  ])('as Python writes %s is read as it was meant, by key and by message', async (written, value) => {
    const backend = open();
    const id = randomUUID();
    const payload = `{"status": "SUCCESS", "result": ${written}, "task_id": "${id}"}`;
    const { result } = await live(backend, id);
    publish(id, payload);
    expect(await result).toEqual(value);
    put(id, payload);
    expect(await backend.getResult(id)).toEqual(value);
  });

  it('of no bytes is no result yet, at a key as in a message', async () => {
    const backend = open();
    const id = randomUUID();
    put(id, '');
    expect(await backend.getStatus(id)).toBe('PENDING');
    const { result } = await live(backend, id);
    publish(id, '');
    await backend.storeResult(id, 1, 'SUCCESS');
    expect(await result).toBe(1);
  });

  it('without an id, a result and all the rest is taken for that of its key', async () => {
    const id = randomUUID();
    put(id, '{"status": "SUCCESS"}');
    expect(await open().waitFor(id)).toBeNull();
  });

  it('with two statuses has the last one for its readers, and the first one for stores', async () => {
    const backend = open();
    const id = randomUUID();
    put(id, '{"status": "FAILURE", "status": "SUCCESS", "result": 1}');
    expect(await backend.getResult(id)).toBe(1);
    expect(await backend.storeResult(id, 2, 'SUCCESS')).toBe('stored');
  });

  it('in a message that differs from the key answers who waits; who reads is told the key', async () => {
    const backend = open();
    const id = randomUUID();
    const { result } = await live(backend, id);
    put(id, text(id, 'key'));
    publish(id, text(id, 'message'));
    expect(await result).toBe('message');
    expect(await backend.getResult(id)).toBe('key');
  });
});

describe('a payload of another serializer', () => {
  const document = (id: string): object => ({ status: 'SUCCESS', result: 'h\u00e9', traceback: null, task_id: id });
  const pickle = Buffer.from('\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x06status\x94\x8c\x07SUCCESS\x94s.', 'latin1'); // prettier-ignore
  const yaml = createYamlSerializer();
  const written: Readonly<Record<string, (id: string) => Promise<string | Uint8Array>>> = {
    pickle: () => Promise.resolve(pickle),
    JSON: (id) => Promise.resolve(createJsonSerializer().encode(document(id))),
    msgpack: (id) => Promise.resolve(createMsgpackSerializer().encode(document(id))),
    yaml: async (id) => {
      await yaml.load?.();
      return yaml.encode(document(id));
    },
  };
  const own: Readonly<Record<Name, string>> = { json: 'JSON', superjson: 'JSON', yaml: 'yaml', msgpack: 'msgpack' };
  const pairs = SERIALIZERS.flatMap((reader) => Object.keys(written).map((format) => ({ reader, format })));

  it.each(pairs.filter(({ reader, format }) => own[reader] !== format && !(reader === 'yaml' && format === 'JSON')))(
    '$format is refused by $reader with that guess, run by nobody, and replaced by the next store',
    async ({ reader, format }) => {
      const backend = open({ serializer: reader });
      const id = randomUUID();
      put(id, (await written[format]?.(id)) ?? '');
      const error = await failure<DecodeError>(backend.getResult(id));
      const name = reader === 'superjson' ? 'json' : reader;
      expect(error).toMatchObject({ code: 'CELERY_DECODE', taskId: id });
      expect(error.message).toContain(`looks like ${format}: set result_serializer='${name}' on the Python side.`);
      expect(await backend.storeResult(id, 'new', 'SUCCESS')).toBe('stored');
      expect(await backend.getResult(id)).toBe('new');
    },
  );

  it('in JSON is read by yaml, of which it is a part', async () => {
    const id = randomUUID();
    put(id, (await written['JSON']?.(id)) ?? '');
    expect(await open({ serializer: 'yaml' }).getResult(id)).toBe('h\u00e9');
  });

  it('in superjson is read by json as what is in it, with its marker', async () => {
    const id = randomUUID();
    await open({ serializer: 'superjson' }).storeResult(id, new Set([1]), 'SUCCESS');
    expect(await open().getResult(id)).toEqual({ __superjson__: 1, json: [1], meta: expect.anything() });
  });
});
