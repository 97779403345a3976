/**
 * Many tasks as they become ready: one batch of reads, then a wait for each that was not.
 *
 * ```
 * reading -- the batch is read ------------------> waiting   (one that fails, or is slow, tells nothing: wait for all)
 * waiting -- a task becomes ready ---------------> waiting
 * any     -- the last one is ready --------------> over
 * any     -- deadline ---------------------------> looking   (what is left is read once more, in one batch)
 * looking -- read, or its budget is used up -----> over      (TimeoutError, unless all are ready now)
 * any     -- a wait fails, abort, nobody listens -> over
 * ```
 */
import {
  failureOf,
  type MetaObserver,
  observe,
  type WaitEnd,
  WaitFailure,
  type WaitLimits,
  type WaitTrace,
} from './channel.ts';
import type { Clock, Timer } from '../clock.ts';
import type { AnsweredBy } from '../diagnostics.ts';
import { type LastLook, TimeoutError } from '../errors.ts';
import type { TaskMeta } from '../meta.ts';
import { isReady } from '../states.ts';
import type { Look, Looks } from './looks.ts';
import type { Tally } from './tally.ts';
import { A_TURN, inParts, inTurns } from '../turns.ts';
import type { WaitReporter } from './wait-report.ts';

/**
 * Milliseconds that the batch may keep the waits, and one more for each task: a node that is silent, or a link that is down,
 * must not keep all of them.
 */
const BATCH_MS = 1000;

/** What completions need of a backend. */
export interface CompletionParts {
  readonly clock: Clock;
  /** Milliseconds that the read at the deadline may take. */
  readonly lastLookMs: number;
  /** Whether the link is not known to be down. */
  readonly usable: () => boolean;
  readonly readMany: (taskIds: readonly string[]) => Promise<ReadonlyMap<string, TaskMeta>>;
  /** Never rejects. */
  readonly wait: (taskId: string, limits: WaitLimits) => Promise<WaitEnd>;
  /** Has the run while its first batch is read. */
  readonly looks?: Looks | undefined;
  readonly tally: Pick<Tally, 'foundAtDeadline' | 'timeouts'>;
  /** Is told what became of each task. Absent when nobody wants to know. */
  readonly report?: WaitReporter | undefined;
}

/** What bounds them. */
export interface CompletionLimits {
  /** Milliseconds; 0 = the batch of reads and no wait; undefined = no limit. */
  readonly timeoutMs?: number | undefined;
  /** The limit as it was given, where a part of it has passed before. @default timeoutMs */
  readonly givenMs?: number | undefined;
  /** Who is shown every meta that the wait for a task sees, or the ready one of the batch. */
  readonly observerOf: (taskId: string) => MetaObserver | undefined;
}

/** A task that became ready. */
export type Completion = readonly [taskId: string, meta: TaskMeta];

/** One run over a set of tasks. */
export class Completions implements Look {
  readonly #parts: CompletionParts;
  readonly #limits: CompletionLimits;
  /** Not ready yet, in the order they were given. */
  readonly #pending: Set<string>;
  /** Ends the waits under way. */
  readonly #controller = new AbortController();
  #arrived: Completion[] = [];
  /** How many of those were told. */
  #told = 0;
  #failure: WaitFailure | undefined;
  #timer: Timer | undefined;
  /** While the batch is read. */
  #patience: Timer | undefined;
  #wake: (() => void) | undefined;

  constructor(parts: CompletionParts, taskIds: readonly string[], limits: CompletionLimits) {
    this.#parts = parts;
    this.#limits = limits;
    this.#pending = new Set(taskIds);
  }

  /** Each task once, as it becomes ready; of the batch in the order they were given. @throws what ends a wait */
  async *run(): AsyncGenerator<Completion, void, undefined> {
    try {
      this.#begin();
      for (;;) {
        const next = this.#arrived[this.#told];
        if (next) {
          this.#told += 1;
          yield next;
          continue;
        }
        // All in one turn from here to the pause, so that nothing arrives in between.
        this.#drop();
        if (this.#failure) throw this.#failure.error();
        if (this.#pending.size === 0) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.leave();
    }
  }

  /** Nobody listens any more, also to a `next` that is pending: the run is over, without an error. */
  leave(): void {
    this.#drop();
    this.#settlePending(new WaitFailure('aborted', () => undefined));
    this.#end();
    this.#wake?.();
  }

  /** Ends the run with the reason, before anything else that it would have told. */
  abort(reason: unknown): void {
    this.#drop();
    this.#stop(new WaitFailure('aborted', () => reason));
  }

  /** How many are not ready yet. */
  get size(): number {
    return this.#pending.size;
  }

  /** Ends the run, unless it is over, after what arrived. */
  end(failure: WaitFailure): void {
    if (!this.#over) this.#stop(failure);
  }

  #drop(): void {
    this.#arrived = [];
    this.#told = 0;
  }

  #begin(): void {
    const { timeoutMs } = this.#limits;
    if (timeoutMs) {
      this.#timer = this.#parts.clock.after(timeoutMs, () => {
        this.#look((this.#limits.givenMs ?? timeoutMs) / 1000);
      });
    }
    this.#parts.looks?.add(this);
    void this.#read(timeoutMs === 0);
  }

  /** @param only - whether nothing follows */
  async #read(only: boolean): Promise<void> {
    let late = false;
    try {
      const reading = this.#readPending((metas) => {
        // Too late it would show observers what the waits show them.
        if (!late) this.#takeReady(metas, 'read');
      });
      await (only ? reading : this.#soon(reading));
    } catch (error) {
      if (only) this.end(failureOf(error));
    }
    late = true;
    this.#parts.looks?.delete(this);
    if (this.#over) return;
    if (only) this.#expire(0, 'unready');
    else void inTurns(this.#pending, A_TURN, (taskId) => void this.#wait(taskId));
  }

  /** Reads what is pending, so many tasks a turn, and hands it on in its order. Rejects with the first failure. */
  async #readPending(take: (metas: ReadonlyMap<string, TaskMeta>) => void): Promise<void> {
    let taken = Promise.resolve();
    await inParts([...this.#pending], (taskIds) => {
      const reading = this.#parts.readMany(taskIds);
      taken = Promise.all([reading, taken]).then(([metas]) => {
        take(metas);
      });
      // It is awaited below, once all are on their way.
      taken.catch(() => undefined);
    });
    await taken;
  }

  /** Undefined when it takes too long. */
  async #soon<T>(promise: Promise<T>): Promise<T | undefined> {
    const limit = new Promise<undefined>((resolve) => {
      this.#patience = this.#parts.clock.after(BATCH_MS + this.#pending.size, () => {
        resolve(undefined);
      });
    });
    try {
      return await Promise.race([promise, limit]);
    } finally {
      this.#patience?.cancel();
    }
  }

  /** Shows what is ready in a batch, as a wait does by itself, and takes it in. */
  #takeReady(metas: ReadonlyMap<string, TaskMeta>, by: AnsweredBy): void {
    for (const [taskId, meta] of metas) {
      if (!isReady(meta.status)) continue;
      if (!this.#over && this.#pending.has(taskId)) {
        void observe(this.#limits.observerOf(taskId), meta, (error) => {
          this.end(new WaitFailure('failed', () => error));
        });
      }
      this.#arrive(taskId, meta, by);
    }
  }

  async #wait(taskId: string): Promise<void> {
    const { signal } = this.#controller;
    const trace: WaitTrace | undefined = this.#parts.report && { by: undefined };
    const end = await this.#parts.wait(taskId, { signal, onMessage: this.#limits.observerOf(taskId), trace });
    if (end instanceof WaitFailure) this.end(end);
    else this.#arrive(taskId, end, trace?.by);
  }

  /** The deadline has come. @param timeout - the limit in seconds */
  #look(timeout: number): void {
    const { clock, lastLookMs, usable } = this.#parts;
    if (!usable()) {
      this.#expire(timeout, 'skipped');
      return;
    }
    this.#timer = clock.after(lastLookMs, () => {
      this.#expire(timeout, 'failed');
    });
    const reading = this.#readPending((metas) => {
      this.#takeReady(metas, 'last look');
    });
    reading.then(
      () => {
        this.#expire(timeout, 'unready');
      },
      () => {
        this.#expire(timeout, 'failed');
      },
    );
  }

  #expire(timeout: number, lastLook: LastLook): void {
    const [first] = this.#pending;
    if (first !== undefined) this.end(new WaitFailure('timeout', () => new TimeoutError(first, timeout, lastLook)));
  }

  get #over(): boolean {
    return this.#controller.signal.aborted;
  }

  #arrive(taskId: string, meta: TaskMeta, by: AnsweredBy | undefined): void {
    if (this.#over || !this.#pending.delete(taskId)) return;
    if (by === 'last look') this.#parts.tally.foundAtDeadline += 1;
    this.#parts.report?.(taskId, meta, by);
    this.#arrived.push([taskId, meta]);
    if (this.#pending.size === 0) this.#end();
    this.#wake?.();
  }

  #stop(failure: WaitFailure): void {
    this.#failure = failure;
    this.#settlePending(failure);
    this.#end();
    this.#wake?.();
  }

  #settlePending(failure: WaitFailure): void {
    const { tally, report } = this.#parts;
    if (failure.outcome === 'timeout') tally.timeouts += this.#pending.size;
    for (const taskId of this.#pending) report?.(taskId, failure);
    this.#pending.clear();
  }

  /** Nothing is left behind, even if nobody asks for what comes next. */
  #end(): void {
    this.#patience?.cancel();
    this.#timer?.cancel();
    this.#parts.looks?.delete(this);
    this.#controller.abort();
  }
}
