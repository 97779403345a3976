/** Pauses between tries. */
import type { Clock, Timer } from './clock.ts';

interface Pause {
  readonly timer: Timer;
  readonly end: () => void;
}

/**
 * Pauses that `close` ends all at once.
 *
 * open -> closed
 */
export class Pauses {
  readonly #clock: Clock;
  readonly #pauses = new Set<Pause>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after `ms` milliseconds, or at `close`, with whether the time has passed and it is still open. */
  async wait(ms: number): Promise<boolean> {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        this.#pauses.delete(pause);
        resolve();
      };
      const pause: Pause = { timer: this.#clock.after(this.#closed ? 0 : ms, end), end };
      this.#pauses.add(pause);
    });
    return !this.#closed;
  }

  close(): void {
    this.#closed = true;
    for (const pause of this.#pauses) {
      pause.timer.cancel();
      pause.end();
    }
  }
}
