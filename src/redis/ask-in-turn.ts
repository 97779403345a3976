/** Asks several for the same thing, without waiting for those that hang. */
import type { Clock, Timer } from '../clock.ts';

/** How long one may take before the next is asked as well. */
const HEDGE_MS = 500;

/**
 * Asks one after another, the next when one fails or is slow. Resolves to the first answer; the others are ignored.
 *
 * @throws Error of the last that failed, when all did
 */
export function askInTurn<A, T>(whom: readonly A[], ask: (one: A) => Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    let next = 0;
    let pending = 0;
    let settled = false;
    let timer: Timer | undefined;
    let failure = new Error('there is nobody to ask');
    const askNext = (): void => {
      timer?.cancel();
      const one = whom[next];
      if (settled) return;
      if (next >= whom.length || one === undefined) {
        if (pending === 0) reject(failure);
        return;
      }
      next += 1;
      pending += 1;
      timer = clock.after(HEDGE_MS, askNext);
      void askOne(one);
    };
    const askOne = async (one: A): Promise<void> => {
      try {
        const answer = await ask(one);
        settled = true;
        timer?.cancel();
        resolve(answer);
      } catch (error) {
        failure = error as Error;
      } finally {
        pending -= 1;
        askNext();
      }
    };
    askNext();
  });
}
