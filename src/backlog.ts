/** Bounds on what was accepted and has not come to an end. */

/** Settings of a {@link Backlog}. */
export interface BacklogOptions {
  /** The most calls. */
  readonly maxCalls: number;
  /** The most payload bytes of these calls. One payload may be larger, when no other is there. */
  readonly maxBytes: number;
}

/** Counts calls and the bytes of their payloads, so that an outage fills no memory. */
export class Backlog {
  readonly #options: BacklogOptions;
  #calls = 0;
  #bytes = 0;

  constructor(options: BacklogOptions) {
    this.#options = options;
  }

  get calls(): number {
    return this.#calls;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Why one more call, of so many bytes, is too much now; undefined when it is not. */
  refusal(bytes: number): string | undefined {
    const { maxCalls, maxBytes } = this.#options;
    // What has no payload ends something that was accepted, such as a chord.
    if (bytes === 0) return undefined;
    if (this.#calls >= maxCalls) return `${this.#calls} are pending, and maxPendingStores is ${maxCalls}`;
    // What no room would ever do for goes alone.
    const fits = this.#bytes === 0 || this.#bytes + bytes <= maxBytes;
    return fits
      ? undefined
      : `${this.#bytes} bytes are pending, ${bytes} more came, and maxPendingBytes is ${maxBytes}`;
  }

  add(bytes: number): void {
    this.#calls += 1;
    this.#bytes += bytes;
  }

  remove(bytes: number): void {
    this.#calls -= 1;
    this.#bytes -= bytes;
  }
}
