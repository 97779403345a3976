/** Waits for one task or for many: from the cache, by a read, by push. */
import type { MetaWaitOptions } from './arguments.ts';
import type { ResultCache } from './cache.ts';
import type { Clock } from './clock.ts';
import type { Codec } from './codec.ts';
import { type MetaObserver, type WaitEnd, WaitFailure } from './consumer/channel.ts';
import { type Completion, Completions } from './consumer/completions.ts';
import type { Consumer } from './consumer/consumer.ts';
import { abortable, Signals } from './consumer/signals.ts';
import { TimeoutError } from './errors.ts';
import type { TaskMeta } from './meta.ts';
import type { ResultStore } from './ports.ts';
import type { Reader } from './reader.ts';
import { isReady } from './states.ts';

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
    const known = cache.get(taskId);
    if (known) {
      if (options.onMessage) await options.onMessage(known);
      return known;
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

  /** The ready metas of many tasks, as they come. */
  async *many(
    taskIds: readonly string[],
    timeoutMs: number | undefined,
    { signal, onMessage }: MetaWaitOptions,
  ): AsyncGenerator<Completion, void, undefined> {
    const { store, codec, reader, consumer, clock, lastLookMs } = this.#parts;
    if (!codec.loaded) await codec.load();
    signal?.throwIfAborted();
    const completions = new Completions(
      {
        clock,
        lastLookMs,
        usable: () => store.usable,
        readMany: (ids) => reader.readMany(ids),
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

  async #look(taskId: string, signal: AbortSignal | undefined, onMessage: MetaObserver | undefined): Promise<WaitEnd> {
    const meta = await abortable(this.#parts.reader.readStored(taskId), signal);
    if (onMessage) await onMessage(meta);
    return isReady(meta.status) ? meta : new WaitFailure(() => new TimeoutError(taskId, 0, 'unready'));
  }

  #presenting(onMessage: MetaObserver | undefined, taskId: string): MetaObserver | undefined {
    return onMessage && ((meta) => onMessage(this.#parts.codec.present(meta, taskId)));
  }
}
