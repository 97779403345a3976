import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RedisBackend, type Signature } from '../../src/index.ts';
import {
  type Part,
  type PartWorker,
  PythonParts,
  readBodies,
  type SentBody,
  TypeScriptParts,
} from '../support/part-workers.ts';
import { RedisServer } from '../support/redis.ts';

const CHORDS = 500;
const SIZE = 20;
/** Chords that are under way together. */
const TOGETHER = 50;
/** About one part in so many is returned twice. */
const TWICE = 10;

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
beforeEach(() => server.cli('FLUSHALL'));

function bodyOf(chord: string): Signature {
  return {
    task: 'race.body',
    args: [],
    kwargs: {},
    options: { task_id: `${chord}-body`, queue: 'bodies' },
    subtask_type: null,
    immutable: false,
  };
}

function partsOf(chord: string, size = SIZE): Part[] {
  const body = bodyOf(chord);
  return Array.from({ length: size }, (_, index) => ({ task: `${chord}-${index}`, group: chord, index, body }));
}

/** Random numbers below 1 that are the same each time: mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffle<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}

/** Parts for each worker: those to return first, and those to return once all of the first are. */
type Deal = readonly [first: readonly (readonly Part[])[], second: readonly (readonly Part[])[]];

/**
 * Deals the parts of some chords to four workers, the first two of which are Python's; of every second chord Python's
 * come first. A part that was returned before is returned again by TypeScript only: where Celery completes a chord, it
 * cannot tell a part that another of its workers returns again, at that instant, from the last one, and sends two bodies.
 */
function deal(chords: readonly string[], random: () => number): Deal {
  const first: Part[][] = [[], [], [], []];
  const second: Part[][] = [[], [], [], []];
  for (const [c, chord] of chords.entries()) {
    for (const part of partsOf(chord)) {
      const worker = Math.floor(random() * 4);
      const isFirst = c % 2 === 0 && worker < 2;
      (isFirst ? first : second)[worker]?.push(part);
      if ((isFirst || worker >= 2) && random() < 2 / TWICE) second[2 + Math.floor(random() * 2)]?.push(part);
    }
  }
  for (const parts of [...first, ...second]) shuffle(parts, random);
  return [first, second];
}

async function sentBodies(): Promise<SentBody[]> {
  return readBodies((await server.cli('LRANGE', 'bodies', '0', '-1')) as string[]);
}

describe('chords whose parts return from two processes of Celery and two of this package, some twice', () => {
  let workers: PartWorker[];
  beforeAll(() => {
    const { url } = server;
    workers = [new PythonParts(url), new PythonParts(url), new TypeScriptParts(url), new TypeScriptParts(url)];
  });
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()));
  });

  it(`send ${CHORDS} bodies for ${CHORDS} chords of ${SIZE}, none twice, none missing`, async () => {
    const random = randomOf(1);
    const chords = Array.from({ length: CHORDS }, (_, c) => `race-${c}`);
    await using backend = new RedisBackend({}, { url: server.url });
    for (let from = 0; from < CHORDS; from += TOGETHER) {
      const together = chords.slice(from, from + TOGETHER);
      await Promise.all(together.map((chord) => backend.setChordSize(chord, SIZE)));
      for (const hands of deal(together, random)) {
        await Promise.all(workers.map((worker, w) => worker.give(hands[w] ?? [])));
      }
    }
    const sent = await sentBodies();
    expect(sent.map(({ id }) => id).sort()).toEqual(chords.map((chord) => `${chord}-body`).sort());
    const inOrder = Array.from({ length: SIZE }, (_, index) => index);
    expect(sent.filter(({ values }) => JSON.stringify(values) !== JSON.stringify(inOrder))).toEqual([]);
    expect(new Set(sent.map(({ sender }) => sender))).toEqual(new Set(['Python', 'TypeScript']));
    expect(await server.cli('KEYS', 'celery-taskset-meta-*.[stc]')).toEqual([]);
  }, 240_000);
});

describe('a chord of two whose last part is returned by a process that is killed', () => {
  const cleanups: PartWorker[] = [];
  afterEach(async () => {
    for (const worker of cleanups.splice(0)) await worker[Symbol.asyncDispose]();
  });
  const open = <T extends PartWorker>(worker: T): T => {
    cleanups.push(worker);
    return worker;
  };
  const [first, last] = partsOf('killed', 2) as [Part, Part];
  const all = [{ id: 'killed-body', values: [0, 1] }];

  async function begin(): Promise<void> {
    await using backend = new RedisBackend({}, { url: server.url });
    await backend.setChordSize('killed', 2);
    await open(new TypeScriptParts(server.url)).give([first]);
  }

  it.each(['TypeScript', 'Python'])(
    'after its result, before the part: %s sends the body when the part comes again',
    async (who) => {
      await begin();
      await using dying = new RedisBackend({}, { url: server.url });
      await dying.storeResult(last.task, 1, 'SUCCESS');
      const next = open(who === 'Python' ? new PythonParts(server.url) : new TypeScriptParts(server.url));
      await next.give([last]);
      expect(await sentBodies()).toMatchObject(all);
    },
  );

  it.each(['TypeScript', 'Python'])('before the body is sent: %s sends it when the part comes again', async (who) => {
    await begin();
    await expect(open(new TypeScriptParts(server.url, 'before')).give([last])).rejects.toThrow('died');
    expect(await sentBodies()).toEqual([]);
    const next = open(who === 'Python' ? new PythonParts(server.url) : new TypeScriptParts(server.url));
    // Ours waits for the lease; Celery's must not be early.
    while (who === 'Python' && (await server.cli('EXISTS', 'celery-taskset-meta-killed.c')) !== 0);
    await next.give([last]);
    expect(await sentBodies()).toMatchObject(all);
  });

  it('after the body is sent, which then ran: the part that comes again does not send it twice', async () => {
    await begin();
    await expect(open(new TypeScriptParts(server.url, 'after')).give([last])).rejects.toThrow('died');
    await using body = new RedisBackend({}, { url: server.url });
    await body.storeResult('killed-body', 1, 'SUCCESS');
    await open(new TypeScriptParts(server.url)).give([last]);
    expect(await sentBodies()).toMatchObject(all);
  });

  it('after the body is sent, which did not run yet: the part that comes again sends it once more', async () => {
    await begin();
    await expect(open(new TypeScriptParts(server.url, 'after')).give([last])).rejects.toThrow('died');
    await open(new TypeScriptParts(server.url)).give([last]);
    expect(await sentBodies()).toMatchObject([...all, ...all]);
  });
});
