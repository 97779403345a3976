/** How long after it is stored in one process does a result wake its waiter in another? */
import { setTimeout as sleep } from 'node:timers/promises';
import { newIds, type Question, register, sample } from '../harness.ts';

const WAITS = 400;
const PAUSE_MS = 1;

export const wake: Question = {
  name: 'wake',
  idle: true,
  figures: [
    { name: 'wake latency p50', unit: 'µs', better: 'lower' },
    { name: 'wake latency p99', unit: 'µs', better: 'lower' },
  ],

  async round(bench) {
    const latencies: number[] = [];
    const woken: Promise<void>[] = [];
    const wait = async (id: string): Promise<void> => {
      const { sent } = (await bench.peer.wait(id, 60)) as { sent: string };
      // CLOCK_MONOTONIC: the same in every process of a machine.
      latencies.push(Number(process.hrtime.bigint() - BigInt(sent)) / 1000);
    };
    const ids = newIds(WAITS);
    await register(bench, ids, (id) => woken.push(wait(id)));
    await bench.assist(ids);
    await Promise.all(woken);
    latencies.sort((a, b) => a - b);
    return [0.5, 0.99].map((share) => latencies[Math.floor(WAITS * share)] ?? NaN);
  },

  async assist(peer, taskIds) {
    for (const id of taskIds) {
      await peer.store(id, sample());
      await sleep(PAUSE_MS);
    }
  },
};
