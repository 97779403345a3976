/** Collects what is asked for in one turn of the event loop, so that it leaves together. */
export class TickBatch<Item> {
  readonly #send: (items: Item[]) => void;
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
    queueMicrotask(() => {
      process.nextTick(() => {
        this.flush();
      });
    });
  }

  /** Sends what there is now. */
  flush(): void {
    if (this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    this.#send(items);
  }
}
