/** How many known results can be awaited, one after another? */
import { newIds, type Question, sample } from '../harness.ts';

const KNOWN = 1000;
const TURNS = 300;

const ids = newIds(KNOWN);

export const cached: Question = {
  name: 'cached',
  figures: [{ name: 'waits for known results', unit: '/s', better: 'higher', floor: 'a Map' }],

  async prepare({ peer }) {
    for (const id of ids) await peer.store(id, sample());
    for (const id of ids) await peer.learn(id);
  },

  async round({ peer }) {
    const start = performance.now();
    for (let turn = 0; turn < TURNS; turn += 1) for (const id of ids) await peer.known(id);
    return [((KNOWN * TURNS) / (performance.now() - start)) * 1000];
  },
};
