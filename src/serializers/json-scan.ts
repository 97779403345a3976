/**
 * One pass over a JSON text before `JSON.parse`: it keeps the bounds and finds the numbers that `JSON.parse` cannot
 * read. Linear, without recursion. What is no JSON at all is left for `JSON.parse` to refuse.
 */
import { randomBytes } from 'node:crypto';

import { DecodeError } from '../errors.ts';

/** Bounds of a text that is read. */
export interface ReadLimits {
  /** Levels of arrays and objects. */
  readonly maxDepth: number;
  /** Digits of one number. */
  readonly maxDigits: number;
}

/** What `JSON.parse` is given instead of the text. */
export interface Scanned {
  readonly text: string;
  /** What the strings that stand for numbers start with, `null` when there are none. Nobody can guess it. */
  readonly nonce: string | null;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CAPITAL_I = 0x49;

/** What a character means outside of strings: 1 opens, 2 closes, 3 starts a number, 4 starts NaN or Infinity, 5 starts a string. */
const ROLES = new Uint8Array(128);
for (const [role, chars] of ['', '[{', ']}', '-0123456789', 'NI', '"'].entries()) {
  for (const char of chars) ROLES[char.charCodeAt(0)] = role;
}

/** Characters of a number, after its first. */
const IN_NUMBER = new Uint8Array(128);
for (const char of '0123456789.eE+-') IN_NUMBER[char.charCodeAt(0)] = 1;

/** The least length of an integer that a number cannot hold. */
const RARE_LENGTH = 16;

/** @throws DecodeError when a bound is exceeded */
export function scan(text: string, limits: ReadLimits): Scanned {
  let depth = 0;
  let rare: Replacements | undefined;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const role = code < 128 ? ROLES[code] : 0;
    if (role === 0) continue;
    if (role === 5) {
      i = endOfString(text, i);
    } else if (role === 1) {
      if (++depth > limits.maxDepth) throw new DecodeError(`Nested deeper than ${limits.maxDepth}.`);
    } else if (role === 2) {
      depth -= 1;
    } else {
      const end =
        role === 4 || text.charCodeAt(i + 1) === CAPITAL_I ? endOfName(text, i) : endOfNumber(text, i, limits);
      if (isRare(text, i, end)) (rare ??= new Replacements()).add(text, i, end);
      i = end - 1;
    }
  }
  return rare?.scanned(text) ?? { text, nonce: null };
}

/** The index of the quote that closes the string opened at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) break;
    if (code === BACKSLASH) i += 1;
  }
  return i;
}

/** The index after a number. */
function endOfNumber(text: string, start: number, { maxDigits }: ReadLimits): number {
  // Besides its digits a number has a sign, a point, an `e` and a second sign at most.
  const limit = start + maxDigits + 4;
  let end = start + 1;
  for (let code = text.charCodeAt(end); code < 128 && IN_NUMBER[code] === 1; code = text.charCodeAt(end)) {
    if (++end > limit) break;
  }
  if (end - start > maxDigits && text.slice(start, end).replace(/\D/g, '').length > maxDigits) {
    throw new DecodeError(`A number has more than ${maxDigits} digits.`);
  }
  return end;
}

/** The index after `NaN`, `Infinity` or `-Infinity`; after one character for anything else. */
function endOfName(text: string, start: number): number {
  for (const name of ['NaN', 'Infinity', '-Infinity']) if (text.startsWith(name, start)) return start + name.length;
  return start + 1;
}

const RARE_TOKEN = /^(?:NaN|-?Infinity|-0|-?[1-9]\d{15,})$/;
const BEFORE_COLON = /[ \t\n\r]*:/y;

/** Whether `JSON.parse` refuses the token, or loses digits of it. */
function isRare(text: string, start: number, end: number): boolean {
  const first = text.charCodeAt(start);
  if (end - start < RARE_LENGTH && first >= 0x30 && first <= 0x39) return false;
  const token = text.slice(start, end);
  if (!RARE_TOKEN.test(token) || (Number.isSafeInteger(Number(token)) && token !== '-0')) return false;
  // In the place of a key a string would be let through.
  BEFORE_COLON.lastIndex = end;
  return !BEFORE_COLON.test(text);
}

/** Puts strings in the place of numbers. */
class Replacements {
  readonly #nonce = randomBytes(12).toString('base64url');
  readonly #parts: string[] = [];
  #end = 0;

  add(text: string, start: number, end: number): void {
    this.#parts.push(text.slice(this.#end, start), `"${this.#nonce}${text.slice(start, end)}"`);
    this.#end = end;
  }

  scanned(text: string): Scanned {
    this.#parts.push(text.slice(this.#end));
    return { text: this.#parts.join(''), nonce: this.#nonce };
  }
}

/** The number that stands behind the nonce: a bigint where a number would lose digits. Python's `-0` is the integer 0. */
export function rareNumber(token: string): number | bigint {
  if (token === '-0') return 0;
  return token.endsWith('N') || token.endsWith('y') ? Number(token) : BigInt(token);
}
