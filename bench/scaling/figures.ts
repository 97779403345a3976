/** The file of what was measured: `bench/results/scaling.json`. */

/** A run. */
export interface Results {
  /** Date, machine and versions. */
  readonly where: Readonly<Record<string, string>>;
  /** By name: one number for each pass that measured it. */
  readonly figures: Readonly<Record<string, readonly number[]>>;
}

/** Notes figures under a name: each of the object under `name/key`. */
export type Put = (name: string, figures: object) => void;

/** The median of the passes. @throws Error for a figure that the file does not have */
export function figureOf({ figures }: Results, name: string): number {
  const sorted = (figures[name] ?? []).toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  if (low === undefined || high === undefined) throw new Error(`no figure ${name}: npm run bench:scaling`);
  return (low + high) / 2;
}
