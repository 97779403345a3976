/** Clients like one that a user hands over. */
import { ImproperlyConfigured } from '../errors.ts';
import type { GivenAddress, GivenClient, GivenCluster, GivenRedis, GivenServerOptions, NatMap } from './client.ts';
import { describeMany, fixedOptions, openClient } from './connect.ts';
import type { ClientFactory, ClientFactoryOptions, Discovery, Role } from './connect.ts';
import { addressOf, checkConnectionName, formatUrl } from './options.ts';
import type { RedisTarget } from './options.ts';
import { type Address, showAddress } from './topology.ts';

/**
 * Clients with the options of a given one, which is not used itself.
 *
 * @throws ImproperlyConfigured for a client that would read or write elsewhere than Celery does
 */
export function clientsLike(given: GivenClient, options: ClientFactoryOptions): ClientFactory {
  const flaw = givenFlaw(given);
  if (flaw !== undefined) throw new ImproperlyConfigured(`client: ${flaw}`);
  return isCluster(given) ? likeCluster(given, options) : likeRedis(given, options);
}

function likeRedis(given: GivenRedis, options: ClientFactoryOptions): ClientFactory {
  const name = checkConnectionName(options.connectionName ?? given.options.connectionName ?? undefined);
  const { path, host, port, tls, enableTLSForSentinelMode = false } = given.options;
  const fixed = (role: Role): ReturnType<typeof fixedOptions> => fixedOptions(role, name, options.connectTimeoutMs);
  const discovery = sentinelsOf(given, fixed('sentinel'));
  const scheme = path === undefined ? (tls ? 'rediss' : 'redis') : 'redis+socket';
  if (discovery.kind !== 'sentinel') {
    const target = { ...targetOf(given.options, scheme), host, port, path };
    const open: ClientFactory['open'] = (role) => given.duplicate(fixed(role));
    return { address: addressOf(target), url: formatUrl(target), discovery, open };
  }
  const { sentinels, masterName } = discovery;
  // ioredis ignores the master's TLS unless it is told that Sentinel is no reason to.
  const masterTls = enableTLSForSentinelMode ? {} : { tls: undefined };
  return {
    address: describeMany(`master ${masterName} of sentinels`, sentinels),
    url: manyUrl('sentinel', given.options, sentinels),
    discovery,
    open: (role) => given.duplicate({ ...fixed(role), ...masterTls }),
  };
}

function sentinelsOf({ options }: GivenRedis, fixed: ReturnType<typeof fixedOptions>): Discovery {
  const { sentinels, name, sentinelUsername, sentinelPassword, sentinelTLS, natMap } = options;
  if (!sentinels || sentinels.length === 0) return { kind: 'server' };
  if (!name) throw new ImproperlyConfigured('client: it has sentinels, and no name of a master.');
  const login = {
    username: sentinelUsername ?? null,
    password: sentinelPassword ?? null,
    ...(sentinelTLS ? { tls: sentinelTLS } : {}),
  };
  return {
    kind: 'sentinel',
    masterName: name,
    sentinels: sentinels.map(({ host = '127.0.0.1', port = 26379 }) => ({ host, port })),
    minOtherSentinels: 0,
    translate: translator(natMap),
    openSentinel: (address) => openClient({ ...login, ...fixed, ...address }),
  };
}

function likeCluster(given: GivenCluster, options: ClientFactoryOptions): ClientFactory {
  const { redisOptions = {}, natMap } = given.options;
  const nodes = startupNodesOf(given);
  const [first = {}] = nodes;
  // What is said of a node counts where nothing is said of all.
  const server: GivenServerOptions = { ...first, ...redisOptions };
  const name = checkConnectionName(options.connectionName ?? server.connectionName ?? undefined);
  const seeds = nodes.map(({ host = '127.0.0.1', port = 6379 }) => ({ host, port }));
  return {
    address: describeMany('cluster', seeds),
    url: manyUrl(server.tls ? 'rediss+cluster' : 'redis+cluster', server, seeds),
    discovery: { kind: 'cluster', seeds, translate: translator(natMap) },
    open: (role) => openClient({ ...server, db: 0, ...fixedOptions(role, name, options.connectTimeoutMs) }),
  };
}

/** The nodes that the cluster was made with: ioredis keeps them to itself until it connects. */
function startupNodesOf(given: GivenCluster): (GivenAddress & GivenServerOptions)[] {
  const startup: unknown = Reflect.get(given, 'startupNodes');
  const nodes = (Array.isArray(startup) ? (startup as unknown[]) : []).map(startupNode);
  if (nodes.length > 0) return nodes;
  throw new ImproperlyConfigured('client: expected a Cluster with the nodes to begin with.');
}

function startupNode(node: unknown): GivenAddress & GivenServerOptions {
  if (typeof node === 'object' && node !== null) return node;
  if (typeof node === 'number') return { port: node };
  const [, host, port] = /^(?:redis:\/\/)?(?:\[?([^\]]*?)\]?:)?(\d+)\/?$/.exec(String(node)) ?? [];
  if (port === undefined) {
    throw new ImproperlyConfigured('client: expected the nodes of the Cluster as { host, port }, or as host:port.');
  }
  return { ...(host === undefined ? {} : { host }), port: Number(port) };
}

function translator(natMap: NatMap | null | undefined): (address: Address) => Address {
  if (!natMap) return (address) => address;
  return (address) => {
    const key = `${address.host}:${address.port}`;
    return (typeof natMap === 'function' ? natMap(key) : natMap[key]) ?? address;
  };
}

function targetOf(options: GivenServerOptions, scheme: string): RedisTarget {
  return {
    scheme,
    host: undefined,
    port: undefined,
    path: undefined,
    db: options.db ?? 0,
    username: options.username ?? undefined,
    password: options.password ?? undefined,
    tls: undefined,
    clientName: undefined,
  };
}

/** The login stands before the first host, the database behind it. */
function manyUrl(scheme: string, options: GivenServerOptions, addresses: readonly Address[]): string {
  const [first, ...others] = addresses;
  const head = formatUrl({ ...targetOf(options, scheme), host: first?.host, port: first?.port });
  return [head, ...others.map((address) => `${scheme}://${showAddress(address)}`)].join(';');
}

function isCluster(given: GivenClient): given is GivenCluster {
  return 'isCluster' in given && given.isCluster;
}

function givenFlaw(given: GivenClient): string | undefined {
  if (!('duplicate' in Object(given)) || typeof (given as GivenRedis).duplicate !== 'function') {
    return 'expected a Redis of ioredis 5.11.1 or newer.';
  }
  // ARGET came with 5.11.0, which differs from 5.11.1 in its Cluster only.
  if (!('arget' in given)) return 'expected ioredis 5.11.1 or newer; this one is older, or not ioredis.';
  return isCluster(given) ? clusterFlaw(given) : redisFlaw(given);
}

const HAS_PREFIX =
  'it has a keyPrefix, which ioredis does not apply to channels; use globalKeyprefix of the backend instead.';

function redisFlaw({ options: { keyPrefix, role, readOnly } }: GivenRedis): string | undefined {
  if (keyPrefix) return HAS_PREFIX;
  if (role === 'slave')
    return "it reads from replicas (role: 'slave'), where a result may be missing that was announced.";
  if (readOnly) return 'it is readOnly.';
  return undefined;
}

function clusterFlaw({ options }: GivenCluster): string | undefined {
  const { keyPrefix, redisOptions, scaleReads = 'master', useSRVRecords } = options;
  if (keyPrefix || redisOptions?.keyPrefix) return HAS_PREFIX;
  if (scaleReads !== 'master') return 'it reads from replicas (scaleReads), where a result may be missing.';
  if (useSRVRecords) return 'it looks its nodes up by SRV records; give a Cluster with host names.';
  return undefined;
}
