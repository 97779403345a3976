/** The read at a wait's deadline. */
import type { Clock, Timer } from '../clock.ts';
import type { LastLook } from '../errors.ts';
import type { ResultStore } from '../ports.ts';

/** What comes of a last look. `onExpired` is called once, unless the timer is cancelled first. */
export interface LastLookHandlers {
  /** The key was read in time. `onExpired` follows. */
  readonly onRead: (payload: Uint8Array) => void;
  readonly onExpired: (outcome: LastLook) => void;
}

/**
 * Reads a key with a budget of its own, or not at all when the link is known to be down.
 *
 * @returns the timer of the budget
 */
export function lookOnce(
  store: ResultStore,
  clock: Pick<Clock, 'after'>,
  budgetMs: number,
  key: string,
  handlers: LastLookHandlers,
): Timer | undefined {
  if (!store.usable) {
    handlers.onExpired('skipped');
    return undefined;
  }
  const budget = clock.after(budgetMs, () => {
    handlers.onExpired('failed');
  });
  store.read(key).then(
    (payload) => {
      if (payload) handlers.onRead(payload);
      handlers.onExpired('unready');
    },
    () => {
      handlers.onExpired('failed');
    },
  );
  return budget;
}
