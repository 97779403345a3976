/** Waits for one task or for many: from the cache, by a read, by push. */
import { AsyncResource } from 'node:async_hooks';
import type { MetaWaitOptions } from './arguments.ts';
import type { ResultCache } from './cache.ts';
import type { Clock, Timer } from './clock.ts';
import type { Codec } from './codec.ts';
import { failureOf, type MetaObserver, type WaitEnd, WaitFailure, type WaitLimits } from './consumer/channel.ts';
import { Completions } from './consumer/completions.ts';
import type { Consumer } from './consumer/consumer.ts';
import { Feed } from './consumer/feed.ts';
import { Looks } from './consumer/looks.ts';
import { abortable, onAbort, Signals } from './consumer/signals.ts';
import { WaitReport, type WaitReporter } from './consumer/wait-report.ts';
import type { AnsweredBy } from './diagnostics.ts';
import { TimeoutError } from './errors.ts';
import { loadAllWithin, loadWithin, type LoadingParts } from './load-within.ts';
import type { Loader } from './loader.ts';
import { PENDING_META, type TaskMeta } from './meta.ts';
import type { ResultStore } from './ports.ts';
import type { Reader } from './reader.ts';
import { type Settled, settledOf } from './settled.ts';
import { isReady } from './states.ts';

/** States that a watcher may leave unread: of more the oldest are dropped, of which none is ready. */
const MAX_UNREAD = 100;
/** Milliseconds that the sending of a task is put off for its subscription. */
const SENDING_DELAY_MS = 100;

/** What waits are made of. */
export interface WaitingParts {
  readonly store: ResultStore;
  readonly cache: ResultCache;
  readonly codec: Codec;
  readonly loader: Loader;
  readonly reader: Reader;
  readonly consumer: Consumer;
  readonly clock: Clock;
  /** Milliseconds that the read at a deadline may take. */
  readonly lastLookMs: number;
}

/** Aborted with the first of two. */
function anyOf(signal: AbortSignal | undefined, other: AbortSignal | undefined): AbortSignal | undefined {
  return signal && other ? AbortSignal.any([signal, other]) : (signal ?? other);
}

/** A stream, as far as the signal of its reader is concerned. */
interface Abortable {
  abort(reason: unknown): void;
}

/** Waits whose arguments are checked. Their metas are for readers: an error is built for each wait. */
export class Waiting {
  readonly #parts: WaitingParts;
  readonly #looks = new Looks();
  readonly #signals = new Signals<Abortable>((stream, reason) => {
    stream.abort(reason);
  });

  constructor(parts: WaitingParts) {
    this.#parts = parts;
  }

  /** Waits that are not settled. */
  get size(): number {
    return this.#parts.consumer.waits + this.#looks.size;
  }

  /** Ends every wait. Resolves when that is done. */
  close(): Promise<void> {
    const ended = this.#parts.consumer.close();
    this.#looks.close();
    return ended;
  }

  /**
   * Begins a wait for one task; what is known is its end at once. It is no async function, nor is what it calls: each
   * would cost every waiter its memory. The caller awaits, and takes the end to {@link finish}.
   *
   * @param timeoutMs - 0 = one read; undefined = no limit
   */
  begin(taskId: string, timeoutMs: number | undefined, options: MetaWaitOptions): WaitEnd | Promise<WaitEnd> {
    const onMessage = this.#presenting(options.onMessage, taskId);
    return this.#reported(taskId, { timeoutMs, signal: options.signal, onMessage });
  }

  /**
   * The meta that a wait ended with, for its reader. To be called after the await: then the stack of an error names who
   * waited.
   */
  finish(taskId: string, end: WaitEnd): TaskMeta {
    if (end instanceof WaitFailure) throw end.error();
    return this.#parts.codec.present(end, taskId);
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

  /**
   * The metas of one task as they are seen, the ready one last: a wait whose observer only takes notes, so that a reader
   * who is slow keeps nobody.
   *
   * @param left - aborted when the reader leaves
   */
  async *watch(
    taskId: string,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
    left: AbortSignal,
  ): AsyncGenerator<TaskMeta, void, undefined> {
    const feed = new Feed<TaskMeta>(MAX_UNREAD);
    const ending = new AbortController();
    const stop = (failure?: WaitFailure): void => {
      feed.abort(failure);
      ending.abort(failure?.error());
    };
    const stream: Abortable = {
      abort: (reason) => {
        stop(new WaitFailure('aborted', () => reason));
      },
    };
    onAbort(left, stop);
    if (signal) this.#signals.add(signal, stream);
    const onMessage: MetaObserver = (meta) => {
      feed.push(meta);
    };
    void this.#endWith(feed, this.#reported(taskId, { timeoutMs, signal: ending.signal, onMessage }));
    try {
      for await (const meta of feed.items()) yield this.#parts.codec.present(meta, taskId);
    } finally {
      stop();
      if (signal) this.#signals.remove(signal, stream);
    }
  }

  /**
   * What becomes of many tasks, as they become ready.
   *
   * @param left - aborted when the reader leaves; absent for one who leaves between two tasks only
   */
  async *many<T>(
    taskIds: readonly string[],
    timeoutMs: number | undefined,
    { signal, onMessage }: MetaWaitOptions,
    left?: AbortSignal,
  ): AsyncGenerator<Settled<T>, void, undefined> {
    const { store, codec, loader, consumer, clock, lastLookMs } = this.#parts;
    const report = this.#reporter(taskIds);
    const limits = loader.done
      ? { timeoutMs }
      : await loadAllWithin(this.#loading, [...new Set(taskIds)], { timeoutMs, signal: anyOf(signal, left) }, report);
    signal?.throwIfAborted();
    if (left?.aborted) return;
    const completions = new Completions(
      {
        clock,
        lastLookMs,
        usable: () => store.usable,
        readMany: (ids) => this.#readMany(ids),
        wait: (taskId, limits) => consumer.wait(taskId, limits),
        looks: this.#looks,
        tally: consumer.tally,
        report,
      },
      taskIds,
      { ...limits, observerOf: (taskId) => this.#presenting(onMessage, taskId) },
    );
    if (left) {
      onAbort(left, () => {
        completions.leave();
      });
    }
    if (signal) this.#signals.add(signal, completions);
    try {
      for await (const [taskId, meta] of completions.run()) yield settledOf<T>(taskId, codec.present(meta, taskId));
    } finally {
      if (signal) this.#signals.remove(signal, completions);
    }
  }

  /** Tells of each of many waits, in the context of whoever begins them; undefined when nobody listens. */
  #reporter(taskIds: readonly string[]): WaitReporter | undefined {
    const { cache, clock, consumer } = this.#parts;
    const report = WaitReport.begin(clock);
    if (!report) return undefined;
    const known = new Map<string, AnsweredBy>();
    for (const taskId of taskIds) {
      if (consumer.holds.metaOf(taskId)) known.set(taskId, 'held');
      else if (cache.has(taskId)) known.set(taskId, 'cache');
    }
    return AsyncResource.bind((taskId: string, end: WaitEnd, by?: AnsweredBy): void => {
      report.tell(taskId, end, by === 'read' ? (known.get(taskId) ?? by) : by);
    });
  }

  async #hold(taskId: string): Promise<void> {
    const { loader, consumer } = this.#parts;
    try {
      if (!loader.done) await loader.read(taskId);
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

  #reported(taskId: string, limits: WaitLimits): WaitEnd | Promise<WaitEnd> {
    const report = WaitReport.begin(this.#parts.clock);
    return report
      ? report.follow(taskId, limits, (traced) => this.#begin(taskId, traced))
      : this.#begin(taskId, limits);
  }

  #begin(taskId: string, limits: WaitLimits): WaitEnd | Promise<WaitEnd> {
    const { cache, loader, consumer } = this.#parts;
    const cached = cache.get(taskId);
    const known = cached ?? consumer.holds.metaOf(taskId);
    if (known) {
      if (limits.trace) limits.trace.by = cached ? 'cache' : 'held';
      consumer.holds.drop(taskId);
      return consumer.known.wait(known, limits);
    }
    return loader.done ? this.#wait(taskId, limits) : this.#waitLoading(taskId, limits);
  }

  async #waitLoading(taskId: string, limits: WaitLimits): Promise<WaitEnd> {
    const left = await loadWithin(this.#loading, [taskId], limits);
    return left instanceof WaitFailure ? left : this.#wait(taskId, left);
  }

  get #loading(): LoadingParts {
    const { loader, clock, consumer } = this.#parts;
    return { loader, clock, looks: this.#looks, tally: consumer.tally };
  }

  #wait(taskId: string, limits: WaitLimits): Promise<WaitEnd> {
    return limits.timeoutMs === 0 ? this.#look(taskId, limits) : this.#parts.consumer.wait(taskId, limits);
  }

  async #look(taskId: string, limits: WaitLimits): Promise<WaitEnd> {
    const { reader, consumer } = this.#parts;
    const meta = await this.#looks.one(abortable(reader.readStored(taskId), limits.signal));
    if (meta instanceof WaitFailure) return meta;
    this.#drop(taskId, meta);
    if (limits.trace) limits.trace.by = 'read';
    // Of what is not stored nothing is shown, as by a wait that goes on.
    const end = meta === PENDING_META ? meta : await consumer.known.wait(meta, limits);
    if (end instanceof WaitFailure || isReady(end.status)) return end;
    consumer.tally.timeouts += 1;
    return new WaitFailure('timeout', () => new TimeoutError(taskId, 0, 'unready'));
  }

  /** Never rejects. */
  async #endWith(feed: Feed<TaskMeta>, wait: WaitEnd | Promise<WaitEnd>): Promise<void> {
    try {
      const end = await wait;
      feed.end(end instanceof WaitFailure ? end : undefined);
    } catch (error) {
      feed.end(failureOf(error));
    }
  }

  #presenting(onMessage: MetaObserver | undefined, taskId: string): MetaObserver | undefined {
    return onMessage && ((meta) => onMessage(this.#parts.codec.present(meta, taskId)));
  }
}
