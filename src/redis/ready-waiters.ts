/** Calls that wait for a connection. */
import type { Clock, Timer } from '../clock.ts';
import type { RedisClient } from './client.ts';

interface Waiter {
  readonly resolve: (client: RedisClient) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

/** Each waits to its own deadline, or until all are told how it went. */
export class ReadyWaiters {
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves with the client; rejects with `late()` after `ms` milliseconds. */
  wait(ms: number, late: () => Error): Promise<RedisClient> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(ms, () => {
        this.#waiters.delete(waiter);
        reject(late());
      });
      const waiter: Waiter = { resolve, reject, timer };
      this.#waiters.add(waiter);
    });
  }

  resolve(client: RedisClient): void {
    for (const waiter of this.#take()) waiter.resolve(client);
  }

  /** @param error - makes one for each, so that none is shared */
  reject(error: () => Error): void {
    for (const waiter of this.#take()) waiter.reject(error());
  }

  #take(): Waiter[] {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.timer.cancel();
    return waiters;
  }
}
