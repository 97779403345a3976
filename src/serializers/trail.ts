/** Where a writer is in the value it writes: for messages, for cycles, and for the bound on depth. */
import { EncodeError, InvalidArgumentError } from '../errors.ts';
import { readable, step } from './excerpt.ts';
import { isTooLong } from './json-text.ts';

/** One run. */
export class Trail {
  readonly #maxDepth: number;
  readonly #path: (string | number)[] = [];
  readonly #ancestors: object[] = [];
  #depth = 0;

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  /** Goes down into an object; returns the place of its members' keys in the path. */
  enter(owner: object): number {
    const depth = this.#depth;
    for (let i = 0; i < depth; i++) {
      if (this.#ancestors[i] === owner) throw this.failure(`circular: it is $${this.#steps(i).join('')} again`);
    }
    if (depth >= this.#maxDepth) throw this.failure(`nested deeper than ${this.#maxDepth}`);
    this.#ancestors[depth] = owner;
    this.#depth = depth + 1;
    return depth;
  }

  /** Says which member is written next. */
  step(place: number, key: string | number): void {
    this.#path[place] = key;
  }

  /** Comes back up from the object that was entered at a place. */
  leave(place: number): void {
    this.#depth = place;
  }

  failure(reason: string, cause?: unknown): EncodeError {
    const steps = this.#steps(this.#depth);
    const path = steps.length > 20 ? [...steps.slice(0, 10), ' ... ', ...steps.slice(-10)] : steps;
    return new EncodeError(
      `Cannot encode $${path.join('')}: ${reason.replace(/\.$/, '')}.`,
      cause === undefined ? {} : { cause },
    );
  }

  /** Whatever was thrown while a value was written, as an EncodeError. */
  failureOf(error: unknown): EncodeError {
    return error instanceof EncodeError ? error : this.failure(reasonOf(error), error);
  }

  #steps(depth: number): string[] {
    return this.#path.slice(0, depth).map(step);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof InvalidArgumentError) return error.message;
  const message = readable(error instanceof Error ? error.message : error, 200);
  if (error instanceof RangeError && message.includes('call stack')) return 'nested too deeply';
  return isTooLong(error) ? 'the text becomes too long' : `reading it failed: ${message}`;
}
