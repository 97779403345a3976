/** From the file of what was measured to the constants of the model, and to what the model is tried on. */
import type { Constants } from './model.ts';
import { memoryOf, needsOf, storeCost } from './model.ts';
import type { StoreFigure } from './pieces/stores.ts';
import type { WaitFigure } from './pieces/waits.ts';
import type { Results } from './results.ts';

/** A key of the model: `celery-task-meta-` and a UUID. */
const KEY = 53;
/** Payloads whose stores the constants are taken from. The others are checks. */
const LEARNT = [300, 10_000, 1_000_000];

/** The constants of the model. */
export function constantsOf(results: Results): Constants {
  const { stores, waits, memory, bus: lines } = figuresOf(results);
  const one = storeOf(results, 300, 1);
  const wait = waitOf(results, 300);
  const base = clusterOf(results, 1, 300).server;
  const bus = [300, 10_000].map((bytes) => ({
    bytes,
    server: (clusterOf(results, 3, bytes).server - clusterOf(results, 1, bytes).server) / 2,
  }));
  const three = found(lines.bus, ({ masters, bytes }) => masters === 3 && bytes === 300);
  return {
    store: stores.stores.filter(({ bytes, together }) => together === 1 && LEARNT.includes(bytes)),
    script: (one.server - storeOf(results, 300, 64).server) / (1 - 1 / 64),
    wait: wait.registerServer + wait.wakeServer,
    expiry: memory.expiry,
    clusterStore: base,
    bus,
    busHeader: three.busBytes / 2 - 300 - KEY,
    storeClient: found(waits.waits, ({ bytes, perSecond }) => bytes === 300 && perSecond !== null).storeClient,
    waitClient: wait.registerClient + wait.wakeClient,
    net: {
      storeIn: one.netIn - 300,
      storeOut: one.netOut,
      waitIn: wait.netIn - one.netIn,
      waitOut: wait.netOut - one.netOut - 300,
    },
    channel: found(memory.channels, ({ channels }) => channels === 10_000).bytes,
    waiter: found(waits.waits, ({ bytes, perSecond }) => bytes === 300 && perSecond === null).heap,
    connection: memory.connection,
  };
}

/** A figure that no constant was taken from, and what the model says. */
export interface Check {
  readonly what: string;
  readonly unit: string;
  readonly predicted: number;
  readonly measured: number;
}

/** What the model is tried on. */
export function checksOf(results: Results): readonly Check[] {
  const constants = constantsOf(results);
  return [
    ...storeChecks(results, constants),
    ...mixedChecks(results, constants),
    ...clusterChecks(results, constants),
    ...memoryChecks(results, constants),
  ];
}

function storeChecks(results: Results, constants: Constants): Check[] {
  const tried = [
    [300, 8],
    [2000, 1],
    [10_000, 6],
    [100_000, 1],
  ] as const;
  return tried.map(([payload, together]) => ({
    what: `store of ${payload} B, ${together} a script`,
    unit: 'µs, server',
    predicted: storeCost(constants, { perSecond: 1, payload, together }),
    measured: storeOf(results, payload, together).server,
  }));
}

function mixedChecks(results: Results, constants: Constants): Check[] {
  return figuresOf(results).mixed.mixed.flatMap((way) => {
    const { bytes: payload, perSecond, waited } = way;
    const what = `${perSecond}/s of ${payload} B, ${way.storers} store, ${way.waiters} wait for ${waited * 100} %`;
    // None of these results comes to its end while it is measured.
    const needs = needsOf(constants, { perSecond: 1, payload, waited, expires: null });
    return [
      { what, unit: 'µs, server', predicted: needs.perResult, measured: way.server },
      { what, unit: 'bytes to the server', predicted: needs.netIn, measured: way.netIn },
      { what, unit: 'bytes from the server', predicted: needs.netOut, measured: way.netOut },
    ];
  });
}

function clusterChecks(results: Results, constants: Constants): Check[] {
  const { cluster, bus } = figuresOf(results);
  const stores = [300, 10_000].map((payload) => ({
    what: `6 masters, store of ${payload} B`,
    unit: 'µs, all nodes',
    predicted: storeCost(constants, { perSecond: 1, payload, masters: 6 }),
    measured: clusterOf(results, 6, payload).server,
  }));
  const bytes = bus.bus
    .filter(({ masters, bytes: payload }) => masters === 6 || payload !== 300)
    .map(({ masters, bytes: payload, busBytes }) => ({
      what: `${masters} masters, store of ${payload} B`,
      unit: 'bytes on the bus',
      predicted: needsOf(constants, { perSecond: 1, payload, masters }).bus,
      measured: busBytes,
    }));
  const waited = needsOf(constants, { perSecond: 1, payload: 300, masters: 3, expires: null });
  return [
    ...stores,
    {
      what: '3 masters, 1,000/s of 300 B, all awaited',
      unit: 'µs, all nodes',
      predicted: waited.perResult,
      measured: cluster.waited,
    },
    ...bytes,
  ];
}

function memoryChecks(results: Results, constants: Constants): Check[] {
  const { memory } = figuresOf(results);
  const kept = memory.results.map(({ payload, count, expires, bytes }) => ({
    what: `${count.toLocaleString('en-US')} results of ${payload} B${expires ? '' : ' that do not expire'}`,
    unit: 'bytes a result',
    predicted: memoryOf(payload, { expires, cluster: false, slots: 2 ** Math.ceil(Math.log2(count)) / count }),
    measured: bytes,
  }));
  const many = found(memory.channels, ({ channels }) => channels === 100_000);
  return [
    ...kept,
    { what: '100,000 channels', unit: 'bytes a channel', predicted: constants.channel, measured: many.bytes },
  ];
}

function figuresOf(results: Results): { readonly [Name in keyof Results]: Results[Name]['figures'] } {
  const { stores, waits, memory, cluster, bus, mixed } = results;
  return {
    stores: stores.figures,
    waits: waits.figures,
    memory: memory.figures,
    cluster: cluster.figures,
    bus: bus.figures,
    mixed: mixed.figures,
  };
}

function storeOf({ stores }: Results, payload: number, size: number): StoreFigure {
  return found(stores.figures.stores, ({ bytes, together }) => bytes === payload && together === size);
}

/** At a pace. */
function waitOf({ waits }: Results, payload: number): WaitFigure {
  return found(waits.figures.waits, ({ bytes, perSecond }) => bytes === payload && perSecond !== null);
}

function clusterOf(
  { cluster }: Results,
  size: number,
  payload: number,
): Results['cluster']['figures']['stores'][number] {
  return found(
    cluster.figures.stores,
    ({ masters, bytes, together }) => masters === size && bytes === payload && together === 1,
  );
}

function found<Item>(items: readonly Item[], holds: (item: Item) => boolean): Item {
  const item = items.find(holds);
  if (item === undefined) throw new Error('a figure is missing: npm run bench:scaling');
  return item;
}
