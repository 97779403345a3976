/** Pauses that can be ended early. */
import type { Clock, Timer } from '../clock.ts';

/** Every pause under way. */
export class Pauses {
  readonly #clock: Clock;
  readonly #open = new Map<Timer, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after a time, or at `endAll`. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(ms, () => {
        this.#open.delete(timer);
        resolve();
      });
      this.#open.set(timer, resolve);
    });
  }

  /** Ends all. */
  endAll(): void {
    const open = [...this.#open];
    this.#open.clear();
    for (const [timer, resolve] of open) {
      timer.cancel();
      resolve();
    }
  }
}
