/** Rubbish: whatever the bytes, a reader returns a value or throws a DecodeError, and soon. */
import { readFileSync } from 'node:fs';

import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { DecodeError, EncodeError } from '../../src/errors.ts';
import type { Serializer } from '../../src/ports.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { createMsgpackSerializer } from '../../src/serializers/msgpack.ts';
import { createYamlSerializer } from '../../src/serializers/yaml.ts';

const serializers = [createYamlSerializer(), createMsgpackSerializer()] as const;
const [yaml] = serializers;
beforeAll(() => yaml.load?.());

interface Vector {
  readonly name: string;
  readonly payload?: string | null;
  readonly payload_b64?: string;
}

const file = new URL('../fixtures/celery/celery-5.6.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: readonly Vector[] };

/** Milliseconds that no reading of a few hundred bytes takes, on however busy a machine. */
const SOON = 2000;

/** Pieces of YAML, to be put together wrongly. */
const TOKENS = [
  '- ', '? ', ': ', ', ', '[', ']', '{', '}', '&a ', '*a', '!!set ', '!!map\n', '!x ', '!!binary ', '|\n', '>-\n', "'", '"',
  '\\', '#', '\n', '  ', '\t', '%TAG ! !\n', '---\n', '...\n', '<<', '~', '1', '.', 'e', 'a', '2024-01-02', '\u00e9', '\0', '@', '`',
]; // prettier-ignore

/** Without `expect`, which would take most of the time. */
function check(serializer: Pick<Serializer, 'encode' | 'decode'>, payload: Uint8Array): void {
  const start = performance.now();
  try {
    serializer.encode(serializer.decode(payload));
  } catch (error) {
    if (!(error instanceof DecodeError || error instanceof EncodeError)) throw error;
  }
  const took = performance.now() - start;
  if (took > SOON) throw new Error(`${took} ms for ${Buffer.from(payload).toString('latin1').slice(0, 100)}`);
}

/** What real Celery wrote. */
function recorded(name: string): Buffer[] {
  return vectors
    .filter((vector) => vector.name.startsWith(`${name}/`) && (vector.payload ?? vector.payload_b64))
    .map(({ payload, payload_b64: base64 }) => (base64 ? Buffer.from(base64, 'base64') : Buffer.from(payload ?? '')));
}

/** Cuts payloads off at every byte, and puts each of these bytes in the place of every one. */
function breakEach(serializer: Serializer, payloads: readonly Buffer[], bytes: readonly number[]): void {
  for (const payload of payloads) {
    for (let at = 0; at < payload.length; at++) {
      check(serializer, payload.subarray(0, at));
      for (const byte of bytes) {
        const changed = Buffer.from(payload);
        changed[at] = byte;
        check(serializer, changed);
      }
    }
  }
}

describe('the json reader', () => {
  it('survives every recorded payload with every byte changed, and cut off everywhere', () => {
    // Of a longer one most is padding.
    const payloads = recorded('json').filter(({ length }) => length < 3000);
    expect(payloads.length).toBeGreaterThan(100);
    breakEach(createJsonSerializer(), payloads, [0x22, 0x39, 0x5c, 0xff]);
  });
});

describe.each(serializers.map((serializer) => ({ name: serializer.name, serializer })))(
  'the $name reader',
  ({ name, serializer }) => {
    it('survives every recorded payload with every byte changed, and cut off everywhere', () => {
      const payloads = recorded(name);
      expect(payloads.length).toBeGreaterThan(5);
      breakEach(serializer, payloads, [0x00, 0x0a, 0x20, 0x21, 0x26, 0x2a, 0x7b, 0x81, 0xc1, 0xc7, 0xd4, 0xdd, 0xff]);
    });

    it('survives random bytes', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          check(serializer, bytes);
        }),
        { numRuns: 3000 },
      );
    });

    it('survives pieces of yaml put together at random', () => {
      fc.assert(
        fc.property(fc.array(fc.constantFrom(...TOKENS), { maxLength: 80 }), (tokens) => {
          check(serializer, Buffer.from(tokens.join('')));
        }),
        { numRuns: 3000 },
      );
    });

    it('survives one piece of yaml repeated for 20,000 bytes', () => {
      for (const token of TOKENS) check(serializer, Buffer.from(token.repeat(20_000 / token.length)));
      for (const [a, b] of [['&a ', '- '], ['!!map\n', '&a\n'], ['? ', '&a '], ['[', '&a '], ['{a: ', '!x '], ['"', '\n']]) {
        check(serializer, Buffer.from(`${a}${b}`.repeat(4000)));
      } // prettier-ignore
    });

    it('reads what the writer wrote', () => {
      const leaf = fc.oneof(
        fc.string({ unit: 'binary' }), fc.double(), fc.maxSafeInteger(), fc.boolean(), fc.constant(null),
        fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
        fc.uint8Array().map((bytes) => new Uint8Array(bytes)),
      ); // prettier-ignore
      const value = fc.letrec((tie) => ({
        any: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('any')), fc.dictionary(fc.string(), tie('any'))),
      })).any;
      fc.assert(
        fc.property(value, (written) => {
          const back = serializer.decode(Buffer.from(serializer.encode(written)));
          expect(normal(back)).toEqual(normal(written));
        }),
        { numRuns: 1500 },
      );
    });
  },
);

/** Without the prototypes that fast-check varies. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, normal(item)]));
}
