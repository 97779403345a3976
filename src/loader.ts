/** Waits for the serializer to be loaded, each within a limit: what others wrote may never come to an end. */
import type { Clock, Timer } from './clock.ts';
import type { Codec } from './codec.ts';
import { BackendClosedError, BackendError, BackendGetMetaError } from './errors.ts';
import type { StoreJob } from './store-job.ts';
import type { Storer } from './storer.ts';

/** What a {@link Loader} is made of. */
export interface LoaderParts {
  readonly codec: Pick<Codec, 'load' | 'loaded'>;
  /** The serializer's name. */
  readonly serializer: string;
  readonly storer: Pick<Storer, 'failure'>;
  readonly clock: Clock;
  /** Milliseconds that reads, and stores, wait; Infinity = until `close`. */
  readonly readMs: number;
  readonly storeMs: number;
}

/** One that waits. */
interface Waiter {
  /** Whether `close` lets it wait on for a time. */
  readonly isStore: boolean;
  readonly resolve: (loaded: boolean) => void;
  readonly reject: (error: unknown) => void;
  timer: Timer | undefined;
}

/** A wait under way. */
export interface Loading {
  /** Whether it was loaded in time. Rejects with what `load` throws, and with BackendClosedError. */
  readonly loaded: Promise<boolean>;
  /** Leaves it unsettled. */
  leave(): void;
}

/** open -> closed */
export class Loader {
  readonly #parts: LoaderParts;
  readonly #waiters = new Set<Waiter>();
  #isLoading = false;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(parts: LoaderParts) {
    this.#parts = parts;
  }

  /** Whether there is nothing to wait for. */
  get done(): boolean {
    return this.#parts.codec.loaded;
  }

  /** For a read of `what`. @throws BackendGetMetaError when it takes longer than a read may; BackendClosedError */
  async read(id: string, what = `the result of task ${id}`): Promise<void> {
    const { readMs } = this.#parts;
    if (await this.wait(readMs).loaded) return;
    const cause = this.#late(readMs);
    throw new BackendGetMetaError(`Could not read ${what}: ${cause.message}`, id, { cause });
  }

  /** For a store. @throws BackendStoreError when it takes longer than its retries may, or until `close` */
  async store(job: Pick<StoreJob, 'taskId' | 'state' | 'what'>): Promise<void> {
    const { storeMs, storer } = this.#parts;
    let cause: BackendError;
    try {
      if (await this.#wait(storeMs, true).loaded) return;
      cause = this.#late(storeMs);
    } catch (error) {
      if (!(error instanceof BackendClosedError)) throw error;
      cause = error;
    }
    throw storer.failure(job, 0, cause);
  }

  /** For anything else. @throws BackendError when it takes longer; BackendClosedError */
  async within(limitMs: number): Promise<void> {
    if (!(await this.wait(limitMs).loaded)) throw this.#late(limitMs);
  }

  /** Waits so many milliseconds at the most; Infinity = until `close`. */
  wait(limitMs: number): Loading {
    return this.#wait(limitMs, false);
  }

  /** Ends all waits with BackendClosedError: those of stores after `limitMs`, the others at once. */
  async close(limitMs: number): Promise<void> {
    this.#closed = true;
    this.#endAll(({ isStore }) => !isStore);
    if (this.#waiters.size === 0) return;
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      timer = this.#parts.clock.after(limitMs, resolve);
    });
    timer?.cancel();
    this.#endAll(() => true);
  }

  #wait(limitMs: number, isStore: boolean): Loading {
    const { codec, clock } = this.#parts;
    if (codec.loaded) return { loaded: Promise.resolve(true), leave: () => undefined };
    if (this.#closed) return { loaded: Promise.reject(new BackendClosedError()), leave: () => undefined };
    let leave!: () => void;
    const loaded = new Promise<boolean>((resolve, reject) => {
      const waiter: Waiter = { isStore, resolve, reject, timer: undefined };
      leave = () => {
        this.#take(waiter);
      };
      this.#waiters.add(waiter);
      if (limitMs < Infinity) {
        waiter.timer = clock.after(limitMs, () => {
          this.#take(waiter);
          resolve(false);
        });
      }
    });
    if (!this.#isLoading) void this.#load();
    return { loaded, leave };
  }

  async #load(): Promise<void> {
    this.#isLoading = true;
    try {
      await this.#parts.codec.load();
      for (const waiter of this.#takeAll()) waiter.resolve(true);
    } catch (error) {
      // The next one to wait tries again.
      for (const waiter of this.#takeAll()) waiter.reject(error);
    }
  }

  #takeAll(): Waiter[] {
    this.#isLoading = false;
    const waiters = [...this.#waiters];
    for (const waiter of waiters) this.#take(waiter);
    return waiters;
  }

  #endAll(which: (waiter: Waiter) => boolean): void {
    for (const waiter of [...this.#waiters].filter(which)) {
      this.#take(waiter);
      waiter.reject(new BackendClosedError());
    }
  }

  #take(waiter: Waiter): void {
    waiter.timer?.cancel();
    this.#waiters.delete(waiter);
    if (this.#waiters.size === 0) this.#onIdle?.();
  }

  #late(limitMs: number): BackendError {
    return new BackendError(`The serializer ${this.#parts.serializer} was not loaded within ${limitMs / 1000} s.`);
  }
}
