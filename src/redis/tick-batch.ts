/** Collects what is asked for in one turn of the event loop, so that it leaves together. */

/** For microtasks. `queueMicrotask` would make an async resource for each. */
const SOON = Promise.resolve();

/** See above. */
export class TickBatch<Item> {
  readonly #send: (items: Item[]) => void;
  readonly #afterMicrotasks = (): void => {
    process.nextTick(this.#flush);
  };
  readonly #flush = (): void => {
    this.flush();
  };
  #items: Item[] = [];

  /** @param send - takes the items of a turn, in the order they were added; must not throw */
  constructor(send: (items: Item[]) => void) {
    this.#send = send;
  }

  /** Adds an item; the first one of a turn schedules the sending. */
  add(item: Item): void {
    this.#items.push(item);
    if (this.#items.length > 1) return;
    // After everything else that runs in this turn: microtasks first, then the ticks they queued.
    void SOON.then(this.#afterMicrotasks);
  }

  /** Sends what there is now. */
  flush(): void {
    if (this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    this.#send(items);
  }
}
