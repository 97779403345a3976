/** Every option: documented, defaulted and validated here, once. */
import { type Clock, systemClock } from './clock.ts';
import { ImproperlyConfigured } from './errors.ts';
import type { ExceptionRegistry } from './exceptions.ts';
import type { Serializer } from './ports.ts';
import type { GivenClient } from './redis/client.ts';
import { checkConnectionName, type RedisDefaults } from './redis/options.ts';
import type { RetryPolicy } from './retry.ts';
import { DEFAULT_LIMITS, type JsonLimits } from './serializers/json.ts';
import { readSettings } from './settings.ts';

/**
 * Options of a backend. What is not given is taken from `app.conf`, then from {@link DEFAULTS}. Durations are seconds.
 */
export interface BackendOptions {
  /**
   * Where results are stored: `redis://`, `rediss://`, `redis+socket://`, `valkey://`, `valkeys://` or `memory://`.
   * @default app.conf.resultBackend, then `'redis://localhost:6379/0'`
   */
  readonly url?: string | undefined;
  /**
   * An ioredis client whose options are used instead of a URL. It is duplicated, and never commanded, subscribed or
   * closed.
   */
  readonly client?: GivenClient | undefined;
  /** `'json'`, `'superjson'`, `'yaml'`, `'msgpack'`, a registered name, or a serializer. @default 'json' */
  readonly serializer?: string | Serializer | undefined;
  /** Names or content types of the serializers that may be used. @default the serializer's own */
  readonly acceptContent?: readonly string[] | undefined;
  /** Known results kept in memory: -1 = none, 0 = no limit in entries. @default 1000 */
  readonly maxCachedResults?: number | undefined;
  /** Payload bytes of the results kept in memory. @default 67108864 (64 MiB) */
  readonly maxCachedBytes?: number | undefined;
  /** Seconds that a result lives, truncated; `null` or below 1 = for ever. @default 86400 (1 day) */
  readonly expires?: number | string | null | undefined;
  /** Whether to store name, args, kwargs, worker, retries and queue of the task with its result. @default false */
  readonly extended?: boolean | undefined;
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
  /** Seconds that `close` waits for stores under way. @default 10 */
  readonly closeTimeout?: number | undefined;
  /** How a failed store is tried again. @default 20 retries, after 0, 1, 1, 1 ... s, as in Celery */
  readonly retryPolicy?: Partial<RetryPolicy> | undefined;
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
  readonly serializer: string | Serializer;
  readonly acceptContent: readonly string[] | undefined;
  readonly maxCachedResults: number;
  readonly maxCachedBytes: number;
  /** Whole seconds; `null` = no expiry. */
  readonly expires: number | null;
  readonly extended: boolean;
  readonly globalKeyprefix: string;
  readonly commandTimeout: number;
  readonly connectTimeout: number;
  readonly heartbeat: number;
  readonly deadAfter: number;
  readonly backstop: number;
  readonly lastLook: number;
  readonly closeTimeout: number;
  readonly retryPolicy: RetryPolicy;
  readonly limits: JsonLimits;
  readonly connectionName: string | undefined;
  readonly connectionDefaults: RedisDefaults;
  readonly exceptions: ExceptionRegistry | undefined;
  readonly clock: Clock;
}

/** The options that have a default. */
export type DefaultOptions = Pick<
  ResolvedOptions,
  | 'serializer'
  | 'maxCachedResults'
  | 'maxCachedBytes'
  | 'expires'
  | 'extended'
  | 'globalKeyprefix'
  | 'commandTimeout'
  | 'connectTimeout'
  | 'heartbeat'
  | 'deadAfter'
  | 'backstop'
  | 'lastLook'
  | 'closeTimeout'
  | 'retryPolicy'
  | 'limits'
  | 'clock'
>;

/** The value of every option that neither the caller nor `app.conf` gives. */
export const DEFAULTS: DefaultOptions = Object.freeze({
  serializer: 'json',
  maxCachedResults: 1000,
  maxCachedBytes: 64 * 1024 * 1024,
  expires: 86_400,
  extended: false,
  globalKeyprefix: '',
  commandTimeout: 5,
  connectTimeout: 5,
  heartbeat: 2,
  deadAfter: 6,
  backstop: 30,
  lastLook: 0.25,
  closeTimeout: 10,
  retryPolicy: Object.freeze({ maxRetries: 20, intervalStart: 0, intervalStep: 1, intervalMax: 1 }),
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
  if (given.client && given.url) throw new ImproperlyConfigured('client: expected a client or a url; got both.');
  const all = { ...DEFAULTS, ...settings, ...given } as BackendOptions & DefaultOptions;
  const seconds = (name: keyof BackendOptions, least: 'positive' | 'zero'): number =>
    checkSeconds(name, all[name], least);
  return Object.freeze({
    url: check('url', all.url, 'a string', all.url === undefined || typeof all.url === 'string'),
    client: given.client,
    serializer: checkSerializer(all.serializer),
    acceptContent: checkAccept(all.acceptContent),
    maxCachedResults: checkInteger('maxCachedResults', all.maxCachedResults, -1),
    maxCachedBytes: checkInteger('maxCachedBytes', all.maxCachedBytes, 1),
    expires: checkExpires(all.expires),
    extended: check('extended', all.extended, 'a boolean', typeof all.extended === 'boolean'),
    globalKeyprefix: checkPrefix(all.globalKeyprefix),
    commandTimeout: seconds('commandTimeout', 'positive'),
    connectTimeout: seconds('connectTimeout', 'positive'),
    heartbeat: seconds('heartbeat', 'positive'),
    deadAfter: seconds('deadAfter', 'positive'),
    backstop: seconds('backstop', 'zero'),
    lastLook: seconds('lastLook', 'zero'),
    closeTimeout: seconds('closeTimeout', 'zero'),
    retryPolicy: checkRetryPolicy({ ...DEFAULTS.retryPolicy, ...settings.retryPolicy }, given.retryPolicy),
    limits: checkLimits(given.limits),
    connectionName: checkConnectionName(all.connectionName),
    connectionDefaults,
    exceptions: given.exceptions && checkMethods('exceptions', given.exceptions, ['register', 'forError']),
    clock: checkMethods('clock', all.clock, ['now', 'wall', 'after']),
  });
}

/** The entries that are not undefined. */
export function defined<T extends object>(bag: T): Partial<T> {
  return Object.fromEntries(Object.entries(bag).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** How a wrong value is shown. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

/** Every option there is. */
const OPTION_NAMES = [...Object.keys(DEFAULTS), 'url', 'client', 'acceptContent', 'connectionName', 'exceptions'];

/** Refuses what is no bag of options, and names that are none of them. */
function checkNames(what: string, bag: unknown, names: readonly string[]): void {
  check(what, bag, 'an object', typeof bag === 'object' && bag !== null && !Array.isArray(bag));
  const unknown = Object.keys(bag as object).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new ImproperlyConfigured(`${what}: ${show(unknown)} is none of them; expected some of ${names.join(', ')}.`);
}

function check<T>(name: string, value: T, expected: string, ok: boolean): T {
  if (!ok) throw new ImproperlyConfigured(`${name}: expected ${expected}; got ${show(value)}.`);
  return value;
}

function checkInteger(name: string, value: unknown, least: number): number {
  const ok = Number.isSafeInteger(value) && (value as number) >= least;
  return check(name, value as number, `a whole number of at least ${least}`, ok);
}

function checkSeconds(name: string, value: unknown, least: 'positive' | 'zero'): number {
  const ok = typeof value === 'number' && Number.isFinite(value) && (least === 'zero' ? value >= 0 : value > 0);
  return check(name, value as number, least === 'zero' ? 'seconds, 0 or more' : 'seconds, more than 0', ok);
}

function checkExpires(value: unknown): number | null {
  if (value === null) return null;
  const seconds = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  const ok = typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0;
  check('expires', value, 'seconds, 0 or more, or null', ok && seconds <= Number.MAX_SAFE_INTEGER / 1000);
  return Math.trunc(seconds as number) || null;
}

function checkPrefix(value: unknown): string {
  return check(
    'globalKeyprefix',
    (value ?? '') as string,
    'a string or null',
    value == null || typeof value === 'string',
  );
}

function checkMethods<T>(name: string, value: T, methods: readonly string[]): T {
  const bag = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const missing = methods.filter((method) => typeof bag[method] !== 'function');
  const lack = missing.length < methods.length ? ` without ${missing.join(', ')}` : '';
  if (missing.length === 0) return value;
  const expected = `an object with the methods ${methods.join(', ')}`;
  throw new ImproperlyConfigured(`${name}: expected ${expected}; got ${show(value)}${lack}.`);
}

function checkSerializer(given: unknown): string | Serializer {
  if (typeof given === 'string') return given;
  check('serializer', given, 'a name or a serializer', typeof given === 'object' && given !== null);
  const value = given as Serializer;
  for (const name of ['name', 'contentType'] as const) {
    check(`serializer.${name}`, value[name], 'a string', typeof value[name] === 'string');
  }
  return checkMethods('serializer', value, ['encode', 'decode']);
}

function checkAccept(value: readonly string[] | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const ok = Array.isArray(value) && value.every((name) => typeof name === 'string');
  return check('acceptContent', value, 'an array of strings', ok);
}

function checkRetryPolicy(base: RetryPolicy, given: Partial<RetryPolicy> = {}): RetryPolicy {
  checkNames('retryPolicy', given, Object.keys(DEFAULTS.retryPolicy));
  const policy = { ...base, ...defined(given) };
  // Infinity is Celery's `None`: for ever.
  if (policy.maxRetries !== Infinity) checkInteger('retryPolicy.maxRetries', policy.maxRetries, 0);
  checkSeconds('retryPolicy.intervalStart', policy.intervalStart, 'zero');
  checkSeconds('retryPolicy.intervalStep', policy.intervalStep, 'zero');
  checkSeconds('retryPolicy.intervalMax', policy.intervalMax, 'zero');
  return Object.freeze(policy);
}

function checkLimits(given: Partial<JsonLimits> = {}): JsonLimits {
  checkNames('limits', given, Object.keys(DEFAULTS.limits));
  const limits = { ...DEFAULTS.limits, ...defined(given) };
  for (const name of ['maxDepth', 'maxDigits', 'maxPayload'] as const) checkInteger(`limits.${name}`, limits[name], 1);
  return Object.freeze(limits);
}
