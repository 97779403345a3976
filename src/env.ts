/** Options from the environment. */
import { ImproperlyConfigured } from './errors.ts';
import { defined, show } from './option-checks.ts';
import { type BackendOptions, resolveOptions } from './options.ts';
import { readSettings } from './settings.ts';
import { snakeCase } from './setting-table.ts';

/** How the text of a variable is read. */
interface EnvType {
  /** What is expected, for messages. */
  readonly expected: string;
  /** Reads a text that is not empty, or calls `refuse`. */
  readonly read: (text: string, refuse: () => never) => unknown;
}

const TEXT: EnvType = { expected: 'a text', read: (text) => text };
const NUMBER: EnvType = {
  expected: 'a number',
  read: (text, refuse) => (/^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : refuse()),
};
const NUMBER_OR_NONE: EnvType = {
  expected: 'a number or none',
  read: (text, refuse) => (text.toLowerCase() === 'none' ? null : NUMBER.read(text, refuse)),
};
const BOOLEANS = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);
const BOOLEAN: EnvType = {
  expected: 'true, false, 1 or 0',
  read: (text, refuse) => BOOLEANS.get(text.toLowerCase()) ?? refuse(),
};
const LIST: EnvType = {
  expected: 'names with commas between them',
  read: (text, refuse) => {
    const names = text.split(',').map((name) => name.trim());
    return names.includes('') ? refuse() : names;
  },
};
const OBJECT: EnvType = { expected: 'an object in JSON', read: parseObject };

/** The settings that are read, in camelCase. */
const ENV_SETTINGS = {
  resultBackend: TEXT,
  resultBackendTransportOptions: OBJECT,
  resultSerializer: TEXT,
  resultAcceptContent: LIST,
  resultExpires: NUMBER_OR_NONE,
  resultExtended: BOOLEAN,
  resultCacheMax: NUMBER,
  resultChordJoinTimeout: NUMBER,
  resultBackendAlwaysRetry: BOOLEAN,
  resultBackendBaseSleepBetweenRetriesMs: NUMBER,
  resultBackendMaxSleepBetweenRetriesMs: NUMBER,
  resultBackendMaxRetries: NUMBER_OR_NONE,
  timezone: TEXT,
  enableUtc: BOOLEAN,
  taskIgnoreResult: BOOLEAN,
  taskStoreErrorsEvenIfIgnored: BOOLEAN,
  taskTrackStarted: BOOLEAN,
  redisSocketTimeout: NUMBER,
  redisSocketConnectTimeout: NUMBER,
  redisClientName: TEXT,
  redisBackendHealthCheckInterval: NUMBER,
} as const satisfies Readonly<Record<string, EnvType>>;

/** The variables that {@link configFromEnv} reads, with what each expects. */
export const ENV_VARIABLES: ReadonlyMap<string, string> = new Map(
  Object.entries(ENV_SETTINGS).map(([setting, { expected }]) => [variableOf(setting), expected]),
);

/**
 * Reads options from environment variables: Celery's settings in capitals, with `CELERY_` before them
 * (`CELERY_RESULT_BACKEND`, `CELERY_RESULT_EXPIRES` ...). `.env.example` explains each. An empty text is "not set";
 * other variables are not looked at.
 *
 * @param env - @default process.env
 * @returns only what is set, to be given to a backend or spread into options of one's own
 * @throws ImproperlyConfigured that names the variable; it shows no value that may hold a password
 */
export function configFromEnv(env: Readonly<Record<string, string | undefined>> = process.env): BackendOptions {
  const conf: Record<string, unknown> = {};
  for (const [setting, type] of Object.entries(ENV_SETTINGS)) {
    const variable = variableOf(setting);
    const text = env[variable]?.trim() ?? '';
    if (text === '') continue;
    const got = MAY_BE_SECRET.has(setting) ? '' : `; got ${show(text)}`;
    conf[setting] = type.read(text, () => {
      throw new ImproperlyConfigured(`${variable}: expected ${type.expected}${got}.`);
    });
    checkAlone(variable, { [setting]: conf[setting] });
  }
  return optionsOf(conf);
}

/** Their parts may be passwords. */
const MAY_BE_SECRET = new Set(['resultBackend', 'resultBackendTransportOptions']);

/** Checks one setting alone, so that an error names the variable it came from. */
function checkAlone(variable: string, conf: object): void {
  try {
    resolveOptions({}, conf);
  } catch (error) {
    if (!(error instanceof ImproperlyConfigured)) throw error;
    throw new ImproperlyConfigured(`${variable}: ${error.message}`, { cause: error });
  }
}

function optionsOf(conf: object): BackendOptions {
  const settings = readSettings(conf);
  const { alwaysRetry, alwaysRetryPolicy = {}, retryPolicy = {} } = settings;
  const found = {
    ...settings,
    alwaysRetry: alwaysRetry === true ? alwaysRetryPolicy : alwaysRetry,
    retryPolicy: Object.keys(retryPolicy).length > 0 ? retryPolicy : undefined,
    // No variable is of the connection alone: a URL says it all.
    connectionDefaults: undefined,
    alwaysRetryPolicy: undefined,
  };
  return defined<BackendOptions>(found);
}

function variableOf(setting: string): string {
  return `CELERY_${snakeCase(setting).toUpperCase()}`;
}

function parseObject(text: string, refuse: () => never): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Its message would show the text.
    refuse();
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : refuse();
}
