/** A clock that stands still until it is told to go on. */
import type { Clock, Timer } from '../../src/clock.ts';

interface Pending {
  readonly due: number;
  readonly run: () => void;
}

export class VirtualClock implements Clock {
  /** Wall clock at the origin, in milliseconds since 1970. */
  readonly #origin: number;
  readonly #pending = new Set<Pending>();
  #now = 0;

  constructor(origin: number = Date.UTC(2026, 0, 1)) {
    this.#origin = origin;
  }

  /** Timers that are armed. */
  get timers(): number {
    return this.#pending.size;
  }

  now = (): number => this.#now;

  wall(): number {
    return this.#origin + this.#now;
  }

  after(ms: number, run: () => void): Timer {
    const pending = { due: this.#now + ms, run };
    this.#pending.add(pending);
    return {
      cancel: () => {
        this.#pending.delete(pending);
      },
    };
  }

  /** Lets `ms` milliseconds pass, and everything happen that falls due in them. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = [...this.#pending].sort((a, b) => a.due - b.due)[0];
      if (!next || next.due > end) break;
      this.#pending.delete(next);
      this.#now = Math.max(this.#now, next.due);
      next.run();
    }
    this.#now = end;
    await settle();
  }
}

/** Lets every promise that can settle do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
