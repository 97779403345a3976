/**
 * The settings of `app.conf` that a result backend honours, by Celery's names in camelCase or snake_case.
 *
 * @see https://docs.celeryq.dev/en/stable/userguide/configuration.html
 */
import { ImproperlyConfigured } from './errors.ts';
import { type RedisDefaults, TLS_OPTIONS } from './redis/options.ts';
import type { RetryPolicy } from './retry.ts';

/** Celery's name in camelCase, and the option it sets. */
const SETTINGS = {
  resultBackend: 'url',
  resultSerializer: 'serializer',
  acceptContent: 'acceptContent',
  resultAcceptContent: 'acceptContent',
  resultExpires: 'expires',
  resultExtended: 'extended',
  redisSocketTimeout: 'commandTimeout',
  redisSocketConnectTimeout: 'connectTimeout',
  redisClientName: 'connectionName',
} as const;

const CONNECTION_SETTINGS = {
  redisHost: 'host',
  redisPort: 'port',
  redisDb: 'db',
  redisUsername: 'username',
  redisPassword: 'password',
} as const;

const OLD_NAMES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [...Object.keys(SETTINGS), ...Object.keys(CONNECTION_SETTINGS)].map((name) => [oldName(name), name]),
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
  maxCachedResults?: number;
  globalKeyprefix?: string | null;
  commandTimeout?: number;
  connectTimeout?: number;
  connectionName?: string;
  retryPolicy?: Partial<RetryPolicy>;
  connectionDefaults: RedisDefaults;
}

type Bag = Readonly<Record<string, unknown>>;

/** Reads `app.conf`. The values are checked with the options. */
export function readSettings(conf: unknown): Settings {
  const bag = asBag('app.conf', conf);
  refuseOldNames(bag);
  const settings = pick(bag, SETTINGS);
  // Celery's alias: only the settings of redis say where.
  if (settings['url'] === 'redis') delete settings['url'];
  const cacheMax = setting(bag, 'resultCacheMax');
  if (cacheMax !== undefined) settings['maxCachedResults'] = cacheMax ?? 0;
  const transport = asBag('app.conf.resultBackendTransportOptions', setting(bag, 'resultBackendTransportOptions'));
  Object.assign(settings, pick(transport, { globalKeyprefix: 'globalKeyprefix' }));
  const policy = asBag('resultBackendTransportOptions.retryPolicy', setting(transport, 'retryPolicy'));
  settings['retryPolicy'] = readRetryPolicy(policy);
  const tls = readTls(setting(bag, 'redisBackendUseSsl'));
  return { ...settings, connectionDefaults: { ...pick(bag, CONNECTION_SETTINGS), ...(tls && { tls }) } };
}

function readRetryPolicy(policy: Bag): object {
  const intervals = { intervalStart: 'intervalStart', intervalStep: 'intervalStep', intervalMax: 'intervalMax' };
  const found = pick(policy, { maxRetries: 'maxRetries', ...intervals });
  return setting(policy, 'maxRetries') === null ? { ...found, maxRetries: Infinity } : found;
}

/** `redisBackendUseSsl` by the names of a URL's query; `undefined` for no TLS. What is not honoured is refused. */
function readTls(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null || value === false) return undefined;
  const bag = value === true ? {} : asBag('app.conf.redisBackendUseSsl', value);
  const found: Record<string, string> = {};
  for (const [name, part] of Object.entries(bag)) {
    if (part === undefined || part === null) continue;
    const option = snakeCase(name);
    if (!TLS_OPTIONS.has(option)) {
      const known = [...TLS_OPTIONS].join(', ');
      throw new ImproperlyConfigured(`redisBackendUseSsl: expected true or some of ${known}; got ${name}.`);
    }
    if (typeof part !== 'string' && !(option === 'ssl_check_hostname' && typeof part === 'boolean')) {
      throw new ImproperlyConfigured(
        `redisBackendUseSsl.${name}: expected a string; got a value of type ${typeof part}.`,
      );
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

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
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
