/** What a chord's keys say of it. Drivers that read them one by one, or hold them themselves, judge by this. */
import type { Recorded, TakeOver } from './ports.ts';

/** The lock of a chord that its claimant could not complete: whoever comes next may. */
export const OPEN = 'open';

/** The keys of one chord, read. */
export interface ChordView {
  /** How many parts there are. */
  readonly count: number;
  readonly added: string | null;
  readonly size: string | null;
  readonly lock: string | null;
}

/** What to do about a part that was recorded. `'claimed'` and `'reclaimed'`: if the lock can be had. */
export function judge({ count, added, size, lock }: ChordView, raised: boolean, token: string): Recorded {
  if (size === null) return { state: 'counting', size: 0 };
  const more = added === null ? 0 : parseCount(added);
  if (more === undefined) return { state: 'malformed', size: 0 };
  const total = size === '' ? count - more : parseCount(size);
  if (total === undefined) return { state: 'malformed', size: 0 };
  if (size !== '' && count !== total + more) return { state: 'counting', size: 0 };
  if (lock === token) return { state: 'claimed', size: total };
  if (lock === OPEN) return { state: 'reclaimed', size: total };
  return { state: raised && lock === null && size !== '' ? 'claimed' : 'complete', size: total };
}

/** How a chord stands for one who would take it over. */
export function judgeTakeOver({ count, added, size, lock }: ChordView, token: string): TakeOver {
  if (size === null) return { state: 'gone', size: 0 };
  if (lock !== null && lock !== token && lock !== OPEN) return { state: 'busy', size: 0 };
  const more = parseCount(added ?? '0');
  const total = size === '' && more !== undefined ? count - more : parseCount(size);
  const isComplete = total !== undefined && more !== undefined && count === total + more;
  return isComplete ? { state: 'free', size: total } : { state: 'counting', size: 0 };
}

/** A number as Python's `int()` reads it. */
export function parseCount(text: string): number | undefined {
  return /^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : undefined;
}
