/** Makes the connections that a topology asks for. */
import type { Clock } from '../clock.ts';
import type { Warnings } from '../diagnostics.ts';
import type { Caller } from './call.ts';
import type { RedisClient } from './client.ts';
import { ClusterConnection } from './cluster.ts';
import { ClusterMap } from './cluster-map.ts';
import type { ClientFactory, Discovery, Role } from './connect.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { type CredentialsProvider, login } from './credentials.ts';
import { within } from './deadline.ts';
import { confirmMaster, Sentinels } from './sentinel.ts';
import { SLOTS } from './slots.ts';
import { type Address, showAddress } from './topology.ts';

/** Settings of {@link wire}. Durations are seconds. */
export interface WiringOptions {
  readonly credentials?: CredentialsProvider | undefined;
  readonly connectTimeout: number;
  readonly commandTimeout: number;
  readonly heartbeat: number;
  readonly deadAfter: number;
  readonly warnings: Warnings;
  readonly clock: Clock;
}

/** With what all connections of one login share: see {@link ConnectionOptions.login}. */
interface SharedOptions extends WiringOptions, Pick<ConnectionOptions, 'login'> {}

/** A connection, and where it leads, for messages. */
interface Placed {
  readonly address: string;
  readonly connection: Caller;
}

/** The connections of a driver. */
export interface Wiring {
  readonly commands: Caller;
  readonly subscriber: Connection;
  /** The connection to each server that holds keys: the one, or the masters of a cluster. @throws BackendError */
  masters(): Promise<readonly Placed[]>;
  /** Closes everything that was opened. See {@link Caller.close}. */
  close(graceMs?: number): Promise<void>;
}

/** How long sentinels are waited for at a time; then what keeps them is told, and they are asked again. */
const SENTINEL_PATIENCE_MS = 1000;

type Closable = Pick<Caller, 'close'>;
/** Sets the address of a client that is about to connect. */
type Place = (client: RedisClient) => Promise<void>;
type Prepare = NonNullable<ConnectionOptions['prepare']>;
type Discovered<K extends Discovery['kind']> = Extract<Discovery, { readonly kind: K }>;

/** Makes the connections, which connect at their first use. */
export function wire(options: WiringOptions, clients: ClientFactory): Wiring {
  const { discovery } = clients;
  const shared = { ...options, login: { accepted: false } };
  if (discovery.kind === 'sentinel') return wireSentinel(shared, clients, discovery);
  if (discovery.kind === 'cluster') return wireCluster(shared, clients, discovery);
  return toOneServer(clients.address, connect(shared, clients, 'commands'), connect(shared, clients, 'subscriber'));
}

/** Both to the same server, so that one which reaches it again need not wait long for the other. */
function toOneServer(
  address: string,
  commands: Connection,
  subscriber: Connection,
  ...others: readonly Closable[]
): Wiring {
  commands.onReady(() => {
    subscriber.hurry();
  });
  subscriber.onReady(() => {
    commands.hurry();
  });
  return {
    commands,
    subscriber,
    masters: () => Promise.resolve([{ address, connection: commands }]),
    close: (graceMs) => closeAll(graceMs, ...others, commands, subscriber),
  };
}

/** One connection for commands to each master; one for messages to any node, another each time, since all get all messages. */
function wireCluster(options: SharedOptions, clients: ClientFactory, discovery: Discovered<'cluster'>): Wiring {
  const { clock } = options;
  const map = new ClusterMap({ ...discovery, clock, connect: (address) => connectNode(options, clients, address) });
  const timeoutMs = options.commandTimeout * 1000;
  const commands = new ClusterConnection({ address: clients.address, map, timeoutMs, clock });
  let turn = Math.floor(Math.random() * SLOTS);
  let at: string | undefined;
  const place = async (client: RedisClient): Promise<void> => {
    const connectMs = options.connectTimeout * 1000;
    // Without a map the nodes to begin with will do.
    if (map.state !== 'ready')
      await within(map.refresh(), clock, connectMs, () => new Error('late')).catch(() => undefined);
    const nodes = map.candidates();
    turn += 1;
    const address = nodes[turn % nodes.length];
    if (!address) throw new Error('the cluster has no node');
    moveTo(client, address);
    at = showAddress(address);
  };
  const subscriber = connect(options, clients, 'subscriber', { place });
  map.onReady(() => {
    // Off the cluster it hears nothing.
    if (at !== undefined && !map.has(at)) subscriber.drop('its node has left the cluster');
  });
  const masters = async (): Promise<readonly Placed[]> =>
    (await map.masters()).map(({ address, connection }) => ({ address: showAddress(address), connection }));
  return { commands, subscriber, masters, close: (graceMs) => closeAll(graceMs, commands, subscriber) };
}

function connectNode(options: SharedOptions, clients: ClientFactory, address: Address): Connection {
  const place = (client: RedisClient): Promise<void> => {
    moveTo(client, address);
    return Promise.resolve();
  };
  return connect(options, clients, 'commands', { place, address: showAddress(address) });
}

function wireSentinel(options: SharedOptions, clients: ClientFactory, discovery: Discovered<'sentinel'>): Wiring {
  const { masterName, minOtherSentinels, translate } = discovery;
  const links = new Map<Role, { readonly connection: Connection; at: string | undefined }>();
  const sentinels = new Sentinels({
    masterName,
    minOtherSentinels,
    translate,
    connections: discovery.sentinels.map((address) => connectSentinel(options, discovery, address)),
    everyMs: options.heartbeat * 1000,
    timeoutMs: Math.min(options.connectTimeout * 1000, SENTINEL_PATIENCE_MS),
    clock: options.clock,
    onMove: (address) => {
      for (const { connection, at } of links.values()) {
        if (at !== showAddress(address)) connection.drop(`the master is now at ${showAddress(address)}`);
      }
    },
  });
  const follow = (role: Role): Connection => {
    const place = async (client: RedisClient): Promise<void> => {
      const address = await sentinels.find();
      moveTo(client, address);
      link.at = showAddress(address);
    };
    const connection = connect(options, clients, role, { place, confirm: confirmMaster });
    const link: { readonly connection: Connection; at: string | undefined } = { connection, at: undefined };
    links.set(role, link);
    return connection;
  };
  return toOneServer(clients.address, follow('commands'), follow('subscriber'), sentinels);
}

function connectSentinel(
  options: WiringOptions,
  { openSentinel }: Discovered<'sentinel'>,
  address: Address,
): Connection {
  return new Connection({
    ...timing(options),
    name: 'sentinel',
    address: showAddress(address),
    login: { accepted: false },
    open: () => openSentinel(address),
    // One of several may be down; that is no warning.
    warnings: { warn: () => undefined },
  });
}

/** A connection of a role; `place` and `confirm` where the server is to be found. */
function connect(
  options: SharedOptions,
  clients: ClientFactory,
  role: Role,
  found: { readonly place?: Place; readonly confirm?: ConnectionOptions['confirm']; readonly address?: string } = {},
): Connection {
  return new Connection({
    ...timing(options),
    name: role,
    address: found.address ?? clients.address,
    login: options.login,
    open: () => clients.open(role),
    prepare: preparing(options, found.place),
    confirm: found.confirm,
    warnings: options.warnings,
  });
}

/** The address comes last, so that it is not old when it is used. */
function preparing(
  { credentials, clock, connectTimeout }: WiringOptions,
  place: Place | undefined,
): Prepare | undefined {
  if (!credentials) return place;
  return async (client, stopped) => {
    await login(client, credentials, clock, connectTimeout * 1000, stopped);
    await place?.(client);
  };
}

function timing({
  commandTimeout,
  heartbeat,
  deadAfter,
  clock,
}: WiringOptions): Pick<ConnectionOptions, 'timeoutMs' | 'heartbeatMs' | 'deadAfterMs' | 'clock'> {
  return {
    timeoutMs: commandTimeout * 1000,
    heartbeatMs: heartbeat * 1000,
    deadAfterMs: deadAfter * 1000,
    clock,
  };
}

function moveTo({ options }: RedisClient, { host, port }: Address): void {
  options.host = host;
  options.port = port;
}

async function closeAll(graceMs: number | undefined, ...parts: readonly Closable[]): Promise<void> {
  await Promise.all(parts.map((part) => part.close(graceMs)));
}
