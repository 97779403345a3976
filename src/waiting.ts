/** Waits for one task or for many: from the cache, by a read, by push. */
import type { MetaWaitOptions } from './arguments.ts';
import type { ResultCache } from './cache.ts';
import type { Clock, Timer } from './clock.ts';
import type { Codec } from './codec.ts';
import { type MetaObserver, type WaitEnd, WaitFailure } from './consumer/channel.ts';
import { type Completion, Completions } from './consumer/completions.ts';
import type { Consumer } from './consumer/consumer.ts';
import { abortable, Signals } from './consumer/signals.ts';
import { TimeoutError } from './errors.ts';
import { PENDING_META, type TaskMeta } from './meta.ts';
import type { ResultStore } from './ports.ts';
import type { Reader } from './reader.ts';
import { isReady } from './states.ts';

/** Milliseconds that the sending of a task is put off for its subscription. */
const SENDING_DELAY_MS = 100;

/** What waits are made of. */
export interface WaitingParts {
  readonly store: ResultStore;
  readonly cache: ResultCache;
  readonly codec: Codec;
  readonly reader: Reader;
  readonly consumer: Consumer;
  readonly clock: Clock;
  /** Milliseconds that the read at a deadline may take. */
  readonly lastLookMs: number;
}

/** Waits whose arguments are checked. Their metas are for readers: an error is built for each wait. */
export class Waiting {
  readonly #parts: WaitingParts;
  readonly #signals = new Signals<Completions>((completions, reason) => {
    completions.abort(reason);
  });

  constructor(parts: WaitingParts) {
    this.#parts = parts;
  }

  /** The ready meta of a task. @param timeoutMs - 0 = one read; undefined = no limit */
  async one(taskId: string, timeoutMs: number | undefined, options: MetaWaitOptions): Promise<TaskMeta> {
    const { cache, codec, consumer } = this.#parts;
    const known = cache.get(taskId) ?? consumer.holds.metaOf(taskId);
    if (known) {
      consumer.holds.drop(taskId);
      const meta = codec.present(known, taskId);
      if (options.onMessage) await options.onMessage(meta);
      return codec.present(known, taskId);
    }
    if (!codec.loaded) await codec.load();
    const onMessage = this.#presenting(options.onMessage, taskId);
    const end =
      timeoutMs === 0
        ? await this.#look(taskId, options.signal, onMessage)
        : await consumer.wait(taskId, { timeoutMs, signal: options.signal, onMessage });
    if (end instanceof WaitFailure) throw end.error();
    return codec.present(end, taskId);
  }

  /** Subscribes for a wait to come: see `onTaskCall`. Never rejects. */
  async prepare(taskId: string): Promise<void> {
    const { cache, clock } = this.#parts;
    if (cache.has(taskId)) return;
    let timer: Timer | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = clock.after(SENDING_DELAY_MS, resolve);
    });
    await Promise.race([this.#hold(taskId), limit]);
    timer?.cancel();
  }

  /** The ready metas of many tasks, as they come. */
  async *many(
    taskIds: readonly string[],
    timeoutMs: number | undefined,
    { signal, onMessage }: MetaWaitOptions,
  ): AsyncGenerator<Completion, void, undefined> {
    const { store, codec, consumer, clock, lastLookMs } = this.#parts;
    if (!codec.loaded) await codec.load();
    signal?.throwIfAborted();
    const completions = new Completions(
      {
        clock,
        lastLookMs,
        usable: () => store.usable,
        readMany: (ids) => this.#readMany(ids),
        wait: (taskId, limits) => consumer.wait(taskId, limits),
      },
      taskIds,
      { timeoutMs, observerOf: (taskId) => this.#presenting(onMessage, taskId) },
    );
    if (signal) this.#signals.add(signal, completions);
    try {
      for await (const [taskId, meta] of completions.run()) yield [taskId, codec.present(meta, taskId)];
    } finally {
      if (signal) this.#signals.remove(signal, completions);
    }
  }

  async #hold(taskId: string): Promise<void> {
    const { codec, consumer } = this.#parts;
    try {
      if (!codec.loaded) await codec.load();
      await consumer.holds.add(taskId);
    } catch {
      // A serializer that cannot be loaded: whoever waits is told, and whoever sends must not be kept from it.
    }
  }

  /** Metas as they are, in the order of the ids; those that are held without a call. */
  async #readMany(taskIds: readonly string[]): Promise<Map<string, TaskMeta>> {
    const { reader, consumer } = this.#parts;
    const held = new Map<string, TaskMeta>();
    for (const taskId of taskIds) {
      const meta = consumer.holds.metaOf(taskId);
      if (meta) held.set(taskId, meta);
    }
    const read = await reader.readMany(taskIds.filter((taskId) => !held.has(taskId)));
    for (const [taskId, meta] of read) this.#drop(taskId, meta);
    if (held.size === 0) return read;
    for (const taskId of held.keys()) consumer.holds.drop(taskId);
    return new Map([...taskIds].map((taskId) => [taskId, held.get(taskId) ?? read.get(taskId) ?? PENDING_META]));
  }

  /** A wait that has what it waits for has used up what is held for it. */
  #drop(taskId: string, { status }: TaskMeta): void {
    if (isReady(status)) this.#parts.consumer.holds.drop(taskId);
  }

  async #look(taskId: string, signal: AbortSignal | undefined, onMessage: MetaObserver | undefined): Promise<WaitEnd> {
    const meta = await abortable(this.#parts.reader.readStored(taskId), signal);
    this.#drop(taskId, meta);
    if (onMessage) await onMessage(meta);
    return isReady(meta.status) ? meta : new WaitFailure(() => new TimeoutError(taskId, 0, 'unready'));
  }

  #presenting(onMessage: MetaObserver | undefined, taskId: string): MetaObserver | undefined {
    return onMessage && ((meta) => onMessage(this.#parts.codec.present(meta, taskId)));
  }
}
