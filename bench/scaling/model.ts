/** What a load takes, by constants that were measured. Pure: no clock, no file. CPU in microseconds, sizes in bytes. */

/** A cost at a rate: what is done seldom finds caches cold and is done by itself, what is done often shares turns. */
export interface Point {
  /** A second. */
  readonly rate: number;
  readonly cost: number;
}

/** Points in ascending order of their rates. */
export type Curve = readonly [Point, ...Point[]];

/** What a process takes. */
export interface Process {
  /** For each of its results when it is never idle, at 300 bytes; and for a payload's byte beyond. */
  readonly each: number;
  readonly byte: number;
  /** For each turn that answers a socket, by how often there is one. */
  readonly turn: Curve;
}

/** What was measured; constants.ts takes it from the figures. */
export interface Constants {
  /** The commands of a store, and of a wait: SUBSCRIBE, GET, the message, UNSUBSCRIBE. */
  readonly store: number;
  readonly wait: number;
  /** Each time a server reads from a socket, with its answer, by how often it does. */
  readonly wake: Curve;
  /** Commands of one connection that are this close, in seconds, are read at once. */
  readonly window: number;
  /** Of a payload's byte beyond 300: stored, by results a second; sent to who waits. */
  readonly storeByte: Curve;
  readonly waitByte: number;
  /** A message to one further node, both ends, by how often a node is woken; and of its payload's byte. */
  readonly bus: Curve;
  readonly busByte: number;
  /** Of that message, besides payload and channel. */
  readonly busHeader: number;
  /** Of a process that stores, and of one that waits. */
  readonly storer: Process;
  readonly waiter: Process;
  /** Besides the payload: to and from the servers, of a store and of a wait. */
  readonly net: {
    readonly storeIn: number;
    readonly storeOut: number;
    readonly waitIn: number;
    readonly waitOut: number;
  };
  /** Of a server for a channel with one subscriber. */
  readonly channel: number;
  /** CPU of a server to drop a result whose time is over. */
  readonly expiry: number;
}

/** What is asked. */
export interface Load {
  readonly perSecond: number;
  readonly payload: number;
  /** Processes that store, and that wait. @default 1 */
  readonly storers?: number;
  readonly waiters?: number;
  /** Which part of the results is awaited, 0 to 1. @default 1 */
  readonly waited?: number;
  /** Seconds that a result is kept. @default 86,400 */
  readonly expires?: number;
  /** Seconds from the wait to the result. @default 10 */
  readonly pending?: number;
  /** Of a cluster; `null` for one server. @default null */
  readonly masters?: number | null;
}

/** What it takes. */
export interface Needs {
  /** CPU of all servers for a result. */
  readonly server: number;
  /** CPU of the processes for a store and for a wait. */
  readonly storeClient: number;
  readonly waitClient: number;
  /** Cores that all servers, storing and waiting processes keep busy. */
  readonly cores: number;
  readonly storeCores: number;
  readonly waitCores: number;
  /** Of all servers: what is kept, and what is awaited. */
  readonly memory: number;
  readonly results: number;
  readonly waits: number;
  /** Bytes a second to and from the servers, and between them. */
  readonly netIn: number;
  readonly netOut: number;
  readonly bus: number;
}

/** `celery-task-meta-` and a UUID. */
export const KEY = 53;
/** The payload whose costs are in the constants. */
export const BASE = 300;
const MICROS = 1e6;

/** Between two points on the line through their logarithms; before the first and beyond the last as there. */
export function at(curve: Curve, rate: number): number {
  const next = curve.findIndex((point) => point.rate >= rate);
  const [first] = curve;
  const last = curve.at(-1) ?? first;
  if (next === -1) return last.cost;
  const [a, b] = [curve[next - 1], curve[next]];
  if (!a || !b) return first.cost;
  const way = Math.log(rate / a.rate) / Math.log(b.rate / a.rate);
  return a.cost * (b.cost / a.cost) ** way;
}

/** Times that a server reads from a socket, and a process gets an answer from it: for one store, and for one wait. */
export function readsOf(
  { window }: Pick<Constants, 'window'>,
  load: Load,
): { readonly store: number; readonly wait: number } {
  const { perSecond, storers = 1, waiters = 1, waited = 1, masters } = load;
  const nodes = masters ?? 1;
  // Of one connection, so many of them a second: the more there are, the more share a read.
  const alone = (rate: number): number => 1 / (1 + rate * window);
  const waits = (perSecond * waited) / waiters;
  // SUBSCRIBE and UNSUBSCRIBE go to one node, keys to theirs.
  return { store: alone(perSecond / storers / nodes), wait: 2 * alone(waits) + alone(waits / nodes) };
}

/** CPU of a process for one result of `perSecond`, each with so many reads. */
function clientOf({ each, byte, turn }: Process, perSecond: number, reads: number, payload: number): number {
  return each + reads * at(turn, perSecond * reads) + Math.max(0, payload - BASE) * byte;
}

/** CPU of all servers for one result. */
export function serverOf(constants: Constants, load: Load): number {
  const { perSecond, payload, waited = 1, masters } = load;
  const nodes = masters ?? 1;
  const own = readsOf(constants, load);
  const reads = own.store + waited * own.wait;
  // A message over the bus wakes a node as well.
  const wakes = (perSecond * (reads + nodes - 1)) / nodes;
  const more = Math.max(0, payload - BASE);
  const bytes = more * (at(constants.storeByte, perSecond / nodes) + waited * constants.waitByte);
  const bus = (nodes - 1) * (at(constants.bus, wakes) + more * constants.busByte);
  return constants.store + constants.expiry + waited * constants.wait + reads * at(constants.wake, wakes) + bytes + bus;
}

/** What a load takes. */
export function needsOf(constants: Constants, load: Load): Needs {
  const { perSecond, payload, storers = 1, waiters = 1, waited = 1 } = load;
  const { expires = 86_400, pending = 10, masters = null } = load;
  const { net } = constants;
  const server = serverOf(constants, load);
  const reads = readsOf(constants, load);
  const storeClient = clientOf(constants.storer, perSecond / storers, reads.store, payload);
  const waitClient = clientOf(constants.waiter, (perSecond * waited) / waiters, reads.wait, payload);
  const results = perSecond * expires;
  const waits = perSecond * waited * pending;
  return {
    server,
    storeClient,
    waitClient,
    cores: (perSecond * server) / MICROS,
    storeCores: (perSecond * storeClient) / MICROS,
    waitCores: (perSecond * waited * waitClient) / MICROS,
    memory: results * memoryOf(payload, { cluster: masters !== null }) + waits * constants.channel,
    results,
    waits,
    netIn: perSecond * (payload + net.storeIn + waited * net.waitIn),
    netOut: perSecond * (net.storeOut + waited * (payload + net.waitOut)),
    bus: perSecond * ((masters ?? 1) - 1) * busBytes(constants, payload),
  };
}

/** Bytes of one message between two nodes. */
export function busBytes({ busHeader }: Pick<Constants, 'busHeader'>, payload: number): number {
  return payload + KEY + busHeader;
}

/** A load without its rate; `perStorer`: results a second of one storing process, whose number follows from the rate. */
export interface Kind extends Omit<Load, 'perSecond' | 'storers'> {
  readonly perStorer: number;
}

function loadOf({ perStorer, ...kind }: Kind, perSecond: number): Load {
  return { ...kind, perSecond, storers: Math.max(1, perSecond / perStorer) };
}

/** The results a second at which the core of each server is busy for so much of the time. */
export function capacityOf(constants: Constants, kind: Kind, utilisation: number): number {
  const nodes = kind.masters ?? 1;
  return greatest((perSecond) => needsOf(constants, loadOf(kind, perSecond)).cores / nodes <= utilisation);
}

/** The waits a second at which one process is busy for so much of the time. */
export function waitsOfProcess(constants: Constants, payload: number, utilisation: number): number {
  return greatest((perSecond) => needsOf(constants, { perSecond, payload }).waitCores <= utilisation);
}

/** The greatest rate that fits, when all below it do. */
function greatest(fits: (rate: number) => boolean): number {
  let [low, high] = [0, 1e9];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** The most masters that are thought of. */
const MAX_MASTERS = 100;

/** How many masters of one cluster carry a load; `null` when as many as 100 do not. */
export function mastersFor(constants: Constants, kind: Kind, perSecond: number, utilisation: number): number | null {
  for (let masters = 3; masters <= MAX_MASTERS; masters += 1) {
    const { cores } = needsOf(constants, loadOf({ ...kind, masters }, perSecond));
    if (cores / masters <= utilisation) return masters;
  }
  return null;
}

/** A day's load, and how it is to be carried. */
export interface Day extends Omit<Kind, 'expires' | 'masters' | 'waiters'> {
  readonly results: number;
  /** The rate of the greatest hour by that of the day. */
  readonly peak: number;
  /** How busy the core of a server, or of a process, may be in that hour. */
  readonly utilisation: number;
}

/** What a day needs. */
export interface Plan {
  /** Results a second, of the day and of its greatest hour. */
  readonly average: number;
  readonly peak: number;
  /** One server in the greatest hour, with results that are kept for an hour. */
  readonly hour: Needs;
  /** The memory of results that are kept for a day. */
  readonly dayMemory: number;
  /** Servers that know nothing of each other, each with a part of the tasks. */
  readonly servers: number;
  /** Masters of one cluster instead, `null` when no number will do, and what they take. */
  readonly masters: number | null;
  readonly cluster: Needs | null;
  readonly waiters: number;
}

/** What a day needs: the CPU of its greatest hour, the memory of the day or of that hour. */
export function planOf(constants: Constants, day: Day): Plan {
  const { results, peak, utilisation, ...rest } = day;
  const average = results / 86_400;
  const perSecond = average * peak;
  const process = waitsOfProcess(constants, day.payload, utilisation);
  const waiters = Math.max(1, Math.ceil((perSecond * (day.waited ?? 1)) / process));
  const kind = { ...rest, waiters, expires: 3600 };
  const load = loadOf(kind, perSecond);
  const masters = mastersFor(constants, kind, perSecond, utilisation);
  return {
    average,
    peak: perSecond,
    hour: needsOf(constants, load),
    dayMemory: needsOf(constants, { ...load, perSecond: average, expires: 86_400 }).memory,
    servers: Math.max(1, Math.ceil(perSecond / capacityOf(constants, kind, utilisation))),
    masters,
    cluster: masters === null ? null : needsOf(constants, { ...load, masters }),
    waiters,
  };
}

/**
 * Bytes of Redis 7.0 on jemalloc for a stored result with a time to live: entry, key, object and value, each rounded up to
 * a size that the allocator has, the entry once more for its time to live, and its slots in the two tables.
 *
 * @param options - `slots`: how many slots of a table there are for each entry, from 1 to 2 as it grows
 */
export function memoryOf(
  payload: number,
  { cluster, slots = 1.5 }: { readonly cluster: boolean; readonly slots?: number },
): number {
  const entries = allocated(cluster ? 40 : 24) + allocated(24);
  const value = payload <= 44 ? allocated(19 + payload) : allocated(16) + allocated(text(payload));
  return entries + allocated(text(KEY)) + value + slots * 16;
}

/** Bytes of a string with its header and its last zero. */
function text(length: number): number {
  const header = length < 32 ? 1 : length < 256 ? 3 : length < 65_536 ? 5 : 9;
  return length + header + 1;
}

/** The size that jemalloc gives for so many bytes: multiples of 16, above 128 four sizes to each doubling. */
export function allocated(bytes: number): number {
  if (bytes <= 8) return 8;
  if (bytes <= 128) return Math.ceil(bytes / 16) * 16;
  const step = 2 ** (Math.ceil(Math.log2(bytes)) - 3);
  return Math.ceil(bytes / step) * step;
}
