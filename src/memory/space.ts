/** Keys and channels in one process: what a Redis server is to the Redis driver. */
import type { Clock } from '../clock.ts';

interface Entry {
  readonly payload: Uint8Array;
  /** Wall clock, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** The parts of one chord: members with their scores, in their order. A list has no scores. */
export interface Collection {
  readonly members: readonly { readonly bytes: Buffer; readonly score: number }[];
  readonly ordered: boolean;
  readonly expiresAt: number;
}

/** Takes the messages of the channels it subscribed to. */
export type MessageSink = (channel: string, payload: Uint8Array) => void;

/** One keyspace with its channels, shared by all backends of the same URL in this process. */
export class Space {
  readonly #entries = new Map<string, Entry>();
  readonly #collections = new Map<string, Collection>();
  readonly #channels = new Map<string, Set<MessageSink>>();
  readonly #clock: Clock;
  /** Who is to be told when a channel has a subscriber. */
  readonly #expected = new Map<string, (() => void)[]>();
  /** Backends that have it open. */
  users = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: string): Uint8Array | null {
    const entry = this.#entries.get(key);
    if (!entry) return null;
    if (entry.expiresAt > this.#clock.wall()) return entry.payload;
    this.#entries.delete(key);
    return null;
  }

  set(key: string, payload: Uint8Array, ttl: number | null): void {
    this.#entries.set(key, { payload, expiresAt: ttl === null ? Infinity : this.#clock.wall() + ttl * 1000 });
  }

  /** The same with another value: it lives as long as it would have. */
  replace(key: string, payload: Uint8Array): void {
    const expiresAt = this.get(key) === null ? Infinity : (this.#entries.get(key)?.expiresAt ?? Infinity);
    this.#entries.set(key, { payload, expiresAt });
  }

  /** Lets a key live for `ttl` seconds from now, if there is one. */
  expire(key: string, ttl: number): void {
    const payload = this.get(key);
    if (payload) this.set(key, payload, ttl);
  }

  collection(key: string): Collection | null {
    const found = this.#collections.get(key);
    if (!found) return null;
    if (found.expiresAt > this.#clock.wall()) return found;
    this.#collections.delete(key);
    return null;
  }

  setCollection(key: string, collection: Omit<Collection, 'expiresAt'>, ttl: number | null): void {
    const kept = this.collection(key)?.expiresAt ?? Infinity;
    this.#collections.set(key, { ...collection, expiresAt: ttl === null ? kept : this.#clock.wall() + ttl * 1000 });
  }

  /** Seconds that a key has left, rounded; -1 without expiry, -2 without the key. As Redis's TTL. */
  ttl(key: string): number {
    const expiresAt = this.get(key) ? this.#entries.get(key)?.expiresAt : this.collection(key)?.expiresAt;
    if (expiresAt === undefined) return -2;
    const left = expiresAt - this.#clock.wall();
    return left === Infinity ? -1 : Math.round(left / 1000);
  }

  delete(key: string): void {
    this.#entries.delete(key);
    this.#collections.delete(key);
  }

  subscribe(channel: string, sink: MessageSink): void {
    const sinks = this.#channels.get(channel);
    if (sinks) sinks.add(sink);
    else this.#channels.set(channel, new Set([sink]));
    const expected = this.#expected.get(channel) ?? [];
    this.#expected.delete(channel);
    for (const tell of expected) tell();
  }

  /** Resolves when somebody is subscribed to a channel: at once, or when it comes to that. */
  subscribed(channel: string): Promise<void> {
    if (this.#channels.has(channel)) return Promise.resolve();
    return new Promise((resolve) => {
      const expected = this.#expected.get(channel) ?? [];
      this.#expected.set(channel, [...expected, resolve]);
    });
  }

  unsubscribe(channel: string, sink: MessageSink): void {
    const sinks = this.#channels.get(channel);
    if (sinks?.delete(sink) && sinks.size === 0) this.#channels.delete(channel);
  }

  /** Delivers in a later turn, as a network would. */
  publish(channel: string, payload: Uint8Array): void {
    for (const sink of this.#channels.get(channel) ?? []) {
      setImmediate(() => {
        if (this.#channels.get(channel)?.has(sink)) sink(channel, payload);
      });
    }
  }
}

const spaces = new Map<string, Space>();

/** The space of a URL, made by the first who asks. */
export function openSpace(url: string, clock: Clock): Space {
  const space = spaces.get(url) ?? new Space(clock);
  spaces.set(url, space);
  space.users += 1;
  return space;
}

/** Gives a space back; the last one out clears it away. */
export function closeSpace(url: string): void {
  const space = spaces.get(url);
  if (!space) return;
  space.users -= 1;
  if (space.users === 0) spaces.delete(url);
}
