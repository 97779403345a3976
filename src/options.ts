/** Every option: documented, defaulted and validated here, once. */
import { type Clock, systemClock } from './clock.ts';
import { ImproperlyConfigured } from './errors.ts';
import type { ExceptionRegistry } from './exceptions.ts';
import {
  check,
  checkAccept,
  checkAlwaysRetry,
  checkBoolean,
  checkExpires,
  checkFunction,
  checkInteger,
  checkLimits,
  checkMethods,
  checkNames,
  checkPrefix,
  checkRetryPolicy,
  checkSeconds,
  checkSerializer,
  checkTimezone,
  DEFAULT_ALWAYS_RETRY,
  DEFAULT_RETRY_POLICY,
  defined,
} from './option-checks.ts';
import type { Serializer } from './ports.ts';
import type { GivenClient } from './redis/client.ts';
import type { CredentialsProvider } from './redis/credentials.ts';
import { checkConnectionName, type RedisDefaults } from './redis/options.ts';
import { checkSentinelOptions, type SentinelOptions } from './redis/topology.ts';
import type { AlwaysRetry, RetryPolicy } from './retry.ts';
import { DEFAULT_LIMITS, type JsonLimits } from './serializers/json.ts';
import { readSettings } from './settings.ts';

/**
 * Options of a backend. What is not given is taken from `app.conf`, then from {@link DEFAULTS}. Durations are seconds.
 */
export interface BackendOptions {
  /**
   * Where results are stored: `redis://`, `rediss://`, `redis+socket://`, `valkey://`, `valkeys://`, `sentinel://`,
   * `redis+cluster://`, `rediss+cluster://` or `memory://`.
   * @default app.conf.resultBackend, then `'redis://localhost:6379/0'`
   */
  readonly url?: string | undefined;
  /**
   * An ioredis client, `Redis` (of Sentinel too) or `Cluster`, whose options are used instead of a URL. It is itself never
   * commanded, subscribed or closed.
   */
  readonly client?: GivenClient | undefined;
  /** For a URL of `sentinel://`: the master's name, and who we are to the sentinels. */
  readonly sentinel?: SentinelOptions | undefined;
  /**
   * Gives the login, and is asked before every connection: for tokens that expire and passwords that rotate. Then user
   * and password of the URL or the client count for nothing.
   */
  readonly credentials?: CredentialsProvider | undefined;
  /** `'json'`, `'superjson'`, `'yaml'`, `'msgpack'`, a registered name, or a serializer. @default 'json' */
  readonly serializer?: string | Serializer | undefined;
  /** Names or content types of the serializers that may be used. @default the serializer's own */
  readonly acceptContent?: readonly string[] | undefined;
  /** Known results kept in memory: -1 = none, 0 = no limit in entries. @default 1000 */
  readonly maxCachedResults?: number | undefined;
  /** Payload bytes of the results kept in memory. @default 67108864 (64 MiB) */
  readonly maxCachedBytes?: number | undefined;
  /**
   * Stores that may be accepted and not settled, chord parts among them; whatever is more rejects at once with
   * `CELERY_STORE_OVERLOADED`. @default 10000
   */
  readonly maxPendingStores?: number | undefined;
  /** Payload bytes of these; a larger payload is taken when no other is pending. @default 268435456 (256 MiB) */
  readonly maxPendingBytes?: number | undefined;
  /** Seconds that a result lives, truncated; `null` or below 1 = for ever. @default 86400 (1 day) */
  readonly expires?: number | string | null | undefined;
  /** Whether to store name, args, kwargs, worker, retries and queue of the task with its result. @default false */
  readonly extended?: boolean | undefined;
  /**
   * Whether results are not stored, unless the task's request says otherwise; for those who run tasks. Failures are,
   * with `storeErrorsEvenIfIgnored`. `storeResult` itself stores whatever it is given. @default false
   */
  readonly ignoreResult?: boolean | undefined;
  /** Whether the failure of a task is stored though its result is ignored. @default false */
  readonly storeErrorsEvenIfIgnored?: boolean | undefined;
  /** Whether those who run tasks store STARTED when one begins. @default false */
  readonly trackStarted?: boolean | undefined;
  /** Seconds that a chord's last part waits for the results of a header with groups in it. @default 3 */
  readonly chordJoinTimeout?: number | undefined;
  /**
   * Whether the results of a chord's header keep the order of its tasks: a sorted set in Redis, else a list in the order
   * of completion. Must be the same for all who run tasks of one chord. @default true
   */
  readonly chordOrdered?: boolean | undefined;
  /** Seconds without a sign of life after which another worker sends the body of a complete chord. @default 10 */
  readonly chordLease?: number | undefined;
  /** Put before every key and channel, with `_` unless it ends in `:`, `_`, `-` or `.`. @default '' */
  readonly globalKeyprefix?: string | null | undefined;
  /** Seconds that a read or one try of a store may take. @default 5 */
  readonly commandTimeout?: number | undefined;
  /** Seconds that making a connection may take. @default 5 */
  readonly connectTimeout?: number | undefined;
  /** Seconds between two PINGs on each connection. @default 2 */
  readonly heartbeat?: number | undefined;
  /** Seconds without an answer after which a connection is given up, and one more for each MiB under way. @default 6 */
  readonly deadAfter?: number | undefined;
  /** Seconds between two reads of an awaited key that no message came for; 0 = never. @default 30 */
  readonly backstop?: number | undefined;
  /** Seconds that the last read at a wait's deadline may take. @default 0.25 */
  readonly lastLook?: number | undefined;
  /** Seconds that `close` waits for what is under way, stores above all. @default 10 */
  readonly closeTimeout?: number | undefined;
  /** How a failed store is tried again. @default 20 retries, after 0, 1, 1, 1 ... s, as in Celery */
  readonly retryPolicy?: Partial<RetryPolicy> | undefined;
  /**
   * Whether reads that fail for want of Redis are tried again as well, and stores beyond `retryPolicy`; true, or how. A
   * call may then take for ever, until `close`. Waits survive outages without it. @default false
   */
  readonly alwaysRetry?: boolean | Partial<AlwaysRetry> | undefined;
  /** IANA name of the time zone in which `date_done` is written. The instant is the same. @default 'UTC' */
  readonly timezone?: string | undefined;
  /** Bounds on what is read and written. */
  readonly limits?: Partial<JsonLimits> | undefined;
  /** Shown in CLIENT LIST behind the names of our own two connections. */
  readonly connectionName?: string | undefined;
  /** Error classes of one's own. @default those given to `registerException` */
  readonly exceptions?: ExceptionRegistry | undefined;
  /** The time, for tests. @default the machine's */
  readonly clock?: Clock | undefined;
}

/** The options as they are in force: complete, checked and frozen. */
export interface ResolvedOptions {
  readonly url: string | undefined;
  readonly client: GivenClient | undefined;
  readonly sentinel: SentinelOptions;
  readonly credentials: CredentialsProvider | undefined;
  readonly serializer: string | Serializer;
  readonly acceptContent: readonly string[] | undefined;
  readonly maxCachedResults: number;
  readonly maxCachedBytes: number;
  readonly maxPendingStores: number;
  readonly maxPendingBytes: number;
  /** Whole seconds; `null` = no expiry. */
  readonly expires: number | null;
  readonly extended: boolean;
  readonly ignoreResult: boolean;
  readonly storeErrorsEvenIfIgnored: boolean;
  readonly trackStarted: boolean;
  readonly chordJoinTimeout: number;
  readonly chordOrdered: boolean;
  readonly chordLease: number;
  readonly globalKeyprefix: string;
  readonly commandTimeout: number;
  readonly connectTimeout: number;
  readonly heartbeat: number;
  readonly deadAfter: number;
  readonly backstop: number;
  readonly lastLook: number;
  readonly closeTimeout: number;
  readonly retryPolicy: RetryPolicy;
  readonly alwaysRetry: AlwaysRetry | false;
  readonly timezone: string;
  readonly limits: JsonLimits;
  readonly connectionName: string | undefined;
  readonly connectionDefaults: RedisDefaults;
  readonly exceptions: ExceptionRegistry | undefined;
  readonly clock: Clock;
}

/** The options that have a default. */
export type DefaultOptions = Omit<
  ResolvedOptions,
  | 'url'
  | 'client'
  | 'sentinel'
  | 'credentials'
  | 'acceptContent'
  | 'connectionName'
  | 'connectionDefaults'
  | 'exceptions'
>;

/** The value of every option that neither the caller nor `app.conf` gives. */
export const DEFAULTS: DefaultOptions = Object.freeze({
  serializer: 'json',
  maxCachedResults: 1000,
  maxCachedBytes: 64 * 1024 * 1024,
  maxPendingStores: 10_000,
  maxPendingBytes: 256 * 1024 * 1024,
  expires: 86_400,
  extended: false,
  ignoreResult: false,
  storeErrorsEvenIfIgnored: false,
  trackStarted: false,
  chordJoinTimeout: 3,
  chordOrdered: true,
  chordLease: 10,
  globalKeyprefix: '',
  commandTimeout: 5,
  connectTimeout: 5,
  heartbeat: 2,
  deadAfter: 6,
  backstop: 30,
  lastLook: 0.25,
  closeTimeout: 10,
  retryPolicy: DEFAULT_RETRY_POLICY,
  alwaysRetry: false,
  timezone: 'UTC',
  limits: DEFAULT_LIMITS,
  clock: systemClock,
});

/**
 * Completes and checks options.
 *
 * @param options - what the caller gave; wins over `conf`
 * @param conf - `app.conf`, with Celery's names in camelCase or snake_case
 * @throws ImproperlyConfigured
 */
export function resolveOptions(options: BackendOptions, conf: unknown): ResolvedOptions {
  checkNames('options', options, OPTION_NAMES);
  const { connectionDefaults, ...settings } = readSettings(conf);
  const given = defined(options);
  checkServer(given, given.url ?? settings.url);
  const all = { ...DEFAULTS, ...settings, ...given } as BackendOptions & DefaultOptions;
  const flag = (name: keyof BackendOptions): boolean => checkBoolean(name, all[name]);
  return Object.freeze({
    url: all.url,
    client: given.client,
    sentinel: checkSentinelOptions(given.sentinel, settings.sentinel),
    credentials: checkFunction('credentials', all.credentials),
    serializer: checkSerializer(all.serializer),
    acceptContent: checkAccept(all.acceptContent),
    maxCachedResults: checkInteger('maxCachedResults', all.maxCachedResults, -1),
    maxCachedBytes: checkInteger('maxCachedBytes', all.maxCachedBytes, 1),
    maxPendingStores: checkInteger('maxPendingStores', all.maxPendingStores, 1),
    maxPendingBytes: checkInteger('maxPendingBytes', all.maxPendingBytes, 1),
    expires: checkExpires(all.expires),
    extended: flag('extended'),
    ignoreResult: flag('ignoreResult'),
    storeErrorsEvenIfIgnored: flag('storeErrorsEvenIfIgnored'),
    trackStarted: flag('trackStarted'),
    chordOrdered: flag('chordOrdered'),
    globalKeyprefix: checkPrefix(all.globalKeyprefix),
    ...checkTimes(all),
    retryPolicy: checkRetryPolicy({ ...DEFAULTS.retryPolicy, ...settings.retryPolicy }, given.retryPolicy),
    alwaysRetry: checkAlwaysRetry({ ...DEFAULT_ALWAYS_RETRY, ...settings.alwaysRetryPolicy }, all.alwaysRetry),
    timezone: checkTimezone(all.timezone),
    limits: checkLimits(given.limits),
    connectionName: checkConnectionName(all.connectionName),
    connectionDefaults,
    exceptions: given.exceptions && checkMethods('exceptions', given.exceptions, ['register', 'forError']),
    clock: checkMethods('clock', all.clock, ['now', 'wall', 'after']),
  });
}

/** Whether what says where Redis is fits together. */
function checkServer({ url: own, client, sentinel }: BackendOptions, url: unknown): void {
  check('url', url, 'a string', url === undefined || typeof url === 'string');
  if (sentinel && !(typeof url === 'string' && url.startsWith('sentinel://'))) {
    throw new ImproperlyConfigured('sentinel: it goes with a url of sentinel://, which there is none of.');
  }
  if (client && own) throw new ImproperlyConfigured('client: expected a client or a url; got both.');
}

/** The options that are seconds. */
function checkTimes(all: BackendOptions) {
  const positive = (name: keyof BackendOptions): number => checkSeconds(name, all[name], 'positive');
  const any = (name: keyof BackendOptions): number => checkSeconds(name, all[name], 'zero');
  return {
    chordJoinTimeout: positive('chordJoinTimeout'),
    chordLease: positive('chordLease'),
    commandTimeout: positive('commandTimeout'),
    connectTimeout: positive('connectTimeout'),
    heartbeat: positive('heartbeat'),
    deadAfter: positive('deadAfter'),
    backstop: any('backstop'),
    lastLook: any('lastLook'),
    closeTimeout: any('closeTimeout'),
  };
}

/** Every option there is. */
const OPTION_NAMES = [
  ...Object.keys(DEFAULTS),
  ...['url', 'client', 'sentinel', 'credentials', 'acceptContent', 'connectionName', 'exceptions'],
];
