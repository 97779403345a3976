/** Async iteration that can be left at any time. */
import { onAbort } from './consumer/signals.ts';

/**
 * An async generator whose `return` ends it at once. A plain one would take its turn after a `next` that is pending: a
 * loop can only be left between two items, but `Readable.from(...)` and its like leave whenever their own reader does.
 *
 * not begun -> under way -> over
 *
 * Nothing happens before the first `next`.
 */
export class Stream<T> implements AsyncGenerator<T, void, undefined> {
  readonly #items: AsyncGenerator<T, void, undefined>;
  readonly #left = new AbortController();

  /** @param make - the items; its generator returns as soon as the signal, which is this stream's own, is aborted */
  constructor(make: (left: AbortSignal) => AsyncGenerator<T, void, undefined>) {
    this.#items = make(this.#left.signal);
  }

  next(): Promise<IteratorResult<T, void>> {
    return this.#items.next();
  }

  return(): Promise<IteratorResult<T, void>> {
    this.#left.abort();
    return this.#items.return();
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    this.#left.abort();
    return this.#items.throw(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

/** The items of one stream made into those of another, which is left with it. */
export function mapped<T, U>(
  source: () => AsyncGenerator<T, void, undefined>,
  make: (item: T) => U | Promise<U>,
): Stream<U> {
  return new Stream(async function* (left) {
    const items = source();
    onAbort(left, () => void items.return());
    for await (const item of items) yield await make(item);
  });
}
