/** What a load needs, by constants that were measured. Pure: no clock, no file. */

/** Microseconds of CPU of the server for a payload; stores that come alone. */
export interface StoreCost {
  readonly bytes: number;
  readonly server: number;
}

/** What was measured, as `constantsOf` takes it from the figures. CPU in microseconds, sizes in bytes. */
export interface Constants {
  /** By payload, in ascending order: a store that comes alone. */
  readonly store: readonly StoreCost[];
  /** The part of it that is of the script, and shared by stores of one script. */
  readonly script: number;
  /** An awaited result, besides its store: SUBSCRIBE, GET, the message, UNSUBSCRIBE. */
  readonly wait: number;
  /** A result whose time is over. */
  readonly expiry: number;
  /** A store to a cluster of one master. */
  readonly clusterStore: number;
  /** What a cluster takes more for each further master: by payload, in ascending order, of all nodes together. */
  readonly bus: readonly StoreCost[];
  /** Of a message on the bus, besides payload and channel. */
  readonly busHeader: number;
  /** Of the processes. */
  readonly storeClient: number;
  readonly waitClient: number;
  /** Besides the payload: to and from the server, of a store and of a wait. */
  readonly net: {
    readonly storeIn: number;
    readonly storeOut: number;
    readonly waitIn: number;
    readonly waitOut: number;
  };
  /** Of the server for a channel with one subscriber. */
  readonly channel: number;
  /** Of the process for a waiter. */
  readonly waiter: number;
  /** Of the server for a connection. */
  readonly connection: number;
}

/** What is asked of the servers. */
export interface Load {
  readonly perSecond: number;
  readonly payload: number;
  /** Which part of the results is awaited, 0 to 1. @default 1 */
  readonly waited?: number;
  /** Seconds that a result is kept; `null` for ever. @default 86,400 */
  readonly expires?: number | null;
  /** Stores that share a script: those that one process makes in one turn. @default 1 */
  readonly together?: number;
  /** Seconds from the wait to the result. @default 10 */
  readonly pending?: number;
  /** `null` for a plain server. @default null */
  readonly masters?: number | null;
}

/** What it takes. */
export interface Needs {
  /** Microseconds of CPU of all servers for a result, from its store to its end. */
  readonly perResult: number;
  /** Cores that all servers keep busy. */
  readonly cores: number;
  /** Of the processes that store and of those that wait. */
  readonly storeCores: number;
  readonly waitCores: number;
  /** Bytes of all servers for what is kept and awaited. */
  readonly memory: number;
  readonly results: number;
  readonly waits: number;
  /** Bytes a second to and from the servers, and between them. */
  readonly netIn: number;
  readonly netOut: number;
  readonly bus: number;
}

/** `celery-task-meta-` and a UUID. */
const KEY = 53;
/** The most payload bytes of one script. */
const SCRIPT_BYTES = 64 * 1024;
const MICROS = 1e6;

/** What a load needs. */
export function needsOf(constants: Constants, load: Load): Needs {
  const { perSecond, payload, waited = 1, expires = 86_400, pending = 10, masters = null } = load;
  const { net } = constants;
  const perResult = storeCost(constants, load) + waited * constants.wait + (expires === null ? 0 : constants.expiry);
  const results = perSecond * (expires ?? Infinity);
  const waits = perSecond * waited * pending;
  const channels = waits * constants.channel;
  return {
    perResult,
    cores: (perSecond * perResult) / MICROS,
    storeCores: (perSecond * constants.storeClient) / MICROS,
    waitCores: (perSecond * waited * constants.waitClient) / MICROS,
    memory: results * memoryOf(payload, { expires: expires !== null, cluster: masters !== null }) + channels,
    results,
    waits,
    netIn: perSecond * (payload + net.storeIn + waited * net.waitIn),
    netOut: perSecond * (net.storeOut + waited * (payload + net.waitOut)),
    bus: masters === null ? 0 : perSecond * (masters - 1) * (payload + KEY + constants.busHeader),
  };
}

/** Microseconds of CPU of all servers for one store. */
export function storeCost(constants: Constants, { payload, together = 1, masters = null }: Load): number {
  const alone = at(constants.store, payload);
  if (masters === null) {
    const sharing = Math.max(1, Math.min(together, 64, Math.floor(SCRIPT_BYTES / payload)));
    return alone - constants.script * (1 - 1 / sharing);
  }
  // A script cannot span slots, so that nothing is shared.
  const larger = alone - at(constants.store, constants.store[0]?.bytes ?? 0);
  return constants.clusterStore + larger + (masters - 1) * at(constants.bus, payload);
}

/**
 * The results a second of a deployment whose servers are busy so far.
 *
 * @param utilisation - of a core: a server runs commands on one
 */
export function capacityOf(constants: Constants, load: Omit<Load, 'perSecond'>, utilisation: number): number {
  const { perResult } = needsOf(constants, { ...load, perSecond: 1 });
  return ((load.masters ?? 1) * utilisation * MICROS) / perResult;
}

/** How many servers that know nothing of each other, each with a part of the tasks, take a load. */
export function serversFor(constants: Constants, load: Load, utilisation: number): number {
  return Math.max(1, Math.ceil(load.perSecond / capacityOf(constants, { ...load, masters: null }, utilisation)));
}

/** How many masters of one cluster take a load; `null` when no number does. */
export function mastersFor(constants: Constants, load: Load, utilisation: number): number | null {
  const each = (load.perSecond * at(constants.bus, load.payload)) / MICROS;
  if (each >= utilisation) return null;
  const single = needsOf(constants, { ...load, masters: 1 }).cores;
  return Math.max(3, Math.ceil((single - each) / (utilisation - each)));
}

/** A day's load, and how it is to be carried. */
export interface Day extends Omit<Load, 'perSecond' | 'expires' | 'masters'> {
  readonly results: number;
  /** The greatest rate by the average one. It is taken to last an hour. */
  readonly peak: number;
  /** How busy the core of a server, or of a process, may be at the peak. */
  readonly utilisation: number;
}

/** What a day needs. */
export interface Plan {
  readonly average: number;
  /** At the peak, with results that are kept for an hour. */
  readonly hour: Needs;
  /** On average, with results that are kept for a day. */
  readonly day: Needs;
  /** Servers that know nothing of each other. */
  readonly servers: number;
  /** Masters of one cluster; `null` when no number will do. */
  readonly masters: number | null;
  /** What they need at the peak, when there is a number that will do. */
  readonly cluster: Needs | null;
  readonly waitingProcesses: number;
}

/** What a day needs: the CPU of its peak, the memory of the day or of its greatest hour. */
export function planOf(constants: Constants, { results, peak, utilisation, ...load }: Day): Plan {
  const average = results / 86_400;
  const atPeak = { ...load, perSecond: average * peak, expires: 3600 };
  const hour = needsOf(constants, atPeak);
  const masters = mastersFor(constants, atPeak, utilisation);
  return {
    average,
    hour,
    day: needsOf(constants, { ...load, perSecond: average, expires: 86_400 }),
    servers: serversFor(constants, atPeak, utilisation),
    masters,
    cluster: masters === null ? null : needsOf(constants, { ...atPeak, masters }),
    waitingProcesses: Math.max(1, Math.ceil(hour.waitCores / utilisation)),
  };
}

/**
 * Bytes of Redis 7.0 on jemalloc for a stored result: entry, key, object and value, each rounded up to a size that the
 * allocator has, the same entry once more for its time to live, and its slots in the two tables.
 *
 * @param options - `slots`: how many slots of a table there are for each entry, from 1 to 2 as it grows
 */
export function memoryOf(
  payload: number,
  { expires, cluster, slots = 1.5 }: { readonly expires: boolean; readonly cluster: boolean; readonly slots?: number },
): number {
  const entry = allocated(cluster ? 40 : 24);
  const tables = slots * 8 * (expires ? 2 : 1);
  const value = payload <= 44 ? allocated(19 + payload) : allocated(16) + allocated(text(payload));
  return entry + (expires ? allocated(24) : 0) + allocated(text(KEY)) + value + tables;
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

/** Between two payloads that were measured, on the line through them; beyond, on the last line. */
function at(costs: readonly StoreCost[], bytes: number): number {
  const next = costs.findIndex((cost) => cost.bytes >= bytes);
  const upper = Math.max(1, next === -1 ? costs.length - 1 : next);
  const [a, b] = [costs[upper - 1], costs[upper]];
  if (!a || !b) throw new RangeError('expected the costs of at least two payloads');
  return a.server + ((bytes - a.bytes) / (b.bytes - a.bytes)) * (b.server - a.server);
}
