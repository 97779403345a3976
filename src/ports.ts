/**
 * What a driver and a serializer implement. The rest of the package knows Redis through these only.
 */

/** What a store did with a write: `'kept'` when a SUCCESS was there already, `'unannounced'` when it was stored but may not be published. */
export type StoreOutcome = 'stored' | 'kept' | 'unannounced';

/** How to tell that a stored payload is a SUCCESS. */
export interface SuccessGuard {
  /**
   * The body of a Lua function of `key` that returns true when the payload stored at `key` is a SUCCESS, false when it
   * is none, and nil when it cannot tell. After nil, or without a probe, the store reads, asks `isSuccess`, and writes
   * only if the value is unchanged.
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
  /** Unsubscribes. A broken link has unsubscribed already, so this never rejects. */
  unsubscribe(channels: readonly string[]): Promise<void>;
}

/** What a driver hands up: one store, one source, and the life of their connections. */
export interface Driver {
  readonly store: ResultStore;
  readonly source: ChannelSource;
  /** Connects the command connection and checks that it answers. `timeout` in seconds. */
  connect(timeout: number): Promise<void>;
  /** Round trip of a PING, in milliseconds. */
  ping(): Promise<number>;
  /** How often a connection was made anew. */
  reconnects(): number;
  /** The URL, with the password as `**` unless asked for. */
  uri(includePassword: boolean): string;
  /** Waits for what was sent, then closes what the driver opened. Idempotent. */
  close(): Promise<void>;
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
