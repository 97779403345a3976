/** How late the event loop and the servers are: on a loaded machine everything is, and no bound can be tighter than that. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RedisServer } from '../support/redis.ts';

const EVERY_MS = 10;

/** Measures from its making until it is stopped. */
export class LoopLag {
  #lost: { readonly at: number; readonly ms: number }[] = [];
  readonly #timer: NodeJS.Timeout;
  #last: number;
  #stopped = false;

  /** @param time - what moments are given in */
  constructor(time: () => number) {
    this.#last = time();
    this.#timer = setInterval(() => {
      const now = time();
      const ms = now - this.#last - EVERY_MS;
      if (ms > 1) this.#lost.push({ at: now, ms });
      this.#last = now;
    }, EVERY_MS);
  }

  /** Milliseconds by which the loop was late between two moments, together. */
  between(from: number, to: number): number {
    return this.#lost.filter(({ at, ms }) => at >= from && at - ms <= to).reduce((sum, { ms }) => sum + ms, 0);
  }

  /** Milliseconds of the worst delay. */
  get worst(): number {
    return Math.max(0, ...this.#lost.map(({ ms }) => ms));
  }

  /**
   * Counts as well how late a server answers, until it is stopped.
   *
   * @param excused - whether it was kept from answering in this time
   */
  async watch(server: RedisServer, time: () => number, excused: (from: number, to: number) => boolean): Promise<void> {
    while (!this.#stopped) {
      const from = time();
      await server.cli('PING').catch(() => undefined);
      const to = time();
      const ms = to - from - EVERY_MS - this.between(from, to);
      if (ms > 0 && !excused(from, to)) this.#lost.push({ at: to, ms });
      await delay(5 * EVERY_MS);
    }
  }

  /** Drops what was measured before a moment. */
  forget(before: number): void {
    this.#lost = this.#lost.filter(({ at }) => at >= before);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }
}
