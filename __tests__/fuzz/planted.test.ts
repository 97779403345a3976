/** Proof that the fuzzer finds what it looks for: readers with a fault each. */
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DecodeError } from '../../src/errors.ts';
import { payloads } from './payloads.ts';
import { openReaders, type Reader, reader } from './readers.ts';
import { fuzz } from './run.ts';
import { jsonText, plain, TRAP, wild } from './wild.ts';

const RUNS = 4000;
const SLOW_MS = 200;
const texts: fc.Arbitrary<string> = wild.map(jsonText);

async function findingOf(faulty: Reader): Promise<string> {
  return (await fuzz(faulty, { seed: 1, runs: RUNS, slowMs: SLOW_MS })).finding ?? 'nothing';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new DecodeError('no JSON');
  }
}

/** Copies as a careless reader does, by assignment. */
function assigned(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(assigned);
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) copy[key] = assigned(item);
  return copy;
}

/** Merges into what is there already, as settings are. */
function merged(into: Record<string, unknown>, from: unknown): void {
  if (typeof from !== 'object' || from === null || Array.isArray(from)) return;
  for (const [key, value] of Object.entries(from)) {
    if (typeof into[key] === 'object' && into[key] !== null) merged(into[key] as Record<string, unknown>, value);
    else if (!(key in into)) into[key] = value;
  }
}

const FAULTS: readonly (readonly [fault: string, reader: Reader, finding: RegExp])[] = [
  [
    'throws a TypeError for a field that is null',
    reader('null', 1, wild, (value) => (plain(value) as { result: { a: number } }).result.a),
    /no typed error: TypeError/,
  ],
  [
    'passes on what JSON.parse throws',
    reader('raw', 1, texts, (text) => JSON.parse(text) as unknown),
    /no typed error: SyntaxError/,
  ],
  [
    'assigns __proto__',
    reader('assign', 1, texts, (text) => assigned(parsed(text))),
    /has the prototype with|has the prototype Array/,
  ],
  [
    'merges into what everybody shares',
    reader('merge', 1, texts, (text) => {
      merged({}, parsed(text));
    }),
    /polluted: /,
  ],
  [
    'has no bound of depth',
    reader('depth', 1, wild, (value) => {
      const depth = (inner: unknown): number =>
        typeof inner === 'object' && inner !== null ? 1 + Math.max(0, ...Object.values(inner).map(depth)) : 0;
      return depth([plain(value), deep(5000)]);
    }),
    /no typed error: RangeError/,
  ],
  [
    'calls what the payload names',
    reader('call', 1, texts, (text) => {
      const { result } = (parsed(text) ?? {}) as { result?: string };
      const name = result ?? text.slice(1, -1);
      if (name === TRAP) ((globalThis as Record<string, unknown>)[TRAP] as () => void)();
    }),
    /code of the payload ran/,
  ],
  [
    'quotes the payload in its message',
    reader('quote', 1, texts, (text) => {
      throw new DecodeError(`cannot read ${text}`);
    }),
    /a message of|control characters|the input is shown/,
  ],
  [
    'takes long for a short text',
    reader('slow', 1, fc.constant('a'), () => {
      const start = process.cpuUsage();
      while (process.cpuUsage(start).user < 2000 * SLOW_MS);
    }),
    /slow: /,
  ],
  [
    'gives what is no data',
    reader('function', 1, wild, (value) => ({ value, call: () => value })),
    /has a function in it/,
  ],
];

function deep(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}

// What the merging reader has done to all.
afterEach(() => {
  for (const key of Object.keys(Object.prototype)) Reflect.deleteProperty(Object.prototype, key);
});

describe('the fuzzer', () => {
  it.each(FAULTS)('finds a reader that %s', async (_fault, faulty, finding) => {
    expect(await findingOf(faulty)).toMatch(finding);
  });

  it('gives the same inputs for the same seed, and one again by its path', async () => {
    const seen: unknown[] = [];
    const faulty = reader('null', 1, payloads('json'), (payload) => {
      seen.push(payload.toString('latin1'));
      if (payload.length > 30) throw new TypeError('boom');
    });
    const first = await findingOf(faulty);
    const [, seed = '', path = ''] = /--seed (-?\d+) --path (\S+)/.exec(first) ?? [];
    const shrunk = seen.at(-1);
    const again = await fuzz(faulty, { seed: Number(seed), runs: 1, path });
    expect(again.finding).toContain('boom');
    expect(/input: (.*)/.exec(again.finding ?? '')?.[1]).toBe(/input: (.*)/.exec(first)?.[1]);
    expect(shrunk).toBeDefined();
  });

  it('reaches the values of every format, not only its errors', async () => {
    const readers = (await openReaders()).filter(({ name }) =>
      /^(?:json|yaml|msgpack|superjson|meta:.*|url|exception|tuple)$/.test(name),
    );
    for (const each of readers) {
      const { outcomes, inputs } = await fuzz(each, { seed: 2, runs: 60 });
      expect([each.name, (outcomes['value'] ?? 0) / inputs > 0.1]).toEqual([each.name, true]);
    }
  });
});
