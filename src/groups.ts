/** Saved groups: which results belong together. */
import type { Codec } from './codec.ts';
import { InvalidArgumentError } from './errors.ts';
import type { Keys } from './keys.ts';
import type { GroupTuple } from './meta.ts';
import type { KeyStore, ResultStore, StoreOutcome } from './ports.ts';
import { readGuarded } from './reader.ts';
import type { Storer } from './storer.ts';
import { isGroupTuple, parseTuple } from './tuples.ts';

/** What groups are kept with. */
export interface GroupParts {
  readonly store: ResultStore;
  /** The same, for reads and removals. */
  readonly keyStore: KeyStore;
  readonly keys: Keys;
  readonly codec: Codec;
  readonly storer: Storer;
  /** Whole seconds a saved group lives; `null` for ever. */
  readonly ttl: number | null;
}

/** Group keys. The codec is loaded before any call. */
export class Groups {
  readonly #parts: GroupParts;

  constructor(parts: GroupParts) {
    this.#parts = parts;
  }

  /** Replaces what was saved before. There is no SUCCESS to keep, so nothing is read first. */
  save(groupId: string, group: unknown): Promise<StoreOutcome> {
    const { store, keys, codec, storer, ttl } = this.#parts;
    const payload = codec.encodeGroup(checkGroup(group), groupId);
    const write = { key: keys.group(groupId), payload, ttl, guard: null };
    const bytes = Buffer.byteLength(payload);
    return storer.store({ taskId: groupId, state: '', bytes, write: () => store.write(write) });
  }

  /** Saves the header of a chord, if one of its members is a group, so that its shape is known in the end. */
  async saveHeader(header: unknown): Promise<StoreOutcome | 'simple'> {
    const group = checkGroup(header);
    return group[1].some(isGroupTuple) ? this.save(group[0][0], group) : 'simple';
  }

  async restore(groupId: string): Promise<GroupTuple | null> {
    const { keyStore, keys, codec } = this.#parts;
    const payload = await readGuarded(keyStore.read(keys.group(groupId)), groupId, `group ${groupId}`);
    return payload && payload.byteLength > 0 ? codec.decodeGroup(payload) : null;
  }

  async delete(groupId: string): Promise<void> {
    const { keyStore, keys } = this.#parts;
    await keyStore.remove(keys.group(groupId));
  }
}

/** The tuple of an argument: of a tuple, or of a result that has one. */
function checkGroup(group: unknown): GroupTuple {
  const given = hasTuple(group) ? group.asTuple() : group;
  try {
    const tuple = parseTuple(given);
    if (isGroupTuple(tuple)) return tuple;
  } catch (cause) {
    throw new InvalidArgumentError('group: expected a GroupResult or its tuple.', { cause });
  }
  throw new InvalidArgumentError('group: expected a GroupResult or its tuple; got that of a task.');
}

function hasTuple(group: unknown): group is { asTuple(): unknown } {
  return typeof group === 'object' && group !== null && 'asTuple' in group && typeof group.asTuple === 'function';
}
