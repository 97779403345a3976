/** Waits for what is known already: they last as long as their observers take, within their limits. */
import { observe, type WaitEnd, WaitFailure, type WaitLimits } from './channel.ts';
import type { Clock, Timer } from '../clock.ts';
import { BackendClosedError } from '../errors.ts';
import type { TaskMeta } from '../meta.ts';
import { Signals } from './signals.ts';

/** One of them, while its observer takes its time. It is settled when it is no longer kept. */
interface KnownWait {
  readonly signal: AbortSignal | undefined;
  readonly settle: (end: WaitEnd) => void;
  /** The deadline. */
  timer: Timer | undefined;
}

/** Ends them as a consumer ends a wait whose meta is ready: at the deadline with that meta, by a signal with its reason. */
export class KnownWaits {
  readonly #clock: Clock;
  readonly #waits = new Set<KnownWait>();
  readonly #signals = new Signals<KnownWait>((wait, reason) => {
    this.#end(wait, new WaitFailure('aborted', () => reason));
  });
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those that are not settled. */
  get size(): number {
    return this.#waits.size;
  }

  /** Shows a meta to the observer. Without one it is the end at once; else a promise, which never rejects. */
  wait(meta: TaskMeta, limits: WaitLimits): WaitEnd | Promise<WaitEnd> {
    if (!limits.onMessage) return meta;
    if (this.#closed) return new WaitFailure('closed', () => new BackendClosedError());
    return new Promise((resolve) => {
      const wait = this.#begin(limits, meta, resolve);
      const shown = observe(limits.onMessage, meta, (error) => {
        this.#end(wait, new WaitFailure('failed', () => error));
      });
      if (!shown) this.#end(wait, meta);
      else
        void shown.then(() => {
          this.#end(wait, meta);
        });
    });
  }

  /** Ends all of them. */
  close(): void {
    this.#closed = true;
    for (const wait of this.#waits) this.#end(wait, new WaitFailure('closed', () => new BackendClosedError()));
  }

  #begin({ timeoutMs, signal }: WaitLimits, meta: TaskMeta, settle: (end: WaitEnd) => void): KnownWait {
    const wait: KnownWait = { signal, settle, timer: undefined };
    this.#waits.add(wait);
    if (signal) this.#signals.add(signal, wait);
    if (timeoutMs !== undefined) {
      wait.timer = this.#clock.after(timeoutMs, () => {
        this.#end(wait, meta);
      });
    }
    return wait;
  }

  #end(wait: KnownWait, end: WaitEnd): void {
    if (!this.#waits.delete(wait)) return;
    wait.timer?.cancel();
    if (wait.signal) this.#signals.remove(wait.signal, wait);
    wait.settle(end);
  }
}
