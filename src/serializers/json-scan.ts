/**
 * One pass over a JSON text before `JSON.parse`: it keeps the bounds and finds the numbers that `JSON.parse` cannot
 * read. Linear, without recursion. What is no JSON is left for `JSON.parse` to refuse.
 */
import { randomBytes } from 'node:crypto';

import { DecodeError } from '../errors.ts';
import { excerpt } from './excerpt.ts';

/** Bounds of a text that is read. */
export interface ReadLimits {
  /** Levels of arrays and objects. */
  readonly maxDepth: number;
  /** Digits of one number. */
  readonly maxDigits: number;
}

const SPACES: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const AFTER_VALUE: ReadonlySet<number | undefined> = new Set([0x2c, 0x5d, 0x7d]);
const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const CAPITAL_I = 0x49;

const OPEN = 1;
const CLOSE = 2;
const NUMBER = 3;
const NAME = 4;
const STRING = 5;

/** What a byte means outside of strings: 0 nothing, else what it begins. */
const ROLES = new Uint8Array(256);
for (const [role, chars] of ['', '[{', ']}', '-0123456789', 'NI', '"'].entries()) {
  for (const char of chars) ROLES[char.charCodeAt(0)] = role;
}

/** Characters of a number. */
const IN_NUMBER = new Uint8Array(256);
for (const char of '0123456789.eE+-') IN_NUMBER[char.charCodeAt(0)] = 1;

const NAMES = ['NaN', 'Infinity', '-Infinity'].map((name) => Buffer.from(name));

/** The least digits of an integer that a number cannot hold. */
const RARE_LENGTH = 16;

/**
 * Scans a payload.
 *
 * @returns the tokens to replace; `null` when there are none
 * @throws DecodeError when a bound is exceeded
 */
export function scan(bytes: Buffer, limits: ReadLimits): Replacements | null {
  let depth = 0;
  let rare: Replacements | null = null;
  for (let i = 0; i < bytes.length; i++) {
    const role = ROLES[bytes[i] ?? 0];
    if (role === 0) continue;
    if (role === STRING) {
      i = endOfString(bytes, i);
    } else if (role === OPEN) {
      if (++depth > limits.maxDepth) throw new DecodeError(`Nested deeper than ${limits.maxDepth}.`);
    } else if (role === CLOSE) {
      depth -= 1;
    } else {
      const isName = role === NAME || bytes[i + 1] === CAPITAL_I;
      const end = isName ? endOfName(bytes, i) : endOfNumber(bytes, i, limits.maxDigits);
      if (isName || isRare(bytes, i, end)) {
        checkNext(bytes, end);
        (rare ??= new Replacements(bytes)).add(i, end);
      }
      i = end - 1;
    }
  }
  return rare;
}

/** The index of the quote that closes the string opened at `start`, or the end. */
function endOfString(bytes: Buffer, start: number): number {
  let i = start + 1;
  for (; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) break;
    if (byte === BACKSLASH) i += 1;
  }
  return i;
}

/** The index after a number. */
function endOfNumber(bytes: Buffer, start: number, maxDigits: number): number {
  let digits = 0;
  let end = start;
  for (let byte = bytes[end] ?? 0; IN_NUMBER[byte] === 1; byte = bytes[end] ?? 0) {
    if (byte >= ZERO && byte <= NINE && ++digits > maxDigits) {
      throw new DecodeError(`A number has more than ${maxDigits} digits.`);
    }
    end += 1;
  }
  return end;
}

/** The index after `NaN`, `Infinity` or `-Infinity`. */
function endOfName(bytes: Buffer, start: number): number {
  for (const name of NAMES) {
    let length = 0;
    while (length < name.length && bytes[start + length] === name[length]) length += 1;
    if (length === name.length) return start + length;
  }
  const word = bytes.toString('latin1', start, start + 9);
  throw new DecodeError(`The payload is not JSON: unexpected ${excerpt(word)}.`);
}

/** Whether `JSON.parse` loses digits of a number: an integer beyond 2^53, or Python's `-0`, which is 0 there. */
function isRare(bytes: Buffer, start: number, end: number): boolean {
  const first = bytes[start] === MINUS ? start + 1 : start;
  if (bytes[first] === ZERO) return first > start && end - first === 1;
  if (end - first < RARE_LENGTH) return false;
  for (let i = first; i < end; i++) if (ROLES[bytes[i] ?? 0] !== NUMBER || bytes[i] === MINUS) return false;
  return end - first > RARE_LENGTH || !Number.isSafeInteger(Number(bytes.toString('latin1', start, end)));
}

/** A string in the place of a key, or next to something else, would be let through where the number is not. */
function checkNext(bytes: Buffer, end: number): void {
  let next = end;
  while (SPACES.has(bytes[next])) next += 1;
  if (next < bytes.length && !AFTER_VALUE.has(bytes[next])) {
    throw new DecodeError(`The payload is not JSON: unexpected ${excerpt(bytes.toString('latin1', next, next + 9))}.`);
  }
}

/** Strings in the place of numbers. What they start with, nobody can guess. */
export class Replacements {
  readonly #bytes: Buffer;
  readonly #nonce = randomBytes(12).toString('base64url');
  /** Start and end of each number, in turn. */
  readonly #places: number[] = [];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  add(start: number, end: number): void {
    this.#places.push(start, end);
  }

  /** The payload with the strings in it. */
  applied(): Buffer {
    const head = Buffer.from(`"${this.#nonce}`);
    const result = Buffer.allocUnsafe(this.#bytes.length + (this.#places.length / 2) * (head.length + 1));
    let from = 0;
    let to = 0;
    for (let i = 0; i < this.#places.length; i++) {
      const place = this.#places[i] ?? 0;
      to = copy(this.#bytes, from, place, result, to);
      from = place;
      if (i % 2 === 0) to = copy(head, 0, head.length, result, to);
      else result[to++] = QUOTE;
    }
    this.#bytes.copy(result, to, from);
    return result;
  }

  /**
   * What a string of the parsed payload stands for: itself, or a number; a bigint where a number would lose digits.
   * Python's `-0` is the integer 0.
   */
  restore(text: string): string | number | bigint {
    if (!text.startsWith(this.#nonce)) return text;
    const token = text.slice(this.#nonce.length);
    if (token === 'NaN') return NaN;
    if (token === '-0') return 0;
    return token.endsWith('y') ? Number(token) : BigInt(token);
  }
}

/** Copies bytes; returns the place after them. For a few a loop is several times faster than a call of Node. */
function copy(source: Buffer, start: number, end: number, target: Buffer, to: number): number {
  if (end - start > 64) return to + source.copy(target, to, start, end);
  for (let i = start; i < end; i++) target[to + i - start] = source[i] ?? 0;
  return to + end - start;
}
