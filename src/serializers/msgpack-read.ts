/**
 * Values from msgpack as kombu's `unpackb(raw=False)` reads it: text is UTF-8, the keys of maps are text or bytes, and
 * there is one value and nothing behind it. Every length is checked against what is left before anything is made of it.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
import { isUtf8 } from 'node:buffer';
import { types as is } from 'node:util';

import { DecodeError } from '../errors.ts';
import { foreignFormat } from './foreign.ts';
import { mapping } from './shape.ts';

/**
 * Reads a payload.
 *
 * @throws DecodeError when it is not msgpack, goes beyond the bound, or holds what Python or we do not read
 */
export function readMsgpack(payload: Uint8Array, limits: { readonly maxDepth: number }): unknown {
  const reader = new MsgpackReader(payload, limits.maxDepth);
  try {
    const value = reader.read();
    reader.end();
    return value;
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    throw new DecodeError('The payload is not msgpack: nested too deeply, or a text is too long.', { cause: error });
  }
}

type Readers = Readonly<Record<number, (reader: MsgpackReader) => unknown>>;

/** One run. */
class MsgpackReader {
  readonly #bytes: Buffer;
  readonly #maxDepth: number;
  #at = 0;
  #depth = 0;

  constructor(payload: Uint8Array, maxDepth: number) {
    this.#bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    this.#maxDepth = maxDepth;
  }

  read(): unknown {
    const code = this.#bytes.readUInt8(this.#take(1));
    if (code < 0x80) return code;
    if (code < 0x90) return this.map(code & 0x0f);
    if (code < 0xa0) return this.array(code & 0x0f);
    if (code < 0xc0) return this.text(code & 0x1f);
    if (code >= 0xe0) return code - 0x100;
    const read = READERS[code];
    if (!read) throw this.#malformed(`the code 0x${code.toString(16)}`);
    return read(this);
  }

  /** @throws DecodeError unless everything was read */
  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw this.#malformed(`${left} bytes behind the value`);
  }

  /** An unsigned integer of up to 4 bytes. */
  uint(width: number): number {
    return this.#bytes.readUIntBE(this.#take(width), width);
  }

  int(width: number): number {
    return this.#bytes.readIntBE(this.#take(width), width);
  }

  long(isSigned: boolean): number | bigint {
    const at = this.#take(8);
    const value = isSigned ? this.#bytes.readBigInt64BE(at) : this.#bytes.readBigUInt64BE(at);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  float(width: 4 | 8): number {
    const at = this.#take(width);
    return width === 4 ? this.#bytes.readFloatBE(at) : this.#bytes.readDoubleBE(at);
  }

  text(length: number): string {
    const part = this.#slice(length);
    if (!isUtf8(part)) throw this.#malformed('a text that is not UTF-8');
    return part.toString('utf8');
  }

  binary(length: number): Uint8Array {
    return new Uint8Array(this.#slice(length));
  }

  array(length: number): unknown[] {
    this.#enter(length);
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.push(this.read());
    this.#depth -= 1;
    return items;
  }

  map(length: number): unknown {
    this.#enter(2 * length);
    const entries: [string | Uint8Array, unknown][] = [];
    for (let i = 0; i < length; i++) entries.push([this.#key(), this.read()]);
    this.#depth -= 1;
    return mapping(entries);
  }

  /** Of the extensions only the timestamp is read. */
  extension(length: number): Date {
    const type = this.int(1);
    if (type !== -1) throw new DecodeError(`The payload has a msgpack extension of type ${type}, which is not read.`);
    const part = this.#slice(length);
    const date = new Date(timestamp(part));
    if (Number.isNaN(date.getTime())) throw this.#malformed('a timestamp out of range');
    return date;
  }

  #key(): string | Uint8Array {
    const key = this.read();
    if (typeof key === 'string' || is.isUint8Array(key)) return key;
    throw new DecodeError('The payload has a msgpack map with a key that is neither text nor bytes.');
  }

  /** @param least - the least bytes that the members take */
  #enter(least: number): void {
    if (++this.#depth > this.#maxDepth) throw new DecodeError(`Nested deeper than ${this.#maxDepth}.`);
    if (least > this.#bytes.length - this.#at) throw this.#malformed('it ends too early');
  }

  #slice(length: number): Buffer {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Goes on by so many bytes; returns where they begin. */
  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw this.#malformed('it ends too early');
    this.#at = at + length;
    return at;
  }

  #malformed(what: string): DecodeError {
    const foreign = foreignFormat(this.#bytes, 'msgpack');
    const hint = foreign === undefined ? '' : ` It ${foreign}`;
    return new DecodeError(`The payload is not msgpack: ${what}, at byte ${this.#at}.${hint}`);
  }
}

const READERS: Readers = {
  0xc0: () => null,
  0xc2: () => false,
  0xc3: () => true,
  0xc4: (reader) => reader.binary(reader.uint(1)),
  0xc5: (reader) => reader.binary(reader.uint(2)),
  0xc6: (reader) => reader.binary(reader.uint(4)),
  0xc7: (reader) => reader.extension(reader.uint(1)),
  0xc8: (reader) => reader.extension(reader.uint(2)),
  0xc9: (reader) => reader.extension(reader.uint(4)),
  0xca: (reader) => reader.float(4),
  0xcb: (reader) => reader.float(8),
  0xcc: (reader) => reader.uint(1),
  0xcd: (reader) => reader.uint(2),
  0xce: (reader) => reader.uint(4),
  0xcf: (reader) => reader.long(false),
  0xd0: (reader) => reader.int(1),
  0xd1: (reader) => reader.int(2),
  0xd2: (reader) => reader.int(4),
  0xd3: (reader) => reader.long(true),
  0xd4: (reader) => reader.extension(1),
  0xd5: (reader) => reader.extension(2),
  0xd6: (reader) => reader.extension(4),
  0xd7: (reader) => reader.extension(8),
  0xd8: (reader) => reader.extension(16),
  0xd9: (reader) => reader.text(reader.uint(1)),
  0xda: (reader) => reader.text(reader.uint(2)),
  0xdb: (reader) => reader.text(reader.uint(4)),
  0xdc: (reader) => reader.array(reader.uint(2)),
  0xdd: (reader) => reader.array(reader.uint(4)),
  0xde: (reader) => reader.map(reader.uint(2)),
  0xdf: (reader) => reader.map(reader.uint(4)),
};

/** Milliseconds since 1970, NaN for a form that there is none of. */
function timestamp(part: Buffer): number {
  if (part.length === 4) return part.readUInt32BE(0) * 1000;
  if (part.length === 8) {
    const both = part.readBigUInt64BE(0);
    return Number(both & 0x3_ffff_ffffn) * 1000 + Math.floor(Number(both >> 34n) / 1e6);
  }
  if (part.length !== 12) return NaN;
  return Number(part.readBigInt64BE(4)) * 1000 + Math.floor(part.readUInt32BE(0) / 1e6);
}
