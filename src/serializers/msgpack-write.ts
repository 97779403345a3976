/**
 * Values as msgpack-python's `packb` writes them with `use_bin_type`: the shortest form of every integer, floats of 64
 * bits, text and bytes apart.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
import { types as is } from 'node:util';

import { describe } from './excerpt.ts';
import { native } from './shape.ts';
import { Trail } from './trail.ts';
import type { TypeRegistry } from './types.ts';
import { Decimal, PlainDate, PlainTime, Uuid } from './values.ts';

/**
 * Writes a value.
 *
 * @throws EncodeError naming the place in the value and the reason
 */
export function writeMsgpack(value: unknown, limits: { readonly maxDepth: number }, types: TypeRegistry): Uint8Array {
  const writer = new MsgpackWriter(limits.maxDepth, types);
  try {
    writer.write(value, '');
    return writer.bytes.finish();
  } catch (error) {
    throw writer.trail.failureOf(error);
  }
}

/** The codes of a kind by the width of its length: up to 8, 16 and 32 bits. 0 for none. */
type Codes = readonly [number, number, number];
const STR: Codes = [0xd9, 0xda, 0xdb];
const BIN: Codes = [0xc4, 0xc5, 0xc6];
const ARRAY: Codes = [0, 0xdc, 0xdd];
const MAP: Codes = [0, 0xde, 0xdf];

const NIL = 0xc0;
const FALSE = 0xc2;
const TRUE = 0xc3;
const FLOAT64 = 0xcb;

/** One run. */
class MsgpackWriter {
  readonly trail: Trail;
  readonly bytes: Bytes = new Bytes();
  readonly #types: TypeRegistry;

  constructor(maxDepth: number, types: TypeRegistry) {
    this.trail = new Trail(maxDepth);
    this.#types = types;
  }

  write(value: unknown, key: string | number): void {
    const form = native(value, key, 'msgpack', this.#types);
    if (form === null) this.bytes.byte(NIL);
    else if (typeof form === 'boolean') this.bytes.byte(form ? TRUE : FALSE);
    else if (typeof form === 'string') this.#text(form);
    else if (typeof form === 'number') this.#number(form);
    else if (typeof form === 'bigint') this.#integer(form);
    else if (is.isUint8Array(form)) this.#binary(form);
    else if (is.isMap(form)) this.#members(form, [...form]);
    else if (is.isSet(form)) this.#array(form, [...form]);
    else if (Array.isArray(form)) this.#array(form, form);
    else this.#object(form);
  }

  #object(form: object): void {
    if (is.isDate(form)) throw this.trail.failure('a Date has no msgpack form: use its toISOString()');
    for (const kind of [Decimal, PlainDate, PlainTime, Uuid]) {
      if (form instanceof kind) throw this.trail.failure(`a ${kind.name} has no msgpack form: use its toString()`);
    }
    this.#members(form, Object.entries(form));
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.bytes.integer(value);
      return;
    }
    this.bytes.byte(FLOAT64);
    this.bytes.float(value);
  }

  #integer(value: bigint): void {
    const isSafe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
    if (isSafe) this.bytes.integer(Number(value));
    else if (value === BigInt.asUintN(64, value) || value === BigInt.asIntN(64, value)) this.bytes.long(value);
    else throw this.trail.failure('an integer beyond 64 bits has no msgpack form');
  }

  #text(text: string): void {
    if (!text.isWellFormed()) throw this.trail.failure('a text with half a surrogate pair has no msgpack form');
    const encoded = Buffer.from(text);
    this.bytes.head(encoded.length, 0xa0, 32, STR);
    this.bytes.append(encoded);
  }

  #binary(value: Uint8Array): void {
    this.bytes.head(value.length, 0, 0, BIN);
    this.bytes.append(value);
  }

  #array(owner: object, items: readonly unknown[]): void {
    const place = this.trail.enter(owner);
    this.bytes.head(items.length, 0x90, 16, ARRAY);
    for (let i = 0; i < items.length; i++) {
      this.trail.step(place, i);
      this.write(items[i], i);
    }
    this.trail.leave(place);
  }

  #members(owner: object, all: readonly (readonly [unknown, unknown])[]): void {
    const place = this.trail.enter(owner);
    const members = all.filter(([, value]) => value !== undefined);
    this.bytes.head(members.length, 0x80, 16, MAP);
    for (const [key, value] of members) {
      this.trail.step(place, typeof key === 'string' ? key : describe(key));
      if (typeof key === 'string') this.#text(key);
      else if (is.isUint8Array(key)) this.#binary(key);
      else throw this.trail.failure('a Map key must be a string or bytes: Python reads no other key from msgpack');
      this.write(value, typeof key === 'string' ? key : '');
    }
    this.trail.leave(place);
  }
}

const FIRST_SIZE = 1024;

/** Bytes that grow at their end. */
class Bytes {
  #buffer = Buffer.allocUnsafe(FIRST_SIZE);
  #length = 0;

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  byte(value: number): void {
    const at = this.#room(1);
    this.#buffer.writeUInt8(value, at);
  }

  float(value: number): void {
    const at = this.#room(8);
    this.#buffer.writeDoubleBE(value, at);
  }

  append(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** A code with a length: in the code itself, of `base`, for lengths below `short`. */
  head(length: number, base: number, short: number, [small, middle, large]: Codes): void {
    if (length < short) this.byte(base | length);
    else if (length < 2 ** 8 && small > 0) this.#coded(small, 1, length);
    else if (length < 2 ** 16) this.#coded(middle, 2, length);
    else this.#coded(large, 4, length);
  }

  /** A safe integer, in the shortest form. */
  integer(value: number): void {
    if (value >= -0x20 && value < 0x80) this.byte(value & 0xff);
    else if (value >= 2 ** 32 || value < -(2 ** 31)) this.long(BigInt(value));
    else if (value >= 0) this.#coded(...unsigned(value), value);
    else this.#coded(...signed(value), value >>> 0);
  }

  /** An integer of 64 bits. */
  long(value: bigint): void {
    this.byte(value < 0n ? 0xd3 : 0xcf);
    const at = this.#room(8);
    this.#buffer.writeBigUInt64BE(BigInt.asUintN(64, value), at);
  }

  #coded(code: number, width: number, value: number): void {
    this.byte(code);
    const mask = width === 4 ? value : value & (2 ** (8 * width) - 1);
    const at = this.#room(width);
    this.#buffer.writeUIntBE(mask, at, width);
  }

  /** Makes room at the end, in a new buffer perhaps; returns where it begins. */
  #room(size: number): number {
    const at = this.#length;
    this.#length = at + size;
    if (this.#length > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, 2 * this.#buffer.length));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    return at;
  }
}

/** Code and width of an integer from 128 to 2^32 - 1. */
function unsigned(value: number): [code: number, width: number] {
  if (value < 2 ** 8) return [0xcc, 1];
  return value < 2 ** 16 ? [0xcd, 2] : [0xce, 4];
}

/** Code and width of an integer from -2^31 to -33. */
function signed(value: number): [code: number, width: number] {
  if (value >= -(2 ** 7)) return [0xd0, 1];
  return value >= -(2 ** 15) ? [0xd1, 2] : [0xd2, 4];
}
