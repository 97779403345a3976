/** Keeps what comes of many replies from holding the event loop: a chunk of 64 KiB has those of 13,000 reads of nothing. */
import type { Clock } from '../clock.ts';

/** How long work may go on at a stretch, in milliseconds, with what follows from it. What goes over it is finished. */
const STRETCH_MS = 4;
/** For microtasks. */
const SOON = Promise.resolve();

/**
 * Work, in its order: what comes alone is done at once, of more the rest as soon as all has run that the work before it led to,
 * for 4 ms a turn of the event loop.
 *
 * resting -- work comes -> busy -- nothing is left -> resting
 */
export class PacedWork {
  readonly #clock: Pick<Clock, 'now'>;
  #waiting: (() => void)[] = [];
  /** Those of them that are not done. */
  #rest = this.#waiting.values();
  #busy = false;
  /** When the stretch began. */
  #beganMs = 0;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** @param work - must not throw */
  do(work: () => void): void {
    if (this.#busy) {
      this.#waiting.push(work);
      return;
    }
    this.#busy = true;
    this.#beganMs = this.#clock.now();
    work();
    process.nextTick(this.#goOn);
  }

  readonly #goOn = (): void => {
    if (this.#clock.now() - this.#beganMs < STRETCH_MS) this.#doNext();
    else setImmediate(this.#doAnew);
  };

  readonly #doAnew = (): void => {
    this.#beganMs = this.#clock.now();
    this.#doNext();
  };

  readonly #afterMicrotasks = (): void => {
    process.nextTick(this.#goOn);
  };

  #doNext(): void {
    const next = this.#rest.next();
    if (next.done === true) {
      this.#waiting = [];
      this.#rest = this.#waiting.values();
      this.#busy = false;
      return;
    }
    next.value();
    // After the microtasks that this has led to, and theirs.
    void SOON.then(this.#afterMicrotasks);
  }
}
