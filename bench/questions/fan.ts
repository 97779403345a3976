/** How long until the last of 100 waiters for one id has woken? */
import { callsOf, type Question } from '../harness.ts';
import { register } from '../measure.ts';
import { quantiles } from '../report.ts';
import { newIds, sample, since } from '../sample.ts';

const WAITERS = 100;
const TASKS = 60;

/** All in one process, the store in another. */
export const fan: Question = {
  name: 'fan',
  idle: true,
  figures: [{ name: 'last of 100 waiters for one id', unit: 'µs', better: 'lower' }],

  async round(bench) {
    const { peer, assist } = bench;
    const last: number[] = [];
    const ids = newIds(Math.max(10, callsOf(bench, TASKS)));
    await assist(['ready', ...ids]);
    for (const id of ids) {
      const woken: Promise<unknown>[] = [];
      // Those that wait for an id may share its read.
      await register(bench, [id], () => {
        for (let i = 0; i < WAITERS; i += 1) woken.push(peer.wait(id, 60));
      });
      await assist(['store', id]);
      const [result] = await Promise.all(woken);
      last.push(since(result));
    }
    return [quantiles(last)[0] ?? NaN];
  },

  async assist(peer, [verb, ...taskIds]) {
    if (verb === 'ready') return peer.adopt?.(taskIds);
    for (const id of taskIds) await peer.store(id, sample());
  },
};
