/** How many ready results, each for the first time, can one process read? */
import { burst, newIds, type Question, rate } from '../harness.ts';

const READS = 20_000;
const WIDTH = 256;

/** Read in this order, none is still in a cache when its turn comes again. */
const ids = newIds(READS);

export const reads: Question = {
  name: 'reads',
  figures: [{ name: 'reads of ready results', unit: '/s', better: 'higher' }],

  async prepare({ port, admin }) {
    const present = await admin.dbsize();
    (await burst(port, ids))();
    while ((await admin.dbsize()) < present + READS);
  },

  async round({ peer }) {
    return [await rate(ids, WIDTH, (id) => peer.read(id))];
  },
};
