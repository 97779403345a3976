/** What the tests of the contract share. */
import { matches } from './assert.ts';
import { randomUUID } from 'node:crypto';
import {
  type BackendOptions,
  type BaseBackend,
  type CeleryApp,
  RedisBackend,
  type TaskMeta,
  type WaitOptions,
} from '../../index.ts';

/** The keys and channels below a backend, as another program sees them: a driver under test. */
export interface RawStore {
  /** Options by which a backend reaches it. */
  readonly options: BackendOptions;
  /** Makes a backend with its driver. @default a RedisBackend */
  backend?(app: CeleryApp, options: BackendOptions): BaseBackend;
  /** The value of a key, `null` when there is none. */
  get(key: string): Promise<string | null>;
  /** Sets a key, without expiry, and publishes nothing. */
  set(key: string, text: string): Promise<unknown>;
  /** Deletes a key. */
  del(key: string): Promise<unknown>;
  /** The members of a sorted set, with their scores, or of a list. */
  members(key: string): Promise<readonly (readonly [text: string, score?: number])[]>;
  /** Seconds to live; -1 without expiry. */
  ttl(key: string): Promise<number>;
  /** Publishes to whoever is subscribed. */
  publish(channel: string, text: string): Promise<unknown>;
  /** Calls `onMessage` with each message of a channel; resolves when it is subscribed. */
  listen(channel: string, onMessage: (text: string) => void): Promise<unknown>;
  /** Called once, after the last test. */
  close(): Promise<void>;
}

/** A wait that is known to have its subscription. */
export interface LiveWait<T> {
  readonly result: Promise<T>;
}

/** One driver under test. */
export class Context {
  readonly raw: RawStore;
  readonly #backends: BaseBackend[] = [];

  constructor(raw: RawStore) {
    this.raw = raw;
  }

  backend(options: BackendOptions = {}, app: object = {}): BaseBackend {
    const all = { ...this.raw.options, ...options };
    const made = this.raw.backend?.(app, all) ?? new RedisBackend(app, all);
    this.#backends.push(made);
    return made;
  }

  /** Starts a wait, and returns once it has seen a state, so that its channel is live. */
  async live<T = unknown>(on: BaseBackend, taskId: string, options: WaitOptions = {}): Promise<LiveWait<T>> {
    const { promise, resolve } = deferred<undefined>();
    const onMessage = (meta: TaskMeta): unknown => {
      if (meta.status === 'SEEN') resolve(undefined);
      return options.onMessage?.(meta);
    };
    const result = on.waitFor<T>(taskId, { ...options, onMessage }) as Promise<T>;
    result.catch(() => undefined);
    await on.storeResult(taskId, null, 'SEEN');
    await promise;
    return { result };
  }

  /** Closes what a test opened that failed. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#backends.splice(0).map((backend) => backend.close()));
  }

  /** Closes what the test opened; nothing may be left of it. */
  async closeBackends(): Promise<void> {
    const backends = this.#backends.splice(0);
    await Promise.all(backends.map((backend) => backend.close()));
    for (const backend of backends) {
      matches(backend.stats(), { waits: 0, channels: 0, held: 0, stores: 0, cached: 0 });
    }
  }
}

/** Declares a test, unless the driver is excepted from it. */
export type Declare = (title: string, run: (context: Context) => Promise<void>) => void;

/** A promise with its resolver. */
export function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

export const newId = (): string => randomUUID();

/** Ids whose keys are in one slot: on a cluster too their messages come from one server, and so in order. */
export function newIdsOfSlot(count: number): string[] {
  const slot = randomUUID();
  return Array.from({ length: count }, (_, i) => `${i}{${slot}}`);
}

export const keyOf = (taskId: string): string => `celery-task-meta-${taskId}`;

/** Resolves in the next turn of the event loop, so that whoever polls lets all else go on. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** What a promise came to: its value, or the error it rejected with. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}

/** A meta as another writer would store it. */
export function metaText(taskId: string, status: string, result: unknown): string {
  return JSON.stringify({ status, result, traceback: null, children: [], date_done: null, task_id: taskId });
}
