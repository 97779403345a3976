/** The local cache of results that are known for good. */
import { LRUCache } from 'lru-cache';
import type { Clock } from './clock.ts';
import type { TaskMeta } from './meta.ts';

/** What bounds the cache. */
export interface CacheLimits {
  /** -1 = no cache, 0 = no limit in entries. */
  readonly maxEntries: number;
  /** Payload bytes of all entries together. */
  readonly maxBytes: number;
  /** Seconds that a result lives from its `date_done`; `null` = for ever. */
  readonly expires: number | null;
}

/** So many results are put aside, and so many bytes of them: to take them in is one turn's work. */
const MAX_ASIDE = 256;
const MAX_ASIDE_BYTES = 2 ** 20;

/** Forgotten ids that are remembered, so that a read in flight cannot put them back. */
const REMEMBERED_FORGETS = 10_000;

interface Entry {
  readonly taskId: string;
  readonly meta: TaskMeta;
  readonly bytes: number;
  readonly epoch: number;
  /** When it came, on the monotonic clock. */
  readonly cameMs: number;
}

/**
 * An LRU of SUCCESS metas: any other state may still change. An entry lives no longer than the result itself.
 *
 * Whoever reads a result notes the `epoch` first and hands it to `set`: a result that was forgotten in between is not
 * taken in.
 *
 * @see celery.backends.base.Backend._cache
 */
export class ResultCache {
  readonly #entries: LRUCache<string, TaskMeta> | undefined;
  readonly #limits: CacheLimits;
  readonly #clock: Clock;
  /**
   * Not taken in yet, so that whoever waited goes first: the next look at the cache takes them in, or the one that is too many.
   */
  #aside: Entry[] = [];
  #asideBytes = 0;
  /** Forgotten ids with the epoch of their forgetting, oldest first. */
  readonly #forgotten = new Map<string, number>();
  /** Keeps its place: to begin anew would be to pass over all that is gone. */
  #forgottenFirst = this.#forgotten.entries();
  /** Reads that began before this are not taken in at all: their forgets are no longer remembered. */
  #oldest = 0;
  #epoch = 0;
  hits = 0;

  constructor(limits: CacheLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
    if (limits.maxEntries !== -1) {
      this.#entries = new LRUCache({
        max: limits.maxEntries,
        maxSize: limits.maxBytes,
        ttlResolution: 0,
        // lru-cache takes a start of 0 for none.
        perf: { now: () => clock.now() + 1 },
      });
    }
  }

  get size(): number {
    this.#takeIn();
    return this.#entries?.size ?? 0;
  }

  /** Payload bytes of all entries. */
  get bytes(): number {
    this.#takeIn();
    return this.#entries?.calculatedSize ?? 0;
  }

  /** The number of forgets so far. */
  get epoch(): number {
    return this.#epoch;
  }

  get(taskId: string): TaskMeta | undefined {
    this.#takeIn();
    const meta = this.#entries?.get(taskId);
    if (meta) this.hits += 1;
    return meta;
  }

  has(taskId: string): boolean {
    this.#takeIn();
    return this.#entries?.has(taskId) ?? false;
  }

  /** Takes in a SUCCESS whose read began at `epoch`; ignores every other state. */
  set(taskId: string, meta: TaskMeta, bytes: number, epoch: number): void {
    if (!this.#entries || meta.status !== 'SUCCESS') return;
    this.#aside.push({ taskId, meta, bytes, epoch, cameMs: this.#clock.now() });
    this.#asideBytes += bytes;
    if (this.#aside.length > MAX_ASIDE || this.#asideBytes > Math.min(MAX_ASIDE_BYTES, this.#limits.maxBytes))
      this.#takeIn();
  }

  /** Drops a result, and any that a read in flight would bring. */
  forget(taskId: string): void {
    this.#takeIn();
    this.#entries?.delete(taskId);
    this.#epoch += 1;
    this.#forgotten.delete(taskId);
    this.#forgotten.set(taskId, this.#epoch);
    if (this.#forgotten.size <= REMEMBERED_FORGETS) return;
    const { value } = this.#forgottenFirst.next();
    if (!value) return;
    [, this.#oldest] = value;
    this.#forgotten.delete(value[0]);
  }

  clear(): void {
    this.#aside = [];
    this.#asideBytes = 0;
    this.#entries?.clear();
    this.#forgotten.clear();
    this.#forgottenFirst = this.#forgotten.entries();
  }

  #takeIn(): void {
    if (this.#aside.length === 0) return;
    const aside = this.#aside;
    this.#aside = [];
    this.#asideBytes = 0;
    const { maxEntries } = this.#limits;
    // The last that there is room for.
    for (const entry of maxEntries > 0 ? aside.slice(-maxEntries) : aside) this.#add(entry);
  }

  #add({ taskId, meta, bytes, epoch, cameMs }: Entry): void {
    if (epoch < this.#oldest || (this.#forgotten.get(taskId) ?? 0) > epoch) return;
    const ttl = this.#lifetime(meta, cameMs);
    if (ttl > 0) this.#entries?.set(taskId, meta, { size: Math.max(1, bytes), ...(ttl < Infinity && { ttl }) });
  }

  /** Milliseconds that a result has left. */
  #lifetime(meta: TaskMeta, cameMs: number): number {
    const { expires } = this.#limits;
    if (expires === null) return Infinity;
    const done = parseDateDone(meta.date_done);
    const known = this.#clock.now() - cameMs;
    const age = Number.isNaN(done) ? known : Math.max(known, this.#clock.wall() - done);
    return expires * 1000 - age;
  }
}

/** Milliseconds since 1970, NaN where it is no date. A date without an offset is UTC (Celery before 5.4). */
function parseDateDone(date: unknown): number {
  if (typeof date !== 'string') return NaN;
  return Date.parse(/(?:Z|[+-]\d\d:\d\d)$/.test(date) ? date : `${date}Z`);
}
