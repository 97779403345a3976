import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Decimal, PlainDate, PlainTime, type RedisBackend, Uuid } from '../../src/index.ts';
import { Border, hasEnvelopes, taskId } from '../support/border.ts';
import { findCeleryPython } from '../support/require-celery.ts';

const python = findCeleryPython();
const envelopes = hasEnvelopes(python);
const version = `Celery ${python.celery}, kombu ${python.kombu}`;

let border: Border;
let backend: RedisBackend;

beforeAll(async () => {
  border = await Border.open();
  backend = border.backend({ maxCachedResults: -1 });
});

afterAll(async () => {
  await border[Symbol.asyncDispose]();
});

/** Stores a Python expression by Python, reads it here. */
async function fromPython(expression: string): Promise<unknown> {
  const id = taskId();
  await border.python.run(
    `import datetime, decimal, uuid, enum, collections
app.backend.store_result(task_id, ${expression}, 'SUCCESS')`,
    { task_id: id },
  );
  return backend.getResult(id);
}

/** Stores a value here, and asks Python whether it reads what the expression says, of the same types. */
async function toPython(value: unknown, expression: string): Promise<unknown> {
  const id = taskId();
  await backend.storeResult(id, value, 'SUCCESS');
  return border.python.run(
    `import datetime, decimal, uuid
result, expected = AsyncResult(task_id, app=app).result, ${expression}
return True if repr(result) == repr(expected) and type(result) is type(expected) else repr(result)`,
    { task_id: id },
  );
}

/** The values that both sides have, the same in both directions. */
const SHARED: readonly [title: string, value: unknown, expression: string][] = [
  ['0', 0, '0'],
  ['a negative integer', -7, '-7'],
  ['the largest safe integer', Number.MAX_SAFE_INTEGER, '2 ** 53 - 1'],
  ['an integer of 64 bits', 2n ** 63n, '2 ** 63'],
  ['an integer of 300 digits', 10n ** 300n + 1n, '10 ** 300 + 1'],
  ['a fraction', 0.1, '0.1'],
  ['0.1 + 0.2', 0.1 + 0.2, '0.1 + 0.2'],
  ['-0.0', -0, '-0.0'],
  ['1e+16', 1e16, '1e16'],
  ['1e+300', 1e300, '1e300'],
  ['1e-07', 1e-7, '1e-7'],
  ['the smallest float', 5e-324, '5e-324'],
  ['the largest float', Number.MAX_VALUE, '1.7976931348623157e308'],
  ['NaN', NaN, "float('nan')"],
  ['Infinity', Infinity, "float('inf')"],
  ['-Infinity', -Infinity, "-float('inf')"],
  ['true', true, 'True'],
  ['false', false, 'False'],
  ['null', null, 'None'],
  ['an empty text', '', "''"],
  ['a text beyond ASCII', 'é ü 漢 😀', String.raw`'\u00e9 \u00fc \u6f22 \U0001f600'`],
  ['quotes, backslashes and controls', '"\\/\b\f\n\r\t\0\x7f\u2028', String.raw`'"\\/\b\f\n\r\t\0\x7f\u2028'`],
  ['a lone surrogate', '\ud83d!', String.raw`'\ud83d!'`],
  ['a long text', 'x'.repeat(300_000), "'x' * 300000"],
  ['an empty array', [], '[]'],
  ['an empty object', {}, '{}'],
  ['nested arrays and objects', { a: [1, [2, { b: null }]], '': [[]] }, "{'a': [1, [2, {'b': None}]], '': [[]]}"],
  ['a key of an odd name', JSON.parse('{"__proto__": {"x": 1}, "ключ": 2}'), "{'__proto__': {'x': 1}, 'ключ': 2}"],
  ['a depth of 200', nest(200), "__import__('functools').reduce(lambda inner, _: [inner], range(200), [])"],
];

function nest(levels: number): unknown {
  let value: unknown = [];
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}

describe('a value that both languages have', () => {
  it.each(SHARED)('is the same for TypeScript when Python stores %s', async (_title, value, expression) => {
    expect(await fromPython(expression)).toStrictEqual(value);
  });

  it.each(SHARED)('is the same for Python when TypeScript stores %s', async (_title, value, expression) => {
    expect(await toPython(value, expression)).toBe(true);
  });
});

describe('a value that only one language has', () => {
  it.each([
    ['a tuple', '(1, (2,))', [1, [2]]],
    ['a float without a fraction', '1.0', 1],
    ['keys that are no texts', '{1: "a", 2.5: "b", True: "c", None: "d"}', { 1: 'c', 2.5: 'b', null: 'd' }],
    ['a member of IntEnum', "enum.IntEnum('Color', 'RED')(1)", 1],
    ['an OrderedDict', 'collections.OrderedDict(b=1, a=2)', { b: 1, a: 2 }],
  ])('becomes its nearest for TypeScript: %s', async (_title, expression, value) => {
    expect(await fromPython(expression)).toStrictEqual(value);
  });

  it.each([
    ['undefined', undefined, 'None'],
    ['a property that is undefined', { a: undefined, b: 1 }, "{'b': 1}"],
    ['a Map', new Map([['a', 1]]), "{'a': 1}"],
    ['a Set', new Set([1, 2]), '[1, 2]'],
  ])('becomes its nearest for Python: %s', async (_title, value, expression) => {
    expect(await toPython(value, expression)).toBe(true);
  });

  it.each(['{1, 2}', 'object()', 'datetime.timedelta(1)', '{(1, 2): 3}'])(
    'is refused by Python and leaves nothing: %s',
    async (expression) => {
      await expect(fromPython(expression)).rejects.toThrow('EncodeError');
    },
  );
});

interface Typed {
  readonly title: string;
  /** Its Python. */
  readonly expression: string;
  /** What Python before kombu 5.3 stores: a text, or nothing. */
  readonly plain: string | null;
  /** What TypeScript reads of an envelope. */
  readonly value: unknown;
  /** What TypeScript stores for it. */
  readonly stored: unknown;
  /** The envelope that Python before kombu 5.3 sees. */
  readonly seen: string;
}

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

const TYPED: readonly Typed[] = [
  {
    title: 'an aware datetime',
    expression: 'datetime.datetime(2024, 1, 2, 3, 4, 5, 678000, datetime.timezone.utc)',
    plain: '2024-01-02T03:04:05.678000Z',
    value: new Date('2024-01-02T03:04:05.678Z'),
    stored: new Date('2024-01-02T03:04:05.678Z'),
    seen: "{'__type__': 'datetime', '__value__': '2024-01-02T03:04:05.678000+00:00'}",
  },
  {
    title: 'a datetime at a whole second',
    expression: 'datetime.datetime(2024, 1, 2, 3, 4, 5, 0, datetime.timezone.utc)',
    plain: '2024-01-02T03:04:05Z',
    value: new Date('2024-01-02T03:04:05Z'),
    stored: new Date('2024-01-02T03:04:05Z'),
    seen: "{'__type__': 'datetime', '__value__': '2024-01-02T03:04:05+00:00'}",
  },
  {
    title: 'a date',
    expression: 'datetime.date(2024, 1, 2)',
    plain: '2024-01-02T00:00:00',
    value: new PlainDate('2024-01-02'),
    stored: new PlainDate('2024-01-02'),
    seen: "{'__type__': 'date', '__value__': '2024-01-02'}",
  },
  {
    title: 'a time',
    expression: 'datetime.time(3, 4, 5, 678901)',
    plain: '03:04:05.678901',
    value: new PlainTime('03:04:05.678901'),
    stored: new PlainTime('03:04:05.678901'),
    seen: "{'__type__': 'time', '__value__': '03:04:05.678901'}",
  },
  {
    title: 'a Decimal',
    expression: "decimal.Decimal('3.140')",
    plain: '3.140',
    value: new Decimal('3.140'),
    stored: new Decimal('3.140'),
    seen: "{'__type__': 'decimal', '__value__': '3.140'}",
  },
  {
    title: 'a UUID',
    expression: "uuid.UUID('0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5')",
    plain: '0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5',
    value: '0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5',
    stored: new Uuid('0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5'),
    seen: "{'__type__': 'uuid', '__value__': {'hex': '0e4a9f7e6d7f4ad28e4a92a1b2c3d4e5'}}",
  },
  {
    title: 'bytes of text',
    expression: "b'text'",
    plain: null,
    value: bytes(116, 101, 120, 116),
    stored: bytes(116, 101, 120, 116),
    seen: "{'__type__': 'bytes', '__value__': 'text'}",
  },
  {
    title: 'other bytes',
    expression: String.raw`b'\xff\x00\x80'`,
    plain: null,
    value: bytes(255, 0, 128),
    stored: Buffer.from([255, 0, 128]),
    seen: "{'__type__': 'base64', '__value__': '/wCA'}",
  },
];

describe(`a typed value, with ${version}, ${envelopes ? 'which knows envelopes' : 'which knows no envelopes'}`, () => {
  it.each(TYPED)('is read as $title, or as its text', async ({ expression, plain, value }) => {
    if (envelopes) expect(await fromPython(expression)).toStrictEqual(value);
    else if (plain !== null) expect(await fromPython(expression)).toBe(plain);
    else await expect(fromPython(expression)).rejects.toThrow('EncodeError');
  });

  it.each(TYPED)('is read by Python as $title, or as its envelope', async ({ stored, expression, seen }) => {
    expect(await toPython(stored, envelopes ? expression : seen)).toBe(true);
  });

  it('is found at any depth', async () => {
    const inner = envelopes ? "decimal.Decimal('1')" : "{'__type__': 'decimal', '__value__': '1'}";
    expect(await toPython({ a: [{ b: new Decimal('1') }] }, `{'a': [{'b': ${inner}}]}`)).toBe(true);
    const read = await fromPython("{'a': [{'b': decimal.Decimal('1')}]}");
    expect(read).toStrictEqual({ a: [{ b: envelopes ? new Decimal('1') : '1' }] });
  });
});
