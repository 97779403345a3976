/** Makes ioredis clients. The only file that imports ioredis, so that the rest knows its interface alone. */
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import { ImproperlyConfigured } from '../errors.ts';
import type { FixedOptions, GivenAddress, GivenServerOptions, RedisClient } from './client.ts';
import { addressOf, checkConnectionName, formatUrl } from './options.ts';
import type { RedisTarget, RedisTls } from './options.ts';
import { type Address, showAddress, type Topology } from './topology.ts';

/** What a connection is for. */
export type Role = 'commands' | 'subscriber' | 'sentinel';

/** How servers are found that are several. */
export type Discovery =
  | { readonly kind: 'server' }
  | {
      readonly kind: 'sentinel';
      readonly masterName: string;
      readonly sentinels: readonly Address[];
      readonly minOtherSentinels: number;
      readonly translate: (address: Address) => Address;
      /** Makes a client of a sentinel. */
      readonly openSentinel: (address: Address) => RedisClient;
    }
  | {
      readonly kind: 'cluster';
      readonly seeds: readonly Address[];
      readonly translate: (address: Address) => Address;
    };

/** Where the clients come from. */
export interface ClientFactory {
  /** Where Redis is, for messages. */
  readonly address: string;
  /** The same as a URL, password and all. */
  readonly url: string;
  readonly discovery: Discovery;
  /** Makes a client that connects when it is told to. Unless there is one server, its address is to be set before. */
  readonly open: (role: Role) => RedisClient;
}

/** What the clients are made with. */
export interface ClientFactoryOptions {
  readonly connectTimeoutMs: number;
  /** The user's own part of the names in CLIENT LIST. */
  readonly connectionName: string | undefined;
}

/**
 * Clients of what a URL means.
 *
 * @throws ImproperlyConfigured when a certificate file cannot be read, or the name is not fit for CLIENT SETNAME
 */
export function clientsOf(topology: Topology, url: string | undefined, options: ClientFactoryOptions): ClientFactory {
  const { target } = topology;
  const name = checkConnectionName(options.connectionName ?? target.clientName);
  const fixed = (role: Role): FixedOptions => fixedOptions(role, name, options.connectTimeoutMs);
  const server = serverOptions(target);
  return {
    address: whereIs(topology),
    url: url ?? formatUrl(target),
    discovery: discoveryOf(topology, fixed('sentinel')),
    open: (role) => openClient({ ...server, ...fixed(role) }),
  };
}

/** Makes a client of ioredis. */
export function openClient(options: FixedOptions & GivenServerOptions & GivenAddress): RedisClient {
  return new Redis(options as RedisOptions);
}

function discoveryOf(topology: Topology, fixed: FixedOptions): Discovery {
  const translate = (address: Address): Address => address;
  if (topology.kind === 'cluster') return { kind: 'cluster', seeds: topology.seeds, translate };
  if (topology.kind === 'server') return topology;
  const { masterName, sentinels, minOtherSentinels, username, password, tls } = topology;
  const login = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: tlsOptions(tls) } : {}),
  };
  const openSentinel = (address: Address): RedisClient => openClient({ ...login, ...fixed, ...address });
  return { kind: 'sentinel', masterName, sentinels, minOtherSentinels, translate, openSentinel };
}

function whereIs(topology: Topology): string {
  if (topology.kind === 'server') return addressOf(topology.target);
  if (topology.kind === 'cluster') return describeMany('cluster', topology.seeds);
  return describeMany(`master ${topology.masterName} of sentinels`, topology.sentinels);
}

/** Several servers, for messages: `'cluster of a:1, b:2'`. */
export function describeMany(what: string, addresses: readonly Address[]): string {
  return `${what} ${addresses.map(showAddress).join(', ')}`;
}

function serverOptions({ host, port, path, db, username, password, tls }: RedisTarget): GivenServerOptions {
  return {
    ...(path === undefined ? { host: host ?? 'localhost', port: port ?? 6379 } : { path }),
    db,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: tlsOptions(tls) } : {}),
  };
}

/** The options that every client of ours is made with. */
export function fixedOptions(role: Role, name: string | undefined, connectTimeoutMs: number): FixedOptions {
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
    connectTimeout: connectTimeoutMs,
    connectionName: `celery-redis-backend:${role}${name === undefined ? '' : `:${name}`}`,
    // Watchdog and deadlines of our own allow for large values, these do not.
    commandTimeout: undefined,
    socketTimeout: undefined,
    sentinels: undefined,
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
