/** How many results of 300 bytes can one process store and announce? */
import { newIds, type Question, rate, sample } from '../harness.ts';

const STORES = 10_000;
const WIDTH = 256;

export const stores: Question = {
  name: 'stores',
  figures: [{ name: 'stores, 300 B', unit: '/s', better: 'higher' }],

  async round({ peer }) {
    const result = sample();
    return [await rate(newIds(STORES), WIDTH, (id) => peer.store(id, result))];
  },
};
