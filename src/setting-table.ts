/**
 * Every setting of Celery that concerns a Redis backend, and what becomes of it here. docs/settings.md has the same with
 * the reasons, which a test holds against this file.
 *
 * Names are Celery's in camelCase; `app.conf` may have them in snake_case as well. Settings that are not named here
 * (`broker_url`, `task_routes` ...) are none of a backend's business, and pass.
 */

/** Those whose value is that of one option as it is. */
export const SETTINGS = {
  resultBackend: 'url',
  resultSerializer: 'serializer',
  acceptContent: 'acceptContent',
  resultAcceptContent: 'acceptContent',
  resultExpires: 'expires',
  resultExtended: 'extended',
  resultChordJoinTimeout: 'chordJoinTimeout',
  taskIgnoreResult: 'ignoreResult',
  taskStoreErrorsEvenIfIgnored: 'storeErrorsEvenIfIgnored',
  taskTrackStarted: 'trackStarted',
  redisSocketTimeout: 'commandTimeout',
  redisSocketConnectTimeout: 'connectTimeout',
  redisClientName: 'connectionName',
  redisBackendCredentialProvider: 'credentials',
} as const;

/** The same within `resultBackendTransportOptions`. */
export const TRANSPORT_SETTINGS = {
  globalKeyprefix: 'globalKeyprefix',
  resultChordOrdered: 'chordOrdered',
} as const;

/** What a URL lacks. */
export const CONNECTION_SETTINGS = {
  redisHost: 'host',
  redisPort: 'port',
  redisDb: 'db',
  redisUsername: 'username',
  redisPassword: 'password',
} as const;

/** Those that are read by a rule of their own, with the option they set. */
export const READ_SETTINGS = {
  'resultCacheMax': 'maxCachedResults',
  'resultBackendAlwaysRetry': 'alwaysRetry',
  'resultBackendBaseSleepBetweenRetriesMs': 'alwaysRetry',
  'resultBackendMaxSleepBetweenRetriesMs': 'alwaysRetry',
  'resultBackendMaxRetries': 'alwaysRetry',
  'timezone': 'timezone',
  'enableUtc': 'timezone',
  'redisBackendHealthCheckInterval': 'heartbeat',
  'redisBackendUseSsl': 'url',
  'resultBackendTransportOptions.retryPolicy': 'retryPolicy',
  'resultBackendTransportOptions.masterName': 'sentinel',
  'resultBackendTransportOptions.minOtherSentinels': 'sentinel',
  'resultBackendTransportOptions.sentinelKwargs': 'sentinel',
} as const; // prettier-ignore

/** Those that are accepted and change nothing. */
export const UNUSED_SETTINGS = [
  'resultCompression',
  'resultPersistent',
  'resultExchange',
  'resultExchangeType',
  'resultChordRetryInterval',
  'resultBackendThreadSafe',
  'redisMaxConnections',
  'redisRetryOnTimeout',
  'redisSocketKeepalive',
  'taskAlwaysEager',
  'taskStoreEagerResult',
  'taskEagerPropagates',
  'taskRemoteTracebacks',
] as const;

/** What becomes of each setting, by its name in snake_case: the option it sets, or why it sets none. */
export const SETTING_TABLE: ReadonlyMap<string, string> = new Map([
  ...entries(SETTINGS),
  ...entries(TRANSPORT_SETTINGS, 'resultBackendTransportOptions.'),
  ...Object.keys(CONNECTION_SETTINGS).map((name) => [snakeCase(name), 'url'] as const),
  ...entries(READ_SETTINGS),
  ...UNUSED_SETTINGS.map((name) => [snakeCase(name), 'unused'] as const),
]);

/** `resultBackend` -> `result_backend` */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function entries(names: Readonly<Record<string, string>>, prefix = ''): (readonly [string, string])[] {
  return Object.entries(names).map(([name, option]) => [snakeCase(prefix + name), option] as const);
}
