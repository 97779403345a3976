import { describe, expect, it } from '@jest/globals';

import { DecodeError } from '../../src/errors.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { TypeRegistry } from '../../src/serializers/types.ts';
import { Decimal, PlainDate, PlainTime } from '../../src/serializers/values.ts';

const json = createJsonSerializer({ types: new TypeRegistry() });

function read(text: string): unknown {
  return json.decode(Buffer.from(text));
}

function refusal(payload: Uint8Array | string): DecodeError {
  try {
    json.decode(Buffer.from(payload));
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError);
    return error as DecodeError;
  }
  throw new Error('the payload was read');
}

function envelope(type: string, value: unknown): string {
  return `{"__type__": "${type}", "__value__": ${JSON.stringify(value)}}`;
}

describe('reading JSON as Python does', () => {
  it.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['-12345678901234567890', -12345678901234567890n],
    ['0.12345678901234567890', 0.12345678901234568],
    ['1e400', Infinity],
    ['-0', 0],
    ['-0.0', -0],
    ['1.0', 1],
    ['NaN', NaN],
    ['-Infinity', -Infinity],
    [' [NaN ,Infinity]', [NaN, Infinity]],
    ['"NaN, -Infinity, 12345678901234567890"', 'NaN, -Infinity, 12345678901234567890'],
    [String.raw`["\\", NaN, "\\\"", 9007199254740993, "\"NaN"]`, ['\\', NaN, '\\"', 9007199254740993n, '"NaN']],
    ['["\u00e9", 9007199254740993, "\u{1f600}"]', ['\u00e9', 9007199254740993n, '\u{1f600}']],
    [String.raw`"\ud83d"`, '\ud83d'],
    ['{"a": 1, "a": 2}', { a: 2 }],
  ])('reads %s', (text, value) => {
    expect(read(text)).toEqual(value);
  });

  it('reads __proto__ as an own key, with typed values in it, and pollutes nothing', () => {
    const value = read(`{"__proto__": {"x": 1}, "a": {"__proto__": ${envelope('decimal', '1')}}}`) as Record<
      string,
      object
    >;
    expect(Object.hasOwn(value, '__proto__')).toBe(true);
    expect(Object.getOwnPropertyDescriptor(value['a'], '__proto__')?.value).toEqual(new Decimal('1'));
    expect(Object.getPrototypeOf(value['a'])).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it.each([
    '', ' ', '[1,]', '{"a": 1,}', '[1] 2', '-NaN', '-', 'nan', '+1', '01', '.5', '0x10', "{'a': 1}", '{NaN: 1}', '[-]', '-Inf',
    '{12345678901234567890 : 1}', '[12345678901234567890NaN]', '[NaN NaN]', '012345678901234567890', '"a\nb"', '"\\x"', '[1 // c\n]', '["a]', '\ufeff{}',
  ])('refuses %p', (text) => {
    expect(refusal(text).message.length).toBeLessThan(200);
  }); // prettier-ignore

  it('refuses what is not UTF-8', () => {
    expect(refusal(Buffer.from([0x22, 0xff, 0x22])).message).toMatch(/UTF-8/);
    expect(refusal(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])).message).toMatch(/UTF-8/);
    expect(refusal(Buffer.from([0xef, 0xbb, 0xbf, 0x31])).message).toMatch(/byte order mark/);
  });

  it.each([
    ['pickle', Buffer.from([0x80, 0x04, 0x95, 0x10])],
    ['msgpack', Buffer.from([0x86, 0xa6, 0x73])],
    ['yaml', Buffer.from('children: null\nstatus: SUCCESS\n')],
  ])('says that a payload looks like %s, and what to set', (format, payload) => {
    expect(refusal(payload).message).toBe(
      `The payload looks like ${format}: set result_serializer='json' on the Python side.`,
    );
  });

  it('shows no more of a payload than a short, escaped excerpt', () => {
    const { message, cause } = refusal(`["\u001b[31m${'secret '.repeat(100)}`);
    expect(message).not.toContain('\u001b');
    expect(message.match(/secret/g)?.length ?? 0).toBeLessThan(7);
    expect(cause).toBeUndefined();
    expect(refusal('[12345678901234567890, oops]').message).toContain('"[12345678901234567890, oops]"');
  });
});

describe('typed values', () => {
  it.each([
    ['2024-01-02T03:04:05', '2024-01-02T03:04:05.000Z'],
    ['2024-01-02T03:04:05.678901+00:00', '2024-01-02T03:04:05.678Z'],
    ['2024-01-02 03:04:05.6Z', '2024-01-02T03:04:05.600Z'],
    ['2024-01-02T03:04:05.123456789+05:30', '2024-01-01T21:34:05.123Z'],
    ['2024-01-02T03:04:05-01:00:30', '2024-01-02T04:04:35.000Z'],
    ['2024-01-02T03:04', '2024-01-02T03:04:00.000Z'],
    ['2024-01-02', '2024-01-02T00:00:00.000Z'],
    ['0001-01-01T00:00:00', '0001-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999999', '9999-12-31T23:59:59.999Z'],
    ['1969-12-31T23:59:59.999500', '1969-12-31T23:59:59.999Z'],
  ])('reads the datetime %s', (text, instant) => {
    expect((read(envelope('datetime', text)) as Date).toISOString()).toBe(instant);
  });

  it('reads every type at any depth, the inner ones first', () => {
    const text = `{"a": [{"b": ${envelope('decimal', '3.140')}}], "c": ${envelope('date', '2024-01-02T00:00:00')}, "d": ${envelope('time', '03:04:05')}}`;
    expect(read(text)).toEqual({
      a: [{ b: new Decimal('3.140') }],
      c: new PlainDate('2024-01-02'),
      d: new PlainTime('03:04:05'),
    });
    expect(read(envelope('decimal', 1.5))).toEqual(new Decimal('1.5'));
    expect(read(envelope('bytes', 'h\u00e9'))).toEqual(new Uint8Array([0x68, 0xc3, 0xa9]));
    expect(read(envelope('base64', '/wCA'))).toEqual(new Uint8Array([0xff, 0, 0x80]));
  });

  it('reads a uuid with dashes, in capitals and with a version as the same string', () => {
    const dashed = '0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5';
    for (const value of [
      { hex: dashed.replaceAll('-', '') },
      { hex: dashed.toUpperCase() },
      { hex: dashed, version: 4 },
    ]) {
      expect(read(envelope('uuid', value))).toBe(dashed);
    }
  });

  it('reads an envelope whose keys are escaped or reversed', () => {
    for (const key of [
      '\\u005f_type__',
      '__\\u0074ype__',
      '__t\\u0079pe__',
      '__ty\\u0070e__',
      '__typ\\u0065__',
      '\\u005F_type__',
    ]) {
      expect(read(`[{"__v\\u0061lue__": "1", "${key}": "decimal"}]`)).toEqual([new Decimal('1')]);
    }
  });

  it('leaves an unknown type, a third key and a type that is no text as plain objects', () => {
    for (const text of [
      '{"__type__": "zzz", "__value__": 1}',
      '{"__type__": "date", "__value__": "x", "k": 1}',
      '{"__type__": 5, "__value__": 1}',
      '{"__type__": "toString", "__value__": 1}',
      '{"__type__": "date"}',
    ]) {
      expect(read(text)).toEqual(JSON.parse(text));
    }
  });

  it.each([
    ['datetime', '2024-02-30T00:00:00'],
    ['datetime', '2024-01-02T25:00:00'],
    ['datetime', '2024-01-02T03:04:05+24:00'],
    ['datetime', '0000-01-01T00:00:00'],
    ['datetime', 'yesterday'],
    ['datetime', 5],
    ['date', '2024-13-01'],
    ['time', '99:00:00'],
    ['decimal', '1,5'],
    ['decimal', null],
    ['uuid', '0e4a9f7e6d7f4ad28e4a92a1b2c3d4e5'],
    ['uuid', { hex: 'short' }],
    ['uuid', { hex: '0e4a9f7e6d7f4ad28e4a92a1b2c3d4e5', fields: 1 }],
    ['bytes', 5],
    ['bytes', '\ud83d'],
    ['base64', '/wC'],
    ['base64', '/w CA'],
    ['base64', '_wCA'],
  ])('refuses a malformed %s: %p', (type, value) => {
    expect(refusal(`[${envelope(type, value)}]`).message).toContain(`Malformed "${type}" value`);
  });

  it('gives the decoder of a user what was inside already decoded', () => {
    class Span {
      readonly days = 1;
    }
    const given: unknown[] = [];
    const types = new TypeRegistry();
    // Looked at when it is given, since what is inside may be filled in later.
    types.register(Span, 'span', () => 1, (value) => given.push(...Object.values(value as Record<string, unknown>))); // prettier-ignore
    const inside = `{"from": ${envelope('date', '2024-01-02')}, "n": 9007199254740993}`;
    createJsonSerializer({ types }).decode(Buffer.from(`[{"__type__": "span", "__value__": ${inside}}]`));
    expect(given).toEqual([new PlainDate('2024-01-02'), 9007199254740993n]);
  });

  it('reports what the decoder of a user throws as the cause', () => {
    class Odd {
      readonly odd = true;
    }
    const cause = new Error('odd');
    const types = new TypeRegistry();
    types.register(Odd, 'odd', () => 1, () => { throw cause; }); // prettier-ignore
    const serializer = createJsonSerializer({ types });
    expect(() => serializer.decode(Buffer.from(envelope('odd', 1)))).toThrow(expect.objectContaining({ code: 'CELERY_DECODE', cause })); // prettier-ignore
  });
});

describe('hostile payloads', () => {
  function nested(depth: number, tail = ''): string {
    return '['.repeat(depth) + tail + ']'.repeat(depth);
  }

  it('are refused one level beyond the bound, and read at it', () => {
    expect(refusal(nested(1001)).message).toBe('Nested deeper than 1000.');
    expect(refusal('{"a":'.repeat(1001)).message).toBe('Nested deeper than 1000.');
    for (const text of [nested(1000), nested(998, envelope('uuid', { hex: '0'.repeat(32) })), nested(1000, 'NaN')])
      read(text);
    expect(read(`["${'['.repeat(2000)}"]`)).toEqual(['['.repeat(2000)]);
    expect(read(`[${'[],'.repeat(2000)}1]`)).toHaveLength(2001);
  });

  it('are refused one digit beyond the bound, and read at it', () => {
    expect(refusal('9'.repeat(4301)).message).toBe('A number has more than 4300 digits.');
    expect(refusal(`[-0.${'9'.repeat(4300)}]`).message).toBe('A number has more than 4300 digits.');
    expect(read(`-${'9'.repeat(4300)}`)).toBe(1n - 10n ** 4300n);
    expect(read(`-0.${'9'.repeat(4299)}`)).toBe(-1);
  });

  it.each([
    ['100 MB of brackets', () => Buffer.alloc(1e8, '[')],
    ['a number of 10 MB', () => Buffer.alloc(1e7, '1')],
    ['10 MB of signs', () => Buffer.alloc(1e7, '-')],
    ['10 MB of letters that start names', () => Buffer.alloc(1e7, 'N')],
    ['10 MB of quotes', () => Buffer.alloc(1e7, '\\"')],
    ['an open string of 10 MB', () => Buffer.alloc(1e7, '"'.padEnd(1e7, '\\'))],
    ['big integers before 10 MB of spaces', () => Buffer.alloc(1e7, `12345678901234567890${' '.repeat(1e6)}`)],
    ['a base64 of 10 MB', () => Buffer.from(envelope('base64', '='.repeat(1e7)))],
    ['a decimal of 10 MB', () => Buffer.from(envelope('decimal', `${'1'.repeat(1e7)}x`))],
    ['a datetime of 10 MB', () => Buffer.from(envelope('datetime', '1'.repeat(1e7)))],
  ])('are refused in a time that grows with their length, not with its square: %s', (_, make) => {
    const payload = make();
    const start = performance.now();
    expect(() => json.decode(payload)).toThrow(DecodeError);
    // Far from what a busy machine needs; a square would take hours.
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  it('are refused beyond the limit of bytes, and no number stands in for a text', () => {
    const small = createJsonSerializer({ limits: { maxPayload: 4 } });
    expect(small.decode(Buffer.from('1234'))).toBe(1234);
    expect(() => small.decode(Buffer.from('12345'))).toThrow(DecodeError);
    expect(read('["-0", "NaN", NaN]')).toEqual(['-0', 'NaN', NaN]);
  });
});
