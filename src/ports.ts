/**
 * What a driver and a serializer implement. The rest of the package knows Redis through these only.
 */

/** What a store did with a write: `'kept'` when a SUCCESS was there already, `'unannounced'` when it was stored but may not be published. */
export type StoreOutcome = 'stored' | 'kept' | 'unannounced';

/** How to tell that a stored payload is a SUCCESS. */
export interface SuccessGuard {
  /**
   * The body of a Lua function of `key` that returns true when the payload stored at `key` is a SUCCESS, false when it
   * is none, and nil when it cannot tell. It may not be called where there is nothing. After nil, or without a probe, the
   * store reads, asks `isSuccess`, and writes only if the value is unchanged.
   */
  readonly probe?: string;
  /** The same for a payload in hand. False for a payload that cannot be decoded. */
  isSuccess(payload: Uint8Array): boolean;
}

/** One write. */
export interface Write {
  /** The key, and the channel of the same name. */
  readonly key: string;
  readonly payload: string | Uint8Array;
  /** Whole seconds, at least 1; `null` for no expiry. */
  readonly ttl: number | null;
  /** `null`: whatever is there is replaced. */
  readonly guard: SuccessGuard | null;
}

/**
 * Keys with a time to live. Every method rejects with BackendError when Redis cannot be reached, does not answer in
 * time or answers with an error, and with BackendClosedError after `close`.
 */
export interface ResultStore {
  /** False while the link is known to be down. True before the first use. */
  readonly usable: boolean;
  /** The stored bytes, `null` when there is no such key. Reads of one tick may share a command. */
  read(key: string): Promise<Uint8Array | null>;
  /** The same for many keys, in their order. */
  readMany(keys: readonly string[]): Promise<(Uint8Array | null)[]>;
  /** Unless the guard finds a SUCCESS: sets the key and publishes the same bytes, in one atomic step. */
  write(write: Write): Promise<StoreOutcome>;
  /** Deletes the key. */
  remove(key: string): Promise<void>;
}

/** A store as far as it reads and removes. */
export type KeyStore = Pick<ResultStore, 'read' | 'readMany' | 'remove'>;

/** The keys of one chord. They are names that Celery uses, but for the lock. */
export interface ChordKeys {
  /** `<group>.j`: the parts that were returned; a sorted set, or a list. */
  readonly parts: string;
  /** `<group>.t`: how many tasks joined the header while it ran; out of reach while the body is being sent. */
  readonly added: string;
  /** `<group>.s`: how many tasks the header had. */
  readonly size: string;
  /** `<group>.c`: who sends the body; gone when nobody has given a sign of life for a lease. */
  readonly lock: string;
}

/** One who completes a chord, or wants to. */
export interface ChordClaim {
  readonly keys: ChordKeys;
  /** Whether the parts are a sorted set; else a list. */
  readonly ordered: boolean;
  /** What tells this claim from others. */
  readonly token: string;
  /** Milliseconds after which a claim without a sign of life lapses. */
  readonly leaseMs: number;
}

/** The part of one task. */
export interface ChordPart extends ChordClaim {
  readonly member: string | Uint8Array;
  /** What every part of this task begins with, and no other; `null` where the serializer gives no such thing. */
  readonly prefix: string | Uint8Array | null;
  /** Its place among the results; Infinity for none. */
  readonly score: number;
  /** Whole seconds, at least 1; `null` for no expiry. */
  readonly ttl: number | null;
}

/**
 * What recording a part has come to: `'counting'`: the chord is not complete, or its size is not known; `'claimed'`: it
 * is complete by this part, and this call is the one to complete it; `'reclaimed'`: so it is, after one who had failed;
 * `'complete'`: it was complete before; `'malformed'`: its size is no number.
 */
export interface Recorded {
  readonly state: 'counting' | 'claimed' | 'reclaimed' | 'complete' | 'malformed';
}

/**
 * How a complete chord stands: `'gone'`: it was completed; `'counting'`: it is not complete; `'busy'`: another one
 * completes it; `'free'`: nobody gives a sign of life; `'claimed'`: taken over.
 */
export interface TakeOver {
  readonly state: 'gone' | 'counting' | 'busy' | 'free' | 'claimed';
}

/** Counts the parts of chords. Rejects as {@link ResultStore} does. */
export interface ChordStore {
  /**
   * Adds a part in the place of a former one of its task, and claims the chord if that made it complete: then, for as
   * long as the claim is kept alive, no worker of Celery finds it complete. The same call again finds its own claim.
   */
  record(part: ChordPart): Promise<Recorded>;
  /** Looks at a chord, and with `take` claims it if it is complete and nobody else has it. */
  takeOver(claim: ChordClaim, take: boolean): Promise<TakeOver>;
  /** Gives a sign of life. False when the claim has lapsed and another one may have taken over. */
  renew(claim: ChordClaim): Promise<boolean>;
  /** The parts, by their places; those of one place by their bytes. */
  members(keys: ChordKeys, ordered: boolean): Promise<Uint8Array[]>;
  /**
   * Gives a claim up. With `open` whoever returns a part next claims the chord again.
   *
   * @param ttl - seconds that its keys live, and that it stays open
   */
  release(claim: ChordClaim, open: boolean, ttl: number | null): Promise<void>;
  /** Deletes the keys. */
  finish(keys: ChordKeys): Promise<void>;
  /** Counts one more task. Returns how many joined. To be called once: a second call counts another one. */
  grow(keys: ChordKeys): Promise<number>;
}

/** What a driver tells the one who listens. None of its methods may throw. */
export interface ChannelListener {
  /** A message on a channel. */
  onMessage(channel: string, payload: Uint8Array): void;
  /** A connection, of either kind, came up for the first time: what failed for want of it can be tried again. */
  onReady(): void;
  /** A connection, of either kind, was made anew: messages may have been lost since the last one. */
  onReconnect(): void;
}

/** Channels to subscribe to. */
export interface ChannelSource {
  /** Sets the one listener. */
  listen(listener: ChannelListener): void;
  /**
   * Subscribes. Resolves when every channel is confirmed or refused, with the refusal of each or `null`, in order.
   * Rejects when the link breaks first: then nothing is known, and `onReconnect` will follow.
   */
  subscribe(channels: readonly string[]): Promise<readonly (Error | null)[]>;
  /**
   * Unsubscribes. Resolves with the refusal of each or `null`, in order. A broken link has unsubscribed already, so this
   * never rejects.
   */
  unsubscribe(channels: readonly string[]): Promise<readonly (Error | null)[]>;
}

/** What a driver hands up: a store, a source, chords, and the life of their connections. */
export interface Driver {
  readonly store: ResultStore;
  readonly source: ChannelSource;
  readonly chords: ChordStore;
  /** Connects the command connection and checks that it answers. `timeout` in seconds. */
  connect(timeout: number): Promise<void>;
  /** Round trip of a PING, in milliseconds. */
  ping(): Promise<number>;
  /** How often a connection was made anew. */
  reconnects(): number;
  /** The URL, with the password as `**` unless asked for. */
  uri(includePassword: boolean): string;
  /**
   * Waits for what was sent, then closes what the driver opened. What has no answer after `graceMs` milliseconds rejects
   * with BackendClosedError. Idempotent; a later call may only make it sooner. @default no limit but that of each call
   */
  close(graceMs?: number): Promise<void>;
}

/** Turns values into payloads and back. */
export interface Serializer {
  /** Celery's name: `'json'`. */
  readonly name: string;
  /** `'application/json'`. */
  readonly contentType: string;
  /** Runs once, before the first use, for serializers that load a library. */
  load?(): Promise<void>;
  /** @throws EncodeError */
  encode(document: unknown): string | Uint8Array;
  /** @throws DecodeError */
  decode(payload: Uint8Array): unknown;
  /** Wraps the values inside a document (result, args, kwargs) where the format of the document stays Celery's. */
  wrap?(value: unknown): unknown;
  /** Undoes `wrap`; a value that was not wrapped is returned as it is. */
  unwrap?(value: unknown): unknown;
  /** {@link SuccessGuard.probe} for task metas in this format. */
  readonly probe?: string;
  /** The status of a stored meta where its first bytes tell it, by the same rule as `probe`; else `undefined`. */
  peekStatus?(payload: Uint8Array): string | undefined;
}
