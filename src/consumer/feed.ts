/** What arrives, for one reader who takes it at a pace of its own. */
import type { WaitFailure } from './channel.ts';

/**
 * open -> ended, with or without a failure
 *
 * Whoever adds never waits for the reader. The reader gets what was added before the end, then the end; an abort comes
 * before all that.
 */
export class Feed<T> {
  readonly #limit: number;
  #items: T[] = [];
  #over = false;
  #failure: WaitFailure | undefined;
  #wake: (() => void) | undefined;

  /** @param limit - how many may be left unread: of more the oldest is dropped */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds an item, unless it has ended. */
  push(item: T): void {
    if (this.#over) return;
    if (this.#items.length >= this.#limit) this.#items.shift();
    this.#items.push(item);
    this.#wake?.();
  }

  /** Nothing more comes. The first end counts. */
  end(failure?: WaitFailure): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = failure;
    this.#wake?.();
  }

  /** Ends it before all that is unread, even if it has ended. */
  abort(failure?: WaitFailure): void {
    this.#items = [];
    this.#over = true;
    this.#failure = failure;
    this.#wake?.();
  }

  /** The items. To be called once. @throws the failure it ended with */
  async *items(): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        yield item;
        continue;
      }
      // All in one turn from here to the pause, so that nothing arrives in between.
      if (this.#failure) throw this.#failure.error();
      if (this.#over) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
