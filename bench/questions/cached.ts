/** How many known results can be awaited, one after another? */
import type { Question } from '../harness.ts';
import { newIds, sample } from '../sample.ts';

const KNOWN = 1000;
/** How often a round goes through them. */
export const CACHED_TURNS = 300;
/** What is known. */
export const CACHED_IDS: readonly string[] = newIds(KNOWN);

/** `await waitFor(id)` of 1,000 known ids. */
export const cached: Question = {
  name: 'cached',
  figures: [{ name: 'waits for known results', unit: '/s', better: 'higher', floor: 'a Map' }],

  async prepare({ peer }) {
    for (const id of CACHED_IDS) await peer.store(id, sample());
    for (const id of CACHED_IDS) await peer.memory?.learn(id);
  },

  async round({ peer: { memory } }) {
    if (!memory) return [NaN];
    const start = performance.now();
    for (let turn = 0; turn < CACHED_TURNS; turn += 1) for (const id of CACHED_IDS) await memory.known(id);
    return [((KNOWN * CACHED_TURNS) / (performance.now() - start)) * 1000];
  },
};
