/**
 * What this package uses of an ioredis client. `Redis` of ioredis 5 and of ioredis 6 both satisfy it, so that neither
 * major's types show in ours.
 */

/** The socket below a client. */
export interface RedisStream {
  /** False from the moment that it breaks, before any event says so. */
  readonly writable: boolean;
  readonly bytesRead: number;
  readonly writableLength: number;
  destroy(error?: Error): unknown;
}

/** A pipeline of subscriptions. */
export interface RedisPipeline {
  subscribe(channel: string): unknown;
  unsubscribe(channel: string): unknown;
  exec(): Promise<[error: Error | null, reply: unknown][] | null>;
}

/** A client that we made. */
export interface RedisClient {
  /** The present socket; there is none before the first `connect`. */
  readonly stream: RedisStream;
  connect(): Promise<void>;
  disconnect(): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'messageBuffer', listener: (channel: Buffer, payload: Buffer) => void): unknown;
  on(event: 'connect' | 'ready' | 'end', listener: () => void): unknown;
  defineCommand(name: string, definition: { lua: string; numberOfKeys: number }): void;
  ping(): Promise<string>;
  getBuffer(key: string): Promise<Buffer | null>;
  mgetBuffer(keys: string[]): Promise<(Buffer | null)[]>;
  set(key: string, value: string | Buffer): Promise<string | null>;
  setex(key: string, seconds: number, value: string | Buffer): Promise<string | null>;
  del(key: string): Promise<number>;
  pipeline(): RedisPipeline;
}

/** The options that every client of ours is made with, whatever else it is given. */
export interface FixedOptions {
  readonly lazyConnect: true;
  readonly retryStrategy: () => null;
  readonly reconnectOnError: null;
  readonly autoResubscribe: false;
  readonly autoResendUnfulfilledCommands: false;
  readonly maxRetriesPerRequest: 0;
  readonly enableOfflineQueue: false;
  readonly enableAutoPipelining: false;
  readonly enableReadyCheck: true;
  readonly keyPrefix: '';
  readonly monitor: false;
  readonly stringNumbers: false;
  readonly noDelay: true;
  readonly keepAlive: number;
  readonly disconnectTimeout: number;
  readonly maxLoadingRetryTime: number;
  readonly failoverDetector: true;
  readonly connectTimeout: number;
  readonly connectionName: string;
  readonly commandTimeout: undefined;
  readonly socketTimeout: undefined;
}

/**
 * A client that a user hands over: `Redis` of ioredis 5.11 or 6. Two connections are made with its options; the client
 * itself is never commanded, subscribed or closed.
 */
export interface GivenClient {
  readonly options: {
    readonly host?: string | undefined;
    readonly port?: number | undefined;
    readonly path?: string | undefined;
    readonly db?: number | undefined;
    readonly username?: string | null | undefined;
    readonly password?: string | null | undefined;
    readonly tls?: object | undefined;
    readonly keyPrefix?: string | undefined;
    readonly role?: 'master' | 'slave' | undefined;
    readonly readOnly?: boolean | undefined;
    readonly connectionName?: string | null | undefined;
  };
  duplicate(override: FixedOptions): RedisClient;
}
