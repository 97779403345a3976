/** Which servers a URL means: one, those that sentinels name, or a cluster. */
import { ImproperlyConfigured } from '../errors.ts';
import { maskUrl, parseRedisUrl, TLS_OPTIONS } from './options.ts';
import type { RedisDefaults, RedisTarget, RedisTls } from './options.ts';

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How to find the master by Sentinel. */
export interface SentinelOptions {
  /** The name that the sentinels know the master by. Required, here or as `?master_name=` of the URL. */
  readonly masterName?: string | undefined;
  /** Who we are to the sentinels themselves; the login in the URL is for the master. */
  readonly username?: string | undefined;
  /** The password for the sentinels themselves. */
  readonly password?: string | undefined;
  /** TLS to the sentinels: options as in the query of `rediss://`. The master's is `redisBackendUseSsl`. @default none */
  readonly tls?: Readonly<Record<string, string>> | undefined;
  /** A sentinel is believed only if it sees at least so many others. @default 0 */
  readonly minOtherSentinels?: number | undefined;
}

/** Sentinels to ask. */
export interface SentinelTopology {
  readonly kind: 'sentinel';
  /** Who we are to the master, and its database; without its address. */
  readonly target: RedisTarget;
  readonly sentinels: readonly Address[];
  readonly masterName: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: RedisTls | undefined;
  readonly minOtherSentinels: number;
}

/** What a URL means. */
export type Topology =
  | { readonly kind: 'server'; readonly target: RedisTarget }
  | SentinelTopology
  | {
      readonly kind: 'cluster';
      /** Who we are to every node; without an address. */
      readonly target: RedisTarget;
      readonly seeds: readonly Address[];
    };

const MANY = /^(sentinel|redis\+cluster|rediss\+cluster):\/\//;
/** The scheme of each server of theirs. */
const SINGLE: Readonly<Record<string, string>> = {
  sentinel: 'redis',
  'redis+cluster': 'redis',
  'rediss+cluster': 'rediss',
};

/**
 * Reads a URL. Besides those of {@link parseRedisUrl}: `sentinel://user:password@a:26379/1;sentinel://b:26379`, of which
 * database and login of the first are the master's and the port is 6379 unless given, as in Celery; `redis+cluster://a:7000;b:7001`
 * and `rediss+cluster://`. The scheme of all but the first may be left out where there is no login.
 *
 * @throws ImproperlyConfigured that names the part, never its text, which may hold a password
 * @see celery.backends.redis.SentinelBackend._params_from_url
 */
export function parseTopology(
  url: string | undefined,
  defaults: RedisDefaults = {},
  sentinel: SentinelOptions = {},
): Topology {
  const scheme = MANY.exec(url ?? '')?.[1];
  if (url === undefined || scheme === undefined) return { kind: 'server', target: parseRedisUrl(url, defaults) };
  const { servers, masterName } = parseServers(url, scheme, defaults);
  const [first] = servers;
  if (!first) throw new ImproperlyConfigured(`url: expected hosts behind ${scheme}://.`);
  const addresses = servers.map(({ host, port }) => ({ host: host ?? 'localhost', port: port ?? 6379 }));
  const elsewhere = servers.find(({ db }) => db !== 0 && db !== first.db);
  if (elsewhere) throw new ImproperlyConfigured('url: the database goes behind the first host.');
  const target = { ...first, scheme, host: undefined, port: undefined };
  if (scheme === 'sentinel') return sentinelTopology(target, addresses, { ...sentinel, ...withoutAbsent(masterName) });
  if (first.db !== 0) throw new ImproperlyConfigured('url: a cluster has database 0 only.');
  return { kind: 'cluster', target, seeds: addresses };
}

/** The URL for showing, each host as {@link maskUrl} shows it; none of them where a password may span several. */
export function maskHosts(url: string): string {
  const scheme = MANY.exec(url)?.[1];
  if (scheme === undefined) return maskUrl(url);
  if (loginMaySpan(url)) return `${scheme}://**`;
  const masked = chunksOf(url).map((chunk) =>
    chunk.includes('://') ? maskUrl(chunk) : maskUrl(`x://${chunk}`).slice('x://'.length),
  );
  return masked.join(';');
}

/** `'localhost:6379'`, `'[::1]:6379'` */
export function showAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

const SENTINEL_OPTIONS = ['masterName', 'username', 'password', 'tls', 'minOtherSentinels'];

/**
 * Checks the option `sentinel`; what it lacks is taken from `settings`.
 *
 * @throws ImproperlyConfigured that shows no values, which may be secrets
 */
export function checkSentinelOptions(given: unknown, settings: SentinelOptions = {}): SentinelOptions {
  const fail = (what: string, expected: string): never => {
    throw new ImproperlyConfigured(`${what}: expected ${expected}.`);
  };
  if (given !== undefined && (typeof given !== 'object' || given === null)) fail('sentinel', 'an object');
  const set = Object.entries(given ?? {}).filter(([, value]) => value !== undefined);
  const options = { ...settings, ...Object.fromEntries(set) } as Readonly<Record<string, unknown>>;
  for (const [name, value] of Object.entries(options)) {
    const what = `sentinel.${name}`;
    if (!SENTINEL_OPTIONS.includes(name)) fail(what, `one of ${SENTINEL_OPTIONS.join(', ')}`);
    if (name === 'tls') {
      const known =
        typeof value === 'object' && value !== null && Object.keys(value).every((key) => TLS_OPTIONS.has(key));
      if (!known) fail(what, `an object with some of ${[...TLS_OPTIONS].join(', ')}`);
    } else if (name === 'minOtherSentinels') {
      if (!Number.isSafeInteger(value) || (value as number) < 0) fail(what, 'a whole number of at least 0');
    } else if (typeof value !== 'string') fail(what, 'a string');
  }
  return Object.freeze(options);
}

/** Completes what is said of sentinels. @throws ImproperlyConfigured */
export function sentinelTopology(
  target: RedisTarget,
  sentinels: readonly Address[],
  options: SentinelOptions,
): SentinelTopology {
  const { masterName, username, password, tls, minOtherSentinels = 0 } = options;
  if (masterName === undefined || masterName === '') {
    throw new ImproperlyConfigured(
      'sentinel.masterName: expected the name that the sentinels know the master by; got none. Give it as ' +
        'sentinel: { masterName }, as master_name in app.conf.resultBackendTransportOptions, or as ?master_name= of the URL.',
    );
  }
  return {
    kind: 'sentinel',
    target,
    sentinels,
    masterName,
    username,
    password,
    tls: tls && parseRedisUrl(undefined, { tls }).tls,
    minOtherSentinels,
  };
}

function withoutAbsent(masterName: string | undefined): SentinelOptions {
  return masterName === undefined ? {} : { masterName };
}

function chunksOf(url: string): string[] {
  return url.split(';').filter((chunk) => chunk !== '');
}

/**
 * Whether a `;` may belong to a password, of which a part would then be taken for a host: `u:123;456@a`, which is how
 * `456@a` after another host would look.
 */
function loginMaySpan(url: string): boolean {
  return chunksOf(url).some((chunk) => chunk.includes('@') && !/^[a-z+]+:\/\//.test(chunk));
}

/** The servers of a URL. What the queries say holds for all of them, the first that says it wins. */
function parseServers(
  url: string,
  scheme: string,
  defaults: RedisDefaults,
): { readonly servers: readonly RedisTarget[]; readonly masterName: string | undefined } {
  if (loginMaySpan(url)) {
    throw new ImproperlyConfigured(
      `url: an @ behind a ; may belong to a password with a ; in it, or to another host: percent-encode the ; (%3B) or ` +
        `the @ (%40) of a value, or write ${scheme}:// before each host that has a login.`,
    );
  }
  const chunks = chunksOf(url).map((chunk) => (chunk.includes('://') ? chunk : `${scheme}://${chunk}`));
  const query = new URLSearchParams();
  for (const chunk of chunks) {
    for (const [name, value] of new URLSearchParams(/\?([^#]*)/.exec(chunk)?.[1] ?? '')) {
      if (value !== '' && !query.has(name)) query.set(name, value);
    }
  }
  const masterName = query.get('master_name') ?? undefined;
  if (scheme === 'sentinel') query.delete('master_name');
  const servers = chunks.map((chunk, index) => {
    if (!chunk.startsWith(`${scheme}://`)) {
      throw new ImproperlyConfigured(`url: expected every host to be of ${scheme}://, as the first is.`);
    }
    const rest = chunk.slice(scheme.length).replace(/[?#].*/, '');
    return parseRedisUrl(`${SINGLE[scheme] ?? scheme}${rest}${index === 0 ? `?${query.toString()}` : ''}`, defaults);
  });
  return { servers, masterName };
}
