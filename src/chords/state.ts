/** What a chord's keys say of it. Drivers that read them one by one, or hold them themselves, judge by this. */
import type { Recorded, TakeOver } from '../ports.ts';

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
export function judge(view: ChordView, raised: boolean, token: string): Recorded {
  const { count, size, lock } = view;
  if (!size) return { state: 'counting' };
  const total = totalOf(view);
  if (total === undefined) return { state: 'malformed' };
  if (count !== total) return { state: 'counting' };
  if (lock === token) return { state: 'claimed' };
  if (lock === OPEN) return { state: 'reclaimed' };
  return { state: raised && lock === null ? 'claimed' : 'complete' };
}

/** How a chord stands for one who would take it over. */
export function judgeTakeOver(view: ChordView, token: string): TakeOver {
  const { count, size, lock } = view;
  if (!size) return { state: 'gone' };
  if (lock !== null && lock !== token && lock !== OPEN) return { state: 'busy' };
  return { state: count === totalOf(view) ? 'free' : 'counting' };
}

/** How many parts make it complete; undefined when that is no number. */
function totalOf({ size, added }: ChordView): number | undefined {
  const [first, more] = [parseCount(size ?? ''), parseCount(added ?? '0')];
  return first === undefined || more === undefined ? undefined : first + more;
}

/** A number as Python's `int()` reads it. */
function parseCount(text: string): number | undefined {
  return /^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : undefined;
}
