/** How long after it is stored in one process does a result wake its waiter in another, and what if others are stored too? */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, callsOf, type Figure, type Question } from '../harness.ts';
import { register } from '../measure.ts';
import { quantiles } from '../report.ts';
import { newIds, sample, since } from '../sample.ts';

/** Waits of a round, of which slow competitors have a part. */
export const WAITS = 400;
const PAUSE_MS = 1;
const SETTLE_MS = 200;

/** Results of other tasks a second, by question. */
const RATES: Readonly<Record<string, number>> = { wake: 0, 'wake-1k': 1000, 'wake-10k': 10_000 };

/** Has the results of others stored while `measure` runs, as many as the question says. */
export async function busy(bench: Bench, measure: () => Promise<readonly number[]>): Promise<readonly number[]> {
  const rate = RATES[bench.question] ?? 0;
  if (rate === 0) return measure();
  await bench.load(rate);
  await sleep(SETTLE_MS);
  const figures = await measure();
  return [...figures, await bench.load(0)];
}

async function waitAll(bench: Bench, ids: readonly string[]): Promise<number[]> {
  const latencies: number[] = [];
  const woken: Promise<void>[] = [];
  const wait = async (id: string): Promise<void> => {
    latencies.push(since(await bench.peer.wait(id, 60)));
  };
  await bench.assist(['ready', ...ids]);
  await register(bench, ids, (id) => woken.push(wait(id)));
  await bench.assist(['store', ...ids]);
  await Promise.all(woken);
  return latencies;
}

async function latencies(bench: Bench): Promise<readonly number[]> {
  const { atOnce = Infinity } = bench.competitor;
  const ids = newIds(Math.max(100, callsOf(bench, WAITS)));
  const all: number[] = [];
  while (ids.length > 0) all.push(...(await waitAll(bench, ids.splice(0, atOnce))));
  return quantiles(all);
}

function question(name: string, rate: number): Question {
  const when = rate === 0 ? 'idle' : `under ${rate.toLocaleString('en-US')}/s`;
  const latency = (share: string): Figure => ({ name: `wake ${share}, ${when}`, unit: 'µs', better: 'lower' });
  const others: Figure = {
    name: `results of others, of ${rate.toLocaleString('en-US')}`,
    unit: '/s',
    better: 'higher',
  };
  return {
    name,
    idle: true,
    figures: [latency('p50'), latency('p99'), ...(rate === 0 ? [] : [others])],

    round: (bench) => busy(bench, () => latencies(bench)),

    async assist(peer, [verb, ...taskIds]) {
      if (verb === 'ready') return peer.adopt?.(taskIds);
      for (const id of taskIds) {
        await (peer.announce?.(id, sample()) ?? peer.store(id, sample()));
        await sleep(PAUSE_MS);
      }
    },
  };
}

/** Idle, and under 1,000 and 10,000 results of other tasks a second. */
export const wakes: readonly Question[] = Object.entries(RATES).map(([name, rate]) => question(name, rate));
