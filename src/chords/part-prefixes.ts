/** What the parts of one task in a chord have in common. */
import type { Serializer } from '../ports.ts';

/** Finds a former part of a task among those of its chord, by its first bytes. The serializer is loaded before any call. */
export class PartPrefixes {
  readonly #serializer: Serializer;
  /** Whether the first bytes tell the task; undefined until it was tried. */
  #areTelling: boolean | undefined;

  constructor(serializer: Serializer) {
    this.#serializer = serializer;
  }

  /** What all parts of a task begin with, and no other; `null` where a serializer of the user's own has no such thing. */
  of(taskId: string): string | Uint8Array | null {
    this.#areTelling ??= this.#try();
    return this.#areTelling ? this.#shared(taskId) : null;
  }

  #try(): boolean {
    const shared = this.#shared('aa');
    return ['ab', 'a', 'aaa', 'ba'].every((id) => !startsWith(this.#encode(id, 'A'), shared));
  }

  /** Two parts of a task have everything up to their states in common. */
  #shared(taskId: string): string | Uint8Array {
    const [one, other] = [this.#encode(taskId, 'A'), this.#encode(taskId, 'BB')];
    let end = 0;
    while (end < one.length && one[end] === other[end]) end += 1;
    return one.slice(0, end);
  }

  #encode(taskId: string, state: string): string | Uint8Array {
    return this.#serializer.encode([1, taskId, state, null]);
  }
}

function startsWith(text: string | Uint8Array, start: string | Uint8Array): boolean {
  return Buffer.compare(Buffer.from(text.slice(0, start.length)), Buffer.from(start)) === 0;
}
