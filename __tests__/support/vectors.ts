/** What was recorded from real Celery, and the values it was recorded of. */
import { readFileSync } from 'node:fs';
import { Decimal, PlainDate, PlainTime } from '../../src/index.ts';

/** A recorded payload. */
export interface Vector {
  readonly name: string;
  readonly task_id: string;
  readonly config: Readonly<Record<string, unknown>> & { readonly result_serializer?: string };
  readonly python_repr: string | null;
  readonly payload?: string | null;
}

/** Those in JSON, by Celery's version. */
export const recordings: readonly { version: string; vectors: (Vector & { payload: string })[] }[] = ['5.2', '5.6'].map(
  (version) => {
    const file = new URL(`../fixtures/celery/celery-${version}.json`, import.meta.url);
    const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: readonly Vector[] };
    const isJson = ({ config, payload }: Vector): boolean =>
      (config.result_serializer ?? 'json') === 'json' && !!payload;
    return { version, vectors: vectors.filter(isJson) as (Vector & { payload: string })[] };
  },
);

/** By the vector's name: what a reader gets, from what Python said it stored. */
export const VALUES: Readonly<Record<string, unknown>> = {
  'int': 42, 'float': 1.5, 'float.1e16': 1e16, 'float.1e22': 1e22, 'float.0.1+0.2': 0.1 + 0.2, 'float.min': 5e-324,
  'float.nan': NaN, 'float.inf': Infinity, 'false': false, 'null': null, 'str': 'hello', 'str.empty': '',
  'str.unicode': 'h\u00e9llo \u6f22\u5b57', 'str.lone-surrogate': '\ud83d',
  'str.ctrl': '\0\x07\x1b\x7f\u2028\u2029 "q" \\ / \n\r\t\b\f', 'tuple': [1, 'a', [2]],
  'dict.proto': JSON.parse('{"__proto__": 1, "constructor": 2, "toString": 3}') as unknown,
  'dict.type-unknown': { __type__: 'zzz', __value__: 1 },
  'dict.type-extra-key': { __type__: 'datetime', __value__: 'x', k: 1 },
  'result-object/asyncresult': [['c1', [['c0', null], null]], null],
}; // prettier-ignore

/** The same where kombu 5.3 and later write an envelope. */
export const TYPED: Readonly<Record<string, unknown>> = {
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
export const TEXTS: Readonly<Record<string, unknown>> = {
  'datetime.naive': '2024-01-02T03:04:05', 'datetime.naive.ms': '2024-01-02T03:04:05.678000',
  'datetime.utc': '2024-01-02T03:04:05.678901Z', 'datetime.+05:30': '2024-01-02T03:04:05+05:30',
  'datetime.-08:00.us': '2024-01-02T03:04:05.000001-08:00', 'datetime.year1': '0001-01-01T00:00:00',
  'date': '2024-01-02T00:00:00', 'time': '03:04:05', 'time.us': '03:04:05.678901',
  'uuid.v4': '0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5', 'uuid.nil': '00000000-0000-0000-0000-000000000000',
  'decimal': '3.140', 'decimal.big': '123456789012345678901234567890.123456789', 'decimal.nan': 'NaN', 'decimal.negzero': '-0',
}; // prettier-ignore
