/** What a process with so many waits goes through, phase by phase. */
import type { Redis } from 'ioredis';
import { RedisBackend, TimeoutError } from '../../dist/esm/index.js';
import { lookups } from '../measure.ts';
import { keyOf, newIds } from '../sample.ts';
import { type Turns, turnsOf } from './probe.ts';

/** Where the phases run. */
export interface Ground {
  readonly port: number;
  readonly admin: Redis;
  /** How many waits. */
  readonly count: number;
  /** Has another process encode the results of these tasks. */
  readonly prepare: (ids: readonly string[]) => Promise<void>;
  /** Has it send them, all at once. */
  readonly store: () => void;
}

/** How many waits are begun before the loop has its turn. */
const SLICE = 250;
/** Seconds; far beyond the end of a phase. */
const FAR = 600;

type Note = (phase: string, turns: Turns) => void;
/** How the waits end, once all have. */
type Ends = () => Promise<unknown[]>;

const open = ({ port, count }: Ground): RedisBackend =>
  new RedisBackend({}, { url: `redis://127.0.0.1:${port}/0`, maxCachedResults: count });

/** Ids as they come out of a message: in one piece, which those that were just put together are not. */
const idsOf = ({ count }: Ground): string[] => JSON.parse(JSON.stringify(newIds(count))) as string[];

/** @throws Error when a phase was not what its name says */
function expectAll(ends: readonly unknown[], holds: (end: unknown) => boolean): void {
  const others = ends.filter((end) => !holds(end));
  if (others.length > 0) throw new Error(`${others.length} waits ended otherwise, the first with ${String(others[0])}`);
}

/** Resolves when all keys were read since `before`. */
async function allRead({ admin, count }: Ground, before: number): Promise<void> {
  while ((await lookups(admin)) < before + count) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Begins a wait for each, and resolves when all are subscribed and were read. Those that reject count as ended. */
async function begin(ground: Ground, ids: readonly string[], wait: (id: string) => Promise<unknown>): Promise<Ends> {
  const before = await lookups(ground.admin);
  const waits: Promise<unknown>[] = [];
  for (let from = 0; from < ids.length; from += SLICE) {
    if (from > 0) await new Promise(setImmediate);
    for (const id of ids.slice(from, from + SLICE)) waits.push(wait(id).catch((error: unknown) => error));
  }
  await allRead(ground, before);
  // Here, and not in a phase: it is a long turn by itself.
  const ends = Promise.all(waits);
  return () => ends;
}

async function results(ground: Ground, note: Note): Promise<void> {
  const backend = open(ground);
  const ids = idsOf(ground);
  await ground.prepare(ids);
  let ends: Ends = () => Promise.resolve([]);
  const subscribing = await turnsOf(async () => {
    ends = await begin(ground, ids, (id) => backend.waitFor(id, { timeout: FAR }));
  });
  note('waits begun 250 a turn, until all are subscribed and read', subscribing);
  const before = await lookups(ground.admin);
  const healing = await turnsOf(async () => {
    await ground.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await allRead(ground, before);
  });
  note('their link breaks, until all are subscribed and read anew', healing);
  ground.store();
  note('their results, all at once', await turnsOf(ends));
  expectAll(await ends(), (end) => !(end instanceof Error));
  note('`getMany` of them, known', await turnsOf(() => backend.getMany(ids)));
  expectAll(ids, (id) => backend.isCached(String(id)));
  await backend.close();
  await ground.admin.flushall();
}

async function deadlines(ground: Ground, note: Note): Promise<void> {
  const backend = open(ground);
  const due = performance.now() + 5000 + ground.count / 10;
  const ends = await begin(ground, idsOf(ground), (id) =>
    backend.waitFor(id, { timeout: (due - performance.now()) / 1000 }),
  );
  if (performance.now() >= due) throw new Error('all deadlines passed while the waits were begun');
  note('their deadlines, all in one millisecond', await turnsOf(ends));
  expectAll(await ends(), (end) => end instanceof TimeoutError && end.lastLook === 'unready');
  await backend.close();
}

async function abort(ground: Ground, note: Note): Promise<void> {
  const backend = open(ground);
  const controller = new AbortController();
  const { signal } = controller;
  const ends = await begin(ground, idsOf(ground), (id) => backend.waitFor(id, { signal }));
  const turns = await turnsOf(() => {
    controller.abort();
    return ends();
  });
  note('one `AbortSignal` of all', turns);
  await backend.close();
}

async function close(ground: Ground, note: Note): Promise<void> {
  const backend = open(ground);
  const ends = await begin(ground, idsOf(ground), (id) => backend.waitFor(id));
  note('`close`', await turnsOf(() => Promise.all([backend.close(), ends()])));
}

async function completions(ground: Ground, note: Note): Promise<void> {
  const backend = open(ground);
  const ids = idsOf(ground);
  await ground.prepare(ids);
  const before = await lookups(ground.admin);
  let ended = Promise.resolve();
  const consume = async (): Promise<void> => {
    let count = 0;
    for await (const { taskId } of backend.asCompleted(ids)) count += taskId.length > 0 ? 1 : 0;
    if (count !== ids.length) throw new Error(`${count} of ${ids.length} came`);
  };
  const beginning = await turnsOf(async () => {
    ended = consume();
    // Once in the batch, once by the wait of each.
    await allRead(ground, before + ids.length);
  });
  note('`asCompleted` of all, until they are subscribed and read', beginning);
  ground.store();
  note('their results through it', await turnsOf(() => ended));
  await ground.admin.flushall();
  await backend.close();
}

async function reads(ground: Ground, note: Note): Promise<void> {
  const backend = open(ground);
  const ids = idsOf(ground);
  await ground.prepare(ids);
  ground.store();
  while ((await ground.admin.exists(keyOf(ids.at(-1) ?? ''))) === 0) await new Promise(setImmediate);
  note('`getMany` of all, stored', await turnsOf(() => backend.getMany(ids)));
  await ground.admin.flushall();
  await backend.close();
}

/** All phases, each noted as it ends. */
export async function phases(ground: Ground, note: Note): Promise<void> {
  for (const each of [results, completions, deadlines, abort, close, reads]) await each(ground, note);
}
