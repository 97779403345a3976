import { describe, expect, it } from '@jest/globals';

import { DecodeError, EncodeError } from '../../src/errors.ts';
import { createMsgpackSerializer } from '../../src/serializers/msgpack.ts';
import { Decimal, PlainDate, PlainTime, Uuid } from '../../src/serializers/values.ts';

const msgpack = createMsgpackSerializer();

function hex(value: unknown): string {
  return Buffer.from(msgpack.encode(value) as Uint8Array).toString('hex');
}

function read(text: string): unknown {
  return msgpack.decode(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

/** A text, by its code, and its content. */
function str(text: string): string {
  return Buffer.from([0xa0 + text.length, ...Buffer.from(text)]).toString('hex');
}

describe('writing msgpack as msgpack-python does', () => {
  it.each([
    [0, '00'], [127, '7f'], [128, 'cc80'], [255, 'ccff'], [256, 'cd0100'], [65535, 'cdffff'], [65536, 'ce00010000'],
    [2 ** 32 - 1, 'ceffffffff'], [2 ** 32, 'cf0000000100000000'], [2 ** 53 - 1, 'cf001fffffffffffff'],
    [-1, 'ff'], [-32, 'e0'], [-33, 'd0df'], [-128, 'd080'], [-129, 'd1ff7f'], [-32768, 'd18000'], [-32769, 'd2ffff7fff'],
    [-(2 ** 31), 'd280000000'], [-(2 ** 31) - 1, 'd3ffffffff7fffffff'], [5n, '05'], [-(2n ** 63n), 'd38000000000000000'],
    [2n ** 64n - 1n, 'cfffffffffffffffff'], [1.5, 'cb3ff8000000000000'], [-0, 'cb8000000000000000'],
    [2 ** 53, 'cb4340000000000000'], [NaN, 'cb7ff8000000000000'], [Infinity, 'cb7ff0000000000000'],
    [null, 'c0'], [undefined, 'c0'], [false, 'c2'], [true, 'c3'], ['', 'a0'], ['\u00e9', 'a2c3a9'],
    [new Uint8Array([255]), 'c401ff'], [[1, [undefined]], '920191c0'], [new Set([1]), '9101'],
    [{ b: 1, a: undefined, c: {} }, '82a16201a16380'], [new Map<unknown, unknown>([[new Uint8Array([1]), 2]]), '81c4010102'],
    [new Map([['a', 1]]), '81a16101'], [Buffer.from('a'), 'c40161'], [new URL('https://e.org/'), 'ae68747470733a2f2f652e6f72672f'],
  ])('writes %p as %s', (value, bytes) => {
    expect(hex(value)).toBe(bytes);
  }); // prettier-ignore

  it.each([
    ['x'.repeat(31), 'bf'], ['x'.repeat(32), 'd920'], ['x'.repeat(256), 'da0100'], ['x'.repeat(65_536), 'db00010000'],
    [new Uint8Array(256), 'c50100'], [new Uint8Array(65_536), 'c600010000'], [Array(15).fill(0), '9f'],
    [Array(16).fill(0), 'dc0010'], [Array(65_536).fill(0), 'dd00010000'],
    [Object.fromEntries(Array.from({ length: 15 }, (_, i) => [i, i])), '8f'],
    [Object.fromEntries(Array.from({ length: 16 }, (_, i) => [i, i])), 'de0010'],
    [Object.fromEntries(Array.from({ length: 65_536 }, (_, i) => [i, i])), 'df00010000'],
  ])('writes a length in its shortest form, and reads it back (%#)', (value, head) => {
    const payload = Buffer.from(msgpack.encode(value) as Uint8Array);
    expect(payload.toString('hex', 0, head.length / 2)).toBe(head);
    expect(msgpack.decode(payload)).toEqual(value);
  }); // prettier-ignore

  it.each([
    [{ a: [2n ** 64n] }, '$.a[0]: an integer beyond 64 bits'],
    [{ a: -(2n ** 63n) - 1n }, '$.a: an integer beyond 64 bits'],
    [{ a: new Date(0) }, '$.a: a Date has no msgpack form: use its toISOString()'],
    [{ a: new Decimal('1') }, '$.a: a Decimal has no msgpack form: use its toString()'],
    [{ a: new PlainDate('2024-01-02') }, '$.a: a PlainDate has no msgpack form'],
    [{ a: new PlainTime('03:04:05') }, '$.a: a PlainTime has no msgpack form'],
    [{ a: new Uuid('0'.repeat(32)) }, '$.a: a Uuid has no msgpack form'],
    [{ a: '\ud800' }, '$.a: a text with half a surrogate pair'],
    [{ a: new Map([[1, 2]]) }, '$.a["1"]: a Map key must be a string or bytes'],
    [{ a: Symbol('s') }, '$.a: a symbol has no msgpack form'],
  ])('refuses %p, and says where', (value, message) => {
    expect(() => msgpack.encode(value)).toThrow(EncodeError);
    expect(() => msgpack.encode(value)).toThrow(`Cannot encode ${message}`);
  });

  it('refuses cycles and depth', () => {
    const ring: unknown[] = [];
    ring.push(ring);
    expect(() => msgpack.encode(ring)).toThrow('circular');
    expect(() => createMsgpackSerializer({ limits: { maxDepth: 1 } }).encode([[]])).toThrow('nested deeper than 1');
  });
});

describe('reading msgpack as kombu does', () => {
  it.each([
    ['cf 0020000000000000', 2n ** 53n], ['cf 001fffffffffffff', 2 ** 53 - 1], ['d3 8000000000000000', -(2n ** 63n)],
    ['d3 ffffffffffffffff', -1], ['ca 3fc00000', 1.5], ['cd 0005', 5], ['c4 02 ff00', new Uint8Array([255, 0])],
    ['81 c40101 02', new Map([[new Uint8Array([1]), 2]])], ['d6 ff 00000001', new Date(1000)],
    ['d7 ff 77359400 00000001', new Date(1500)], ['c7 0c ff 1dcd6500 ffffffffffffffff', new Date(-500)],
    [`82 ${str('a')} 01 ${str('a')} 02`, { a: 2 }], ['d9 03 efbbbf', '\ufeff'],
  ])('reads %s', (bytes, value) => {
    expect(read(bytes)).toEqual(value);
  }); // prettier-ignore

  it('reads __proto__ as an own key, and pollutes nothing', () => {
    const value = read(`81 ${str('__proto__')} 81 ${str('polluted')} 01`) as object;
    expect(Object.getOwnPropertyDescriptor(value, '__proto__')?.value).toEqual({ polluted: 1 });
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it.each([
    ['', /ends too early, at byte 0/], ['c1', /the code 0xc1/], ['01 02', /1 bytes behind the value/], ['92 01', /ends too early/],
    ['dd ffffffff 01', /ends too early/], ['df ffffffff', /ends too early/], ['db ffffffff', /ends too early/],
    ['c6 ffffffff', /ends too early/], ['a2 fffe', /a text that is not UTF-8/], ['81 01 02', /a key that is neither text nor bytes/],
    ['81 90 02', /neither text nor bytes/], ['d4 65 00', /extension of type 101/], ['d4 78 00', /extension of type 120/],
    ['d4 72 40 91 a161 05', /extension of type 114/], ['c7 03 ff 000000', /timestamp out of range/],
    ['c7 0c ff 00000000 7fffffffffffffff', /timestamp out of range/], ['7b 22', /looks like JSON/],
    [Buffer.from('children: null\n').toString('hex'), /looks like yaml: set result_serializer='msgpack'/],
  ])('refuses %s', (bytes, message) => {
    expect(() => read(bytes)).toThrow(DecodeError);
    expect(() => read(bytes)).toThrow(message);
  }); // prettier-ignore

  it('bounds depth and size', () => {
    expect(() => read('91'.repeat(1000) + '01')).not.toThrow();
    expect(() => read('91'.repeat(1001) + '01')).toThrow('Nested deeper than 1000.');
    const boundless = createMsgpackSerializer({ limits: { maxDepth: 1e9 } });
    expect(() => boundless.decode(Buffer.alloc(1_000_000, 0x91))).toThrow(DecodeError);
    const small = createMsgpackSerializer({ limits: { maxPayload: 1 } });
    expect(() => small.decode(Buffer.from([1, 2]))).toThrow('A payload of 2 bytes, more than 1.');
  });
});
