/** The loads that are put on: those that constants are taken from, and those that the model is tried on. */
import type { Load } from './model.ts';

/** A steady load of so many results a second. */
export interface Way {
  readonly perSecond: number;
  readonly bytes: number;
  readonly storers: number;
  /** 0: nothing is awaited. */
  readonly waiters: number;
  /** @default 1 */
  readonly waited?: number;
  /** `null` for one server. */
  readonly masters: number | null;
}

const one = { bytes: 300, storers: 1, waiters: 1, masters: null } as const;
const stored = { ...one, waiters: 0 } as const;
const three = { ...stored, masters: 3 } as const;

type Knot = 'seldom' | 'paced' | 'often' | 'stored' | 'storedLarge' | 'three' | 'threeOften' | 'threeLarge';

/** One process stores, one waits: constants are taken from these. */
export const KNOTS: Readonly<Record<Knot, Way>> = {
  seldom: { ...one, perSecond: 100 },
  paced: { ...one, perSecond: 500 },
  often: { ...one, perSecond: 2000 },
  stored: { ...stored, perSecond: 500 },
  storedLarge: { ...stored, perSecond: 500, bytes: 10_000 },
  three: { ...three, perSecond: 500 },
  threeOften: { ...three, perSecond: 2000 },
  threeLarge: { ...three, perSecond: 500, bytes: 10_000 },
};

/** No constant is taken from these. */
export const TRIALS: readonly Way[] = [
  { perSecond: 500, bytes: 10_000, storers: 1, waiters: 1, masters: null },
  { perSecond: 250, bytes: 300, storers: 2, waiters: 2, masters: null },
  { perSecond: 1000, bytes: 1000, storers: 2, waiters: 2, masters: null },
  { perSecond: 800, bytes: 3000, storers: 2, waiters: 1, waited: 0.5, masters: null },
  { perSecond: 1200, bytes: 300, storers: 1, waiters: 1, masters: null },
  { perSecond: 4000, bytes: 300, storers: 2, waiters: 2, masters: null },
  { perSecond: 1000, bytes: 5000, storers: 2, waiters: 0, masters: null },
  { perSecond: 1000, bytes: 1000, storers: 2, waiters: 2, masters: 3 },
  { perSecond: 1500, bytes: 300, storers: 1, waiters: 0, masters: 6 },
  { perSecond: 500, bytes: 300, storers: 1, waiters: 1, masters: 6 },
  { perSecond: 1000, bytes: 3000, storers: 2, waiters: 2, masters: 6 },
];

/** Its name among the figures. */
export function nameOf({ perSecond, bytes, storers, waiters, waited = 1, masters }: Way): string {
  return `flow/${masters ?? 'one'}/${perSecond}x${bytes}/${storers}-${waiters}x${waited}`;
}

/** As the model takes it. */
export function loadOf({ perSecond, bytes, storers, waiters, waited = 1, masters }: Way): Load {
  return {
    perSecond,
    payload: bytes,
    storers,
    waiters: Math.max(1, waiters),
    waited: waiters === 0 ? 0 : waited,
    masters,
  };
}
