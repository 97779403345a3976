/** The bounds of what is read and written, each at its last value within and its first beyond, for every serializer. */
import { describe, expect, it } from '@jest/globals';
import { Codec } from '../../src/codec.ts';
import { DecodeError, EncodeError } from '../../src/errors.ts';
import { ExceptionRegistry } from '../../src/exceptions.ts';
import type { Serializer } from '../../src/index.ts';
import { requestFromMessage } from '../../src/request.ts';
import { resolveSerializer } from '../../src/serializers/index.ts';
import type { JsonLimits } from '../../src/serializers/json.ts';
import { DEFAULT_LIMITS } from '../../src/serializers/json.ts';
import { parseTuple } from '../../src/tuples.ts';

const NAMES = ['json', 'superjson', 'yaml', 'msgpack'] as const;
type Name = (typeof NAMES)[number];

/** A serializer as the options of a backend make it. */
async function open(name: Name, limits: Partial<JsonLimits>): Promise<Serializer> {
  const serializer = resolveSerializer(name, undefined, limits);
  await serializer.load?.();
  return serializer;
}

function nested(levels: number, open: string, inner: string, close: string): string {
  return open.repeat(levels) + inner + close.repeat(levels);
}

/** Payloads of so many levels: JSON is YAML too. */
const DEEP: Readonly<Record<Name, Readonly<Record<'lists' | 'objects', (levels: number) => Buffer>>>> = (() => {
  const text = {
    lists: (levels: number) => Buffer.from(nested(levels, '[', '1', ']')),
    objects: (levels: number) => Buffer.from(nested(levels, '{"a": ', '1', '}')),
  };
  const block = {
    lists: (levels: number) => Buffer.from(`${'- '.repeat(levels)}1`),
    objects: text.objects,
  };
  const bytes = {
    lists: (levels: number) => Buffer.concat([Buffer.alloc(levels, 0x91), Buffer.of(1)]),
    objects: (levels: number) => Buffer.concat([Buffer.from('\x81\xa1a'.repeat(levels), 'latin1'), Buffer.of(1)]),
  };
  return { json: text, superjson: text, yaml: block, msgpack: bytes };
})();

function value(levels: number): unknown {
  let deep: unknown = 1;
  for (let i = 0; i < levels; i++) deep = i % 2 === 0 ? [deep] : { a: deep };
  return deep;
}

describe('maxDepth', () => {
  const cases = NAMES.flatMap((name) =>
    (['lists', 'objects'] as const).flatMap((kind) =>
      [1, 20, DEFAULT_LIMITS.maxDepth].map((maxDepth) => [name, kind, maxDepth] as const),
    ),
  );

  it.each(cases)('of %s: %s of %d levels are read, and none of one more', async (name, kind, maxDepth) => {
    const serializer = await open(name, { maxDepth });
    expect(() => serializer.decode(DEEP[name][kind](maxDepth))).not.toThrow();
    expect(() => serializer.decode(DEEP[name][kind](maxDepth + 1))).toThrow(DecodeError);
  });

  it.each(NAMES)('of %s: as many levels are written, and none more', async (name) => {
    const serializer = await open(name, { maxDepth: 20 });
    expect(serializer.decode(Buffer.from(serializer.encode(value(20))))).toEqual(value(20));
    expect(() => serializer.encode(value(21))).toThrow(EncodeError);
  });

  it('of superjson: references put no value deeper than that', async () => {
    const serializer = await open('superjson', { maxDepth: 20 });
    const wrapped = (levels: number): unknown => ({
      __superjson__: 1,
      json: { deep: value(10), host: JSON.parse(nested(levels, '[', '0', ']')) as unknown },
      meta: { referentialEqualities: { deep: [`host${'.0'.repeat(levels)}`] }, v: 1 },
    });
    expect(() => serializer.unwrap?.(wrapped(9))).not.toThrow();
    expect(() => serializer.unwrap?.(wrapped(10))).toThrow('Nested deeper than 20');
  });

  it('of yaml: aliases put no value deeper than that', async () => {
    const serializer = await open('yaml', { maxDepth: 20 });
    const text = (levels: number): Buffer =>
      Buffer.from(`a: &a ${nested(10, '[', '1', ']')}\nb: ${nested(levels, '[', '*a', ']')}`);
    expect(() => serializer.decode(text(9))).not.toThrow();
    expect(() => serializer.decode(text(10))).toThrow('Nested deeper than 20');
  });
});

describe('maxDigits', () => {
  const cases = (['json', 'superjson', 'yaml'] as const).flatMap((name) =>
    [10, 30, DEFAULT_LIMITS.maxDigits].flatMap((maxDigits) =>
      ['', '-'].map((sign) => [name, sign, maxDigits] as const),
    ),
  );

  it.each(cases)('of %s: a number of sign "%s" and %d digits is read, and none of one more', async (name, sign, digits) => {
    const serializer = await open(name, { maxDigits: digits });
    const text = sign + '7'.repeat(digits);
    const found = [serializer.decode(Buffer.from(text)), ...(serializer.decode(Buffer.from(`[${text}]`)) as unknown[])];
    expect(found.map(String)).toEqual([text, text]);
    for (const longer of [`${text}7`, `[0, ${text}7]`, `{"a": ${text}7}`]) {
      expect(() => serializer.decode(Buffer.from(longer))).toThrow(`more than ${digits} digits`);
    }
  }); // prettier-ignore

  it.each(['', '-'])('of superjson: a bigint of sign "%s" too', async (sign) => {
    const serializer = await open('superjson', { maxDigits: 10 });
    const wrapped = (json: string): unknown => ({ __superjson__: 1, json, meta: { values: ['bigint'], v: 1 } });
    expect(serializer.unwrap?.(wrapped(`${sign}7777777777`))).toBe(BigInt(`${sign}7777777777`));
    expect(() => serializer.unwrap?.(wrapped(`${sign}77777777777`))).toThrow('more than 10 digits');
  });

  it.each(['json', 'yaml'] as const)('of %s: no more digits are written', async (name) => {
    const serializer = await open(name, { maxDigits: 30 });
    expect(String(serializer.encode([10n ** 29n])).trim()).toContain('1' + '0'.repeat(29));
    expect(() => serializer.encode([10n ** 30n])).toThrow(EncodeError);
  });

  it('of msgpack: a 64-bit integer is read whatever they are, and nothing longer is written', async () => {
    const serializer = await open('msgpack', { maxDigits: 1 });
    expect(serializer.decode(Buffer.alloc(9, 0xff).fill(0xcf, 0, 1))).toBe(2n ** 64n - 1n);
    expect(() => serializer.encode(2n ** 64n)).toThrow(EncodeError);
  });
});

describe('maxPayload', () => {
  it.each(NAMES)('of %s: as many bytes are read, and not one more', async (name) => {
    const payload = Buffer.from((await open(name, {})).encode({ a: 'text' }));
    const within = await open(name, { maxPayload: payload.length });
    const beyond = await open(name, { maxPayload: payload.length - 1 });
    expect(within.decode(payload)).toEqual({ a: 'text' });
    expect(() => beyond.decode(payload)).toThrow(`A payload of ${payload.length} bytes, more than ${payload.length - 1}.`);
  }); // prettier-ignore

  it.each(NAMES)('of %s: as many bytes are stored, and not one more', async (name) => {
    const serializer = await open(name, {});
    const meta = { status: 'SUCCESS', result: 'd\u00e9j\u00e0', traceback: null, children: [], date_done: '', task_id: 'a' };
    const codecOf = (maxPayload: number): Codec =>
      new Codec({ serializer, exceptions: new ExceptionRegistry(), maxPayload });
    const length = Buffer.from(codecOf(2 ** 20).encodeMeta(meta)).length;
    expect(Buffer.from(codecOf(length).encodeMeta(meta)).length).toBe(length);
    expect(() => codecOf(length - 1).encodeMeta(meta)).toThrow('value too large for Redis backend');
  }); // prettier-ignore
});

describe('references', () => {
  it.each([
    ['2^20 elements', 1000, 'x'],
    ['16 times the text', 14, 'x'.repeat(2 ** 17)],
  ])('of yaml: aliases expand a value to %s at most', async (_what, times, item) => {
    const serializer = await open('yaml', {});
    const items = item === 'x' ? Array<string>(1000).fill('1').join(', ') : item;
    const text = (count: number): Buffer => Buffer.from(`a: &a [${items}]\nb: [${Array<string>(count).fill('*a').join(', ')}]`);
    expect((serializer.decode(text(times)) as { b: unknown[] }).b).toHaveLength(times);
    expect(() => serializer.decode(text(Math.ceil(times * 1.2)))).toThrow('expands, by its references');
  }); // prettier-ignore
});

describe('results and messages', () => {
  const up = (levels: number): unknown => {
    let tuple: unknown = [['a', null], null];
    for (let i = 0; i < levels; i++) tuple = [['a', tuple], null];
    return tuple;
  };
  const down = (levels: number): unknown => {
    let tuple: unknown = [['a', null], []];
    for (let i = 0; i < levels; i++) tuple = [['a', null], [tuple]];
    return tuple;
  };

  it.each([
    ['parents', up],
    ['groups', down],
  ])('a tuple of 1,000 %s in one another is read, and none of one more', (_what, tuple) => {
    expect(() => parseTuple(tuple(1000))).not.toThrow();
    expect(() => parseTuple(tuple(1001))).toThrow('deeper than 1000');
  });

  it('a message of 1,000 levels is read, and none of one more', () => {
    // Three of them are the message, its body and its arguments.
    const message = (levels: number) => ({ headers: { id: 'a', task: 'app.add' }, body: [[value(levels - 3)], {}, {}] });
    expect(() => requestFromMessage(message(1000))).not.toThrow();
    expect(() => requestFromMessage(message(1001))).toThrow('deeper than 1000');
  }); // prettier-ignore
});
