/**
 * The settings of `app.conf` that a result backend honours, by Celery's names in camelCase or snake_case.
 *
 * @see https://docs.celeryq.dev/en/stable/userguide/configuration.html
 */
import { machineTimezone } from './dates.ts';
import { ImproperlyConfigured } from './errors.ts';
import { show } from './option-checks.ts';
import { type RedisDefaults, TLS_OPTIONS } from './redis/options.ts';
import type { CredentialsProvider } from './redis/credentials.ts';
import type { SentinelOptions } from './redis/topology.ts';
import type { AlwaysRetry, RetryPolicy } from './retry.ts';
import { CONNECTION_SETTINGS, READ_SETTINGS, SETTINGS, snakeCase, TRANSPORT_SETTINGS } from './setting-table.ts';

const OLD_NAMES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [SETTINGS, CONNECTION_SETTINGS, READ_SETTINGS].flatMap(Object.keys).map((name) => [oldName(name), name]),
  ),
  CELERY_TASK_RESULT_EXPIRES: 'resultExpires',
};

/** What was found in `app.conf`, under the names of our options. Absent means not set. */
export interface Settings {
  url?: string;
  serializer?: string;
  acceptContent?: readonly string[];
  expires?: number | string | null;
  extended?: boolean;
  ignoreResult?: boolean;
  storeErrorsEvenIfIgnored?: boolean;
  trackStarted?: boolean;
  chordJoinTimeout?: number;
  chordOrdered?: boolean;
  maxCachedResults?: number;
  globalKeyprefix?: string | null;
  commandTimeout?: number;
  connectTimeout?: number;
  connectionName?: string;
  heartbeat?: number;
  timezone?: string;
  retryPolicy?: Partial<RetryPolicy>;
  alwaysRetry?: boolean;
  /** How, where it is asked for. */
  alwaysRetryPolicy?: Partial<AlwaysRetry>;
  credentials?: CredentialsProvider;
  sentinel?: SentinelOptions;
  connectionDefaults: RedisDefaults;
}

type Bag = Readonly<Record<string, unknown>>;

/** Reads `app.conf`. The values are checked with the options. */
export function readSettings(conf: unknown): Settings {
  const bag = asBag('app.conf', conf);
  refuseOldNames(bag);
  const settings = { ...pick(bag, SETTINGS), ...readOthers(bag) };
  // Celery's alias: only the settings of redis say where.
  if (settings['url'] === 'redis') delete settings['url'];
  const transport = asBag('app.conf.resultBackendTransportOptions', setting(bag, 'resultBackendTransportOptions'));
  Object.assign(settings, pick(transport, TRANSPORT_SETTINGS));
  const policy = asBag('resultBackendTransportOptions.retryPolicy', setting(transport, 'retryPolicy'));
  settings['retryPolicy'] = readRetryPolicy(policy);
  settings['sentinel'] = readSentinel(transport);
  const tls = readTls('redisBackendUseSsl', setting(bag, 'redisBackendUseSsl'));
  return { ...settings, connectionDefaults: { ...readConnection(bag), ...(tls && { tls }) } };
}

/** Those of `READ_SETTINGS` that are at the top. */
function readOthers(bag: Bag): Record<string, unknown> {
  const found = pick(bag, { timezone: 'timezone', resultBackendAlwaysRetry: 'alwaysRetry' });
  if (found['timezone'] === undefined && setting(bag, 'enableUtc') === false) found['timezone'] = machineTimezone();
  const cacheMax = setting(bag, 'resultCacheMax');
  if (cacheMax !== undefined) found['maxCachedResults'] = cacheMax ?? 0;
  // 0 is "never" there, and a link that is never checked is none of ours.
  const interval = setting(bag, 'redisBackendHealthCheckInterval');
  if (interval !== undefined && interval !== null && interval !== 0) found['heartbeat'] = interval;
  found['alwaysRetryPolicy'] = readAlwaysRetry(bag);
  return found;
}

function readAlwaysRetry(bag: Bag): object {
  const found = pick(bag, { resultBackendMaxRetries: 'maxRetries' });
  if (setting(bag, 'resultBackendMaxRetries') === null) found['maxRetries'] = Infinity;
  for (const part of ['base', 'max']) {
    const name = `resultBackend${part === 'base' ? 'Base' : 'Max'}SleepBetweenRetriesMs`;
    const ms = setting(bag, name);
    if (ms === undefined || ms === null) continue;
    if (typeof ms !== 'number' || !(ms >= 0 && ms < Infinity)) {
      throw new ImproperlyConfigured(`app.conf.${name}: expected milliseconds, 0 or more; got ${show(ms)}.`);
    }
    found[`${part}Sleep`] = ms / 1000;
  }
  return found;
}

function readRetryPolicy(policy: Bag): object {
  const intervals = { intervalStart: 'intervalStart', intervalStep: 'intervalStep', intervalMax: 'intervalMax' };
  const found = pick(policy, { maxRetries: 'maxRetries', ...intervals });
  return setting(policy, 'maxRetries') === null ? { ...found, maxRetries: Infinity } : found;
}

/** Options of redis-py for a connection to a sentinel that have no meaning here. */
const UNUSED_BY_SENTINEL = new Set([
  'socket_timeout',
  'socket_connect_timeout',
  'socket_keepalive',
  'db',
  'client_name',
]);

/** What a URL lacks. A wrong value is not shown: it may be a URL with a password, or one itself. */
function readConnection(bag: Bag): Record<string, unknown> {
  const found = pick(bag, CONNECTION_SETTINGS);
  const isText = (value: unknown): boolean => typeof value === 'string';
  const checks: readonly [name: string, value: unknown, expected: string, ok: (value: unknown) => boolean][] = [
    ['redisHost', found['host'], 'the name of a host', (value) => isText(value) && /^[^/@\s]+$/.test(String(value))],
    ['redisPort', found['port'], 'a port from 1 to 65535', (value) => isPort(value)],
    ['redisUsername', found['username'], 'a string', isText],
    ['redisPassword', found['password'], 'a string', isText],
  ];
  for (const [name, value, expected, ok] of checks) {
    if (value !== undefined && !ok(value)) throw new ImproperlyConfigured(`app.conf.${name}: expected ${expected}.`);
  }
  return found;
}

function isPort(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 65_535;
}

/** What the transport options say of Sentinel. `sentinel_kwargs` are for the sentinels themselves. */
function readSentinel(transport: Bag): Record<string, unknown> | undefined {
  const found = pick(transport, { masterName: 'masterName', minOtherSentinels: 'minOtherSentinels' });
  const kwargs = asBag('resultBackendTransportOptions.sentinelKwargs', setting(transport, 'sentinelKwargs'));
  const tls: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(kwargs)) {
    const option = snakeCase(name);
    if (value === undefined || value === null || UNUSED_BY_SENTINEL.has(option)) continue;
    if (option === 'username' || option === 'password') found[option] = value;
    else if (TLS_OPTIONS.has(option)) tls[option] = value;
    else if (option !== 'ssl') {
      const known = ['username', 'password', 'ssl', ...TLS_OPTIONS].join(', ');
      throw new ImproperlyConfigured(`sentinelKwargs: expected some of ${known}; got ${show(name)}.`);
    }
  }
  const ssl = setting(kwargs, 'ssl');
  // As in redis-py, what is said of certificates is idle unless `ssl` is true.
  if (ssl) found['tls'] = readTls('sentinelKwargs', tls);
  return Object.keys(found).length > 0 ? found : undefined;
}

/** `redisBackendUseSsl` by the names of a URL's query; `undefined` for no TLS. What is not honoured is refused. */
function readTls(what: string, value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null || value === false) return undefined;
  const bag = value === true ? {} : asBag(`app.conf.${what}`, value);
  const found: Record<string, string> = {};
  for (const [name, part] of Object.entries(bag)) {
    if (part === undefined || part === null) continue;
    const option = snakeCase(name);
    if (!TLS_OPTIONS.has(option)) {
      const known = [...TLS_OPTIONS].join(', ');
      throw new ImproperlyConfigured(`${what}: expected true or some of ${known}; got ${show(name)}.`);
    }
    if (typeof part !== 'string' && !(option === 'ssl_check_hostname' && typeof part === 'boolean')) {
      throw new ImproperlyConfigured(`${what}.${name}: expected a string; got a value of type ${typeof part}.`);
    }
    found[option] = String(part);
  }
  return found;
}

/** Names of before Celery 4, and of its namespaces: read by nobody here, so that they must not pass unseen. */
function refuseOldNames(bag: Bag): void {
  for (const [old, name] of Object.entries(OLD_NAMES)) {
    if (bag[old] !== undefined) throw new ImproperlyConfigured(`app.conf.${old}: expected the name ${name}.`);
  }
}

function oldName(name: string): string {
  return `CELERY_${snakeCase(name).toUpperCase()}`;
}

/** The settings that are there, under other names. */
function pick(bag: Bag, names: Readonly<Record<string, string>>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(names)) {
    const value = setting(bag, name);
    // In Celery null is "not set", but for a lifetime, where it is "no limit".
    if (value !== undefined && (value !== null || option === 'expires')) found[option] = value;
  }
  return found;
}

function setting(bag: Bag, name: string): unknown {
  return bag[name] === undefined ? bag[snakeCase(name)] : bag[name];
}

function asBag(name: string, value: unknown): Bag {
  if (value === undefined || value === null) return {};
  if (typeof value === 'object') return value as Bag;
  throw new ImproperlyConfigured(`${name}: expected an object; got a value of type ${typeof value}.`);
}
