/** Strings as JSON, and texts that grow, without more memory than their result takes. */
import { constants } from 'node:buffer';
import { types as is } from 'node:util';

/** V8's longest string, in units. */
const MAX_LENGTH = constants.MAX_STRING_LENGTH;
/** The longest string that is quoted by regular expressions; for a longer one they take too much memory. */
const SHORT = 1024;
/** How long the growing end of a text may become. */
const TAIL = 64 * 1024;

const HEX = Buffer.from('0123456789abcdef');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The letter after the backslash for those that have one. */
const LETTERS = new Uint8Array(128);
for (const [char, letter] of Object.entries({
  '\b': 'b',
  '\t': 't',
  '\n': 'n',
  '\f': 'f',
  '\r': 'r',
  '"': '"',
  '\\': '\\',
})) {
  LETTERS[char.charCodeAt(0)] = letter.charCodeAt(0);
}

/** The length of each ASCII character in JSON; every other unit has six. */
const LENGTHS = new Uint8Array(128).map((_, code) => {
  if (LETTERS[code] !== 0) return 2;
  return code < 0x20 || code === 0x7f ? 6 : 1;
});

/** What V8 throws for a string beyond its longest. */
function tooLong(): RangeError {
  return new RangeError('Invalid string length');
}

/** Whether an error is the refusal of a string beyond V8's longest, by V8 or by Node. */
export function isTooLong(error: unknown): boolean {
  if (!is.isNativeError(error)) return false;
  const { message, code } = error as NodeJS.ErrnoException;
  return code === 'ERR_STRING_TOO_LONG' || (error.name === 'RangeError' && message === 'Invalid string length');
}

/**
 * A string as ASCII JSON.
 *
 * @throws RangeError when that is longer than a string can be
 */
export function quote(text: string): string {
  if (isOrdinary(text)) return `"${text}"`;
  if (text.length > SHORT) return quoteLong(text);
  const json = JSON.stringify(text);
  return /[\x7f-\uffff]/.test(json) ? json.replace(/[\x7f-\uffff]+/g, escapeUnits) : json;
}

/** Whether a string needs no escapes. For a short one a loop is faster than a regular expression. */
function isOrdinary(text: string): boolean {
  if (text.length > 40) return !/[^\x20-\x7e]|["\\]/.test(text);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) return false;
  }
  return true;
}

function escapeUnits(text: string): string {
  let escaped = '';
  for (let i = 0; i < text.length; i++) escaped += `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`;
  return escaped;
}

/** Measures first, so that the one buffer has the size of the result. */
function quoteLong(text: string): string {
  let length = 2;
  for (let i = 0; i < text.length; i++) length += LENGTHS[text.charCodeAt(i)] ?? 6;
  if (length > MAX_LENGTH) throw tooLong();
  const json = Buffer.allocUnsafe(length);
  json[0] = QUOTE;
  let to = 1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (LENGTHS[code] === 1) json[to++] = code;
    else to = escapeUnit(json, to, code);
  }
  json[to] = QUOTE;
  return json.toString('latin1', 0, length);
}

/** Writes the escape of a unit; returns the place after it. */
function escapeUnit(json: Buffer, to: number, code: number): number {
  json[to] = BACKSLASH;
  const letter = LETTERS[code] ?? 0;
  if (letter !== 0) {
    json[to + 1] = letter;
    return to + 2;
  }
  json[to + 1] = 0x75;
  for (let digit = 0; digit < 4; digit++) json[to + 2 + digit] = HEX[(code >> (12 - 4 * digit)) & 15] ?? 0;
  return to + 6;
}

/**
 * A text made of many pieces. V8 keeps what `+=` makes as a rope, of 20 to 32 bytes a piece, until somebody looks at it,
 * which a text of a hundred million pieces does not live to see: so its end is made flat again and again.
 */
export class GrowingText {
  #flat = '';
  #tail: string;

  constructor(start: string) {
    this.#tail = start;
  }

  /** @throws RangeError when the text becomes longer than a string can be */
  add(piece: string): void {
    this.#tail += piece;
    if (this.#tail.length > TAIL) this.#settle(piece);
  }

  toString(): string {
    return this.#flat + this.#tail;
  }

  /** A long piece is flat already. */
  #settle(piece: string): void {
    this.#flat += piece.length > TAIL ? this.#tail : Buffer.from(this.#tail, 'latin1').toString('latin1');
    this.#tail = '';
  }
}
