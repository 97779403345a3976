/** From what was measured to the constants of the model, and to what the model is tried on. */
import { figureOf, type Results } from './figures.ts';
import { KNOTS, loadOf, nameOf, TRIALS, type Way } from './loads.ts';
import { CHANNELS, KEPT } from './memory.ts';
import {
  at,
  BASE,
  busBytes,
  type Constants,
  type Curve,
  KEY,
  memoryOf,
  needsOf,
  type Point,
  type Process,
  readsOf,
} from './model.ts';

/** Bytes by which the large payload of a load is larger. */
const MORE = 10_000 - BASE;
/** Stores of the run of one store a write that kept the server busiest. */
const FULL = 'full/guarded/300x1';

/** The constants of the model. */
export function constantsOf(results: Results): Constants {
  const of = (name: string): number => figureOf(results, name);
  const flow = (way: Way, key: string): number => of(`${nameOf(way)}/${key}`);
  const { paced, stored, storedLarge, seldom, often } = KNOTS;
  const store = of('full/guarded/300x16/server');
  const wait = of('burst/300/waitServer');
  // Four commands of a result, each of one connection.
  const window = (4 / flow(paced, 'reads') - 1) / paced.perSecond;
  const wake = curve([
    ...[seldom, paced, often].map((way) => {
      const reads = flow(way, 'reads');
      return { rate: way.perSecond * reads, cost: (flow(way, 'server') - store - wait) / reads };
    }),
    { rate: of(`${FULL}/perSecond`), cost: of(`${FULL}/server`) - store },
  ]);
  const storedByte = (flow(storedLarge, 'server') - flow(stored, 'server')) / MORE;
  const fullByte = (of('full/guarded/10000x1/server') - of(`${FULL}/server`)) / MORE;
  const [storeIn, storeOut] = [flow(stored, 'netIn') - BASE, flow(stored, 'netOut')];
  return {
    store,
    wait,
    wake,
    window,
    storeByte: curve([
      { rate: stored.perSecond, cost: storedByte },
      { rate: of('full/guarded/10000x1/perSecond'), cost: fullByte },
    ]),
    waitByte: Math.max(0, (of('burst/10000/waitServer') - wait) / MORE),
    ...busOf(results, store, wake, storedByte),
    storer: processOf(results, 'store', window),
    waiter: processOf(results, 'wait', window),
    net: {
      storeIn,
      storeOut,
      waitIn: flow(paced, 'netIn') - BASE - storeIn,
      waitOut: flow(paced, 'netOut') - BASE - storeOut,
    },
    channel: of(`channels/${CHANNELS[0]}/bytes`),
    expiry: of('expiry/server'),
  };
}

/** In ascending order; nothing is free, whatever noise says. */
function curve(points: readonly Point[]): Curve {
  const [first, ...others] = points
    .map(({ rate, cost }) => ({ rate, cost: Math.max(1e-4, cost) }))
    .toSorted((a, b) => a.rate - b.rate);
  if (!first) throw new RangeError('a curve needs a point');
  return [first, ...others];
}

/** What three masters took beyond the store itself, by the two further nodes. */
function busOf(
  results: Results,
  store: number,
  wake: Curve,
  storedByte: number,
): Pick<Constants, 'bus' | 'busByte' | 'busHeader'> {
  const of = (name: string): number => figureOf(results, name);
  const point = (perSecond: number, name: string): Point => {
    const reads = of(`${name}/reads`);
    const rate = (perSecond * (reads + 2)) / 3;
    return { rate, cost: (of(`${name}/server`) - store - reads * at(wake, rate)) / 2 };
  };
  const { three, threeOften, threeLarge } = KNOTS;
  const byte = (of(`${nameOf(threeLarge)}/server`) - of(`${nameOf(three)}/server`)) / MORE;
  return {
    bus: curve([
      point(three.perSecond, nameOf(three)),
      point(threeOften.perSecond, nameOf(threeOften)),
      point(of('bulk/3/perSecond'), 'bulk/3'),
    ]),
    busByte: Math.max(0, (byte - storedByte) / 2),
    busHeader: of('bus/3/300/bytes') / 2 - BASE - KEY,
  };
}

/** By one process of each kind. */
function processOf(results: Results, kind: 'store' | 'wait', window: number): Process {
  const full = (bytes: number): number => figureOf(results, `burst/${bytes}/${kind}Client`);
  const each = full(BASE);
  return {
    each,
    byte: (full(10_000) - each) / MORE,
    turn: curve(
      [KNOTS.seldom, KNOTS.paced, KNOTS.often].map((way) => {
        const reads = readsOf({ window }, loadOf(way))[kind];
        const cost = figureOf(results, `${nameOf(way)}/${kind}Client`);
        return { rate: way.perSecond * reads, cost: (cost - each) / reads };
      }),
    ),
  };
}

/** A figure that no constant was taken from, and what the model says. */
export interface Check {
  readonly what: string;
  readonly unit:
    'µs of servers' | 'µs of a store' | 'µs of a wait' | 'bytes in' | 'bytes out' | 'bytes on the bus' | 'bytes kept';
  readonly predicted: number;
  readonly measured: number;
}

/** What the model is tried on. */
export function checksOf(results: Results): readonly Check[] {
  const constants = constantsOf(results);
  const of = (name: string): number => figureOf(results, name);
  const bus = [
    [3, 10_000],
    [6, 300],
    [6, 10_000],
  ] as const;
  return [
    ...TRIALS.flatMap((way) => trialOf(results, constants, way)),
    ...bus.map(([masters, bytes]): Check => ({
      what: `${masters} masters, ${bytes} B`,
      unit: 'bytes on the bus',
      predicted: (masters - 1) * busBytes(constants, bytes),
      measured: of(`bus/${masters}/${bytes}/bytes`),
    })),
    ...KEPT.map(([bytes, count]): Check => ({
      what: `${count} results of ${bytes} B`,
      unit: 'bytes kept',
      predicted: memoryOf(bytes, { cluster: false, slots: 2 ** Math.ceil(Math.log2(count)) / count }),
      measured: of(`kept/${bytes}x${count}/bytes`),
    })),
    {
      what: `${CHANNELS[1]} channels`,
      unit: 'bytes kept',
      predicted: constants.channel,
      measured: of(`channels/${CHANNELS[1]}/bytes`),
    },
  ];
}

function trialOf(results: Results, constants: Constants, way: Way): Check[] {
  const { perSecond, storers, waiters, waited = 1, masters, bytes } = way;
  const needs = needsOf(constants, loadOf(way));
  const who = `${storers} store, ${waiters === 0 ? 'nobody waits' : `${waiters} wait`}${waited < 1 ? ` for ${waited * 100} %` : ''}`;
  const what = `${masters === null ? '' : `${masters} masters, `}${perSecond}/s of ${bytes} B, ${who}`;
  const check = (unit: Check['unit'], predicted: number, key: string): Check => ({
    what,
    unit,
    predicted,
    measured: figureOf(results, `${nameOf(way)}/${key}`),
  });
  return [
    // No result came to its end while it was measured.
    check('µs of servers', needs.server - constants.expiry, 'server'),
    check('µs of a store', needs.storeClient, 'storeClient'),
    ...(waiters === 0 ? [] : [check('µs of a wait', needs.waitClient, 'waitClient')]),
    check('bytes in', needs.netIn / perSecond, 'netIn'),
    // The answer to a store is some 6 bytes, fewer than what counting adds.
    ...(waiters === 0 ? [] : [check('bytes out', needs.netOut / perSecond, 'netOut')]),
  ];
}
