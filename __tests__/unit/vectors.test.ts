/** Every JSON payload that was recorded from real Celery: read to the value of docs/serialization.md, and written again. */
import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { Codec } from '../../src/codec.ts';
import { RemoteError } from '../../src/errors.ts';
import { ExceptionRegistry } from '../../src/exceptions.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { TypeRegistry } from '../../src/serializers/types.ts';
import { Decimal, PlainDate, PlainTime } from '../../src/serializers/values.ts';

interface Vector {
  readonly name: string;
  readonly task_id: string;
  readonly config: { readonly result_serializer?: string };
  readonly python_repr: string | null;
  readonly payload?: string | null;
}

const recordings = ['5.2', '5.6'].map((version) => {
  const file = new URL(`../fixtures/celery/celery-${version}.json`, import.meta.url);
  const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: readonly Vector[] };
  const isJson = ({ config, payload }: Vector): boolean => (config.result_serializer ?? 'json') === 'json' && !!payload;
  return { version, vectors: vectors.filter(isJson) as (Vector & { payload: string })[] };
});

const serializer = createJsonSerializer({ types: new TypeRegistry() });
const codec = new Codec({ serializer, exceptions: new ExceptionRegistry(), maxPayload: 2 ** 29 });

/** By the vector's name: what a reader gets, from what Python said it stored. */
const VALUES: Readonly<Record<string, unknown>> = {
  'int': 42, 'float': 1.5, 'float.1e16': 1e16, 'float.1e22': 1e22, 'float.0.1+0.2': 0.1 + 0.2, 'float.min': 5e-324,
  'float.nan': NaN, 'float.inf': Infinity, 'false': false, 'null': null, 'str': 'hello', 'str.empty': '',
  'str.unicode': 'h\u00e9llo \u6f22\u5b57', 'str.lone-surrogate': '\ud83d',
  'str.ctrl': '\0\x07\x1b\x7f\u2028\u2029 "q" \\ / \n\r\t\b\f', 'tuple': [1, 'a', [2]],
  'dict.proto': Object.defineProperty({ constructor: 2, toString: 3 }, '__proto__', { value: 1, enumerable: true }),
  'dict.type-unknown': { __type__: 'zzz', __value__: 1 },
  'dict.type-extra-key': { __type__: 'datetime', __value__: 'x', k: 1 },
  'result-object/asyncresult': [['c1', [['c0', null], null]], null],
}; // prettier-ignore

/** The same where kombu 5.3 and later write an envelope. */
const TYPED: Readonly<Record<string, unknown>> = {
  'datetime.naive': new Date('2024-01-02T03:04:05Z'), 'datetime.naive.ms': new Date('2024-01-02T03:04:05.678Z'),
  'datetime.utc': new Date('2024-01-02T03:04:05.678Z'), 'datetime.+05:30': new Date('2024-01-01T21:34:05Z'),
  'datetime.-08:00.us': new Date('2024-01-02T11:04:05.000Z'), 'datetime.year1': new Date('0001-01-01T00:00:00Z'),
  'date': new PlainDate('2024-01-02'), 'time': new PlainTime('03:04:05'), 'time.us': new PlainTime('03:04:05.678901'),
  'uuid.v4': '0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5', 'uuid.nil': '00000000-0000-0000-0000-000000000000',
  'decimal': new Decimal('3.140'), 'decimal.big': new Decimal('123456789012345678901234567890.123456789'),
  'decimal.nan': new Decimal('NaN'), 'decimal.negzero': new Decimal('-0'),
  'bytes': new Uint8Array([97, 98, 99]), 'bytes.empty': new Uint8Array(),
}; // prettier-ignore

/** The same where kombu 5.2 wrote a text. */
const TEXTS: Readonly<Record<string, unknown>> = {
  'datetime.naive': '2024-01-02T03:04:05', 'datetime.naive.ms': '2024-01-02T03:04:05.678000',
  'datetime.utc': '2024-01-02T03:04:05.678901Z', 'datetime.+05:30': '2024-01-02T03:04:05+05:30',
  'datetime.-08:00.us': '2024-01-02T03:04:05.000001-08:00', 'datetime.year1': '0001-01-01T00:00:00',
  'date': '2024-01-02T00:00:00', 'time': '03:04:05', 'time.us': '03:04:05.678901',
  'uuid.v4': '0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5', 'uuid.nil': '00000000-0000-0000-0000-000000000000',
  'decimal': '3.140', 'decimal.big': '123456789012345678901234567890.123456789', 'decimal.nan': 'NaN', 'decimal.negzero': '-0',
}; // prettier-ignore

/** What is not written as it was read, and why. All else is the same byte for byte. */
const CHANGES: readonly { readonly why: string; readonly from: RegExp; readonly to: string }[] = [
  {
    why: 'a uuid is read as a string',
    from: /\{"__type__": "uuid", "__value__": \{"hex": "(.{8})(.{4})(.{4})(.{4})(.{12})"\}\}/g,
    to: '"$1-$2-$3-$4-$5"',
  },
  { why: 'a naive datetime is one in UTC', from: /("datetime", "__value__": "[^"]{19}(?:\.\d+)?)"/g, to: '$1+00:00"' },
  { why: 'a Date has milliseconds', from: /("datetime", "__value__": "[^"]{19}\.\d{3})\d{3}/g, to: '$1000' },
  { why: 'a Date has no fraction then', from: /("datetime", "__value__": "[^"]{19})\.000000/g, to: '$1' },
  { why: 'a Date has no offset', from: /2024-01-02T03:04:05\+05:30(?="\})/g, to: '2024-01-01T21:34:05+00:00' },
  { why: 'a Date has no offset', from: /2024-01-02T03:04:05-08:00(?="\})/g, to: '2024-01-02T11:04:05+00:00' },
];
const REFUSED = /^json\/value\/dict\.type-unknown$/;

function writtenAgain(payload: string): string {
  return CHANGES.reduce((text, { from, to }) => text.replace(from, to), payload);
}

/** The arguments of `ValueError('boom', 2)`, for the plain ones. */
function reprMessage(repr: string): string | undefined {
  const text = /^\(?\w+\('([^'\\]*)'\),?\)?$/.exec(repr)?.[1];
  return text;
}

describe.each(recordings)('the payloads of Celery $version', ({ version, vectors }) => {
  const values = { ...VALUES, ...(version === '5.6' ? TYPED : TEXTS) };

  it('are many', () => {
    expect(vectors.length).toBeGreaterThan(150);
  });

  it.each(vectors.filter(({ name }) => name.startsWith('json/value/')))(
    '$name is read as what was stored',
    (vector) => {
      const { result, status } = codec.decodeMeta(Buffer.from(vector.payload), vector.task_id);
      expect(status).toBe('SUCCESS');
      const short = vector.name.slice('json/value/'.length);
      if (short === 'str.long') expect(result).toMatch(/^x{100,}$/);
      else if (short === 'dict.type-lookalike') {
        const lookalike = { __type__: 'datetime', __value__: '2024-01-02T03:04:05' };
        expect(result).toEqual(new Date('2024-01-02T03:04:05Z'));
        expect(vector.payload).toContain(lookalike.__value__);
      } else {
        expect(Object.hasOwn(values, short)).toBe(true);
        expect(result).toEqual(values[short]);
      }
    },
  );

  it.each(vectors.filter(({ payload }) => /"status": "(FAILURE|RETRY|REVOKED)"/.test(payload)))(
    '$name is read as an error',
    ({ payload, task_id, python_repr }) => {
      const meta = codec.decodeMeta(Buffer.from(payload), task_id);
      const error = codec.present(meta, task_id).result as RemoteError;
      expect(error).toBeInstanceOf(RemoteError);
      expect(error.message.length + error.excArgs.length).toBeGreaterThan(0);
      const message = reprMessage(python_repr ?? '');
      if (message !== undefined) expect(error.message).toBe(message);
    },
  );

  it.each(vectors.filter(({ name }) => !REFUSED.test(name)))('$name is written as it was read', (vector) => {
    const document = serializer.decode(Buffer.from(vector.payload));
    // 1.0 would become 1, but no recorded payload has one. Addresses of objects (0x...) are texts, and stay.
    expect(serializer.encode(document)).toBe(writtenAgain(vector.payload));
  });

  it('refuses to write a look-alike of an envelope that was read', () => {
    for (const { payload, task_id } of vectors.filter(({ name }) => REFUSED.test(name))) {
      const meta = codec.decodeMeta(Buffer.from(payload), task_id);
      expect(() => codec.encodeMeta(meta)).toThrow('$.result: an object with exactly the keys');
    }
  });
});
