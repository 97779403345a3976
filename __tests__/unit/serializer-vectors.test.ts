/** Every yaml and msgpack payload that was recorded from real Celery: read, and written again. */
import { readFileSync } from 'node:fs';

import { beforeAll, describe, expect, it } from '@jest/globals';

import { Codec } from '../../src/codec.ts';
import { EncodeError, RemoteError } from '../../src/errors.ts';
import { ExceptionRegistry } from '../../src/exceptions.ts';
import { createMsgpackSerializer } from '../../src/serializers/msgpack.ts';
import { Decimal, PlainTime, Uuid } from '../../src/serializers/values.ts';
import { createYamlSerializer } from '../../src/serializers/yaml.ts';

interface Vector {
  readonly name: string;
  readonly task_id: string;
  readonly payload?: string | null;
  readonly payload_b64?: string;
  readonly error?: { readonly type: string };
}

const serializers = { yaml: createYamlSerializer(), msgpack: createMsgpackSerializer() };
const cases = ['5.2', '5.6'].flatMap((version) => {
  const file = new URL(`../fixtures/celery/celery-${version}.json`, import.meta.url);
  const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: readonly Vector[] };
  return (['yaml', 'msgpack'] as const).map((format) => ({
    version,
    format,
    vectors: vectors.filter(({ name }) => name.startsWith(`${format}/`)),
  }));
});

beforeAll(() => serializers.yaml.load?.());

/** By the vector's name: what a reader gets, from what Python said it stored. */
const RESULTS: Readonly<Record<string, unknown>> = {
  'value/int': 42, 'value/float': 1.5, 'value/float.nan': NaN, 'value/str.unicode': 'h\u00e9llo \u6f22\u5b57',
  'value/null': null, 'value/list.empty': [], 'value/tuple': [1, 'a', [2]], 'value/set': new Set([1]),
  'value/nested': { a: [1, { b: [null, true, 'x'] }], c: { d: { e: [[]] } } },
  'value/datetime.utc': new Date('2024-01-02T03:04:05.678Z'), 'value/bytes': new Uint8Array([97, 98, 99]),
  'meta/request': 'ok',
}; // prettier-ignore

/** The arguments of the exceptions. */
const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = {
  'exception/builtin': ['boom'], 'exception/no-args': [], 'exception/custom-module': ['custom', { code: 7 }],
  'exception/many-args': ['a', 1, 2.5, null, true, ['x'], { k: 'v' }],
  'exception/unjson-arg': ['<UnJson object>', new Set([1]), [1, 2]],
}; // prettier-ignore

/** What Python refuses to write, as TypeScript has it. We refuse it too, but for a set in msgpack, as in JSON. */
const REFUSED: Readonly<Record<string, unknown>> = {
  'yaml/value/decimal': new Decimal('3.140'), 'msgpack/value/decimal': new Decimal('3.140'),
  'msgpack/value/datetime.naive.us': new Date(0), 'msgpack/value/datetime.utc': new Date(0),
  'msgpack/value/time': new PlainTime('03:04:05'), 'msgpack/value/uuid.v4': new Uuid('0'.repeat(32)),
}; // prettier-ignore
const KINDER = ['msgpack/value/set'];

/** What is not written as it was read. All else is the same byte for byte. */
const CHANGES: readonly { readonly why: string; readonly name: string; readonly from: string; readonly to: string }[] =
  [{ why: 'a Date has milliseconds', name: 'yaml/value/datetime.utc', from: '.678901', to: '.678000' }];

function bytesOf({ payload, payload_b64: base64 }: Vector): Buffer {
  return base64 ? Buffer.from(base64, 'base64') : Buffer.from(payload ?? '');
}

function short({ name }: Vector): string {
  return name.slice(name.indexOf('/') + 1);
}

describe.each(cases)('the $format payloads of Celery $version', ({ format, vectors }) => {
  const serializer = serializers[format];
  const codec = new Codec({ serializer, exceptions: new ExceptionRegistry(), maxPayload: 2 ** 29 });
  const stored = vectors.filter(({ error }) => !error);
  const refused = vectors.filter(({ error }) => error);

  it('are there', () => {
    expect(stored.length).toBeGreaterThanOrEqual(11);
    expect(refused.length).toBeGreaterThanOrEqual(1);
  });

  it.each(stored.filter(({ name }) => !/exception|group/.test(name)))('$name is read as what was stored', (vector) => {
    const { status, result, task_id: owner } = codec.decodeMeta(bytesOf(vector), vector.task_id);
    expect({ status, owner }).toEqual({ status: 'SUCCESS', owner: vector.task_id });
    expect(Object.hasOwn(RESULTS, short(vector))).toBe(true);
    expect(result).toEqual(RESULTS[short(vector)]);
  });

  it.each(stored.filter(({ name }) => name.includes('/exception/')))('$name is read as an error', (vector) => {
    const meta = codec.decodeMeta(bytesOf(vector), vector.task_id);
    const error = codec.present(meta, vector.task_id).result as RemoteError;
    expect(error).toBeInstanceOf(RemoteError);
    expect(error.excType).toMatch(/^(ValueError|AppError)$/);
    expect(error.excArgs).toEqual(ARGUMENTS[short(vector)]);
  });

  it.each(stored)('$name is written as it was read', (vector) => {
    const payload = bytesOf(vector);
    const change = CHANGES.find(({ name }) => name === vector.name);
    const expected = change ? Buffer.from(payload.toString('latin1').replace(change.from, change.to)) : payload;
    expect(Buffer.from(serializer.encode(serializer.decode(payload)))).toEqual(expected);
  });

  it.each(refused)('$name has no form, as in Python', ({ name }) => {
    if (KINDER.includes(name)) {
      expect(serializer.decode(Buffer.from(serializer.encode(new Set([1]))))).toEqual([1]);
      return;
    }
    expect(Object.hasOwn(REFUSED, name)).toBe(true);
    expect(() => serializer.encode({ result: REFUSED[name] })).toThrow(EncodeError);
    expect(() => serializer.encode({ result: REFUSED[name] })).toThrow(/^Cannot encode \$\.result: a \w+ has no/);
  });

  it('keep a group, with its members', () => {
    for (const vector of stored.filter(({ name }) => name.includes('/group/'))) {
      const members = [[['t1', null], null], [['t2', null], null]]; // prettier-ignore
      expect(serializer.decode(bytesOf(vector))).toEqual({ result: [[expect.any(String), null], members] });
    }
    expect(format === 'yaml' || stored.some(({ name }) => name.includes('/group/'))).toBe(true);
  });
});
