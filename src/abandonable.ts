/** Waits for what an application does, which may never come to an end. */
import { BackendClosedError } from './errors.ts';

/** Promises that others made. `abandon` ends the waits for them, not what they stand for. */
export class Abandonable {
  readonly #waits = new Set<(error: Error) => void>();

  /** Settles as the promise does. @throws BackendClosedError at `abandon` */
  async wait<T>(promise: Promise<T>): Promise<T> {
    let end: (error: Error) => void = () => undefined;
    const abandoned = new Promise<never>((_, reject) => {
      end = reject;
    });
    this.#waits.add(end);
    try {
      return await Promise.race([promise, abandoned]);
    } finally {
      this.#waits.delete(end);
    }
  }

  /** Ends those under way. */
  abandon(): void {
    for (const end of this.#waits) end(new BackendClosedError());
  }
}
