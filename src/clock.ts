/** The time, passed in so that tests and simulations can have their own. */

/** A pending call. */
export interface Timer {
  cancel(): void;
}

/** The time. */
export interface Clock {
  /** Milliseconds that never go back, from any origin. Deadlines are measured by it. */
  now(): number;
  /** Wall clock, in milliseconds since 1970. Only for what is written down. */
  wall(): number;
  /** Calls `run` once, after `ms` milliseconds, which may exceed 2^31. */
  after(ms: number, run: () => void): Timer;
}

/** The longest delay that Node's own timers take. */
const LONGEST_DELAY = 2 ** 31 - 1;

class SystemTimer implements Timer {
  readonly #run: () => void;
  #handle: NodeJS.Timeout | undefined;

  constructor(ms: number, run: () => void) {
    this.#run = run;
    this.#arm(ms);
  }

  #arm(ms: number): void {
    this.#handle =
      ms > LONGEST_DELAY
        ? setTimeout(() => {
            this.#arm(ms - LONGEST_DELAY);
          }, LONGEST_DELAY)
        : setTimeout(this.#run, Math.max(0, ms));
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }
}

/** The machine's time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, run) => new SystemTimer(ms, run),
};
