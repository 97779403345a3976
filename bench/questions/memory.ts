/** What does a waiter weigh? */
import type { Bench, Question } from '../harness.ts';
import { burst, heap, quiet, register } from '../measure.ts';
import { newIds, sample } from '../sample.ts';

const SLICE = 1000;

async function weigh(bench: Bench, count: number, timeout?: number): Promise<number> {
  const { peer, port } = bench;
  const ids = newIds(count);
  const woken: Promise<unknown>[] = [];
  await peer.adopt?.(ids);
  // What a cache has put aside, of the round before, it takes in now, and lets others go that it would let go below.
  await peer.read(ids[0] ?? '');
  await quiet(bench);
  const before = await heap();
  await register(bench, ids, (id) => woken.push(peer.wait(id, timeout)), SLICE);
  const after = await heap();
  if (peer.adopt) for (const id of ids) await peer.store(id, sample());
  else await (await burst(port, ids))();
  await Promise.all(woken);
  return (after - before) / count;
}

function question(name: string, count: number): Question {
  const label = count.toLocaleString('en-US');
  return {
    name,
    ...(count > 10_000 ? { rounds: 1, long: true } : { rounds: 3 }),
    figures: [
      { name: `heap of a waiter, of ${label}`, unit: 'B', better: 'lower' },
      { name: `heap of a waiter with timeout, of ${label}`, unit: 'B', better: 'lower' },
    ],
    async round(bench) {
      return [await weigh(bench, count), await weigh(bench, count, 600)];
    },
  };
}

/** As many waiters as in `waiters`. */
export const memory: readonly Question[] = [
  question('memory-1k', 1000),
  question('memory-10k', 10_000),
  question('memory-100k', 100_000),
];
