/** Whole backends on a memory, with hostile payloads in it: what one task brings must harm no other. */
import fc from 'fast-check';
import type { Signature, TaskRequest } from '../../src/index.ts';
import { Finding, Kind } from './judge.ts';
import { type Format, metas, payloads, written } from './payloads.ts';
import { Careless, type Reader, reader, TASK } from './readers.ts';
import { exceptionInfo, meta, savedGroup, signature } from './shapes.ts';
import { plain, type Wild, wild, word } from './wild.ts';
import { World } from './world.ts';

const OTHER = 'task-b';
const GROUP = 'group-c';
const FORMATS: readonly Format[] = ['json', 'superjson', 'yaml', 'msgpack'];

/** What ends the wait for a task that is not ready. */
class Unready extends Error {}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** While two tasks are awaited, something is published and stored for the first; the second gets its result. */
async function wait(world: World, payload: Uint8Array): Promise<unknown> {
  const { backend } = world;
  const ending = new AbortController();
  const hostile = backend.waitFor(TASK, { signal: ending.signal }).then(
    (value) => () => value,
    (error: unknown) => () => {
      throw error;
    },
  );
  const other = backend.waitFor(OTHER);
  while (backend.stats().channels < 2) await turn();
  for (let i = 0; i < 3; i++) await turn();
  world.put(`celery-task-meta-${TASK}`, payload);
  await backend.storeResult(OTHER, 'fine', 'SUCCESS');
  if ((await other) !== 'fine') throw new Finding('the other task has another result');
  for (let i = 0; i < 4; i++) await turn();
  ending.abort(new Unready());
  const settled = await hostile;
  await Promise.all([backend.forget(TASK), backend.forget(OTHER)]);
  while (backend.stats().channels > 0) await turn();
  return settled();
}

async function read(world: World, payload: Uint8Array): Promise<unknown> {
  try {
    return new Kind('ready', await wait(world, payload));
  } catch (error) {
    if (error instanceof Unready) return new Kind('not ready', undefined);
    // An application's own class: what its decoder makes of the payload is the task's error.
    if (error instanceof Careless) return new Kind('own error', error);
    throw error;
  }
}

interface HostileChord {
  readonly parts: readonly Uint8Array[];
  readonly size: string;
  readonly added: string | undefined;
  readonly saved: Uint8Array | undefined;
  readonly body: Wild;
}

/** The last part of a chord whose other parts, size, header and body are hostile. */
async function complete(world: World, { parts, size, added, saved, body }: HostileChord): Promise<unknown> {
  const { backend, space, bodies } = world;
  const key = `celery-taskset-meta-${GROUP}`;
  const collected = parts.map((bytes, i) => ({ bytes: Buffer.from(bytes), score: i }));
  space.setCollection(`${key}.j`, { members: collected, ordered: true }, null);
  space.set(`${key}.s`, Buffer.from(size), null);
  if (added !== undefined) space.set(`${key}.t`, Buffer.from(added), null);
  if (saved) space.set(key, saved, null);
  const request: TaskRequest = { id: TASK, group: GROUP, group_index: 9, chord: plain(body) as Signature };
  try {
    const outcome = await backend.markAsDone(TASK, 1, { request });
    return new Kind(world.bodies > bodies ? 'sent' : 'not sent', outcome);
  } finally {
    for (const each of [key, ...['.j', '.s', '.t', '.c'].map((suffix) => key + suffix)]) space.delete(each);
    await backend.forget(TASK);
  }
}

function rarely<T>(present: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ arbitrary: fc.constant(undefined), weight: 5 }, present);
}

function chords(format: Format): fc.Arbitrary<HostileChord> {
  const good = fc.tuple(
    fc.constant({ token: '1' }),
    word,
    fc.constantFrom('SUCCESS', 'SUCCESS', 'SUCCESS', 'SUCCESS', 'SUCCESS', 'FAILURE'),
    fc.oneof(wild, exceptionInfo),
  );
  const part = fc.oneof({ arbitrary: written(format, good), weight: 8 }, payloads(format));
  return fc.array(part, { maxLength: 3 }).chain((parts) =>
    fc.record({
      parts: fc.constant(parts),
      size: fc.oneof(
        { arbitrary: fc.constant(String(parts.length + 1)), weight: 6 },
        word,
        fc.constantFrom('9'.repeat(400), '1e1', ' 2 '),
      ),
      added: rarely(fc.oneof(word, fc.constant('0'))),
      saved: rarely(fc.oneof(written(format, savedGroup), payloads(format))),
      body: signature,
    }),
  );
}

/** Opens backends of each format, to be closed. */
export async function openBackends(): Promise<{ readonly readers: readonly Reader[]; close(): Promise<void> }> {
  const worlds = FORMATS.map((format) => [format, new World(format)] as const);
  await Promise.all(worlds.map(([, { backend }]) => backend.connect()));
  const readers = [
    ...worlds.map(([format, world]) => {
      const inputs = fc.oneof({ arbitrary: metas(format, TASK, meta(TASK)), weight: 4 }, payloads(format));
      return reader(`backend:${format}`, 3, inputs, (payload) => read(world, payload));
    }),
    ...worlds.map(([format, world]) => reader(`chord:${format}`, 2, chords(format), (chord) => complete(world, chord))),
  ];
  return {
    readers,
    close: async () => {
      for (const [, world] of worlds) await world.close();
    },
  };
}
