/** Work over many things, cut up so that no turn of the event loop is long. */

/** How many things are done in one turn: 10 to 70 µs each, with what follows from it. */
export const A_TURN = 64;
/** How many of those that take a few µs, such as a look at the cache, or a key in a batch. */
export const A_PART = 256;

/**
 * Calls `each` for every item: for the first ones now, for the others in turns to come, in their order. `each` must not
 * throw. Of a Set or a Map it is called for those that are there when their turn comes.
 *
 * @param aTurn - how many have their turn together
 * @returns a promise of the end, which never rejects
 */
export function inTurns<T>(items: Iterable<T>, aTurn: number, each: (item: T) => void): Promise<void> {
  const rest = items[Symbol.iterator]();
  return new Promise((resolve) => {
    const turn = (): void => {
      for (let count = 0; count < aTurn; count += 1) {
        const next = rest.next();
        if (next.done === true) {
          resolve();
          return;
        }
        each(next.value);
      }
      setImmediate(turn);
    };
    turn();
  });
}

/** Calls `take` with 256 items a turn of the event loop, the first now. Rejects with what it throws. */
export async function inParts<T>(items: readonly T[], take: (part: readonly T[]) => void): Promise<void> {
  for (let from = 0; from < items.length; from += A_PART) {
    if (from > 0) await nextTurn();
    take(items.slice(from, from + A_PART));
  }
}

/** Resolves in the next turn of the event loop, after what has come in meanwhile. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
