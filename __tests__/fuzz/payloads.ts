/** Payloads of each format: values in its text, pieces of it put together wrongly, and recorded ones with wrong bytes. */
import fc from 'fast-check';
import { recordedPayloads } from './recorded.ts';
import { isDeep, isMembers, isToken, jsonText, type Wild, wild, word } from './wild.ts';

export type Format = 'json' | 'superjson' | 'yaml' | 'msgpack';

/** Changes of bytes: where, as a part of the whole, and with what. */
interface Change {
  readonly kind: 'flip' | 'set' | 'insert' | 'delete' | 'repeat' | 'splice' | 'cut';
  readonly at: number;
  readonly length: number;
  readonly byte: number;
}

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('flip', 'set', 'insert', 'delete', 'repeat', 'splice', 'cut'),
  at: fc.nat(9999),
  length: fc.integer({ min: 1, max: 60 }),
  byte: fc.oneof(
    fc.nat(255),
    fc.constantFrom(...Buffer.from('"\\{}[],:0-9eN&*!<\n \x80\xc1\xc7\xd4\xdd\xff', 'latin1')),
  ),
});

function changed(bytes: Buffer, { kind, at, length, byte }: Change, other: Buffer): Buffer {
  const start = Math.floor((at / 10_000) * (bytes.length + 1));
  const [before, after] = [bytes.subarray(0, start), bytes.subarray(start)];
  const rest = after.subarray(length);
  const one = Buffer.of(byte);
  if (kind === 'flip')
    return Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (1 << (byte % 8))), after.subarray(1)]);
  if (kind === 'set') return Buffer.concat([before, one, after.subarray(1)]);
  if (kind === 'insert') return Buffer.concat([before, Buffer.alloc(length % 4 === 0 ? length : 1, one), after]);
  if (kind === 'delete') return Buffer.concat([before, rest]);
  if (kind === 'repeat')
    return Buffer.concat([before, ...Array<Buffer>(1 + (byte % 9)).fill(after.subarray(0, length)), after]);
  if (kind === 'cut') return before;
  return Buffer.concat([
    before,
    other.subarray(Math.floor((at / 10_000) * other.length)).subarray(0, 4 * length),
    rest,
  ]);
}

/** Payloads of real Celery with a few bytes changed. */
export function mutated(format: Format): fc.Arbitrary<Buffer> {
  const recorded = fc.constantFrom(...recordedPayloads(format));
  return fc
    .tuple(recorded, recorded, fc.array(change, { minLength: 1, maxLength: 6 }))
    .map(([payload, other, changes]) => changes.reduce((bytes, each) => changed(bytes, each, other), payload));
}

const PIECES: Readonly<Record<'json' | 'yaml', readonly string[]>> = {
  json: [
    '{', '}', '[', ']', ',', ':', '"', '\\', '\\u', '\\ud83d', '"a"', '"__proto__"', '"__type__"', '"__\\u0074ype__"', 'null', 'true', 'NaN',
    '-Infinity', '-', '0', '1', '12345678901234567890', '1e5', '.', 'e', '\ufeff', '\0', '\n', '\x1b', '\u2028', '//', '/*', "'",
  ],
  yaml: [
    '- ', '? ', ': ', ', ', '[', ']', '{', '}', '&a ', '*a', '&b ', '*b', '!!set ', '!!map\n', '!!omap ', '!!pairs ', '!x ', '!!binary ', '|\n',
    '>-\n', "'", '"', '\\', '#', '\n', '  ', '\t', '%TAG ! !\n', '%YAML 1.1\n', '---\n', '...\n', '<<: ', '~', '1', '.', 'e', 'a: ', '2024-01-02', '=',
    '!!js/function ', '!!python/object/apply:os.system ', '!!python/name:fuzzTrap ', '__proto__: ', 'constructor: ', '\ufeff', '\0', '\x1b', '@',
    '!!timestamp ', '!!int ', '!!float ', '!!null ', '!!str ', '!!merge ', '2001-12-14t21:59:43.10-05:00', '0b', '0x', '0o7', '1:30:00', '\u0085',
  ],
}; // prettier-ignore

function pieces(format: 'json' | 'yaml'): fc.Arbitrary<Buffer> {
  return fc.array(fc.constantFrom(...PIECES[format]), { maxLength: 40 }).map((texts) => Buffer.from(texts.join('')));
}

/** Documents whose aliases double from line to line, or that merge, up to a size that nobody could hold. */
const laughs: fc.Arbitrary<Buffer> = fc
  .tuple(
    fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 20, max: 60 })),
    fc.integer({ min: 2, max: 5 }),
    fc.constantFrom('list', 'map', 'merge', 'set', 'self'),
  )
  .map(([levels, width, kind]) => {
    const lines = ['a0: &a0 {x: y}'];
    for (let i = 1; i <= levels; i++) {
      const aliases = Array.from(
        { length: width },
        (_, at) => (kind === 'list' || kind === 'merge' ? '' : `k${at}: `) + `*a${i - 1}`,
      );
      const inner = kind === 'self' ? `*a${i}` : aliases.join(', ');
      if (kind === 'merge') lines.push(`a${i}: &a${i} {<<: [${inner}], k${i}: 1}`);
      else if (kind === 'list' || kind === 'self') lines.push(`a${i}: &a${i} [${inner}]`);
      else lines.push(`a${i}: &a${i} ${kind === 'set' ? '!!map ' : ''}{${inner}}`);
    }
    return Buffer.from(`${lines.join('\n')}\nstatus: FAILURE\nresult: *a${levels}\n`);
  });

/** Lengths that lie: the least significant bytes are what a writer would have put there. */
const lie: fc.Arbitrary<number> = fc.oneof(
  { arbitrary: fc.constant(0), weight: 12 },
  fc.constantFrom(1, -1, 200, 2 ** 31, 2 ** 32 - 1),
);

/** A value in msgpack, with lengths as wrong as the caller has it. */
export function msgpack(value: Wild, lieOf: () => number): Buffer {
  if (value === null) return Buffer.of(0xc0);
  if (typeof value === 'boolean') return Buffer.of(value ? 0xc3 : 0xc2);
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    return Buffer.concat([head(0xdb, text.length, lieOf()), text]);
  }
  if (isToken(value)) {
    const number = Buffer.alloc(9, 0xcb);
    number.writeDoubleBE(Number(value.token), 1);
    return number;
  }
  if (isDeep(value)) {
    const open = value.inLists ? Buffer.of(0x91) : Buffer.of(0x81, 0xa1, 0x61);
    return Buffer.concat([...Array<Buffer>(value.levels).fill(open), msgpack(value.inner, lieOf)]);
  }
  if (isMembers(value)) {
    const parts = value.members.flatMap(([key, item]) => [msgpack(key, lieOf), msgpack(item, lieOf)]);
    return Buffer.concat([head(0xdf, value.members.length, lieOf()), ...parts]);
  }
  return Buffer.concat([head(0xdd, value.length, lieOf()), ...value.map((item) => msgpack(item, lieOf))]);
}

function head(code: number, length: number, wrong: number): Buffer {
  const bytes = Buffer.alloc(5, code);
  bytes.writeUInt32BE((length + wrong) >>> 0, 1);
  return bytes;
}

const CODES: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0xc7, 0xc8, 0xc9, 0xd4, 0xd6, 0xd7, 0xd8, 0xff, 0x81, 0x91, 0xdf, 0xcf),
  fc.nat(255),
);

const packed = (inner: fc.Arbitrary<Wild>): fc.Arbitrary<Buffer> =>
  fc.tuple(inner, fc.array(lie, { minLength: 1, maxLength: 4 })).map(([value, lies]) => {
    let at = 0;
    return msgpack(value, () => lies[at++ % lies.length] ?? 0);
  });

/** A value in a format's text. */
export function written(format: Format, inner: fc.Arbitrary<Wild>): fc.Arbitrary<Buffer> {
  if (format === 'msgpack') return packed(inner);
  return inner.map((value) => Buffer.from(jsonText(value)));
}

const marked = fc
  .tuple(wild, wild, fc.boolean())
  .map(
    ([json, meta, both]) =>
      `{"__superjson__": 1, "json": ${jsonText(tame(json))}${both ? `, "meta": ${jsonText(tame(meta))}` : ''}}`,
  );

/** Without what JSON.parse does not read. */
function tame(value: Wild): Wild {
  if (typeof value !== 'object' || value === null) return value;
  if (isToken(value)) return { token: JSON.stringify(Number(value.token)) };
  if (isMembers(value)) return { members: value.members.map(([key, item]) => [key, tame(item)] as const) };
  return isDeep(value) ? { ...value, inner: tame(value.inner) } : value.map(tame);
}

const ANNOTATIONS: fc.Arbitrary<unknown> = fc.constantFrom<unknown>(
  'undefined', 'bigint', 'Date', 'Error', 'regexp', 'set', 'map', 'number', 'URL', 'constructor', '__proto__', ['class', 'fuzzTrap'], ['class', '\x1b[2J'],
  ['symbol', 'a'], ['typed-array', 'Float64Array'], ['typed-array', 'constructor'], ['typed-array', 'Int8Array'], ['custom', 'celery-redis-backend.Buffer'],
  ['custom', 'celery-redis-backend.BigInt64Array'], ['custom', 'celery-redis-backend.TypedArray'], ['custom', 'constructor'], null, 1, {}, [],
); // prettier-ignore

const PATHS = ['a', 'b', 'a.b', 'a.0', '0', '1', '0.0', '0.1', '', '.', 'a.', '4294967294', '-1', '1e3', ' 0', '00', 'length', '__proto__', 'a.__proto__.x',
  'constructor.prototype', 'toString', 'a\\', 'a\\.b', 'a.size']; // prettier-ignore

const tree = fc.letrec<{ node: unknown }>((tie) => {
  const children = fc
    .array(fc.tuple(fc.constantFrom(...PATHS), tie('node')), { maxLength: 3 })
    .map((all) => Object.fromEntries(all) as unknown);
  return {
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      ANNOTATIONS.map((each) => [each] as unknown),
      fc.tuple(ANNOTATIONS, children) as fc.Arbitrary<unknown>,
      children,
    ),
  };
}).node;

const equalities = fc.oneof(
  fc.dictionary(fc.constantFrom(...PATHS), fc.array(fc.constantFrom(...PATHS), { maxLength: 3 }), { maxKeys: 4 }),
  fc.tuple(fc.array(fc.constantFrom(...PATHS), { maxLength: 3 })),
  fc.array(fc.anything({ maxDepth: 1, maxKeys: 2 }), { maxLength: 3 }),
);

const JSONS = ['[]', '[1,2,[3,[4]]]', '{"a":{"b":[1]},"b":[["x",1],["y",{}]]}', '{"a":["1"],"0":5}', '"x"', '"/a/g"', '1e9', '{"length":4e9}', 'null',
  '{"a":{"__proto__":{"x":1},"toString":1}}', '[[[0,"a"],[1,"b"]],"9007199254740993","2024-01-01"]', '{"a":4e9,"b":{"length":3e9}}', '"AAEC"']; // prettier-ignore

/** What superjson says of itself, more or less. */
const annotated = fc
  .tuple(fc.constantFrom(...JSONS), tree, fc.option(equalities, { freq: 2 }), fc.constantFrom(0, 1, '1', undefined))
  .map(([json, values, referentialEqualities, v]) => {
    const meta = { values, ...(referentialEqualities && { referentialEqualities }), v };
    return `{"__superjson__": 1, "json": ${json}, "meta": ${JSON.stringify(meta, (_key, item: unknown) => (typeof item === 'bigint' ? 1 : item))}}`;
  });

const superjsonValue = fc.oneof(marked, annotated);

/** The fields of a meta about a text. */
const inMeta = (text: fc.Arbitrary<string>, id: string): fc.Arbitrary<Buffer> =>
  text.map((value) => Buffer.from(`{"status": "SUCCESS", "result": ${value}, "args": ${value}, "task_id": "${id}"}`));

/** Any payload of a format. */
export function payloads(format: Format): fc.Arbitrary<Buffer> {
  const common = [
    { arbitrary: fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)), weight: 1 },
    { arbitrary: mutated(format), weight: 4 },
    { arbitrary: written(format, wild), weight: 5 },
  ];
  if (format === 'json') return fc.oneof(...common, { arbitrary: pieces('json'), weight: 3 });
  if (format === 'yaml')
    return fc.oneof(
      ...common,
      { arbitrary: pieces('yaml'), weight: 3 },
      laughs,
      word.map((text) => Buffer.from(text)),
    );
  if (format === 'superjson')
    return fc.oneof(...common, { arbitrary: superjsonValue.map((text) => Buffer.from(text)), weight: 8 });
  return fc.oneof(
    ...common,
    fc.array(CODES, { maxLength: 40 }).map((codes) => Buffer.from(codes)),
  );
}

/** Payloads that are a meta of a task, more or less. */
export function metas(format: Format, id: string, meta: fc.Arbitrary<Wild>): fc.Arbitrary<Buffer> {
  const all = [
    { arbitrary: mutated(format), weight: 4 },
    { arbitrary: written(format, meta), weight: 12 },
  ];
  if (format === 'yaml') return fc.oneof(...all, laughs);
  return format === 'superjson'
    ? fc.oneof(...all, { arbitrary: inMeta(superjsonValue, id), weight: 12 })
    : fc.oneof(...all);
}
