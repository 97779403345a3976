/** What does a pending wait cost, while nothing happens? */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Question, Round } from '../harness.ts';
import { commands, register } from '../measure.ts';
import { newIds } from '../sample.ts';

const MANY = 1000;
/** A minute, so that nothing but the first figure is extrapolated: a heartbeat comes every 2 s, slow re-reads every 30 s. */
const SECONDS = { one: 20, many: 60 };
const QUICK_SECONDS = { one: 6, many: 12 };

async function perMinute({ admin }: Bench, seconds: number): Promise<number> {
  const before = await commands(admin);
  await sleep(seconds * 1000);
  return (((await commands(admin)) - before) / seconds) * 60;
}

/** A round whose waits are begun by `wait`. They are never settled. */
export function pendingRound(wait: (bench: Bench, ids: readonly string[]) => void): Round {
  return async (bench) => {
    const { peer, competitor, quick } = bench;
    const { one, many } = quick ? QUICK_SECONDS : SECONDS;
    const begin = async (ids: readonly string[]): Promise<void> => {
      await peer.adopt?.(ids);
      // Once for all of them.
      let begun = false;
      await register(bench, ids, () => {
        if (!begun) wait(bench, ids);
        begun = true;
      });
    };
    await begin(newIds(1));
    const figures = [await perMinute(bench, one)];
    if (competitor.atOnce === 1 || competitor.rounds?.['pending']) return [...figures, NaN];
    await begin(newIds(MANY));
    return [...figures, await perMinute(bench, many)];
  };
}

const round = pendingRound(({ peer }, ids) => {
  for (const id of ids) peer.wait(id, 3600).catch(() => undefined);
});

/** By what the server has counted. */
export const pending: Question = {
  name: 'pending',
  together: true,
  rounds: 1,
  figures: [
    { name: 'commands a minute, 1 wait', unit: '', better: 'lower' },
    { name: 'commands a minute, 1,001 waits', unit: '', better: 'lower' },
  ],
  round,
};
