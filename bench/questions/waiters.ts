/** How soon are 10,000 waiters ready, and how fast do they wake when all results come at once? */
import { burst, newIds, type Question, register } from '../harness.ts';

const WAITERS = 10_000;

export const waiters: Question = {
  name: 'waiters',
  figures: [
    { name: '10,000 waiters: register', unit: 'ms', better: 'lower' },
    { name: '10,000 waiters: wakes', unit: '/s', better: 'higher' },
  ],

  async round(bench) {
    const ids = newIds(WAITERS);
    const woken: Promise<void>[] = [];
    let first = 0;
    let last = 0;
    const wait = async (id: string): Promise<void> => {
      await bench.peer.wait(id, 60);
      last = performance.now();
      first ||= last;
    };
    const registeredMs = await register(bench, ids, (id) => woken.push(wait(id)));
    const send = await burst(bench.port, ids);
    send();
    await Promise.all(woken);
    return [registeredMs, (WAITERS / (last - first)) * 1000];
  },
};
