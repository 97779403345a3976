import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ResultCache } from '../../src/cache.ts';
import { Codec } from '../../src/codec.ts';
import { ExceptionRegistry } from '../../src/exceptions.ts';
import { RedisBackend } from '../../src/index.ts';
import { createKeys } from '../../src/keys.ts';
import { Reader } from '../../src/reader.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { A_PART } from '../../src/turns.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const keys = createKeys('');
const payload = (id: string): Buffer => Buffer.from(`{"status": "SUCCESS", "result": "${id}", "task_id": "${id}"}`);
const idsOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `t${i}`);

let asked: (readonly string[])[];
let failing: number | undefined;
let reader: Reader;

/** A store that has every key, and fails at the part of that number. */
const store = {
  read: (key: string) => Promise.resolve(payload(key.replace(keys.task(''), ''))),
  readMany: (all: readonly string[]) => {
    asked.push(all);
    if (asked.length === failing) return Promise.reject(new Error('down'));
    return Promise.resolve(all.map((key) => payload(key.replace(keys.task(''), ''))));
  },
  remove: () => Promise.resolve(),
};

beforeEach(() => {
  asked = [];
  failing = undefined;
  const codec = new Codec({ serializer: createJsonSerializer(), exceptions: new ExceptionRegistry(), maxPayload: 1e6 });
  const cache = new ResultCache({ maxEntries: A_PART, maxBytes: 1e6, expires: null }, new VirtualClock());
  reader = new Reader(store, keys, codec, cache);
});

const sizes = (): number[] => asked.map(({ length }) => length);

describe('a read of many', () => {
  it('is one of 256 keys a turn, each key once, in the order of the ids', async () => {
    const ids = idsOf(2 * A_PART + 1);
    const metas = await reader.readMany([...ids, 't3', ...ids]);
    expect([...metas].map(([id, { result }]) => [id, result])).toEqual(ids.map((id) => [id, id]));
    expect(sizes()).toEqual([A_PART, A_PART, 1]);
  });

  it('asks for none that is known, however much the others bring', async () => {
    const known = idsOf(A_PART);
    await reader.readMany(known);
    const metas = await reader.readMany([...Array.from({ length: A_PART }, (_, i) => `other${i}`), ...known]);
    expect([metas.size, sizes()]).toEqual([2 * A_PART, [A_PART, A_PART]]);
  });

  it('fails with the first part that does, and leaves nothing unhandled', async () => {
    failing = 2;
    await expect(reader.readMany(idsOf(3 * A_PART))).rejects.toThrow('Could not read results: down');
    expect(sizes()).toEqual([A_PART, A_PART, A_PART]);
  });

  it('of nothing asks for nothing', async () => {
    expect([await reader.readMany([]), asked]).toEqual([new Map(), []]);
  });
});

it('getMany rejects with what goes wrong with any of its results, in whichever turn', async () => {
  await using backend = new RedisBackend({}, { url: 'memory://' });
  const ids = idsOf(A_PART + 1);
  const present = jest.spyOn(Codec.prototype, 'present').mockImplementation((meta, taskId) => {
    if (taskId === ids.at(-1)) throw new Error('enough');
    return meta;
  });
  await expect(backend.getMany(ids)).rejects.toThrow('enough');
  present.mockRestore();
});
