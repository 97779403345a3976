/** Whole backends on a memory, with hostile payloads in it: what one task brings must harm no other. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { systemClock } from '../../src/clock.ts';
import {
  RedisBackend,
  requestFromMessage,
  type Signature,
  type TaskMessage,
  type TaskRequest,
} from '../../src/index.ts';
import { closeSpace, openSpace, type Space } from '../../src/memory/space.ts';
import { parseTuple } from '../../src/tuples.ts';
import { Finding } from './judge.ts';
import { type Format, metas, payloads, written } from './payloads.ts';
import { createExceptions, createSerializers, type Reader, reader, TASK } from './readers.ts';
import { exceptionInfo, meta, savedGroup, signature, taskMessage } from './shapes.ts';
import { plain, type Wild, wild, word } from './wild.ts';

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

/** A backend, and the memory that it reads. */
class World {
  readonly url: string = `memory://${randomUUID()}`;
  readonly space: Space = openSpace(this.url, systemClock);
  readonly backend: RedisBackend;

  constructor(format: Format) {
    const app = {
      applySignature: (): Promise<void> => Promise.resolve(),
      callErrbacks: () => Promise.resolve([parseTuple([['errback', null], null])]),
    };
    this.backend = new RedisBackend(app, {
      url: this.url,
      serializer: createSerializers()[format],
      exceptions: createExceptions(),
      maxCachedResults: 10,
      chordJoinTimeout: 0.001,
      lastLook: 0,
      retryPolicy: { maxRetries: 0 },
    });
  }

  put(key: string, payload: Uint8Array): void {
    this.space.set(key, payload, null);
    this.space.publish(key, payload);
  }

  async close(): Promise<void> {
    const { waits, channels } = this.backend.stats();
    await this.backend.close();
    closeSpace(this.url);
    if (waits + channels > 0) throw new Finding(`left behind: ${waits} waits, ${channels} channels`);
  }
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
    return await wait(world, payload);
  } catch (error) {
    if (error instanceof Unready) return undefined;
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
async function complete(
  { backend, space }: World,
  { parts, size, added, saved, body }: HostileChord,
): Promise<unknown> {
  const key = `celery-taskset-meta-${GROUP}`;
  const collected = parts.map((bytes, i) => ({ bytes: Buffer.from(bytes), score: i }));
  space.setCollection(`${key}.j`, { members: collected, ordered: true }, null);
  space.set(`${key}.s`, Buffer.from(size), null);
  if (added !== undefined) space.set(`${key}.t`, Buffer.from(added), null);
  if (saved) space.set(key, saved, null);
  const request: TaskRequest = { id: TASK, group: GROUP, group_index: 9, chord: plain(body) as Signature };
  try {
    return await backend.markAsDone(TASK, 1, { request });
  } finally {
    for (const each of [key, ...['.j', '.s', '.t', '.c'].map((suffix) => key + suffix)]) space.delete(each);
    await backend.forget(TASK);
  }
}

function chords(format: Format): fc.Arbitrary<HostileChord> {
  const good = fc.tuple(
    fc.constant({ token: '1' }),
    word,
    fc.constantFrom('SUCCESS', 'SUCCESS', 'SUCCESS', 'FAILURE'),
    fc.oneof(wild, exceptionInfo),
  );
  const part = fc.oneof({ arbitrary: written(format, good), weight: 4 }, payloads(format));
  return fc.array(part, { maxLength: 3 }).chain((parts) =>
    fc.record({
      parts: fc.constant(parts),
      size: fc.oneof(
        { arbitrary: fc.constant(String(parts.length + 1)), weight: 6 },
        word,
        fc.constantFrom('9'.repeat(400), '1e1', ' 2 '),
      ),
      added: fc.option(fc.oneof(word, fc.constant('0')), { freq: 3, nil: undefined }),
      saved: fc.option(fc.oneof(written(format, savedGroup), payloads(format)), { freq: 3, nil: undefined }),
      body: signature,
    }),
  );
}

/** What a worker does with a message: reads it, and marks its task as failed. */
async function work({ backend }: World, message: Wild): Promise<unknown> {
  const request = requestFromMessage(plain(message) as TaskMessage, { hostname: 'w@h' });
  try {
    await backend.markAsStarted(request.id ?? '', { request });
    return await backend.markAsFailure(request.id ?? '', new Error('boom'), { request });
  } finally {
    await backend.forget(request.id ?? '');
    await backend.forget('');
  }
}

/** Opens backends of each format, to be closed. */
export async function openBackends(): Promise<{ readonly readers: readonly Reader[]; close(): Promise<void> }> {
  const worlds = FORMATS.map((format) => [format, new World(format)] as const);
  await Promise.all(worlds.map(([, { backend }]) => backend.connect()));
  const [, json] = worlds[0] ?? [];
  const readers = [
    ...worlds.map(([format, world]) => {
      const inputs = fc.oneof({ arbitrary: metas(format, TASK, meta(TASK)), weight: 4 }, payloads(format));
      return reader(`backend:${format}`, 3, inputs, (payload) => read(world, payload));
    }),
    ...worlds.map(([format, world]) => reader(`chord:${format}`, 2, chords(format), (chord) => complete(world, chord))),
    ...(json ? [reader('message', 3, taskMessage, (message) => work(json, message))] : []),
  ];
  return {
    readers,
    close: async () => {
      for (const [, world] of worlds) await world.close();
    },
  };
}
