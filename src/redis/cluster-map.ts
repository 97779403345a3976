/** What is known of a cluster: its nodes, their slots, and a connection to each node that is used. */
import type { Clock, Timer } from '../clock.ts';
import { BackendClosedError, BackendError } from '../errors.ts';
import type { ConnectionState, ReadyListener } from './call.ts';
import { askInTurn } from './ask-in-turn.ts';
import type { Connection } from './connection.ts';
import { within } from './deadline.ts';
import { unavailable } from './errors.ts';
import { readAddress, readSlots, type SlotMap } from './slots.ts';
import { type Address, showAddress } from './topology.ts';

/** Settings of a {@link ClusterMap}. */
export interface ClusterMapOptions {
  /** The nodes to begin with. */
  readonly seeds: readonly Address[];
  /** How a node is reached from here, by the address that nodes tell of. */
  readonly translate: (address: Address) => Address;
  /** Makes the connection to a node. It is closed with this, or when its node leaves the cluster. */
  readonly connect: (address: Address) => Connection;
  readonly clock: Clock;
}

/** A node in use. */
export interface ClusterNode {
  readonly address: Address;
  readonly connection: Connection;
}

/** After a sign that the map is old, and between two reads that follow signs. */
const SOON_MS = 100;
const GAP_MS = 500;
/** While a master is out of reach. */
const SICK_MS = 1000;
/** While all is well. */
const WELL_MS = 15_000;

/**
 * Keeps the map of a cluster up to date: read at first use, after each sign that it is old, every second while a master
 * is out of reach, and every 15 s.
 *
 * ```
 * unknown   no map was read yet
 * known     there is a map, if an old one
 * closed    for good
 *
 * unknown -> known    a node gave its map
 * any -> closed       close()
 * ```
 */
export class ClusterMap {
  readonly #options: ClusterMapOptions;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #listeners: ReadyListener[] = [];
  /** Connections of nodes that left, while they close. */
  readonly #leaving = new Set<Connection>();
  #slots: SlotMap | undefined;
  /** Owners that redirections told of since the map was read. */
  readonly #moved = new Map<number, string>();
  /** Why there is no map yet. */
  #failure: BackendError | undefined;
  #refreshing: Promise<void> | undefined;
  #timer: { readonly dueMs: number; readonly timer: Timer } | undefined;
  /** When the map was last read, or was to be. */
  #readMs = -Infinity;
  #reconnectsOfLeft = 0;
  #closed = false;

  constructor(options: ClusterMapOptions) {
    this.#options = options;
  }

  /** How the cluster stands; see {@link ConnectionState}. */
  get state(): ConnectionState {
    if (!this.#slots) {
      if (this.#failure) return this.#failure.code === 'CELERY_BACKEND_REFUSED' ? 'refused' : 'lost';
      return this.#nodes.size === 0 ? 'idle' : 'connecting';
    }
    const states = [...this.#slots.masters].map((name) => this.#nodes.get(name)?.connection.state);
    return states.every((state) => state === 'lost' || state === 'refused') ? 'lost' : 'ready';
  }

  /** Who the connections log in as, for messages. */
  get user(): string {
    const [node] = this.#nodes.values();
    return node?.connection.user ?? 'this user';
  }

  get reconnects(): number {
    return [...this.#nodes.values()].reduce(
      (sum, { connection }) => sum + connection.reconnects,
      this.#reconnectsOfLeft,
    );
  }

  /** Calls `listener` when the map is first known, when a node is there or back, and when slots or nodes have moved. */
  onReady(listener: ReadyListener): void {
    this.#listeners.push(listener);
  }

  /** Whether a node is known to be of the cluster; true while nothing is known. */
  has(name: string): boolean {
    return this.#slots?.nodes.has(name) ?? true;
  }

  /** Where to subscribe: the masters that are not known to be out of reach; else whatever is known. */
  candidates(): readonly Address[] {
    const { masters = new Set<string>(), nodes = new Map<string, Address>() } = this.#slots ?? {};
    const lost = (name: string): boolean => this.#nodes.get(name)?.connection.state === 'lost';
    const fit = [...nodes].filter(([name]) => masters.has(name) && !lost(name)).map(([, address]) => address);
    return fit.length > 0 ? fit : [...nodes.values(), ...this.#options.seeds];
  }

  /**
   * The master of a slot, or any for `null`; `undefined` when none serves it.
   *
   * @throws BackendError while there is no map
   */
  async find(slot: number | null, leftMs: number): Promise<ClusterNode | undefined> {
    if (!this.#slots) await within(this.refresh(), this.#options.clock, leftMs, () => this.#outage());
    const name = slot === null ? this.#anyMaster() : (this.#moved.get(slot) ?? this.#slots?.owners[slot]);
    if (name === undefined) return undefined;
    const address = this.#slots?.nodes.get(name) ?? this.#nodes.get(name)?.address;
    return address && this.node(address);
  }

  /** Every master that has slots, by a map read anew. @throws BackendError when no node gave it */
  async masters(): Promise<readonly ClusterNode[]> {
    await this.refresh();
    const { masters = new Set<string>(), nodes } = this.#slots ?? {};
    return [...masters].flatMap((name) => nodes?.get(name) ?? []).map((address) => this.node(address));
  }

  /** The node at an address. @throws BackendClosedError */
  node(address: Address): ClusterNode {
    if (this.#closed) throw new BackendClosedError();
    const name = showAddress(address);
    let node = this.#nodes.get(name);
    if (!node) {
      const connection = this.#options.connect(address);
      connection.onReady((first) => {
        this.#tell(first);
      });
      connection.onLost(() => {
        this.refreshSoon();
      });
      node = { address, connection };
      this.#nodes.set(name, node);
    }
    return node;
  }

  /** The address in a redirection. */
  addressFrom(text: string, asked: Address): Address {
    return readAddress(text, asked, this.#options.translate);
  }

  /** A node says that a slot is elsewhere now. */
  moved(slot: number, to: Address): void {
    this.node(to);
    this.#moved.set(slot, showAddress(to));
    this.refreshSoon();
  }

  /** Reads the map soon: there is a sign that it is old. */
  refreshSoon(): void {
    const sinceMs = this.#options.clock.now() - this.#readMs;
    this.#plan(Math.max(SOON_MS, GAP_MS - sinceMs));
  }

  /** Reads the map. Command, on one node: CLUSTER SLOTS. @throws BackendError when no node gave it */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
      this.#readMs = this.#options.clock.now();
      const sick = [...this.#nodes.values()].some(({ connection }) => connection.state === 'lost');
      this.#plan(sick || !this.#slots ? SICK_MS : WELL_MS);
    });
    return this.#refreshing;
  }

  async close(graceMs?: number): Promise<void> {
    this.#closed = true;
    this.#timer?.timer.cancel();
    const connections = [...this.#nodes.values()].map(({ connection }) => connection);
    await Promise.all([...connections, ...this.#leaving].map((connection) => connection.close(graceMs)));
  }

  async #refresh(): Promise<void> {
    try {
      const slots = await askInTurn(this.#informants(), (address) => this.#read(address), this.#options.clock);
      this.#failure = undefined;
      if (!this.#closed) this.#adopt(slots);
    } catch (error) {
      this.#failure = error instanceof BackendError ? error : unavailable((error as Error).message);
      throw this.#failure;
    }
  }

  async #read(address: Address): Promise<SlotMap> {
    const reply = await this.node(address).connection.run({
      what: 'CLUSTER SLOTS',
      key: null,
      send: (client) => client.call('CLUSTER', 'SLOTS'),
    });
    const slots = readSlots(reply, address, this.#options.translate);
    if (slots.masters.size === 0) throw unavailable(`${showAddress(address)} knows of no slots; is its cluster made?`);
    return slots;
  }

  /** Whom to ask, those that are most likely to answer first. */
  #informants(): Address[] {
    const masters = [...(this.#slots?.masters ?? [])].flatMap((name) => this.#slots?.nodes.get(name) ?? []);
    const known = new Map([...shuffle(masters), ...this.#options.seeds].map((each) => [showAddress(each), each]));
    const rank = (address: Address): number => {
      const state = this.#nodes.get(showAddress(address))?.connection.state;
      return state === 'ready' ? 0 : state === 'lost' ? 2 : 1;
    };
    return [...known.values()].sort((a, b) => rank(a) - rank(b));
  }

  #adopt(slots: SlotMap): void {
    const before = this.#slots;
    const changed = before !== undefined && (this.#moved.size > 0 || differ(before, slots));
    this.#slots = slots;
    this.#moved.clear();
    for (const [name, { connection }] of this.#nodes) {
      if (slots.masters.has(name)) continue;
      this.#nodes.delete(name);
      this.#reconnectsOfLeft += connection.reconnects;
      this.#leaving.add(connection);
      void connection.close().finally(() => this.#leaving.delete(connection));
    }
    if (before === undefined) this.#tell(true);
    else if (changed) this.#tell(false);
  }

  #anyMaster(): string | undefined {
    const names = shuffle([...(this.#slots?.masters ?? [])]);
    return names.find((name) => this.#nodes.get(name)?.connection.state === 'ready') ?? names[0];
  }

  #tell(first: boolean): void {
    if (this.#closed) return;
    for (const listener of this.#listeners) listener(first);
  }

  #outage(): BackendError {
    const [node] = this.#nodes.values();
    return node?.connection.outage() ?? unavailable('no node answers');
  }

  /** Reads the map after a time, unless that is due before. */
  #plan(ms: number): void {
    if (this.#closed) return;
    const { clock } = this.#options;
    const delayMs = ms * (0.5 + Math.random() / 2);
    const dueMs = clock.now() + delayMs;
    if (this.#timer && this.#timer.dueMs <= dueMs) return;
    this.#timer?.timer.cancel();
    const timer = clock.after(delayMs, () => {
      this.#timer = undefined;
      this.refresh().catch(() => undefined);
    });
    this.#timer = { dueMs, timer };
  }
}

function differ(a: SlotMap, b: SlotMap): boolean {
  const sameNodes = a.nodes.size === b.nodes.size && [...a.nodes.keys()].every((name) => b.nodes.has(name));
  return !sameNodes || a.owners.some((owner, slot) => owner !== b.owners[slot]);
}

function shuffle<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
