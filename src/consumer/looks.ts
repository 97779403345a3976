/** Reads that are all there is of a wait so far, so that no channel counts them or ends them. */
import { WaitFailure } from './channel.ts';
import { BackendClosedError } from '../errors.ts';

/** One of them. */
export interface Look {
  /** Tasks that are waited for by it. */
  readonly size: number;
  /** Ends it at once. */
  readonly end: (failure: WaitFailure) => void;
}

/** Those under way. */
export class Looks {
  readonly #looks = new Set<Look>();

  /** Tasks that are waited for by them. */
  get size(): number {
    let size = 0;
    for (const look of this.#looks) size += look.size;
    return size;
  }

  add(look: Look): void {
    this.#looks.add(look);
  }

  delete(look: Look): void {
    this.#looks.delete(look);
  }

  /** Settles as a promise does, for so many tasks, or with a failure if the backend closes first. */
  async one<T>(reading: Promise<T>, size = 1): Promise<T | WaitFailure> {
    let look: Look | undefined;
    const ended = new Promise<WaitFailure>((end) => {
      look = { size, end };
      this.#looks.add(look);
    });
    try {
      return await Promise.race([reading, ended]);
    } finally {
      if (look) this.#looks.delete(look);
    }
  }

  /** Ends all of them. */
  close(): void {
    for (const look of this.#looks) {
      this.#looks.delete(look);
      look.end(new WaitFailure('closed', () => new BackendClosedError()));
    }
  }
}
