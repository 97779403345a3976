/**
 * Redis URLs, read as Celery reads them.
 *
 * @see celery.backends.redis.RedisBackend._params_from_url
 */
import { ImproperlyConfigured } from '../errors.ts';

/** What the settings `redisHost`, `redisPort`, ... say; for what the URL does not. */
export interface RedisDefaults {
  /** @default 'localhost' */
  readonly host?: string | undefined;
  /** @default 6379 */
  readonly port?: number | undefined;
  /** The database; used without a URL only, since the path of a URL decides, and a missing path means 0. @default 0 */
  readonly db?: number | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Given for TLS, with a URL of `redis://` as well: options as in the query of `rediss://`, which wins. */
  readonly tls?: Readonly<Record<string, string>> | undefined;
}

/** How the server's certificate is checked, and what is shown to it. Files are PEM. */
export interface RedisTls {
  /** Whether its certificate must be signed by a CA we trust. @default true */
  readonly verify: boolean;
  /** Whether it must be for the host we asked for. @default true */
  readonly checkHostname: boolean;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** Where one Redis server is, and who we are there. */
export interface RedisTarget {
  readonly scheme: string;
  /** `undefined` with a socket. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** The Unix socket. */
  readonly path: string | undefined;
  readonly db: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** `undefined` for no TLS. */
  readonly tls: RedisTls | undefined;
  /** For CLIENT LIST. */
  readonly clientName: string | undefined;
}

/** The schemes, and how they connect. */
const SCHEMES: ReadonlyMap<string, 'tcp' | 'tls' | 'socket'> = new Map([
  ['redis', 'tcp'],
  ['valkey', 'tcp'],
  ['rediss', 'tls'],
  ['valkeys', 'tls'],
  ['redis+socket', 'socket'],
]);
const TOPOLOGIES = ['sentinel', 'redis+cluster', 'rediss+cluster', 'memory'];

/** Options of redis-py without a meaning here, so that one URL serves both languages. */
const IGNORED = new Set([
  'socket_timeout',
  'socket_connect_timeout',
  'socket_keepalive',
  'retry_on_timeout',
  'max_connections',
  'health_check_interval',
  'protocol',
]);
/** What can be said of TLS, in a URL or in `redisBackendUseSsl`. */
export const TLS_OPTIONS: ReadonlySet<string> = new Set([
  'ssl_cert_reqs',
  'ssl_ca_certs',
  'ssl_certfile',
  'ssl_keyfile',
  'ssl_check_hostname',
]);
const OPTIONS = new Set(['db', 'username', 'password', 'client_name']);
const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?/i;

/**
 * Reads a URL: `redis://user:password@host:port/db?option=value`, and `valkey://`; `rediss://` and `valkeys://` with TLS,
 * which verifies unless `ssl_cert_reqs=none`; `redis+socket:///path?db=0`.
 *
 * User, password, host and path are percent-decoded. A query option wins over the same thing elsewhere. Without a URL
 * the defaults alone decide.
 *
 * @throws ImproperlyConfigured that names the part, never its text, which may hold a password
 */
export function parseRedisUrl(url: string | undefined, defaults: RedisDefaults = {}): RedisTarget {
  if (url === undefined) return { ...withDefaults(defaults), db: checkDb(defaults.db ?? 0, 'redisDb') };
  if (!url.isWellFormed()) throw new ImproperlyConfigured('url: expected it without half a surrogate pair.');
  const [, scheme = '', authority = '', path = '', search = ''] = URL_PARTS.exec(url) ?? [];
  const kind = schemeKind(scheme);
  const query = parseQuery(search, kind);
  const login = parseLogin(authority, query, defaults);
  const common = { scheme, ...login, clientName: query.get('client_name') };
  if (kind === 'socket') return { ...common, ...parseSocket(authority, path, query, defaults) };
  const { host, port } = parseHost(authority.slice(authority.lastIndexOf('@') + 1));
  return {
    ...common,
    host: host ?? defaults.host ?? 'localhost',
    port: port ?? defaults.port ?? 6379,
    path: undefined,
    db: parseDb(query.get('db') ?? unquote(path), authority + path),
    tls: kind === 'tls' || defaults.tls ? parseTls({ ...defaults.tls, ...Object.fromEntries(query) }) : undefined,
  };
}

/**
 * The URL for showing: the password as `**`, the query dropped, the path at least `/`.
 *
 * @see celery.backends.base.Backend.as_uri
 */
export function maskUrl(url: string): string {
  const [, scheme = '', authority = '', path = ''] = URL_PARTS.exec(url) ?? [];
  const at = authority.lastIndexOf('@');
  const login = authority.slice(0, Math.max(0, at));
  const colon = login.indexOf(':');
  const masked = colon === -1 ? login : `${login.slice(0, colon)}:**`;
  const shown = `${scheme}://${at === -1 ? '' : `${masked}@`}${authority.slice(at + 1)}`;
  if (shown === `${scheme}://` && path === '') return shown;
  return `${shown}${path === '' ? '/' : path}`;
}

/** A URL of what was read from one, or given otherwise. */
export function formatUrl({ scheme, host, port, path, db, username, password }: RedisTarget): string {
  const secret = password === undefined ? '' : `:${encoded(password)}`;
  const login = `${encoded(username ?? '')}${secret}`;
  const head = `${scheme}://${login === '' ? '' : `${login}@`}`;
  if (path !== undefined) return `${head}${encodeURI(path.toWellFormed())}?virtual_host=${db}`;
  return `${head}${addressOf({ host, port, path })}/${db}`;
}

/** Where the server is, for messages: `'localhost:6379'`, `'/run/redis.sock'`. */
export function addressOf(target: Pick<RedisTarget, 'host' | 'port' | 'path'>): string {
  if (target.path !== undefined) return target.path;
  const host = target.host ?? 'localhost';
  return `${host.includes(':') ? `[${host}]` : host}:${target.port ?? 6379}`;
}

/** Half a surrogate pair has no form in a URL. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function withDefaults(defaults: RedisDefaults): Omit<RedisTarget, 'db'> {
  const { host = 'localhost', port = 6379, username, password } = defaults;
  const tls = defaults.tls && parseTls(defaults.tls);
  const scheme = tls ? 'rediss' : 'redis';
  return { scheme, host, port, path: undefined, username, password, tls, clientName: undefined };
}

function schemeKind(scheme: string): 'tcp' | 'tls' | 'socket' {
  const kind = SCHEMES.get(scheme);
  if (kind !== undefined) return kind;
  if (scheme === 'redis+sentinel') {
    throw new ImproperlyConfigured(
      'url: redis+sentinel:// is one plain Redis to Celery, and none here; for Sentinel write sentinel://.',
    );
  }
  const known = [...SCHEMES.keys(), ...TOPOLOGIES].map((name) => `${name}://`);
  throw new ImproperlyConfigured(`url: expected it to start with one of ${known.join(', ')} (in lower case).`);
}

function parseQuery(search: string, kind: 'tcp' | 'tls' | 'socket'): ReadonlyMap<string, string> {
  const query = new Map<string, string>();
  // Python's parse_qsl drops blank values, and the last of several wins.
  for (const [name, value] of new URLSearchParams(search)) if (value !== '') query.set(name, value);
  for (const name of query.keys()) {
    if (TLS_OPTIONS.has(name)) {
      if (kind !== 'tls') throw new ImproperlyConfigured(`url: ${name} needs rediss:// or valkeys://.`);
    } else if (name === 'credential_provider') {
      throw new ImproperlyConfigured('url: credential_provider names a class of Python; give the option credentials.');
    } else if (!OPTIONS.has(name) && !IGNORED.has(name) && !(name === 'virtual_host')) {
      // With an @ behind it, it may be a part of a password.
      const secret = /@|%40/.test(search);
      const shown = secret ? '' : ` ${JSON.stringify(name.slice(0, 40))}`;
      throw new ImproperlyConfigured(`url: unknown option${shown} in the query.${secret ? ` ${PERCENT_HINT}` : ''}`);
    }
  }
  return query;
}

function parseLogin(
  authority: string,
  query: ReadonlyMap<string, string>,
  defaults: RedisDefaults,
): Pick<RedisTarget, 'username' | 'password'> {
  const login = authority.slice(0, Math.max(0, authority.lastIndexOf('@')));
  const colon = login.indexOf(':');
  const username = unquote(colon === -1 ? login : login.slice(0, colon));
  const password = unquote(colon === -1 ? '' : login.slice(colon + 1));
  return {
    username: query.get('username') ?? (username || defaults.username),
    password: query.get('password') ?? (password || defaults.password),
  };
}

function parseHost(text: string): { host: string | undefined; port: number | undefined } {
  const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text) ?? fail('host');
  if (port !== '' && !(/^\d{1,5}$/.test(port) && Number(port) <= 65535)) fail('port');
  const host = unquote(bracketed ?? plain).toLowerCase();
  return { host: host === '' ? undefined : host, port: Number(port) || undefined };
}

/**
 * The user's own part of the names in CLIENT LIST: CLIENT SETNAME takes printable ASCII without spaces.
 *
 * @throws ImproperlyConfigured
 */
export function checkConnectionName(name: string | undefined): string | undefined {
  if (name === undefined || (typeof name === 'string' && /^[!-~]{1,200}$/.test(name))) return name;
  throw new ImproperlyConfigured('connectionName: expected 1 to 200 printable ASCII characters without spaces.');
}

function fail(part: 'host' | 'port'): never {
  const expected = part === 'port' ? 'a port from 1 to 65535' : 'host or host:port, an IPv6 address in [brackets]';
  throw new ImproperlyConfigured(`url: the ${part} is wrong: expected ${expected}. ${PERCENT_HINT}`);
}

/** What to do where a part of a URL may be one of the password. */
const PERCENT_HINT = 'If the password has one of / ? # @ : ; in it, percent-encode it.';

function parseDb(text: string, context: string): number {
  const digits = text.replace(/^\/+|\/+$/g, '');
  if (digits === '') return 0;
  if (/^\d{1,9}$/.test(digits)) return Number(digits);
  const hint = context.includes('@') ? ` ${PERCENT_HINT}` : '';
  throw new ImproperlyConfigured(`url: the database (path or db) is wrong: expected a number from 0.${hint}`);
}

function checkDb(db: number, name: string): number {
  if (Number.isSafeInteger(db) && db >= 0) return db;
  throw new ImproperlyConfigured(`${name}: expected a number from 0; got ${db}.`);
}

function parseSocket(
  authority: string,
  path: string,
  query: ReadonlyMap<string, string>,
  defaults: RedisDefaults,
): Pick<RedisTarget, 'host' | 'port' | 'path' | 'db' | 'tls'> {
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (host !== '' || path.length < 2) {
    throw new ImproperlyConfigured('url: expected redis+socket:/// followed by the path of the socket.');
  }
  if (defaults.tls) throw new ImproperlyConfigured('redisBackendUseSsl: there is no TLS on redis+socket://.');
  const db = query.get('db') ?? query.get('virtual_host');
  return {
    host: undefined,
    port: undefined,
    path: unquote(path),
    db: db === undefined ? checkDb(defaults.db ?? 0, 'redisDb') : parseDb(db, authority),
    tls: undefined,
  };
}

function parseTls(options: Readonly<Record<string, string>>): RedisTls {
  const requirement = options['ssl_cert_reqs'] ?? 'required';
  if (!/^(CERT_(REQUIRED|OPTIONAL|NONE)|required|optional|none)$/.test(requirement)) {
    throw new ImproperlyConfigured('ssl_cert_reqs: expected required, optional or none.');
  }
  const verify = !/none$/i.test(requirement);
  const { ssl_ca_certs: caFile, ssl_certfile: certFile, ssl_keyfile: keyFile } = options;
  return {
    verify,
    checkHostname: verify && !/^(0|f|false|n|no)$/i.test(options['ssl_check_hostname'] ?? ''),
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
}

/** Python's `unquote`: what is no escape stays as it is. */
function unquote(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString());
}
