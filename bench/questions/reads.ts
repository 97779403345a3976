/** How many ready results, each for the first time, can one process read? */
import { type Bench, callsOf, type Question } from '../harness.ts';
import { burst, rate } from '../measure.ts';
import { newIds, sample } from '../sample.ts';

const READS = 20_000;
const WIDTH = 256;

/** Read in this order, none is still in a cache when its turn comes again. */
const ids = newIds(READS);

/** What a round reads. */
export function readable(bench: Bench): readonly string[] {
  return ids.slice(0, callsOf(bench, READS));
}

/** Each another one, so that no cache answers. */
export const reads: Question = {
  name: 'reads',
  figures: [{ name: 'reads of ready results', unit: '/s', better: 'higher' }],

  async prepare(bench) {
    const { peer, port } = bench;
    const mine = readable(bench);
    if (peer.adopt) {
      await peer.adopt(mine);
      await Promise.all(mine.map((id) => peer.store(id, sample())));
    } else {
      await (
        await burst(port, mine)
      )();
    }
  },

  async round(bench) {
    return [await rate(readable(bench), WIDTH, (id) => bench.peer.read(id))];
  },
};
