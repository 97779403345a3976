import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { EncodeError, InvalidArgumentError } from '../../src/errors.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { TypeRegistry } from '../../src/serializers/types.ts';
import { Decimal, PlainDate, PlainTime, Uuid } from '../../src/serializers/values.ts';

const json = createJsonSerializer({ types: new TypeRegistry() });

function write(value: unknown): string {
  return json.encode(value) as string;
}

function refusal(value: unknown): EncodeError {
  try {
    json.encode(value);
  } catch (error) {
    expect(error).toBeInstanceOf(EncodeError);
    return error as EncodeError;
  }
  throw new Error('the value was written');
}

describe('writing JSON as Python does', () => {
  it.each([
    [0, '0'],
    [-7, '-7'],
    [2 ** 53 - 1, '9007199254740991'],
    [2 ** 53, '9007199254740992.0'],
    [-0, '-0.0'],
    [1.5, '1.5'],
    [0.1 + 0.2, '0.30000000000000004'],
    [1e15 + 0.5, '1000000000000000.5'],
    [1e16, '1e+16'],
    [1.25e22, '1.25e+22'],
    [1e-4, '0.0001'],
    [1e-5, '1e-05'],
    [1.5e-7, '1.5e-07'],
    [5e-324, '5e-324'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [-Infinity, '-Infinity'],
    [12345678901234567890n, '12345678901234567890'],
    [-5n, '-5'],
  ])('writes the number %p as %s', (value, text) => {
    expect(write(value)).toBe(text);
  });

  it('puts a space after commas and colons, and keeps the order of keys', () => {
    expect(write({ b: [1, 'x', null], a: { c: true }, e: {}, d: [] })).toBe(
      '{"b": [1, "x", null], "a": {"c": true}, "e": {}, "d": []}',
    );
  });

  it('escapes long texts as it does short ones, in time and memory of their length', () => {
    const odd = '\0\x07\b\f\n\r\t"\\/\x7f\u00e9\u2028\ud83d\ude00 \ud83d';
    const quoted = write(odd).slice(1, -1);
    for (const count of [60, 70, 5000]) expect(write(odd.repeat(count))).toBe(`"${quoted.repeat(count)}"`);
    const before = process.memoryUsage().heapUsed;
    expect(write('\u00e9'.repeat(2e6)) === `"${'\\u00e9'.repeat(2e6)}"`).toBe(true);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 2 ** 20);
  });

  it('writes many small pieces as one text', () => {
    const numbers = Array.from({ length: 100_000 }, (_, i) => i);
    expect(write(numbers)).toBe(`[${numbers.join(', ')}]`);
    const members = Object.fromEntries(numbers.map((i) => [`k${i}`, ['x'.repeat(i % 7)]]));
    expect(JSON.parse(write(members))).toEqual(members);
    const long = 'x'.repeat(100_000);
    expect(write([1, long, 2, [long]])).toBe(`[1, "${long}", 2, ["${long}"]]`);
  });

  it('escapes all but printable ASCII, and keeps lone surrogates', () => {
    expect(write('\0\x07\b\f\n\r\t"\\/\x7f\u00e9\u2028\ud83d\ude00 \ud83d')).toBe(
      String.raw`"\u0000\u0007\b\f\n\r\t\"\\/\u007f\u00e9\u2028\ud83d\ude00 \ud83d"`,
    );
    expect(write({ '\u00e9': 'x'.repeat(50) + '\u00e9' })).toBe(`{"\\u00e9": "${'x'.repeat(50)}\\u00e9"}`);
  });

  it('writes undefined as null in an array and leaves it out of an object', () => {
    expect(write([undefined, { a: undefined, b: 1 }])).toBe('[null, {"b": 1}]');
    expect(write(undefined)).toBe('null');
  });

  it.each([
    [
      'a Date with milliseconds',
      new Date('2024-01-02T03:04:05.678Z'),
      '"datetime", "__value__": "2024-01-02T03:04:05.678000+00:00"',
    ],
    ['a Date at a whole second', new Date(0), '"datetime", "__value__": "1970-01-01T00:00:00+00:00"'],
    ['a Date before 1970', new Date(-1), '"datetime", "__value__": "1969-12-31T23:59:59.999000+00:00"'],
    ['a Date in the year 1', new Date('0001-01-01T00:00:00Z'), '"datetime", "__value__": "0001-01-01T00:00:00+00:00"'],
    ['UTF-8 bytes', Buffer.from('h\u00e9'), String.raw`"bytes", "__value__": "h\u00e9"`],
    ['no bytes', new Uint8Array(), '"bytes", "__value__": ""'],
    ['other bytes', new Uint8Array([0xff, 0, 0x80]), '"base64", "__value__": "/wCA"'],
    ['a Decimal', new Decimal('3.140'), '"decimal", "__value__": "3.140"'],
    [
      'a Uuid',
      new Uuid('0E4A9F7E-6d7f-4ad2-8e4a-92a1b2c3d4e5'),
      '"uuid", "__value__": {"hex": "0e4a9f7e6d7f4ad28e4a92a1b2c3d4e5"}',
    ],
    ['a PlainDate', new PlainDate('2024-02-29'), '"date", "__value__": "2024-02-29"'],
    ['a PlainTime', new PlainTime('03:04:05.678901'), '"time", "__value__": "03:04:05.678901"'],
  ])('puts %s into its envelope', (_, value, inside) => {
    expect(write([value])).toBe(`[{"__type__": ${inside}}]`);
  });

  it('writes a view of a larger buffer without its surroundings', () => {
    expect(write(new Uint8Array(Buffer.from('abcdef').buffer.slice(0), 0, 0))).toContain('""');
    expect(write(Buffer.from('abcdef').subarray(2, 4))).toContain('"cd"');
  });

  it('writes a Map as an object with the keys that Python would write, in their order', () => {
    const map = new Map<unknown, unknown>([['2', 1], [1, 2], [2.5, 3], [true, 4], [null, 5], [10n, 6], [NaN, 7], ['u', undefined]]); // prettier-ignore
    expect(write(map)).toBe('{"2": 1, "1": 2, "2.5": 3, "true": 4, "null": 5, "10": 6, "NaN": 7}');
    expect(refusal({ m: new Map([[{}, 1]]) }).message).toContain('$.m: a Map key');
  });

  it('writes a Set as an array, boxed primitives as primitives, and instances by their own fields', () => {
    class Point {
      readonly x = 1;
      get double(): number {
        return this.x * 2;
      }
    }
    expect(write([new Set([1, 'a']), Object(5), Object('s'), new Point()])).toBe('[[1, "a"], 5, "s", {"x": 1}]');
    expect(write(Object.create({ inherited: 1 }))).toBe('{}');
  });

  it('asks toJSON once, with the key, and writes typed values that it returns', () => {
    const seen: unknown[] = [];
    const money = {
      toJSON: (key: string) => {
        seen.push(key);
        return { amount: new Decimal('1.50') };
      },
    };
    expect(write({ price: money, when: new Date(0) })).toContain(
      '{"price": {"amount": {"__type__": "decimal", "__value__": "1.50"}}',
    );
    expect(seen).toEqual(['price']);
  });

  it.each([
    ['a function', () => 1, 'function'],
    ['a symbol', Symbol('s'), 'symbol'],
    ['an invalid Date', new Date(NaN), 'valid Date'],
    ['a Date past the year 9999', new Date(8.64e15), 'year'],
    ['an Error', new Error('x'), 'Error'],
    ['a RegExp', /x/, 'source'],
    ['a Promise', Promise.resolve(1), 'await'],
    ['a WeakMap', new WeakMap(), 'WeakMap'],
    ['another typed array', new Float64Array(1), 'Float64Array'],
    ['an ArrayBuffer', new ArrayBuffer(1), 'Uint8Array'],
    ['a bigint of 4,301 digits', 10n ** 4300n, '4301 digits'],
    ['a look-alike of an envelope', { __type__: 'datetime', __value__: 'x' }, '__type__'],
    ['a look-alike that is left when undefined is', { __type__: 1, __value__: 2, c: undefined }, '__type__'],
    ['a look-alike Map', new Map([['__type__', 1], ['__value__', 2]]), '__type__'], // prettier-ignore
  ])('refuses %s, naming the place and the reason', (_, value, reason) => {
    const { message } = refusal({ items: [0, { 'the price': value }] });
    expect(message).toMatch(/^Cannot encode \$\.items\[1\]\["the price"\]: /);
    expect(message).toContain(reason);
  });

  it('writes an object with __type__, __value__ and a third key', () => {
    expect(write({ __type__: 1, __value__: 2, more: 3 })).toBe('{"__type__": 1, "__value__": 2, "more": 3}');
  });

  it('calls a cycle circular, and writes what merely occurs twice', () => {
    const shared = { a: 1 };
    const ring: Record<string, unknown> = { list: [{}] };
    (ring['list'] as unknown[])[0] = { back: ring };
    expect(refusal(ring).message).toBe('Cannot encode $.list[0].back: circular: it is $ again.');
    expect(write([shared, shared])).toBe('[{"a": 1}, {"a": 1}]');
  });

  it('writes 1,000 levels and refuses 1,001', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 1000; i++) deep = [deep];
    expect(write(deep)).toHaveLength(2001);
    expect(refusal({ deep }).message).toMatch(/nested deeper than 1000/);
  });

  it('counts an envelope as a level, so that it can read what it wrote', () => {
    const shallow = createJsonSerializer({ limits: { maxDepth: 2 } });
    const text = shallow.encode([new Decimal('1')]) as string;
    expect(shallow.decode(Buffer.from(text))).toEqual([new Decimal('1')]);
    expect(() => shallow.encode([[new Decimal('1')]])).toThrow(EncodeError);
  });

  it('reports what a getter, toJSON or proxy throws as the cause', () => {
    const cause = new Error('no such row');
    const thrower = (): never => {
      throw cause;
    };
    const values = [
      Object.defineProperty({}, 'row', { get: thrower, enumerable: true }),
      { row: { toJSON: thrower } },
      { row: new Proxy({}, { ownKeys: thrower }) },
    ];
    for (const value of values) {
      const error = refusal(value);
      expect(error.message).toBe('Cannot encode $.row: reading it failed: no such row.');
      expect(error.cause).toBe(cause);
    }
  });

  it('tells a text that V8 cannot hold by its cause', () => {
    const half = 'x'.repeat(2 ** 28);
    expect(refusal([half, half, half]).cause).toBeInstanceOf(RangeError);
  });
});

describe('registered types', () => {
  class Money {
    readonly cents: number;
    constructor(cents: number) {
      this.cents = cents;
    }
  }
  class Tip extends Money {}

  it('write and read a class and its subclasses by its marker', () => {
    const types = new TypeRegistry();
    types.register(Money, 'money', (money) => [money.cents, new Date(0)], (value) => new Money((value as [number, Date])[0])); // prettier-ignore
    const serializer = createJsonSerializer({ types });
    const text = serializer.encode({ a: new Tip(5) }) as string;
    expect(text).toBe(
      '{"a": {"__type__": "money", "__value__": [5, {"__type__": "datetime", "__value__": "1970-01-01T00:00:00+00:00"}]}}',
    );
    expect(serializer.decode(Buffer.from(text))).toEqual({ a: new Money(5) });
  });

  it('write what encode returns, bare, when the marker is null', () => {
    const types = new TypeRegistry();
    types.register(Money, null, (money) => new Decimal(`${money.cents}e-2`));
    expect(createJsonSerializer({ types }).encode(new Money(5))).toBe('{"__type__": "decimal", "__value__": "5e-2"}');
  });

  it('refuse a marker or a class that is taken, and plain objects', () => {
    const types = new TypeRegistry();
    types.register(Money, 'money', () => 1);
    expect(() => { types.register(Tip, 'money', () => 1); }).toThrow(InvalidArgumentError); // prettier-ignore
    expect(() => { types.register(Tip, 'base64', () => 1); }).toThrow(InvalidArgumentError); // prettier-ignore
    expect(() => { types.register(Money, 'other', () => 1); }).toThrow(InvalidArgumentError); // prettier-ignore
    expect(() => { types.register(Object, 'other', () => 1); }).toThrow(InvalidArgumentError); // prettier-ignore
  });
});

describe('the value types', () => {
  it('refuse what Python would refuse', () => {
    for (const text of ['', '1,5', '1.2.3', 'e5', 'Infinit', '1e', ' 1', '1e9999999999999999999']) {
      expect(() => new Decimal(text)).toThrow(InvalidArgumentError);
    }
    for (const text of ['', '0e4a9f7e', 'z'.repeat(32)]) expect(() => new Uuid(text)).toThrow(InvalidArgumentError);
    for (const text of ['2023-02-29', '0000-01-01', '2024-13-01', '2024-1-1', '']) {
      expect(() => new PlainDate(text)).toThrow(InvalidArgumentError);
    }
    for (const text of ['24:00', '03:60', '3:04', '03:04:61', '03:04+24:00']) {
      expect(() => new PlainTime(text)).toThrow(InvalidArgumentError);
    }
    expect(() => new Decimal(5 as unknown as string)).toThrow(InvalidArgumentError);
  });

  it('hold the text of the wire, which older Pythons read too', () => {
    expect(String(new PlainTime('03:04'))).toBe('03:04:00');
    expect(String(new PlainTime('03:04:05.6Z'))).toBe('03:04:05.600000+00:00');
    expect(String(new PlainTime('03:04:05-01:00:30'))).toBe('03:04:05-01:00:30');
    expect(['-0', 'NaN', '1E+100'].map((text) => String(new Decimal(text)))).toEqual(['-0', 'NaN', '1E+100']);
    expect(JSON.stringify(new Uuid('0e4a9f7e6d7f4ad28e4a92a1b2c3d4e5'))).toBe('"0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5"');
  });
});

const typed = fc.oneof(
  fc.date({ noInvalidDate: true, min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z') }),
  fc.bigInt().filter((value) => !Number.isSafeInteger(Number(value))),
  fc.uint8Array(),
  fc.constantFrom(NaN, Infinity, -Infinity, -0),
  fc.tuple(fc.bigInt(), fc.nat(20)).map(([digits, scale]) => new Decimal(`${digits}e-${scale}`)),
  fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date(1e14) })
    .map((date) => new PlainDate(date.toISOString().slice(0, 10))),
);
const leaf = fc.oneof(typed, fc.string({ unit: 'binary' }), fc.integer(), fc.double(), fc.boolean(), fc.constant(null));
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', '__type__', '__value__')), tie('tree'), {
      maxKeys: 4,
    }),
  ),
}));

describe('any value', () => {
  it('is read as it was written, or refused for looking like an envelope', () => {
    fc.assert(
      fc.property(tree, (value) => {
        let text: string;
        try {
          text = write(value);
        } catch (error) {
          expect((error as Error).message).toContain('__type__ and __value__');
          return;
        }
        expect(text).toMatch(/^[\x20-\x7e]*$/);
        expect(json.decode(Buffer.from(text))).toEqual(normal(value));
      }),
      { numRuns: 500 },
    );
  });
});

/** Objects of fast-check may lack a prototype, which toEqual minds in none, but `__proto__` must stay an own key. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal);
  if (
    typeof value !== 'object' ||
    value === null ||
    ![null, Object.prototype].includes(Object.getPrototypeOf(value) as null)
  )
    return value;
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    Object.defineProperty(copy, key, { value: normal(item), enumerable: true, writable: true, configurable: true });
  }
  return copy;
}
