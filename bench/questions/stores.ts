/** How many results of a size can one process store and announce? */
import { callsOf, type Question } from '../harness.ts';
import { cpuSince, rate } from '../measure.ts';
import { newIds, sample } from '../sample.ts';

/** Stores at once, unless a question has its own. */
const WIDTH = 256;
/** Payloads under way at once have this size together at most. */
const BYTES_AT_ONCE = 16_000_000;

interface Stores {
  readonly label: string;
  readonly bytes: number;
  /** Of a round. */
  readonly calls: number;
  /** One at a time: nothing to batch. */
  readonly lone?: boolean;
}

/** Calls and sizes, by question. */
export const STORES: Readonly<Record<`stores-${'lone' | '300b' | '10kb' | '100kb' | '1mb'}`, Stores>> = {
  'stores-lone': { label: '300 B, one at a time', bytes: 300, calls: 4000, lone: true },
  'stores-300b': { label: '300 B', bytes: 300, calls: 10_000 },
  'stores-10kb': { label: '10 kB', bytes: 10_000, calls: 4000 },
  'stores-100kb': { label: '100 kB', bytes: 100_000, calls: 600 },
  'stores-1mb': { label: '1 MB', bytes: 1_000_000, calls: 80 },
};

function question(name: string, { label, bytes, calls, lone = false }: Stores): Question {
  return {
    name,
    idle: lone,
    figures: [
      { name: `stores, ${label}`, unit: '/s', better: 'higher' },
      { name: `CPU of a store, ${label}`, unit: 'µs', better: 'lower' },
    ],

    async round(bench) {
      const { peer, admin } = bench;
      const result = sample(undefined, bytes);
      const ids = newIds(callsOf(bench, calls));
      await peer.adopt?.(ids);
      const width = lone ? 1 : Math.max(1, Math.min(WIDTH, Math.floor(BYTES_AT_ONCE / bytes)));
      const used = process.cpuUsage();
      const perSecond = await rate(ids, width, (id) => peer.store(id, result));
      const cpu = cpuSince(used) / ids.length;
      await admin.flushall();
      return [perSecond, cpu];
    },
  };
}

/** One for each size. */
export const stores: readonly Question[] = Object.entries(STORES).map(([name, each]) => question(name, each));
