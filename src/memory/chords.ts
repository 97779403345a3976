/** Chords in one process. */
import { judge, judgeTakeOver, OPEN } from '../chords/state.ts';
import type { ChordView } from '../chords/state.ts';
import { BackendError } from '../errors.ts';
import type { ChordClaim, ChordKeys, ChordPart, ChordStore, Recorded, TakeOver } from '../ports.ts';
import type { Collection, Space } from './space.ts';

type Member = Collection['members'][number];

/** What Redis's scripts do, on a {@link Space}. */
export class MemoryChords implements ChordStore {
  readonly #space: Space;
  /** Ends in a later turn, as a call over a network would; rejects once the driver is closed. */
  readonly #turn: () => Promise<void>;

  constructor(space: Space, turn: () => Promise<void>) {
    this.#space = space;
    this.#turn = turn;
  }

  async record(part: ChordPart): Promise<Recorded> {
    await this.#turn();
    const { keys, ordered, token, ttl } = part;
    const members = this.#members(keys, ordered);
    const kept = withPart(members, part);
    this.#space.setCollection(keys.parts, { members: kept, ordered }, ttl);
    if (ttl !== null) for (const key of [keys.added, keys.size]) this.#space.expire(key, ttl);
    const found = judge(this.#view(keys, kept.length), kept.length > members.length, token);
    if (found.state === 'claimed' || found.state === 'reclaimed') this.#lock(part);
    return found;
  }

  async takeOver(claim: ChordClaim, take: boolean): Promise<TakeOver> {
    await this.#turn();
    const { keys, ordered, token } = claim;
    const found = judgeTakeOver(this.#view(keys, this.#members(keys, ordered).length), token);
    if (found.state !== 'free' || !take) return found;
    this.#lock(claim);
    return { state: 'claimed' };
  }

  async renew(claim: ChordClaim): Promise<boolean> {
    await this.#turn();
    if (!this.#isOurs(claim)) return false;
    this.#lock(claim);
    return true;
  }

  async members(keys: ChordKeys, ordered: boolean): Promise<Uint8Array[]> {
    await this.#turn();
    return this.#members(keys, ordered).map(({ bytes }) => bytes);
  }

  async release(claim: ChordClaim, open: boolean, ttl: number | null): Promise<void> {
    await this.#turn();
    if (!this.#isOurs(claim)) return;
    const { keys } = claim;
    if (open) this.#space.set(keys.lock, Buffer.from(OPEN), ttl);
    else this.#space.delete(keys.lock);
  }

  async finish({ parts, added, size, lock }: ChordKeys): Promise<void> {
    await this.#turn();
    for (const key of [parts, added, size, lock]) this.#space.delete(key);
  }

  async grow({ added }: ChordKeys): Promise<number> {
    await this.#turn();
    const count = Number(this.#text(added) ?? 0) + 1;
    this.#space.replace(added, Buffer.from(String(count)));
    return count;
  }

  #lock({ keys, token, leaseMs }: ChordClaim): void {
    this.#space.set(keys.lock, Buffer.from(token), leaseMs / 1000);
  }

  #isOurs({ keys, token }: ChordClaim): boolean {
    return this.#text(keys.lock) === token;
  }

  #view({ added, size, lock }: ChordKeys, count: number): ChordView {
    return { count, added: this.#text(added), size: this.#text(size), lock: this.#text(lock) };
  }

  #text(key: string): string | null {
    const payload = this.#space.get(key);
    return payload && Buffer.from(payload).toString('latin1');
  }

  #members({ parts }: ChordKeys, ordered: boolean): readonly Member[] {
    const collection = this.#space.collection(parts);
    if (collection && collection.ordered !== ordered) {
      const message = `Refused the parts of ${parts}: a value of the wrong type (chordOrdered differs).`;
      throw new BackendError(message, { code: 'CELERY_BACKEND_REFUSED', reply: 'WRONGTYPE' });
    }
    return collection?.members ?? [];
  }
}

/** The members with a part, in the place of a former one of its task. */
function withPart(members: readonly Member[], { member, prefix, score, ordered }: ChordPart): readonly Member[] {
  const part = { bytes: Buffer.from(member), score: ordered ? score : 0 };
  const start = prefix === null ? null : Buffer.from(prefix);
  const isOfTask = ({ bytes }: Member): boolean => start !== null && bytes.subarray(0, start.length).equals(start);
  if (!ordered) {
    const place = members.findIndex(isOfTask);
    return place === -1 ? [...members, part] : members.with(place, part);
  }
  const others = members.filter(
    (other) => !other.bytes.equals(part.bytes) && !(other.score === score && isOfTask(other)),
  );
  return [...others, part].sort((a, b) => rank(a.score, b.score) || Buffer.compare(a.bytes, b.bytes));
}

/** Not by subtraction, which is no number for two infinities. */
function rank(a: number, b: number): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
