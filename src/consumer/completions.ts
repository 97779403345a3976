/**
 * Many tasks as they become ready: one batch of reads, then a wait for each that was not.
 *
 * ```
 * reading -- the batch is read ------------------> waiting   (a batch that fails tells nothing: wait for all)
 * waiting -- a task becomes ready ---------------> waiting
 * any     -- the last one is ready --------------> over
 * any     -- deadline ---------------------------> looking   (what is left is read once more, in one batch)
 * looking -- read, or its budget is used up -----> over      (TimeoutError, unless all are ready now)
 * any     -- a wait fails, abort, nobody listens -> over
 * ```
 */
import { type MetaObserver, observe, type WaitEnd, WaitFailure, type WaitLimits } from './channel.ts';
import type { Clock, Timer } from '../clock.ts';
import { type LastLook, TimeoutError } from '../errors.ts';
import type { TaskMeta } from '../meta.ts';
import { isReady } from '../states.ts';

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
}

/** What bounds them. */
export interface CompletionLimits {
  /** Milliseconds; 0 = the batch of reads and no wait; undefined = no limit. */
  readonly timeoutMs: number | undefined;
  /** Who is shown every meta that the wait for a task sees, or the ready one of the batch. */
  readonly observerOf: (taskId: string) => MetaObserver | undefined;
}

/** A task that became ready. */
export type Completion = readonly [taskId: string, meta: TaskMeta];

/** One run over a set of tasks. */
export class Completions {
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
      this.#end();
    }
  }

  /** Ends the run with the reason, before anything else that it would have told. */
  abort(reason: unknown): void {
    this.#drop();
    this.#failure = new WaitFailure(() => reason);
    this.#end();
    this.#wake?.();
  }

  #drop(): void {
    this.#arrived = [];
    this.#told = 0;
  }

  #begin(): void {
    const { timeoutMs } = this.#limits;
    if (timeoutMs) {
      this.#timer = this.#parts.clock.after(timeoutMs, () => {
        this.#look(timeoutMs / 1000);
      });
    }
    void this.#read(timeoutMs === 0);
  }

  /** @param only - whether nothing follows */
  async #read(only: boolean): Promise<void> {
    try {
      const metas = await this.#parts.readMany([...this.#pending]);
      this.#takeReady(metas);
    } catch (error) {
      if (only) this.#fail(new WaitFailure(() => error));
    }
    if (this.#over) return;
    if (only) this.#expire(0, 'unready');
    else for (const taskId of this.#pending) void this.#wait(taskId);
  }

  /** Shows what is ready in a batch, as a wait does by itself, and takes it in. */
  #takeReady(metas: ReadonlyMap<string, TaskMeta>): void {
    for (const [taskId, meta] of metas) {
      if (!isReady(meta.status)) continue;
      if (!this.#over && this.#pending.has(taskId)) {
        void observe(this.#limits.observerOf(taskId), meta, (error) => {
          this.#fail(new WaitFailure(() => error));
        });
      }
      this.#arrive(taskId, meta);
    }
  }

  async #wait(taskId: string): Promise<void> {
    const { signal } = this.#controller;
    const end = await this.#parts.wait(taskId, { signal, onMessage: this.#limits.observerOf(taskId) });
    if (end instanceof WaitFailure) this.#fail(end);
    else this.#arrive(taskId, end);
  }

  /** The deadline has come. @param timeout - the limit in seconds */
  #look(timeout: number): void {
    const { clock, lastLookMs, usable, readMany } = this.#parts;
    if (!usable()) {
      this.#expire(timeout, 'skipped');
      return;
    }
    this.#timer = clock.after(lastLookMs, () => {
      this.#expire(timeout, 'failed');
    });
    readMany([...this.#pending]).then(
      (metas) => {
        this.#takeReady(metas);
        this.#expire(timeout, 'unready');
      },
      () => {
        this.#expire(timeout, 'failed');
      },
    );
  }

  #expire(timeout: number, lastLook: LastLook): void {
    const [first] = this.#pending;
    if (first !== undefined) this.#fail(new WaitFailure(() => new TimeoutError(first, timeout, lastLook)));
  }

  get #over(): boolean {
    return this.#controller.signal.aborted;
  }

  #arrive(taskId: string, meta: TaskMeta): void {
    if (this.#over || !this.#pending.delete(taskId)) return;
    this.#arrived.push([taskId, meta]);
    if (this.#pending.size === 0) this.#end();
    this.#wake?.();
  }

  #fail(failure: WaitFailure): void {
    if (this.#over) return;
    this.#failure = failure;
    this.#end();
    this.#wake?.();
  }

  /** Nothing is left behind, even if nobody asks for what comes next. */
  #end(): void {
    this.#timer?.cancel();
    this.#controller.abort();
  }
}
