/** The model of docs/scaling.md: by hand-made constants, and against what was measured. */
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { checksOf } from '../../bench/scaling/constants.ts';
import {
  allocated,
  capacityOf,
  type Constants,
  mastersFor,
  memoryOf,
  needsOf,
  planOf,
  serversFor,
  storeCost,
} from '../../bench/scaling/model.ts';
import type { Results } from '../../bench/scaling/results.ts';

const results = JSON.parse(readFileSync('bench/results/scaling.json', 'utf8')) as Results;

const constants: Constants = {
  store: [
    { bytes: 300, server: 50 },
    { bytes: 10_300, server: 60 },
    { bytes: 1_010_300, server: 1060 },
  ],
  script: 32,
  wait: 40,
  expiry: 10,
  clusterStore: 60,
  bus: [
    { bytes: 300, server: 20 },
    { bytes: 10_300, server: 30 },
  ],
  busHeader: 2264,
  storeClient: 80,
  waitClient: 120,
  net: { storeIn: 200, storeOut: 5, waitIn: 240, waitOut: 160 },
  channel: 300,
  waiter: 1000,
  connection: 20_000,
};

describe('the model of what a load needs', () => {
  it('adds store, wait and end of a result', () => {
    const { perResult, cores, storeCores, waitCores } = needsOf(constants, { perSecond: 1000, payload: 300 });
    expect([perResult, cores, storeCores, waitCores]).toEqual([100, 0.1, 0.08, 0.12]);
  });

  it('counts the part of the results that is awaited, and no end where none expires', () => {
    const { perResult, waitCores } = needsOf(constants, { perSecond: 1000, payload: 300, waited: 0.25, expires: null });
    expect([perResult, waitCores]).toEqual([60, 0.03]);
  });

  it('goes on lines between the payloads that were measured, and on the last line beyond them', () => {
    const costs = [300, 5300, 10_300, 510_300, 2_010_300].map((payload) =>
      storeCost(constants, { perSecond: 1, payload }),
    );
    expect(costs).toEqual([50, 55, 60, 560, 2060]);
  });

  it('shares a script among the stores of one turn, as far as payloads fit', () => {
    const cost = (payload: number, together: number): number =>
      storeCost(constants, { perSecond: 1, payload, together });
    expect([cost(300, 1), cost(300, 2), cost(300, 64), cost(300, 1000)]).toEqual([50, 34, 18.5, 18.5]);
    // Six payloads of 10,300 bytes are in 64 KiB, and one larger than that goes alone.
    expect([cost(10_300, 64), cost(1_010_300, 64)]).toEqual([60 - 32 * (1 - 1 / 6), 1060]);
  });

  it('adds a message to every other node of a cluster, where no stores share a script', () => {
    const cost = (payload: number, masters: number): number =>
      storeCost(constants, { perSecond: 1, payload, masters, together: 64 });
    expect([cost(300, 1), cost(300, 3), cost(300, 6), cost(10_300, 3)]).toEqual([60, 100, 160, 130]);
    const { bus } = needsOf(constants, { perSecond: 10, payload: 300, masters: 3 });
    expect(bus).toBe(10 * 2 * (300 + 53 + 2264));
  });

  it('keeps results for as long as they live, and channels for as long as they are awaited', () => {
    const needs = needsOf(constants, { perSecond: 10, payload: 300, expires: 100, pending: 3 });
    expect([needs.results, needs.waits]).toEqual([1000, 30]);
    expect(needs.memory).toBe(1000 * memoryOf(300, { expires: true, cluster: false }) + 30 * 300);
  });

  it('counts the bytes to and from the servers', () => {
    const { netIn, netOut } = needsOf(constants, { perSecond: 2, payload: 300, waited: 0.5 });
    expect([netIn, netOut]).toEqual([2 * (300 + 200 + 120), 2 * (5 + 230)]);
  });
});

describe('the model of a day', () => {
  it('needs as many servers as its peak', () => {
    const load = { perSecond: 12_000, payload: 300 };
    expect(capacityOf(constants, { payload: 300 }, 0.5)).toBe(5000);
    expect(serversFor(constants, load, 0.5)).toBe(3);
    expect(serversFor(constants, { ...load, perSecond: 1 }, 0.5)).toBe(1);
  });

  it('needs more masters than servers, and none will do where the bus alone fills a core', () => {
    // Each node has its part of 110 µs a result, and the whole of 20 µs for the messages but those of its own.
    expect(mastersFor(constants, { perSecond: 12_000, payload: 300 }, 0.5)).toBe(5);
    expect(capacityOf(constants, { payload: 300, masters: 5 }, 0.5)).toBeGreaterThanOrEqual(12_000);
    expect(capacityOf(constants, { payload: 300, masters: 4 }, 0.5)).toBeLessThan(12_000);
    expect(mastersFor(constants, { perSecond: 25_000, payload: 300 }, 0.5)).toBeNull();
    expect(mastersFor(constants, { perSecond: 1, payload: 300 }, 0.5)).toBe(3);
  });

  it('has the memory of the day and of its greatest hour', () => {
    const plan = planOf(constants, { results: 86_400_000, peak: 5, payload: 300, utilisation: 0.5 });
    expect(plan.average).toBe(1000);
    expect([plan.day.results, plan.hour.results]).toEqual([86_400_000, 18_000_000]);
    expect([plan.servers, plan.masters, plan.waitingProcesses]).toEqual([1, 3, 2]);
    expect(plan.cluster?.cores).toBeCloseTo(0.75);
  });
});

describe('the memory of a result', () => {
  it('is made of sizes that the allocator has', () => {
    expect([1, 8, 9, 24, 57, 128, 129, 160, 161, 306, 1006, 10_006].map(allocated)).toEqual([
      8, 8, 16, 32, 64, 128, 160, 160, 192, 320, 1024, 10_240,
    ]);
  });

  it('has an entry more when it expires, and one larger on a cluster', () => {
    const bytes = (expires: boolean, cluster: boolean): number => memoryOf(300, { expires, cluster, slots: 1 });
    // Entry 32, key 64, object 16, value 320, a slot of 8; then entry and slot once more.
    expect([bytes(false, false), bytes(true, false), bytes(true, true)]).toEqual([440, 480, 496]);
  });
});

describe('the model and what was measured', () => {
  it.each(checksOf(results).map((check) => [`${check.what}, ${check.unit}`, check] as const))(
    'agree, bytes within a tenth, CPU within two fifths: %s',
    (_, { unit, predicted, measured }) => {
      const error = Math.abs(predicted / measured - 1);
      expect(error).toBeLessThan(unit.startsWith('bytes') ? 0.1 : 0.4);
    },
  );
});
