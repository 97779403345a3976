/** What several questions measure with. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Bench } from './harness.ts';
import { encodeMeta, keyOf, sample } from './sample.ts';

/** Resolves when nothing is subscribed and nothing is left of it here. */
export async function quiet({ peer, admin }: Bench): Promise<void> {
  while (((await admin.pubsub('CHANNELS')) as string[]).length > 0) await sleep(5);
  await peer.ping();
  await heap();
}

/** Bytes of live objects, once what is under way has ended. */
export async function heap(): Promise<number> {
  await sleep(50);
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** Calls `run` for each id, `width` at a time. Returns the calls a second. */
export async function rate(
  ids: readonly string[],
  width: number,
  run: (id: string) => Promise<unknown>,
): Promise<number> {
  const rest = ids.values();
  const lane = async (): Promise<void> => {
    for (const id of rest) await run(id);
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: Math.min(width, ids.length) }, lane));
  return (ids.length / (performance.now() - start)) * 1000;
}

/** The microseconds of this process's time, user and system, since `start`. */
export function cpuSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

/**
 * Begins `wait` for each id. Resolves, with the milliseconds it took, when all are subscribed and were read.
 *
 * @param turn - how many waits are begun before the event loop has its turn
 */
export async function register(
  { peer, admin, competitor }: Bench,
  ids: readonly string[],
  wait: (id: string) => void,
  turn: number = ids.length,
): Promise<number> {
  const wanted = (await lookups(admin)) + ids.length * (competitor.lookups ?? 1);
  const start = performance.now();
  for (let from = 0; from < ids.length; from += turn) {
    if (from > 0) await new Promise(setImmediate);
    for (const id of ids.slice(from, from + turn)) wait(id);
  }
  while ((await lookups(admin)) < wanted) await sleep(1);
  // Replies come in order: this one is behind those of the reads.
  await peer.ping();
  return performance.now() - start;
}

/** Keys that the server has looked up. */
export async function lookups(admin: Redis): Promise<number> {
  const info = await admin.info('stats');
  const count = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? NaN);
  return count('keyspace_hits') + count('keyspace_misses');
}

/** Commands that the server has done, those that count and those inside of scripts left out. */
export async function commands(admin: Redis): Promise<number> {
  const info = await admin.info('commandstats');
  let total = 0;
  for (const [, name = '', calls] of info.matchAll(/^cmdstat_(\S+):calls=(\d+)/gm)) {
    if (name !== 'info') total += Number(calls);
  }
  return total;
}

const words = (...all: readonly string[]): string =>
  `*${all.length}\r\n${all.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

/** The SETEX and PUBLISH of a result, as they go over the wire. */
export function storeOf(taskId: string): string {
  const payload = encodeMeta(taskId, sample());
  return words('SETEX', keyOf(taskId), '86400', payload) + words('PUBLISH', keyOf(taskId), payload);
}

/** A connection that sends and is not answered. */
export async function sendOnly(port: number): Promise<{ send: (bytes: Buffer) => void; end: () => Promise<void> }> {
  const socket = connect(port, '127.0.0.1').resume();
  await once(socket, 'connect');
  socket.write(words('CLIENT', 'REPLY', 'OFF'));
  return {
    send: (bytes) => socket.write(bytes),
    end: async () => {
      socket.end(words('QUIT'));
      await once(socket, 'close');
    },
  };
}

/** Makes the stores of all ids, and sends them all at once when called: the server sets the pace. */
export async function burst(port: number, ids: readonly string[]): Promise<() => Promise<void>> {
  const bytes = Buffer.from(ids.map(storeOf).join(''));
  const { send, end } = await sendOnly(port);
  return () => {
    send(bytes);
    return end();
  };
}

/** Stores results of other tasks, so many a second, until called. It returns how many a second they were. */
export async function load(port: number, perSecond: number): Promise<() => Promise<number>> {
  // Encoded once, and stored again and again: the load is to take little of the processors.
  const stores = Array.from({ length: 10_000 }, (_, i) =>
    Buffer.from(storeOf(`00000000-0000-4000-8000-${String(i).padStart(12, '0')}`)),
  );
  const { send, end } = await sendOnly(port);
  const start = performance.now();
  let sent = 0;
  const due = (): number => Math.floor(((performance.now() - start) / 1000) * perSecond);
  const timer = setInterval(() => {
    // What it is late by, it makes up for, but never more at once than 100 ms of it.
    const now = Math.min(due() - sent, Math.ceil(perSecond / 10));
    if (now > 0)
      send(Buffer.concat(Array.from({ length: now }, (_, i) => stores[(sent + i) % stores.length] ?? Buffer.alloc(0))));
    sent += Math.max(now, 0);
  }, 1);
  return async () => {
    clearInterval(timer);
    const achieved = (sent / (performance.now() - start)) * 1000;
    await end();
    return achieved;
  };
}
