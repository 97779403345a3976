/** The results of a chord's header. */
import type { ChordFailure } from './body.ts';
import type { Codec } from '../codec.ts';
import { DecodeError, TimeoutError } from '../errors.ts';
import { encodeException } from '../exceptions.ts';
import type { Keys } from '../keys.ts';
import type { GroupTuple, ResultTuple } from '../meta.ts';
import type { ChordPart, ChordStore, ResultStore } from '../ports.ts';
import { errorRepr, exceptionRepr } from '../python-repr.ts';
import { PROPAGATE_STATES } from '../states.ts';
import type { Storer } from '../storer.ts';
import { isGroupTuple } from '../tuples.ts';
import type { Waiting } from '../waiting.ts';

/** What results are read with. */
export interface HeaderParts {
  readonly store: ResultStore;
  readonly chords: ChordStore;
  readonly keys: Keys;
  readonly codec: Codec;
  readonly storer: Storer;
  readonly waiting: Waiting;
  /** Milliseconds that the results of a saved header may take to be read. */
  readonly joinTimeoutMs: number;
}

/** The results for the body, or why there are none. */
export type Header = { readonly values: readonly unknown[] } | { readonly failure: ChordFailure };

/** Reads the results of complete headers. */
export class HeaderResults {
  readonly #parts: HeaderParts;

  constructor(parts: HeaderParts) {
    this.#parts = parts;
  }

  /**
   * Of a header that was saved, because there are groups in it, in the shape of the header; of others as the parts
   * brought them.
   *
   * @throws BackendStoreError, BackendGetMetaError, BackendClosedError when they cannot be read now
   */
  async read(groupId: string, part: ChordPart): Promise<Header> {
    const { store, keys, codec } = this.#parts;
    const saved = await this.#retried(groupId, 'saved header', () => store.read(keys.group(groupId)));
    try {
      return saved?.length ? await this.#join(codec.decodeGroup(saved)) : await this.#decode(groupId, part);
    } catch (error) {
      if (error instanceof DecodeError) return { failure: { text: `Join error: ${errorRepr(error)}` } };
      throw error;
    }
  }

  async #join(group: GroupTuple): Promise<Header> {
    const { waiting, joinTimeoutMs } = this.#parts;
    const values = new Map<string, unknown>();
    try {
      for await (const settled of waiting.many([...tasksOf(group)], joinTimeoutMs, {})) {
        if (settled.status !== 'SUCCESS') return joinFailure(errorRepr(settled.error), settled.error);
        values.set(settled.taskId, settled.result);
      }
    } catch (error) {
      // A result that could not be asked for may well be there.
      if (!(error instanceof TimeoutError) || error.lastLook !== 'unready') throw error;
      return joinFailure("TimeoutError('The operation timed out.')", null);
    }
    return { values: group[1].map((member) => shaped(member, values)) };
  }

  async #decode(groupId: string, { keys, ordered }: ChordPart): Promise<Header> {
    const { chords, codec } = this.#parts;
    const members = await this.#retried(groupId, 'parts', () => chords.members(keys, ordered));
    const values: unknown[] = [];
    for (const member of members) {
      const { taskId, state, result } = codec.decodePart(member);
      if (PROPAGATE_STATES.has(state)) {
        const text = `Dependency ${taskId} raised ${exceptionRepr(result)}`;
        return { failure: { text, cause: encodeException(result).info } };
      }
      values.push(result);
    }
    return { values };
  }

  #retried<T>(groupId: string, what: string, read: () => Promise<T>): Promise<T> {
    return this.#parts.storer.run({
      taskId: groupId,
      state: '',
      bytes: 0,
      what: `read the ${what} of chord ${groupId}`,
      write: read,
    });
  }
}

function joinFailure(repr: string, error: unknown): Header {
  const cause = error === null ? undefined : encodeException(error).info;
  return { failure: { text: `Join error: ${repr}`, cause } };
}

function* tasksOf([[id], members]: ResultTuple): Generator<string, void, undefined> {
  if (members === null) yield id;
  else for (const member of members) yield* tasksOf(member);
}

function shaped(tuple: ResultTuple, values: ReadonlyMap<string, unknown>): unknown {
  return isGroupTuple(tuple) ? tuple[1].map((member) => shaped(member, values)) : values.get(tuple[0][0]);
}
