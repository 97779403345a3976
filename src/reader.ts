/** Reads metas: from the cache, else from the store. */
import type { ResultCache } from './cache.ts';
import type { Codec } from './codec.ts';
import { BackendClosedError, BackendGetMetaError } from './errors.ts';
import type { Keys } from './keys.ts';
import { PENDING_META, type TaskMeta } from './meta.ts';
import type { KeyStore } from './ports.ts';
import { A_PART, inParts } from './turns.ts';

/** Metas as they are stored: the errors in them are still {@link ExceptionInfo}. */
export class Reader {
  readonly #store: KeyStore;
  readonly #keys: Keys;
  readonly #codec: Codec;
  readonly #cache: ResultCache;

  constructor(store: KeyStore, keys: Keys, codec: Codec, cache: ResultCache) {
    this.#store = store;
    this.#keys = keys;
    this.#codec = codec;
    this.#cache = cache;
  }

  /** One meta, from the cache if it is there. */
  read(taskId: string): Promise<TaskMeta> {
    const known = this.#cache.get(taskId);
    return known ? Promise.resolve(known) : this.readStored(taskId);
  }

  /** One meta, from the store. A SUCCESS goes into the cache. */
  async readStored(taskId: string): Promise<TaskMeta> {
    const { epoch } = this.#cache;
    const payload = await readGuarded(
      this.#store.read(this.#keys.task(taskId)),
      taskId,
      `the result of task ${taskId}`,
    );
    return this.#take(taskId, payload, epoch);
  }

  /** One meta, from the store, whatever the cache has: that is dropped first. */
  reload(taskId: string): Promise<TaskMeta> {
    this.#cache.forget(taskId);
    return this.readStored(taskId);
  }

  /** Many metas, by id, in the order of the ids. */
  async readMany(taskIds: readonly string[]): Promise<Map<string, TaskMeta>> {
    const metas = new Map<string, TaskMeta | undefined>();
    const missing: string[] = [];
    const look = (part: readonly string[]): void => {
      for (const taskId of part) {
        if (metas.has(taskId)) continue;
        const known = this.#cache.get(taskId);
        metas.set(taskId, known);
        if (!known) missing.push(taskId);
      }
    };
    // All of them before the first is read: what is read may take the place of what is known. Of few the reads leave at once.
    if (taskIds.length > A_PART) await inParts(taskIds, look);
    else look(taskIds);
    const reads: Promise<void>[] = [];
    await inParts(missing, (part) => {
      const read = this.#readPart(part, metas);
      reads.push(read);
      // It is awaited below, once all are on their way.
      read.catch(() => undefined);
    });
    await Promise.all(reads);
    return metas as Map<string, TaskMeta>;
  }

  async #readPart(taskIds: readonly string[], metas: Map<string, TaskMeta | undefined>): Promise<void> {
    const { epoch } = this.#cache;
    const keys = taskIds.map((taskId) => this.#keys.task(taskId));
    const payloads = await readGuarded(this.#store.readMany(keys), '', 'results');
    taskIds.forEach((taskId, i) => metas.set(taskId, this.#take(taskId, payloads[i] ?? null, epoch)));
  }

  /** Deletes a result, here and in the store. */
  async forget(taskId: string): Promise<void> {
    this.#cache.forget(taskId);
    try {
      await this.#store.remove(this.#keys.task(taskId));
    } finally {
      // A read that began in between has seen what is gone now.
      this.#cache.forget(taskId);
    }
  }

  #take(taskId: string, payload: Uint8Array | null, epoch: number): TaskMeta {
    const bytes = payload?.byteLength ?? 0;
    const meta = payload && bytes > 0 ? this.#codec.decodeMeta(payload, taskId) : PENDING_META;
    this.#cache.set(taskId, meta, bytes, epoch);
    return meta;
  }
}

/** Turns what a store rejects with into the error of a read. @throws BackendGetMetaError, BackendClosedError */
export async function readGuarded<T>(reading: Promise<T>, id: string, what: string): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    if (cause instanceof BackendClosedError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BackendGetMetaError(`Could not read ${what}: ${reason}`, id, { cause });
  }
}
