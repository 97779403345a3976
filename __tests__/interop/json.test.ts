/** What is written here, as real Python and real Celery read it. */
import { execFileSync } from 'node:child_process';

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { encodeException, ExceptionRegistry } from '../../src/exceptions.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { TypeRegistry } from '../../src/serializers/types.ts';
import { Decimal, PlainDate, PlainTime, Uuid } from '../../src/serializers/values.ts';
import { findCeleryPython } from '../support/require-celery.ts';

const json = createJsonSerializer({ types: new TypeRegistry() });

/** Runs a program that reads a list of JSON texts and prints one. */
function python(program: string, texts: readonly string[]): unknown {
  const input = JSON.stringify(texts);
  const options = { input, encoding: 'utf8', maxBuffer: 2 ** 28 } as const;
  return JSON.parse(execFileSync(findCeleryPython().command, ['-c', program], options));
}

const DUMP_AGAIN = `
import json, sys
print(json.dumps([json.dumps(json.loads(text)) for text in json.load(sys.stdin)]))`;

const leaf = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.double({ min: 1e-8, max: 1e-2 }),
  fc.double({ min: 1e14, max: 1e24 }),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(null, NaN, Infinity, -Infinity, -0, 2 ** 53, -(2 ** 53), 1e16, 1e-5, 5e-324),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('tree'), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('tree'), { maxKeys: 5 }),
  ),
}));

describe('JSON between here and Python', () => {
  it('is the same text that Python writes for what it read', () => {
    const texts = fc.sample(tree, 2000).map((value) => json.encode(value) as string);
    expect(python(DUMP_AGAIN, texts)).toEqual(texts);
  });

  it('carries floats of any bits without a change', () => {
    const bits = fc.sample(fc.uint8Array({ minLength: 8, maxLength: 8 }), 2000);
    const texts = bits.map((bytes) => json.encode(new DataView(bytes.buffer).getFloat64(0)) as string);
    expect(python(DUMP_AGAIN, texts)).toEqual(texts);
  });

  it('has typed values that Python reads as the same values', () => {
    const program = `
import base64, datetime, decimal, json, sys, uuid
READ = {"datetime": datetime.datetime.fromisoformat, "date": datetime.date.fromisoformat, "time": datetime.time.fromisoformat,
        "decimal": decimal.Decimal, "uuid": lambda v: uuid.UUID(**v), "bytes": lambda v: v.encode("utf-8"),
        "base64": lambda v: base64.b64decode(v, validate=True)}
def hook(o):
    return READ[o["__type__"]](o["__value__"]) if o.keys() == {"__type__", "__value__"} else o
print(json.dumps([repr(json.loads(text, object_hook=hook)) for text in json.load(sys.stdin)]))`;
    const expected: readonly (readonly [unknown, string])[] = [
      [
        new Date('2024-01-02T03:04:05.678Z'),
        'datetime.datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc)',
      ],
      [new Date('0001-01-01T00:00:00Z'), 'datetime.datetime(1, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)'],
      [new PlainDate('2024-02-29'), 'datetime.date(2024, 2, 29)'],
      [new PlainTime('03:04:05.6'), 'datetime.time(3, 4, 5, 600000)'],
      [new Decimal('1E+100'), "Decimal('1E+100')"],
      [new Decimal('.5e-3'), "Decimal('0.0005')"],
      [new Uuid('0E4A9F7E6D7F4AD28E4A92A1B2C3D4E5'), "UUID('0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5')"],
      [Buffer.from('h\u00e9'), String.raw`b'h\xc3\xa9'`],
      [new Uint8Array([0xff, 0, 0x80]), String.raw`b'\xff\x00\x80'`],
    ];
    expect(python(program, expected.map(([value]) => json.encode(value) as string))).toEqual(expected.map(([, repr]) => repr)); // prettier-ignore
  });
});

describe('errors, as Celery raises them', () => {
  const program = `
import json, sys
from celery import Celery
backend = Celery(set_as_current=False, backend="cache+memory://").backend
def raised(info):
    error = backend.exception_to_python(info)
    return [type(error).__name__, isinstance(error, Exception), str(error)]
print(json.dumps([raised(json.loads(text)) for text in json.load(sys.stdin)]))`;

  const names = [
    'map', 'eval', 'help', 'exit', 'print', 'NotImplemented', 'Ellipsis', 'None', '__import__', 'object', 'type', 'int', 'quit',
    'KeyError', 'UnicodeDecodeError', 'UnicodeEncodeError', 'ExceptionGroup', 'BaseException', 'SystemExit', 'KeyboardInterrupt',
    'GeneratorExit', 'Warning', 'ValueError', 'TimeoutError', 'OSError', 'StopIteration', 'StopAsyncIteration', 'ConnectionError', 'FileNotFoundError',
    'AttributeError', 'ImportError', 'NameError', 'UnboundLocalError', 'IndentationError', 'RecursionError', 'a.b', 'os.system',
    'Outer.InnerError', '.', 'with space', '\u6f22\u5b57', 'caf\u00e9\u{1f600}', 'a-b/c:d', "quote'\"", 'x'.repeat(5000), '__class__', 'celery',
  ]; // prettier-ignore
  const own = class InvoiceError extends Error {};
  const derived = class TE extends TypeError {};
  const ranged = class RE extends RangeError {};
  const errors: readonly (readonly [Error, string])[] = [
    [new Error('boom'), 'Error'],
    [new TypeError('boom'), 'TypeError'],
    [new SyntaxError('boom'), 'SyntaxError'],
    [new RangeError('boom'), 'RangeError'],
    [new AggregateError([new Error('x')], 'boom'), 'AggregateError'],
    [new own('boom'), 'InvoiceError'],
    [new derived('boom'), 'TE'],
    [new ranged('boom'), 'RE'],
    [new DOMException('boom', 'AbortError'), 'AbortError'],
    ...names.map(
      (name) => [Object.assign(new Error(`m\u00e9ssage of '${name}'\n`), { name }), name.slice(0, 200)] as const,
    ),
    [Object.assign(new Error('odd'), { name: 'a\0b\u001b[31m\ud800' }), 'ab\ufffd'],
    [new Error(''), 'Error'],
  ];

  it('have the class name of ours, and our message as their str()', () => {
    const infos = errors.map(([error]) => json.encode(encodeException(error, new ExceptionRegistry()).info) as string);
    expect(python(program, infos)).toEqual(errors.map(([error, name]) => [name, true, error.message]));
  });

  it('come of every value that is no error', () => {
    const values = ['just text', null, undefined, 5, { why: 'x' }, [1], true, Symbol('s'), () => 1];
    const infos = values.map((value) => json.encode(encodeException(value).info) as string);
    for (const [name, isException, message] of python(program, infos) as [string, boolean, string][]) {
      expect([name, isException]).toEqual(['Error', true]);
      expect(message).not.toBe('');
    }
  });
});
