/** The model of docs/scaling.md: by constants made by hand, and against what was measured. */
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { checksOf, constantsOf } from '../../bench/scaling/constants.ts';
import { figureOf, type Results } from '../../bench/scaling/figures.ts';
import {
  allocated,
  at,
  capacityOf,
  type Constants,
  type Curve,
  mastersFor,
  memoryOf,
  needsOf,
  planOf,
  readsOf,
  serverOf,
  waitsOfProcess,
} from '../../bench/scaling/model.ts';

const results = JSON.parse(readFileSync('bench/results/scaling.json', 'utf8')) as Results;
const measured = constantsOf(results);

const flat = (cost: number): Curve => [{ rate: 1, cost }];

/** Every read costs the same, whatever the rate. */
const constants: Constants = {
  store: 4,
  wait: 3,
  expiry: 1,
  wake: flat(10),
  window: 0.001,
  storeByte: flat(0.002),
  waitByte: 0.001,
  bus: flat(12),
  busByte: 0.0005,
  busHeader: 2264,
  storer: { each: 5, byte: 0.004, turn: flat(50) },
  waiter: { each: 40, byte: 0.01, turn: flat(60) },
  net: { storeIn: 130, storeOut: 6, waitIn: 230, waitOut: 260 },
  channel: 250,
};

describe('a cost at a rate', () => {
  const curve: Curve = [
    { rate: 100, cost: 80 },
    { rate: 10_000, cost: 20 },
    { rate: 40_000, cost: 5 },
  ];

  it('is on the line through the logarithms between two points, and stays what it is beyond the ends', () => {
    expect(at(curve, 1000)).toBeCloseTo(40, 10);
    expect(at(curve, 20_000)).toBeCloseTo(10, 10);
    expect([1, 100, 10_000, 40_000, 1e6].map((rate) => at(curve, rate))).toEqual([80, 80, 20, 5, 5]);
  });
});

describe('reads from sockets', () => {
  it('are one for a store and three for a wait, and fewer the more come over one connection', () => {
    expect(readsOf(constants, { perSecond: 0, payload: 300 })).toEqual({ store: 1, wait: 3 });
    expect(readsOf(constants, { perSecond: 1000, payload: 300 })).toEqual({ store: 0.5, wait: 1.5 });
    const spread = { perSecond: 1000, payload: 300, storers: 10, waiters: 4, waited: 0.4 };
    expect(readsOf(constants, spread).store).toBeCloseTo(1 / 1.1);
    expect(readsOf(constants, spread).wait).toBeCloseTo(3 / 1.1);
  });

  it('are shared less on a cluster, whose keys are on many connections', () => {
    const { store, wait } = readsOf(constants, { perSecond: 3000, payload: 300, masters: 3 });
    expect([store, wait]).toEqual([0.5, 2 / 4 + 0.5]);
  });
});

describe('what a load takes', () => {
  it('is commands and reads of the store and of the wait, and the end of a result', () => {
    const load = { perSecond: 1000, payload: 300 };
    // 4 + 1 + 3 + (0.5 + 1.5) x 10; 5 + 0.5 x 50; 40 + 1.5 x 60
    const { server, storeClient, waitClient, cores, storeCores, waitCores } = needsOf(constants, load);
    expect([server, storeClient, waitClient]).toEqual([28, 30, 130]);
    expect([cores, storeCores, waitCores]).toEqual([0.028, 0.03, 0.13]);
  });

  it('counts the part of the results that is awaited', () => {
    const { server, waitCores, waits } = needsOf(constants, { perSecond: 1000, payload: 300, waited: 0 });
    expect([server, waitCores, waits]).toEqual([10, 0, 0]);
  });

  it('adds each byte beyond 300, to store and to send to who waits', () => {
    const load = { perSecond: 1000, payload: 1300 };
    const { server, storeClient, waitClient } = needsOf(constants, load);
    expect([server, storeClient, waitClient]).toEqual([28 + 2 + 1, 34, 140]);
  });

  it('adds a message to each further node of a cluster', () => {
    const load = { perSecond: 0.001, payload: 1300 };
    const [one, three, six] = [null, 3, 6].map((masters) => serverOf(constants, { ...load, masters }));
    expect((three ?? 0) - (one ?? 0)).toBeCloseTo(2 * 12.5);
    expect((six ?? 0) - (one ?? 0)).toBeCloseTo(5 * 12.5);
    expect(needsOf(constants, { perSecond: 10, payload: 300, masters: 3 }).bus).toBe(10 * 2 * (300 + 53 + 2264));
  });

  it('keeps results for as long as they live, and channels for as long as they are awaited', () => {
    const needs = needsOf(constants, { perSecond: 10, payload: 300, expires: 100, pending: 3 });
    expect([needs.results, needs.waits]).toEqual([1000, 30]);
    expect(needs.memory).toBe(1000 * memoryOf(300, { cluster: false }) + 30 * 250);
  });

  it('counts the bytes to and from the servers', () => {
    const { netIn, netOut } = needsOf(constants, { perSecond: 2, payload: 300, waited: 0.5 });
    expect([netIn, netOut]).toEqual([2 * (300 + 130 + 115), 2 * (6 + 280)]);
  });
});

describe('how much is carried', () => {
  /** Nothing shares a read: the end of a result, its commands and its four reads are 48 microseconds. */
  const alone: Constants = { ...constants, window: 0 };

  it('is so much that the core of each server is as busy as it may be', () => {
    expect(capacityOf(alone, { payload: 300, perStorer: 10 }, 0.48)).toBeCloseTo(10_000, 3);
    // 48 + 2 x 12 of three cores
    expect(capacityOf(alone, { payload: 300, perStorer: 10, masters: 3 }, 0.48)).toBeCloseTo(20_000, 3);
  });

  it('by a process is so much that its own core is', () => {
    expect(waitsOfProcess(alone, 300, 0.44)).toBeCloseTo(2000, 3);
  });

  it('takes at least three masters, more where they are too busy, and no number where the bus alone fills a core', () => {
    const masters = (rate: number): number | null => mastersFor(alone, { payload: 300, perStorer: 10 }, rate, 0.5);
    expect([1, 20_833, 20_834].map(masters)).toEqual([3, 3, 4]);
    // 36 / N + 12 microseconds of each of N cores, of which half may be used
    expect([38_000, 42_000].map(masters)).toEqual([32, null]);
  });

  it('of a day is the CPU of its greatest hour and the memory of day or hour', () => {
    const day = { results: 86_400_000, peak: 12, payload: 300, perStorer: 10, utilisation: 0.45 };
    const plan = planOf(alone, day);
    expect([plan.average, plan.peak, plan.waiters, plan.servers, plan.masters]).toEqual([1000, 12_000, 6, 2, 3]);
    expect(plan.hour.results).toBe(12_000 * 3600);
    expect(plan.dayMemory).toBe(86_400_000 * memoryOf(300, { cluster: false }) + 10_000 * 250);
    expect(plan.cluster?.cores).toBeCloseTo(12_000 * 72e-6);
  });
});

describe('the memory of a result', () => {
  it('is made of sizes that the allocator has', () => {
    expect([1, 8, 9, 24, 57, 128, 129, 160, 161, 306, 1006, 10_006].map(allocated)).toEqual([
      8, 8, 16, 32, 64, 128, 160, 160, 192, 320, 1024, 10_240,
    ]);
  });

  it('is two entries, the key, the object, the value, and slots; on a cluster one entry is larger', () => {
    const [one, cluster] = [false, true].map((each) => memoryOf(300, { cluster: each, slots: 1 }));
    expect([one, cluster]).toEqual([32 + 32 + 64 + 16 + 320 + 16, 48 + 32 + 64 + 16 + 320 + 16]);
  });
});

describe('the model by what was measured', () => {
  const rates = [1, 10, 100, 300, 1000, 3000, 10_000, 30_000, 100_000];

  it('takes more of every core the more results there are, and less for each of them', () => {
    for (const masters of [null, 3, 6]) {
      const needs = rates.map((perSecond) => needsOf(measured, { perSecond, payload: 1000, masters }));
      for (const name of ['cores', 'storeCores', 'waitCores', 'memory', 'netIn', 'netOut'] as const) {
        const values = needs.map((each) => each[name]);
        expect([masters, name, values]).toEqual([masters, name, values.toSorted((a, b) => a - b)]);
      }
      const each = needs.map(({ server }) => server);
      expect(each).toEqual(each.toSorted((a, b) => b - a));
    }
  });

  it('takes more the larger the payload, the more masters, and the more processes share the load', () => {
    const load = { perSecond: 1000, payload: 1000 };
    const rising = [
      [300, 1000, 10_000, 1e6].map((payload) => serverOf(measured, { ...load, payload })),
      [1, 3, 6, 12].map((masters) => serverOf(measured, { ...load, masters })),
      [1, 2, 8].map((waiters) => serverOf(measured, { ...load, waiters })),
    ];
    for (const values of rising) expect(values).toEqual(values.toSorted((a, b) => a - b));
  });

  it('refuses a figure that was not measured', () => {
    expect(() => figureOf(results, 'nothing')).toThrow('no figure nothing');
  });
});

describe('the model and what no constant was taken from', () => {
  const LIMITS = { bytes: 0.1, server: 0.25, process: 0.35 };

  it.each(checksOf(results).map((check) => [`${check.what}, ${check.unit}`, check] as const))(
    'agree as far as the guide says: %s',
    (_, { unit, predicted, measured: value }) => {
      const kind = unit.startsWith('bytes') ? 'bytes' : unit === 'µs of servers' ? 'server' : 'process';
      expect(Math.abs(predicted / value - 1)).toBeLessThan(LIMITS[kind]);
    },
  );
});
