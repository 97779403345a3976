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

/** The same, of a client. */
export interface RedisSocket extends RedisStream {
  on(event: 'data', listener: (chunk: { readonly length: number }) => void): unknown;
  prependListener(event: 'data', listener: (chunk: { readonly length: number }) => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

/** A pipeline of subscriptions. */
export interface RedisPipeline {
  subscribe(channel: string): unknown;
  unsubscribe(channel: string): unknown;
  exec(): Promise<[error: Error | null, reply: unknown][] | null>;
}

/** What changes between two attempts to connect: where to, and as whom. */
export interface ClientOptions {
  host?: string | undefined;
  port?: number | undefined;
  username?: string | null | undefined;
  password?: string | null | undefined;
}

/** A client that we made. */
export interface RedisClient {
  /** What the next `connect` goes by. */
  readonly options: ClientOptions;
  /** The present socket; there is none before the first `connect`. */
  readonly stream: RedisSocket;
  connect(): Promise<void>;
  disconnect(): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'messageBuffer', listener: (channel: Buffer, payload: Buffer) => void): unknown;
  on(event: 'connect' | 'ready' | 'end', listener: () => void): unknown;
  defineCommand(name: string, definition: { lua: string; numberOfKeys: number }): void;
  ping(): Promise<string>;
  info(section: string): Promise<string>;
  /** Any command, by its words. */
  call(command: string, ...words: string[]): Promise<unknown>;
  getBuffer(key: string): Promise<Buffer | null>;
  mgetBuffer(keys: string[]): Promise<(Buffer | null)[]>;
  set(key: string, value: string | Buffer): Promise<string | null>;
  setex(key: string, seconds: number, value: string | Buffer): Promise<string | null>;
  del(...keys: string[]): Promise<number>;
  expire(key: string, seconds: number): Promise<number>;
  incrby(key: string, increment: number): Promise<number>;
  callBuffer(command: string, args: (string | number)[]): Promise<unknown>;
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
  readonly connectTimeout: number;
  readonly connectionName: string;
  readonly commandTimeout: undefined;
  readonly socketTimeout: undefined;
  /** Sentinels are asked by ourselves. */
  readonly sentinels: undefined;
}

/** Where a server is, for ioredis. */
export interface GivenAddress {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
}

/** How an address that servers tell of is reached from here. */
export type NatMap =
  | ((key: string) => { readonly host: string; readonly port: number } | null | undefined)
  | Readonly<Record<string, { readonly host: string; readonly port: number }>>;

/** Options of ioredis that say who we are to a server. */
export interface GivenServerOptions {
  readonly db?: number | undefined;
  readonly username?: string | null | undefined;
  readonly password?: string | null | undefined;
  readonly tls?: object | undefined;
  readonly keyPrefix?: string | undefined;
  readonly connectionName?: string | null | undefined;
}

/**
 * A client that a user hands over: `Redis` of ioredis 5.11 or 6, of one server or by Sentinel. Connections are made with
 * its options; the client itself is never commanded, subscribed or closed.
 */
export interface GivenRedis {
  readonly options: GivenServerOptions & {
    readonly host?: string | undefined;
    readonly port?: number | undefined;
    readonly path?: string | undefined;
    readonly role?: 'master' | 'slave' | undefined;
    readonly readOnly?: boolean | undefined;
    readonly sentinels?: readonly GivenAddress[] | null | undefined;
    readonly name?: string | null | undefined;
    readonly sentinelUsername?: string | null | undefined;
    readonly sentinelPassword?: string | null | undefined;
    readonly sentinelTLS?: object | undefined;
    readonly enableTLSForSentinelMode?: boolean | undefined;
    readonly natMap?: NatMap | null | undefined;
  };
  duplicate(override: FixedOptions): RedisClient;
}

/** The same for `Cluster`. */
export interface GivenCluster {
  readonly isCluster: boolean;
  readonly options: {
    readonly keyPrefix?: string | undefined;
    // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- as ioredis has it
    readonly scaleReads?: string | Function | undefined;
    readonly redisOptions?: GivenServerOptions | undefined;
    readonly natMap?: NatMap | null | undefined;
    readonly useSRVRecords?: boolean | undefined;
  };
  nodes(): readonly { readonly options: GivenAddress }[];
}

/** A client that a user hands over. */
export type GivenClient = GivenRedis | GivenCluster;
