/** What does a waiter weigh? */
import { type Bench, burst, heap, newIds, type Question, quiet, register } from '../harness.ts';

const WAITERS = 10_000;

export const memory: Question = {
  name: 'memory',
  figures: [
    { name: 'heap of a waiter', unit: 'B', better: 'lower' },
    { name: 'heap of a waiter with timeout', unit: 'B', better: 'lower' },
  ],

  async round(bench) {
    return [await weigh(bench), await weigh(bench, 600)];
  },
};

async function weigh(bench: Bench, timeout?: number): Promise<number> {
  const ids = newIds(WAITERS);
  const woken: Promise<unknown>[] = [];
  await quiet(bench);
  const before = await heap();
  await register(bench, ids, (id) => woken.push(bench.peer.wait(id, timeout)));
  const after = await heap();
  const send = await burst(bench.port, ids);
  send();
  await Promise.all(woken);
  return (after - before) / WAITERS;
}
