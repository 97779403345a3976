/** Values that nobody would send in good faith, and their texts: what fast-check makes inputs of. */
import fc from 'fast-check';

/**
 * A value as it stands in a text, so that it may be what no object can: with the same key twice, or a number of any
 * length.
 */
export type Wild = null | boolean | string | Token | readonly Wild[] | Members | Deep;

/** A number, or what pretends to be one. */
export interface Token {
  readonly token: string;
}

/** An object, its keys in order. */
export interface Members {
  readonly members: readonly (readonly [key: string, value: Wild])[];
}

/** A value inside of so many lists, or objects. */
export interface Deep {
  readonly levels: number;
  readonly inLists: boolean;
  readonly inner: Wild;
}

/** What a text from the wire may name, and must not get. Called by nobody: `judge.ts` plants it. */
export const TRAP = 'fuzzTrap';

const WORDS: readonly string[] = [
  '__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'toJSON', 'then', 'hasOwnProperty', 'length', 'name',
  'message', 'stack', 'cause', TRAP, 'eval', 'Function', 'process', 'status', 'result', 'traceback', 'children', 'task_id',
  'date_done', 'exc_type', 'exc_message', 'exc_module', 'SUCCESS', 'FAILURE', 'RETRY', 'REVOKED', 'PENDING', 'STARTED',
  '__type__', '__value__', '__superjson__', 'json', 'meta', 'values', 'referentialEqualities', 'v', '0', '1', '-1', '4294967294',
  '', 'a', 'b', 'a.b', 'a.0', '\ufeff', '\ud83d', '\udc00', '\0', '\x1b[31m', '\u2028', '\x9b', 'NaN', 'x'.repeat(600),
]; // prettier-ignore

const TOKENS: readonly string[] = [
  '0', '-0', '1', '-1', '1.5', '1e400', '-1e-400', '9007199254740993', '18446744073709551616', '1e16', 'NaN', 'Infinity', '-Infinity',
  '9'.repeat(400), '9'.repeat(4300),
]; // prettier-ignore

/** What is no number of JSON, or too long a one. One of them makes the whole text invalid. */
const NO_TOKENS = ['00', '01', '+1', '.5', '1.', 'nan', 'undefined', '0x10', '1_000', '1:30', '9'.repeat(4301)];

/** Types in envelopes, with what is and what is not of that type. */
const ENVELOPES: readonly (readonly [type: string, values: readonly string[]])[] = [
  ['datetime', ['2024-01-02T03:04:05.678+00:00', '2024-02-30', '0001-01-01T00:00:00+23:59', '9999-12-31T23:59:59-23:59', 'x']],
  ['date', ['2024-01-02', '2024-13-01', '']],
  ['time', ['03:04:05.678901', '24:00', '03:04:05+05:30:15.5']],
  ['decimal', ['3.140', 'NaN', 'sNaN123', '1e999999999999999999', '1e9999999999999999999', '--1', '9'.repeat(5000)]],
  ['uuid', ['0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5', 'g'.repeat(32), '-'.repeat(500)]],
  ['bytes', ['abc', '\ud83d', '']],
  ['base64', ['AAEC', 'AAE', '====', '\u0100']],
  ['__proto__', ['x']],
  ['constructor', ['x']],
  ['toString', ['x']],
  ['fuzz', ['x']],
]; // prettier-ignore

export const word: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.constantFrom(...WORDS), weight: 6 },
  { arbitrary: fc.array(fc.nat(0xffff), { maxLength: 12 }).map((units) => String.fromCharCode(...units)), weight: 1 },
  { arbitrary: fc.string({ maxLength: 12 }), weight: 1 },
);

const token: fc.Arbitrary<Token> = fc
  .oneof(
    { arbitrary: fc.constantFrom(...TOKENS), weight: 20 },
    { arbitrary: fc.constantFrom(...NO_TOKENS), weight: 1 },
    { arbitrary: fc.double().map(String), weight: 10 },
    { arbitrary: fc.integer().map(String), weight: 10 },
  )
  .map((text) => ({ token: text }));

/** An object of these members. */
export function members(entries: readonly (readonly [string, Wild])[]): Members {
  return { members: entries };
}

/** Each a kind of value, with others inside. */
type Tied = Readonly<Record<'any' | 'list' | 'object' | 'envelope' | 'deep', Wild>>;

const tied = fc.letrec<Tied>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { arbitrary: word, weight: 100 },
    { arbitrary: token, weight: 80 },
    { arbitrary: fc.constantFrom<Wild>(null, true, false), weight: 40 },
    { arbitrary: tie('list'), weight: 60 },
    { arbitrary: tie('object'), weight: 60 },
    { arbitrary: tie('envelope'), weight: 20 },
    { arbitrary: tie('deep'), weight: 1 },
  ),
  list: fc.array(tie('any'), { maxLength: 5 }).map((items): Wild => items),
  object: fc.array(fc.tuple(word, tie('any')), { maxLength: 5 }).map((entries): Wild => members(entries)),
  envelope: fc
    .tuple(fc.constantFrom(...ENVELOPES), fc.nat(7), fc.option(tie('any'), { freq: 3 }), fc.boolean())
    .map(([[type, values], at, other, isHex]): Wild => {
      const text = values[at % values.length] ?? '';
      return members([
        ['__type__', type],
        ['__value__', other ?? (isHex && type === 'uuid' ? members([['hex', text]]) : text)],
      ]);
    }),
  // About the bounds of depth, which nothing else comes near to.
  deep: fc
    .tuple(fc.constantFrom(3, 5, 8, 200, 990, 998, 1000, 1001, 5000), fc.boolean(), fc.oneof(word, token))
    .map(([levels, inLists, inner]): Wild => ({ levels, inLists, inner })),
}));

/** Any value. */
export const wild: fc.Arbitrary<Wild> = tied.any;

/**
 * An object with these fields, most of which are what they should be, some wild, some missing, and more of them.
 *
 * @param right - how many of a field are what they should be, for three that are not
 */
export function shaped(fields: Readonly<Record<string, fc.Arbitrary<Wild>>>, right = 30): fc.Arbitrary<Members> {
  const entries = Object.entries(fields).map(([key, good]) =>
    fc.oneof(
      { arbitrary: good.map((value) => [[key, value] as const]), weight: right },
      { arbitrary: wild.map((value) => [[key, value] as const]), weight: 2 },
      { arbitrary: fc.constant([]), weight: 1 },
    ),
  );
  const more = fc.array(fc.tuple(word, wild), { maxLength: 2 });
  return fc.tuple(more, ...entries).map((parts) => members(parts.flat() as [string, Wild][]));
}

/** The JSON text of a value, valid or not. */
export function jsonText(value: Wild): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (isToken(value)) return value.token;
  if (isMembers(value)) {
    return `{${value.members.map(([key, item]) => `${JSON.stringify(key)}: ${jsonText(item)}`).join(', ')}}`;
  }
  if (isDeep(value)) {
    const [open, close] = value.inLists ? ['[', ']'] : ['{"a": ', '}'];
    return open.repeat(value.levels) + jsonText(value.inner) + close.repeat(value.levels);
  }
  return `[${value.map(jsonText).join(', ')}]`;
}

/** The value as JavaScript has it; of equal keys the last one. Every key is an own property. */
export function plain(value: Wild): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (isToken(value)) return numberOf(value.token);
  if (isMembers(value)) return Object.fromEntries(value.members.map(([key, item]) => [key, plain(item)]));
  if (isDeep(value)) {
    let deep = plain(value.inner);
    for (let i = 0; i < value.levels; i++) deep = value.inLists ? [deep] : { a: deep };
    return deep;
  }
  return value.map(plain);
}

export function isToken(value: Wild): value is Token {
  return typeof value === 'object' && value !== null && 'token' in value;
}

export function isMembers(value: Wild): value is Members {
  return typeof value === 'object' && value !== null && 'members' in value;
}

export function isDeep(value: Wild): value is Deep {
  return typeof value === 'object' && value !== null && 'levels' in value;
}

function numberOf(text: string): unknown {
  if (text === 'undefined') return undefined;
  return /^-?\d{17,}$/.test(text) ? BigInt(text) : Number(text);
}
