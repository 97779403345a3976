import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';

import { ContentDisallowed, DecodeError, EncodeError, ImproperlyConfigured, SecurityError } from '../../src/errors.ts';
import type { Serializer } from '../../src/ports.ts';
import { registerSerializer, resolveSerializer } from '../../src/serializers/index.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { createSuperJsonSerializer, type SuperJsonOptions } from '../../src/serializers/superjson.ts';
import { Decimal } from '../../src/serializers/values.ts';

async function loaded(options?: SuperJsonOptions): Promise<Required<Pick<Serializer, 'wrap' | 'unwrap'>> & Serializer> {
  const serializer = createSuperJsonSerializer(options);
  await serializer.load?.();
  return serializer as Required<Serializer>;
}

function trip(serializer: Serializer, value: unknown): unknown {
  const payload = serializer.encode({ result: serializer.wrap?.(value) });
  const { result } = serializer.decode(Buffer.from(payload)) as { result: unknown };
  return serializer.unwrap?.(result);
}

describe('the superjson serializer', () => {
  it('brings back what JSON has no form for', async () => {
    const serializer = await loaded();
    const value = {
      map: new Map<unknown, unknown>([[{ k: 1 }, new Set([1n])]]),
      date: new Date(5),
      none: undefined,
      url: new URL('https://example.org/'),
      pattern: /x/gi,
      bytes: new Uint8Array([255]),
      error: new RangeError('boom'),
      price: new Decimal('1.50'),
      big: 12345678901234567890n,
    };
    expect(trip(serializer, value)).toEqual(value);
    const ring: Record<string, unknown> = {};
    ring['self'] = ring;
    const back = trip(serializer, ring) as Record<string, unknown>;
    expect(back['self']).toBe(back);
  });

  it.each<[string, () => unknown]>([
    ['a Date', () => new Date(5)],
    ['a Map', () => new Map<unknown, unknown>([[1n, -0], [{ k: 1 }, Buffer.from('x')]])], // prettier-ignore
    ['a Set', () => new Set([NaN, undefined, 'x'])],
    ['a bigint', () => -(2n ** 80n)],
    ['undefined', () => undefined],
    ['NaN', () => NaN],
    ['-0', () => -0],
    ['-Infinity', () => -Infinity],
    ['a RegExp', () => /a\/b[/]/giu],
    ['a URL', () => new URL('https://example.org/a?b#c')],
    ['an Error', () => new RangeError('boom', { cause: new Error('why') })],
    ['odd keys', () => ({ 'a.b': 1n, 'a\\.b': 2n, 'a\\': { '': 3n } })],
    ['an Int8Array', () => new Int8Array([-1, 2])],
    ['a Uint8Array', () => new Uint8Array([0, 255])],
    ['a Uint8ClampedArray', () => new Uint8ClampedArray([0, 255])],
    ['an Int16Array', () => new Int16Array([-1, 2])],
    ['a Uint16Array', () => new Uint16Array([1, 65535])],
    ['an Int32Array', () => new Int32Array([-1, 2])],
    ['a Uint32Array', () => new Uint32Array([1, 2 ** 32 - 1])],
    ['a Float32Array', () => new Float32Array([0.5, NaN, -0, Infinity])],
    ['a Float64Array', () => new Float64Array([0.1, NaN, -0, -Infinity, 1e300])],
    ['a BigInt64Array', () => new BigInt64Array([-1n, 2n ** 62n])],
    ['a BigUint64Array', () => new BigUint64Array([1n, 2n ** 64n - 1n])],
    ['a Buffer', () => Buffer.from('h\u00e9llo')],
    ['a Buffer in an array', () => [Buffer.alloc(0), { b: Buffer.from([255]) }]],
  ])('brings back %s', async (_, make) => {
    const serializer = await loaded();
    const back = trip(serializer, make());
    expect(back).toEqual(make());
    expect(Object.prototype.toString.call(back)).toBe(Object.prototype.toString.call(make()));
    expect(Buffer.isBuffer(back)).toBe(Buffer.isBuffer(make()));
  });

  it('writes bytes in base64', async () => {
    const serializer = await loaded();
    expect(serializer.wrap(new Uint8Array(4).subarray(1))).toMatchObject({ json: 'AAAA' });
  });

  it('refuses what it could not read', async () => {
    class Samples extends Float64Array {}
    class Bytes extends Uint8Array {}
    const serializer = await loaded();
    const odd = [new Samples(1), new Bytes(1), new ArrayBuffer(1), new DataView(new ArrayBuffer(1)), Symbol('s'),
      () => 1, new WeakMap(), Promise.resolve(), new Date(NaN), { constructor: 1n }]; // prettier-ignore
    for (const value of odd) expect(() => trip(serializer, { deep: [value] })).toThrow(EncodeError);
    expect(() => trip(serializer, new Samples(1))).toThrow('a Samples could not be read back');
  });

  it('lets a class without registration come back as its own fields', async () => {
    class Point {
      readonly x = 1;
      readonly at = new Date(0);
    }
    expect(trip(await loaded(), [new Point()])).toEqual([{ x: 1, at: new Date(0) }]);
  });

  it("lets the user's own types come first", async () => {
    const mine = await loaded({
      register: (superjson) => {
        superjson.registerCustom<Buffer, string>(
          { isApplicable: (v): v is Buffer => Buffer.isBuffer(v), serialize: (v) => v.toString('hex'), deserialize: (v) => Buffer.from(v, 'hex') },
          'Buffer',
        ); // prettier-ignore
      },
    });
    expect(mine.wrap(Buffer.from([255]))).toMatchObject({ json: 'ff' });
  });

  it('can read all that it has written', async () => {
    const serializer = await loaded();
    const options = { withBigInt: true, withBoxedValues: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, withSparseArray: true, withNullPrototype: true, withObjectString: true, withUnicodeString: true } as const; // prettier-ignore
    fc.assert(
      fc.property(fc.anything(options), (value) => {
        let payload;
        try {
          payload = serializer.encode({ result: serializer.wrap(value) });
        } catch (error) {
          expect(error).toBeInstanceOf(EncodeError);
          return;
        }
        const { result } = serializer.decode(Buffer.from(payload)) as { result: unknown };
        serializer.unwrap(result);
      }),
      { numRuns: 500 },
    );
  });

  it('fails only the one call on hostile bytes', async () => {
    const serializer = await loaded();
    for (const name of ['Buffer', 'Uint8Array', 'BigInt64Array', 'BigUint64Array', 'TypedArray']) {
      const hostile = { __superjson__: 1, json: [5], meta: { values: [['custom', `celery-redis-backend.${name}`]], v: 1 } }; // prettier-ignore
      expect(() => serializer.unwrap(hostile)).toThrow(DecodeError);
    }
  });

  it('wraps only what superjson has something to say about, or what looks wrapped', async () => {
    const serializer = await loaded();
    expect(serializer.wrap({ a: [1, 'x', null] })).toEqual({ a: [1, 'x', null] });
    expect(serializer.wrap(new Date(0))).toEqual({ __superjson__: 1, json: '1970-01-01T00:00:00.000Z', meta: expect.anything() }); // prettier-ignore
    const lookalike = { __superjson__: 1, json: 'mine' };
    expect(serializer.wrap(lookalike)).toEqual({ __superjson__: 1, json: lookalike });
    expect(trip(serializer, lookalike)).toEqual(lookalike);
    expect(serializer.unwrap([1])).toEqual([1]);
  });

  it('registers classes on an instance of its own', async () => {
    class Money {
      readonly cents = 5;
    }
    const registering = await loaded({ register: (superjson) => { superjson.registerClass(Money, 'Money'); } }); // prettier-ignore
    expect(trip(registering, new Money())).toBeInstanceOf(Money);
    const { default: shared } = await import('superjson');
    expect(shared.serialize(new Money()).meta).toBeUndefined();
    const other = await loaded();
    expect(() => other.unwrap(registering.wrap(new Money()))).toThrow(DecodeError);
  });

  it('pollutes no prototype and fails only the one call on hostile metadata', async () => {
    const serializer = await loaded();
    for (const path of ['__proto__.x', 'constructor.prototype.x', 'prototype.x']) {
      const json: unknown = JSON.parse('{"__proto__": {"x": "1970-01-01"}}');
      const hostile = { __superjson__: 1, json, meta: { values: { [path]: ['Date'] } } }; // prettier-ignore
      expect(() => serializer.unwrap(hostile)).toThrow(DecodeError);
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    expect(() => serializer.unwrap({ __superjson__: 1, json: 1, meta: 5 })).not.toThrow(TypeError);
  });

  it('fails with a typed error before it is loaded, and for what superjson cannot walk', async () => {
    expect(() => createSuperJsonSerializer().wrap?.(1)).toThrow(ImproperlyConfigured);
    const serializer = await loaded();
    const hostile = Object.defineProperty({}, 'x', { get: () => { throw new Error('no'); }, enumerable: true }); // prettier-ignore
    expect(() => serializer.wrap(hostile)).toThrow(EncodeError);
  });
});

describe('the superjson serializer without superjson', () => {
  it('says what to do when the package cannot be loaded', async () => {
    const cause = new SyntaxError('Cannot use import statement outside a module');
    await jest.isolateModulesAsync(async () => {
      jest.unstable_mockModule('superjson', () => {
        throw cause;
      });
      const { createSuperJsonSerializer: create } = await import('../../src/serializers/superjson.ts');
      const loading = create().load?.();
      await expect(loading).rejects.toMatchObject({ code: 'CELERY_IMPROPERLY_CONFIGURED', cause });
      await expect(loading).rejects.toThrow(/transformIgnorePatterns.*experimental-vm-modules/);
    });
    jest.unstable_unmockModule('superjson');
  });
});

describe('serializers by name', () => {
  it('are found by name and taken as they are', () => {
    expect(resolveSerializer('json').name).toBe('json');
    expect(resolveSerializer('superjson').name).toBe('superjson');
    expect(resolveSerializer('yaml')).toMatchObject({ name: 'yaml', contentType: 'application/x-yaml' });
    expect(resolveSerializer('msgpack')).toMatchObject({ name: 'msgpack', contentType: 'application/x-msgpack' });
    expect(resolveSerializer('application/x-yaml').name).toBe('yaml');
    expect(resolveSerializer('application/x-msgpack').name).toBe('msgpack');
    expect(resolveSerializer('application/json').name).toBe('json');
    const own = createJsonSerializer();
    expect(resolveSerializer(own)).toBe(own);
  });

  it('get the limits of the backend', () => {
    const serializer = resolveSerializer('json', undefined, { maxDepth: 1 });
    expect(() => serializer.decode(Buffer.from('[[]]'))).toThrow('Nested deeper than 1.');
  });

  it('can be added by users', () => {
    registerSerializer('shouting', (limits) => ({ ...createJsonSerializer({ limits }), name: 'shouting', contentType: 'x/shout' })); // prettier-ignore
    expect(resolveSerializer('shouting', ['x/shout']).name).toBe('shouting');
    expect(resolveSerializer('shouting', ['shouting']).name).toBe('shouting');
    expect(() => resolveSerializer('shouting', ['json'])).toThrow(ContentDisallowed);
  });

  it('are refused when they are not accepted', () => {
    expect(resolveSerializer('json', ['application/json']).name).toBe('json');
    for (const name of ['yaml', 'msgpack']) {
      expect(resolveSerializer(name).name).toBe(name);
      expect(resolveSerializer(name, [name]).name).toBe(name);
      expect(resolveSerializer(name, ['json', `application/x-${name}`]).name).toBe(name);
      expect(() => resolveSerializer(name, ['json'])).toThrow(ContentDisallowed);
    }
    expect(() => resolveSerializer('json', ['yaml', 'msgpack'])).toThrow(ContentDisallowed);
    expect(resolveSerializer('superjson', ['json']).name).toBe('superjson');
    expect(() => resolveSerializer('json', ['yaml', 'pickle'])).toThrow(ContentDisallowed);
    expect(() => resolveSerializer('json', [])).toThrow(/none/);
  });

  it('refuse an unknown name with the known ones, and pickle always', () => {
    expect(() => resolveSerializer('bson')).toThrow(ImproperlyConfigured);
    expect(() => resolveSerializer('bson')).toThrow(/'json', 'superjson'.*"bson"/);
    for (const name of ['pickle', 'application/x-python-serialize']) {
      expect(() => resolveSerializer(name)).toThrow(SecurityError);
      expect(() => resolveSerializer({ ...createJsonSerializer(), contentType: name })).toThrow(
        /result_serializer = 'json'/,
      );
      expect(() => { registerSerializer(name, () => createJsonSerializer()); }).toThrow(SecurityError); // prettier-ignore
    }
  });
});
