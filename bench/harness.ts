/** What run, workers, questions and competitors agree on. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';

/** A result, and the same as its JSON text, for a competitor that encodes nothing. */
export interface Sample {
  readonly value: { readonly sent: string; readonly note: string };
  readonly text: string;
}

/** One process's end of a competitor. Durations are seconds. */
export interface Peer {
  /** Stores a SUCCESS and announces it. */
  store(taskId: string, sample: Sample): Promise<unknown>;
  /** The result, read from the server. */
  read(taskId: string): Promise<unknown>;
  /** The result, as soon as there is one. Without `timeout` there is no limit. */
  wait(taskId: string, timeout?: number): Promise<unknown>;
  /** The same, once `learn` has seen it. */
  known(taskId: string): Promise<unknown>;
  learn(taskId: string): Promise<unknown>;
  /** A round trip on the connection that reads. */
  ping(): Promise<unknown>;
  close(): Promise<void>;
}

/** Something that stores and awaits results. */
export interface Competitor {
  readonly name: string;
  /** @param idle - whether there is never more than one command to send at once */
  open(port: number, idle: boolean): Promise<Peer>;
}

/** A measured quantity. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  /** What the floor is, where it is not the competitor of that name. */
  readonly floor?: string;
}

/** What a round works with. */
export interface Bench {
  readonly peer: Peer;
  readonly port: number;
  /** A client that counts, and is no part of what is measured. */
  readonly admin: Redis;
  /** Has the storing process, which questions with `assist` have, do its part. */
  readonly assist: (taskIds: readonly string[]) => Promise<unknown>;
}

/** One question. A round answers with one number for each figure. */
export interface Question {
  readonly name: string;
  readonly figures: readonly Figure[];
  /** See {@link Competitor.open}. */
  readonly idle?: boolean;
  /** Runs once in each process that measures. */
  prepare?(bench: Bench): Promise<void>;
  round(bench: Bench): Promise<readonly number[]>;
  /** What the storing process does. */
  assist?(peer: Peer, taskIds: readonly string[]): Promise<void>;
}

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

/** A sample whose meta has 300 bytes; `sent` is a time in nanoseconds. */
export function sample(sent: string = process.hrtime.bigint().toString()): Sample {
  const note = 'x'.repeat(106 - sent.length);
  return { value: { sent, note }, text: `{"sent": "${sent}", "note": "${note}"}` };
}

/** The bytes that Celery stores. */
export function encodeMeta(taskId: string, { text }: Sample): string {
  const done = `${new Date().toISOString().slice(0, -1)}000+00:00`;
  return `{"status": "SUCCESS", "result": ${text}, "traceback": null, "children": null, "date_done": "${done}", "task_id": "${taskId}"}`;
}

export const keyOf = (taskId: string): string => `celery-task-meta-${taskId}`;

export const newIds = (count: number): string[] => Array.from({ length: count }, () => randomUUID());

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
  await Promise.all(Array.from({ length: width }, lane));
  return (ids.length / (performance.now() - start)) * 1000;
}

/** Begins `wait` for each id. Resolves, with the milliseconds it took, when all are subscribed and were read. */
export async function register(
  { peer, admin }: Bench,
  ids: readonly string[],
  wait: (id: string) => void,
): Promise<number> {
  const before = await lookups(admin);
  const start = performance.now();
  for (const id of ids) wait(id);
  while ((await lookups(admin)) < before + ids.length) await sleep(1);
  // Replies come in order: this one is behind those of the reads.
  await peer.ping();
  return performance.now() - start;
}

/** Keys that the server has looked up. */
async function lookups(admin: Redis): Promise<number> {
  const info = await admin.info('stats');
  const count = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? NaN);
  return count('keyspace_hits') + count('keyspace_misses');
}

/** Makes the SETEX and PUBLISH of a result for each id, and sends them all at once when called: the server sets the pace. */
export async function burst(port: number, ids: readonly string[]): Promise<() => void> {
  const words = (...all: string[]): string =>
    `*${all.length}\r\n${all.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
  const commands = ids.map((id) => {
    const payload = encodeMeta(id, sample());
    return words('SETEX', keyOf(id), '86400', payload) + words('PUBLISH', keyOf(id), payload);
  });
  const bytes = Buffer.from(words('CLIENT', 'REPLY', 'OFF') + commands.join('') + words('QUIT'));
  const socket = connect(port, '127.0.0.1').resume();
  await once(socket, 'connect');
  return () => socket.end(bytes);
}

/** A process that measures or assists. When it fails, so does this one. */
export class Worker {
  readonly #child: ChildProcess;

  constructor(args: readonly string[], execArgv: readonly string[] = process.execArgv) {
    this.#child = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), args, { execArgv: [...execArgv] });
    this.#child.once('exit', (code) => {
      if (code !== 0) process.exit(1);
    });
  }

  /** Sends a request and resolves with the answer. */
  async ask(request: readonly string[]): Promise<readonly number[]> {
    this.#child.send(request);
    const [answer] = (await once(this.#child, 'message')) as [readonly number[]];
    return answer;
  }

  async stop(): Promise<void> {
    this.#child.disconnect();
    await once(this.#child, 'exit');
  }
}
