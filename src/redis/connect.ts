/** Makes ioredis clients. The only file that imports ioredis, so that the rest knows its interface alone. */
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { ImproperlyConfigured } from '../errors.ts';
import type { FixedOptions, GivenClient, RedisClient } from './client.ts';
import { addressOf, checkConnectionName, formatUrl } from './options.ts';
import type { RedisTarget, RedisTls } from './options.ts';

/** The two connections of a driver. */
export type Role = 'commands' | 'subscriber';

/** Where the clients come from. */
export interface ClientFactory {
  /** Where Redis is, for messages. */
  readonly address: string;
  /** The same as a URL, password and all. */
  readonly url: string;
  /** Makes a client that connects when it is told to. */
  readonly open: (role: Role) => RedisClient;
}

/** What the clients are made with. */
export interface ClientFactoryOptions {
  readonly connectTimeoutMs: number;
  /** The user's own part of the names in CLIENT LIST. */
  readonly connectionName: string | undefined;
}

/**
 * Clients for a server.
 *
 * @throws ImproperlyConfigured when a certificate file cannot be read, or the name is not fit for CLIENT SETNAME
 */
export function clientsOf(target: RedisTarget, url: string | undefined, options: ClientFactoryOptions): ClientFactory {
  const { host, port, path, db, username, password } = target;
  const name = options.connectionName ?? target.clientName;
  checkConnectionName(name);
  const server = {
    ...(path === undefined ? { host: host ?? 'localhost', port: port ?? 6379 } : { path }),
    db,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(target.tls ? { tls: tlsOptions(target.tls) } : {}),
  };
  return {
    address: addressOf(target),
    url: url ?? formatUrl(target),
    open: (role) => new Redis({ ...server, ...fixedOptions(role, name, options.connectTimeoutMs) }),
  };
}

/**
 * Clients with the options of a given one, which is not used itself.
 *
 * @throws ImproperlyConfigured for a client that would read or write elsewhere than Celery does
 */
export function clientsLike(given: GivenClient, options: ClientFactoryOptions): ClientFactory {
  checkGiven(given);
  const name = options.connectionName ?? given.options.connectionName ?? undefined;
  checkConnectionName(name);
  const target = targetOf(given);
  return {
    address: addressOf(target),
    url: formatUrl(target),
    open: (role) => given.duplicate(fixedOptions(role, name, options.connectTimeoutMs)),
  };
}

function targetOf({ options }: GivenClient): RedisTarget {
  const { host, port, path, db = 0, username, password, tls } = options;
  return {
    scheme: path === undefined ? (tls ? 'rediss' : 'redis') : 'redis+socket',
    host,
    port,
    path,
    db,
    username: username ?? undefined,
    password: password ?? undefined,
    tls: undefined,
    clientName: undefined,
  };
}

function fixedOptions(role: Role, name: string | undefined, connectTimeoutMs: number): FixedOptions {
  return {
    lazyConnect: true,
    // Link reconnects, so that the delay can be cancelled and what is in flight fails at once.
    retryStrategy: () => null,
    reconnectOnError: null,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    enableReadyCheck: true,
    keyPrefix: '',
    monitor: false,
    stringNumbers: false,
    noDelay: true,
    keepAlive: 10_000,
    disconnectTimeout: 100,
    // While Redis loads, each poll is a sign of life for the watchdog.
    maxLoadingRetryTime: 1000,
    failoverDetector: true,
    connectTimeout: connectTimeoutMs,
    connectionName: `celery-redis-backend:${role}${name === undefined ? '' : `:${name}`}`,
    // Watchdog and deadlines of our own allow for large values, these do not.
    commandTimeout: undefined,
    socketTimeout: undefined,
  };
}

function tlsOptions(tls: RedisTls): object {
  return {
    rejectUnauthorized: tls.verify,
    ...(tls.checkHostname ? {} : { checkServerIdentity: () => undefined }),
    ...(tls.caFile === undefined ? {} : { ca: readPem(tls.caFile, 'ssl_ca_certs') }),
    ...(tls.certFile === undefined ? {} : { cert: readPem(tls.certFile, 'ssl_certfile') }),
    ...(tls.keyFile === undefined ? {} : { key: readPem(tls.keyFile, 'ssl_keyfile') }),
  };
}

function readPem(file: string, name: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new ImproperlyConfigured(`${name}: cannot read ${file}.`, { cause: error });
  }
}

function checkGiven(given: GivenClient): void {
  const flaw = givenFlaw(given);
  if (flaw !== undefined) throw new ImproperlyConfigured(`client: ${flaw}`);
}

function givenFlaw(given: GivenClient): string | undefined {
  if (typeof given.duplicate !== 'function') return 'expected a Redis of ioredis 5.11.1 or newer.';
  if ('isCluster' in given && given.isCluster === true) return 'a Cluster is not supported yet.';
  // ARGET came with 5.11.0, which differs from 5.11.1 in its Cluster only.
  if (!('arget' in given)) return 'expected ioredis 5.11.1 or newer; this one is older, or not ioredis.';
  const { keyPrefix, role, readOnly } = given.options;
  if (keyPrefix) {
    return 'it has a keyPrefix, which ioredis does not apply to channels; use globalKeyprefix of the backend instead.';
  }
  if (role === 'slave')
    return "it reads from replicas (role: 'slave'), where a result may be missing that was announced.";
  if (readOnly) return 'it is readOnly.';
  return undefined;
}
