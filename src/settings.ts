/**
 * The settings of `app.conf` that a result backend honours, by Celery's names in camelCase or snake_case.
 *
 * @see https://docs.celeryq.dev/en/stable/userguide/configuration.html
 */
import { ImproperlyConfigured } from './errors.ts';
import type { RedisDefaults } from './redis/options.ts';
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
  const settings = pick(bag, SETTINGS);
  const cacheMax = setting(bag, 'resultCacheMax');
  if (cacheMax !== undefined) settings['maxCachedResults'] = cacheMax ?? 0;
  const transport = asBag('app.conf.resultBackendTransportOptions', setting(bag, 'resultBackendTransportOptions'));
  Object.assign(settings, pick(transport, { globalKeyprefix: 'globalKeyprefix' }));
  const policy = asBag('resultBackendTransportOptions.retryPolicy', setting(transport, 'retryPolicy'));
  settings['retryPolicy'] = pick(policy, {
    maxRetries: 'maxRetries',
    intervalStart: 'intervalStart',
    intervalStep: 'intervalStep',
    intervalMax: 'intervalMax',
  });
  return { ...settings, connectionDefaults: pick(bag, CONNECTION_SETTINGS) };
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
  return bag[name] === undefined ? bag[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] : bag[name];
}

function asBag(name: string, value: unknown): Bag {
  if (value === undefined || value === null) return {};
  if (typeof value === 'object') return value as Bag;
  throw new ImproperlyConfigured(`${name}: expected an object; got a value of type ${typeof value}.`);
}
