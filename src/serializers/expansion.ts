/**
 * What references make of a value that was read. They cost nothing where they are read; but whoever walks or stores the
 * value meets an object as often as there are ways to it, which a few lines can make billions.
 */
import { DecodeError } from '../errors.ts';
import { TextValue } from './values.ts';

/** What any value may expand to, in elements and characters. */
const ALWAYS_ALLOWED = 2 ** 20;
/** How many times the size of what it was read from a value may expand to. */
const FACTOR = 16;

/** An object as it is when all its references are followed. */
interface Extent {
  readonly size: number;
  readonly levels: number;
}

const SCALAR: Extent = { size: 1, levels: 0 };

/** How a value is measured. */
export interface Measure {
  readonly maxDepth: number;
  /** Whether it may contain itself; that place counts as one element then. @default false */
  readonly cycles?: boolean;
}

/**
 * The elements and characters of a value with all its references followed.
 *
 * @throws DecodeError when it contains itself, unless that is allowed, or goes deeper than `maxDepth`
 */
export function expansionOf(root: unknown, { maxDepth, cycles = false }: Measure): number {
  const known = new Map<object, Extent | null>();
  const measure = (value: unknown, depth: number): Extent => {
    const items = members(value);
    if (!items) return typeof value === 'string' ? { size: 1 + value.length, levels: 0 } : SCALAR;
    // It has members, so it is an object.
    const owner = value as object;
    const seen = known.get(owner);
    if (seen) return seen;
    if (seen === null) {
      if (cycles) return SCALAR;
      throw new DecodeError('The payload has an alias inside of what it stands for.');
    }
    known.set(owner, null);
    let size = 1;
    let levels = 0;
    if (depth >= maxDepth) throw new DecodeError(`Nested deeper than ${maxDepth}.`);
    for (const item of items) {
      const extent = measure(item, depth + 1);
      size += extent.size;
      levels = Math.max(levels, extent.levels);
    }
    if (levels >= maxDepth) throw new DecodeError(`Nested deeper than ${maxDepth}.`);
    const extent = { size, levels: levels + 1 };
    known.set(owner, extent);
    return extent;
  };
  return measure(root, 0).size;
}

/**
 * Checks what a value expands to.
 *
 * @param source - the size of what it was read from
 * @throws DecodeError when it is far larger than that
 */
export function checkExpansion(size: number, source: number): void {
  const limit = Math.max(ALWAYS_ALLOWED, FACTOR * source);
  if (size > limit) throw new DecodeError(`The payload expands, by its references, to more than ${limit} elements.`);
}

/** What is in a container; `undefined` for anything else. */
function members(value: unknown): Iterable<unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) return value as unknown[];
  if (value instanceof Map) return [...(value as ReadonlyMap<unknown, unknown>)].flat();
  if (value instanceof Set) return value;
  return isBag(value) ? Object.values(value) : undefined;
}

/** Whether an object's fields are what it holds. */
function isBag(value: object): boolean {
  return !(value instanceof Date || value instanceof TextValue || ArrayBuffer.isView(value));
}
