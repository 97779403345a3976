import { beforeAll, describe, expect, it, jest } from '@jest/globals';

import { DecodeError, EncodeError, ImproperlyConfigured } from '../../src/errors.ts';
import { TypeRegistry } from '../../src/serializers/types.ts';
import { Decimal, PlainDate, PlainTime, Uuid } from '../../src/serializers/values.ts';
import { createYamlSerializer } from '../../src/serializers/yaml.ts';

const yaml = createYamlSerializer({ types: new TypeRegistry() });
beforeAll(() => yaml.load?.());

function write(value: unknown): string {
  return yaml.encode(value) as string;
}

function read(text: string): unknown {
  return yaml.decode(Buffer.from(text));
}

describe('writing yaml as PyYAML does', () => {
  it.each([
    [{ b: 1, a: [1, [2, []], {}], '\u{1f600}': 1, '\uffff': 1 }, 'a:\n- 1\n- - 2\n  - []\n- {}\nb: 1\n"\\uFFFF": 1\n"\\U0001F600": 1\n'],
    [[null, true, -0, 1e16, 5e-324, 2 ** 53, 10n ** 20n], '- null\n- true\n- -0.0\n- 1.0e+16\n- 5.0e-324\n- 9007199254740992.0\n- 100000000000000000000\n'],
    [[NaN, Infinity, -Infinity, undefined], '- .nan\n- .inf\n- -.inf\n- null\n'],
    [['1e3', '1', '.5', '-.5', 'yes', 'y', '~', '', '=', '<<', '1:30', '0x1'], "- 1e3\n- '1'\n- '.5'\n- -.5\n- 'yes'\n- y\n- '~'\n- ''\n- '='\n- '<<'\n- '1:30'\n- '0x1'\n"],
    [['a: b', 'a #b', '- a', ' a', "it's", '"', '2024-01-02', '...'], "- 'a: b'\n- 'a #b'\n- '- a'\n- ' a'\n- it's\n- '\"'\n- '2024-01-02'\n- '...'\n"],
    [{ traceback: 'one\ntwo\n' }, "traceback: 'one\n\n  two\n\n  '\n"],
    [{ a: 'one\n two' }, 'a: "one\\n two"\n'],
    [{ a: 'word '.repeat(20).trim() }, `a: ${'word '.repeat(16).trim()}\n  word word word word\n`],
    [new Date('2024-01-02T03:04:05.678Z'), '2024-01-02 03:04:05.678000+00:00\n...\n'],
    [[new PlainDate('2024-01-02'), new Date(0)], '- 2024-01-02\n- 1970-01-01 00:00:00+00:00\n'],
    [{ a: new Set(['y', 'x']), b: new Set() }, 'a: !!set\n  x: null\n  y: null\nb: !!set {}\n'],
    [{ a: new Uint8Array(60), b: new Uint8Array() }, `a: !!binary |\n  ${'A'.repeat(76)}\n  AAAA\nb: !!binary ""\n`],
    [new Map<unknown, unknown>([[2, 'a'], [10n, 'b'], [true, 'c']]), 'true: c\n2: a\n10: b\n'],
    [new Map<unknown, unknown>([[2, 'a'], ['x', 'b'], [null, 'c']]), '2: a\nx: b\nnull: c\n'],
    [{ ['k'.repeat(123)]: 1, ['k'.repeat(122)]: 2 }, `${'k'.repeat(122)}: 2\n? ${'k'.repeat(123)}\n: 1\n`],
    ['plain', 'plain\n...\n'],
    ["quoted: 'x'", "'quoted: ''x'''\n"],
  ])('writes %p', (value, text) => {
    expect(write(value)).toBe(text);
  }); // prettier-ignore

  it('sorts dates and bytes too, and leaves what Python cannot compare as it comes', () => {
    const [early, late] = [new Date(0), new Date(1000)];
    expect([...(read(write(new Map([[late, 1], [early, 2]]))) as Map<Date, number>).keys()]).toEqual([early, late]); // prettier-ignore
    const days = new Set([new PlainDate('2024-01-02'), new PlainDate('2023-01-02')]);
    expect(write(days)).toBe('!!set\n2023-01-02: null\n2024-01-02: null\n');
    expect(write(new Set([new Uint8Array([2]), new Uint8Array([1])]))).toMatch(/AQ==[^]*Ag==/);
    expect(write(new Set(['b', 1, 'a']))).toBe('!!set\nb: null\n1: null\na: null\n');
  });

  it.each([
    [{ a: [new Decimal('1')] }, '$.a[0]: a Decimal has no YAML form: use its toString()'],
    [{ a: new PlainTime('03:04:05') }, '$.a: a PlainTime has no YAML form'],
    [{ a: new Uuid('0'.repeat(32)) }, '$.a: a Uuid has no YAML form'],
    [{ a: () => 1 }, '$.a: a function has no YAML form'],
    [{ a: /x/ }, '$.a: a RegExp has no YAML form: use its source'],
    [{ a: new Error('x') }, '$.a: an Error is not a value'],
    [{ a: new Date(NaN) }, '$.a: Expected a valid Date'],
    [{ a: 10n ** 4300n }, '$.a: an integer of 4301 digits'],
    [new Map([[[1], 1]]), '$["an array of 1"]: a key cannot be a list'],
  ])('refuses %p, and says where', (value, message) => {
    expect(() => write(value)).toThrow(EncodeError);
    expect(() => write(value)).toThrow(`Cannot encode ${message}`);
  });

  it('refuses a cycle and depth, and writes a shared object twice', () => {
    const ring: unknown[] = [];
    ring.push({ ring });
    expect(() => write(ring)).toThrow('Cannot encode $[0].ring: circular: it is $ again.');
    const shallow = createYamlSerializer({ limits: { maxDepth: 2 } });
    expect(shallow.encode([[1]])).toBe('- - 1\n');
    expect(() => shallow.encode([[[]]])).toThrow('nested deeper than 2');
    const shared = { x: 1 };
    expect(write([shared, shared])).toBe('- x: 1\n- x: 1\n');
  });

  it('takes toJSON, boxes, class instances and classes registered without a marker', () => {
    const types = new TypeRegistry();
    class Money {
      readonly cents = 5;
    }
    class Marked {
      readonly x = 1;
    }
    class Loop {
      readonly x = 1;
    }
    types.register(Money, null, ({ cents }) => `${cents} ct`);
    types.register(Marked, 'marked', ({ x }) => x);
    types.register(Loop, null, () => new Loop());
    const own = createYamlSerializer({ types });
    expect(own.encode([new Money(), new URL('https://e.org/'), Object(1), new (class { readonly y = 1 })()])).toBe("- 5 ct\n- https://e.org/\n- 1\n- y: 1\n"); // prettier-ignore
    expect(() => own.encode([new Marked()])).toThrow('a class registered with a marker travels in JSON');
    expect(() => own.encode([new Loop()])).toThrow('makes ever new objects');
  });
});

describe('reading yaml as PyYAML does', () => {
  it.each([
    ['[9007199254740991, 9007199254740992, -12345678901234567890]', [9007199254740991, 9007199254740992n, -12345678901234567890n]],
    ['[0x1f, 0b101, 017, 1_000, 1:30, -1:30, +5, 0]', [31, 5, 15, 1000, 90, -90, 5, 0]],
    ['[1e3, y, n, -.5, 0o7, 1.e5, "1", 1:99]', ['1e3', 'y', 'n', '-.5', '0o7', '1.e5', '1', '1:99']],
    ['[1.5, .5, 1., 1_0.5, 1.0e+3, -.inf, .NaN, 1:30.5]', [1.5, 0.5, 1, 10.5, 1000, -Infinity, NaN, 90.5]],
    ['[yes, No, ON, off, ~, null, ]', [true, false, true, false, null, null]],
    ['[2024-01-02, 2024-01-02 03:04:05.678901+05:30, 2024-1-2T3:04:05]', [new PlainDate('2024-01-02'), new Date('2024-01-01T21:34:05.678Z'), new Date('2024-01-02T03:04:05Z')]],
    ['!!binary |\n  /wCA\n', new Uint8Array([255, 0, 128])],
    ['!!set {a: null, 1: null}', new Set(['a', 1])],
    ['!!omap [{a: 1}]', [['a', 1]]],
    ['!!pairs [{a: 1}, {a: 2}]', [['a', 1], ['a', 2]]],
    ['{1: a, b: c}', new Map<unknown, unknown>([[1, 'a'], ['b', 'c']])],
    ['{a: 1, a: 2}', { a: 2 }],
    ['a: &x {k: 1}\nb: *x\nc: {<<: *x, l: 2}\n', { a: { k: 1 }, b: { k: 1 }, c: { k: 1, l: 2 } }],
    ['"\\U0001F600 \\uD83D \\xE9"', '\u{1f600} \ud83d \u00e9'],
    ['{"status": "SUCCESS", "result": [1.5, null]}', { status: 'SUCCESS', result: [1.5, null] }],
  ])('reads %s', (text, value) => {
    expect(read(text)).toEqual(value);
  }); // prettier-ignore

  it('reads __proto__ as an own key, merged or not, and pollutes nothing', () => {
    const value = read('a: &x {__proto__: {polluted: 1}}\nb: {<<: *x}\n') as Record<string, object>;
    for (const part of [value['a'], value['b']]) {
      expect(Object.getPrototypeOf(part)).toBe(Object.prototype);
      expect(Object.getOwnPropertyDescriptor(part, '__proto__')?.value).toEqual({ polluted: 1 });
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it.each([
    ['!!python/object/apply:os.system ["true"]', /unknown \w+ tag !<tag:yaml.org,2002:python\/object\/apply:os.system>/],
    ['!!js/function "x"', /unknown scalar tag/],
    ['!own {}', /unknown mapping tag/],
    ['{[1]: 2}', /a key that is a list or a mapping/],
    ['a: [', /The payload is not YAML: /],
    ['a\n---\nb', /single document/],
    ['&a [*a]', /an? alias inside of what it stands for/],
    ['&a {x: *a}', /recursive alias/],
    ['9'.repeat(4301), /more than 4300 digits/],
    ['\0', /null byte/],
    ['[*gone]', /unidentified alias/],
    ['!!binary "not base64"', /cannot resolve/],
    ['[\u00e9', /^The payload is not YAML: [ -~]*\.$/],
  ])('refuses %p', (text, message) => {
    expect(() => read(text)).toThrow(DecodeError);
    expect(() => read(text)).toThrow(message);
  }); // prettier-ignore

  it('refuses what is not UTF-8', () => {
    expect(() => yaml.decode(Buffer.from([0x61, 0xff]))).toThrow('The payload is not UTF-8');
  });

  it.each([
    ['[', ']'],
    ['- ', ''],
    ['{a: ', '}'],
  ])('bounds the depth of %p', async (opening, closing) => {
    const nested = (depth: number): Buffer => Buffer.from(`${opening.repeat(depth)}1${closing.repeat(depth)}`);
    const shallow = createYamlSerializer({ limits: { maxDepth: 10 } });
    await shallow.load?.();
    expect(() => shallow.decode(nested(10))).not.toThrow();
    expect(() => shallow.decode(nested(11))).toThrow(DecodeError);
    expect(() => yaml.decode(nested(100_000))).toThrow(DecodeError);
  });

  it('reads 1,000 levels', () => {
    expect(() => read(`${'- '.repeat(1000)}1`)).not.toThrow();
    expect(() => read(`${'['.repeat(1001)}${']'.repeat(1001)}`)).toThrow('Nested deeper than 1000');
  });

  it('bounds what aliases expand to, in number, length and depth', () => {
    const lines = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`);
    expect(() => read(`a0: &a0 x\n${lines.join('\n')}\n`)).toThrow(/expands, by its references, to more than/);
    const long = `a: &a "${'x'.repeat(100_000)}"\nb: [${'*a, '.repeat(1000)}]\n`;
    expect(() => read(long)).toThrow(/expands/);
    const chain = Array.from({ length: 1001 }, (_, i) => `- &a${i + 1} [*a${i}]`);
    expect(() => read(`- &a0 x\n${chain.join('\n')}\n`)).toThrow('Nested deeper than 1000');
    expect(read(`- &a [1]\n${'- *a\n'.repeat(1000)}`)).toHaveLength(1001);
  });

  it('reads a document of 1 MiB without aliases, and one of 20,000 anchors', () => {
    const rows = Array.from({ length: 12_000 }, (_, id) => ({ id, name: `row ${id}`, tags: ['a', 'b'], note: 'a: b '.repeat(8) })); // prettier-ignore
    const text = write({ status: 'SUCCESS', result: rows });
    expect(text.length).toBeGreaterThan(2 ** 20);
    expect(read(text)).toEqual({ status: 'SUCCESS', result: rows });
    const anchors = Array.from({ length: 20_000 }, (_, i) => `- &a${i} {x: ${i}}\n- *a${i}\n`).join('');
    expect((read(anchors) as unknown[]).slice(-2)).toEqual([{ x: 19_999 }, { x: 19_999 }]);
  });

  it('bounds the payload', async () => {
    const small = createYamlSerializer({ limits: { maxPayload: 3 } });
    await small.load?.();
    expect(() => small.decode(Buffer.from('1234'))).toThrow('A payload of 4 bytes, more than 3.');
  });
});

describe('the package js-yaml', () => {
  it('is needed before anything is read', () => {
    expect(() => createYamlSerializer().decode(Buffer.from('a'))).toThrow(ImproperlyConfigured);
  });

  it.each([
    ['missing', /js-yaml could not be loaded. Install it: npm install js-yaml@5/, undefined],
    ['too old', /older than version 5. Install that: npm install js-yaml@5/, { load: () => null }],
  ])('is asked for when it is %s', async (_, message, found) => {
    jest.resetModules();
    jest.unstable_mockModule('js-yaml', () => {
      if (!found) throw new Error("Cannot find package 'js-yaml'");
      return found;
    });
    const { createYamlSerializer: create } = await import('../../src/serializers/yaml.ts');
    const error: unknown = await create()
      .load?.()
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'CELERY_IMPROPERLY_CONFIGURED', message: expect.stringMatching(message) });
  });
});
