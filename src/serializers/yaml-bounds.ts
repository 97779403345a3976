/**
 * What aliases make of a YAML document. They are read as references to one object, which costs nothing; but whoever
 * walks or stores the value meets it as often as there are ways to it, which a few lines can make billions.
 */
import { DecodeError } from '../errors.ts';

/** What any document may expand to, in elements and characters. */
const ALWAYS_ALLOWED = 2 ** 24;
/** How many times its own length a document may expand to. */
const FACTOR = 16;

/** An object as it is when all its references are followed. */
interface Extent {
  readonly size: number;
  readonly levels: number;
}

const SCALAR: Extent = { size: 1, levels: 0 };

/**
 * Checks a value that was read.
 *
 * @throws DecodeError when it contains itself, goes deeper than `maxDepth`, or is far larger than its text
 */
export function boundExpansion(root: unknown, textLength: number, maxDepth: number): void {
  const known = new Map<object, Extent | null>();
  const limit = Math.max(ALWAYS_ALLOWED, FACTOR * textLength);
  const measure = (value: unknown): Extent => {
    const items = members(value);
    if (!items) return typeof value === 'string' ? { size: 1 + value.length, levels: 0 } : SCALAR;
    // It has members, so it is an object.
    const owner = value as object;
    const seen = known.get(owner);
    if (seen === null) throw new DecodeError('The payload has a YAML alias inside of what it stands for.');
    if (seen) return seen;
    known.set(owner, null);
    let size = 1;
    let levels = 0;
    for (const item of items) {
      const extent = measure(item);
      size += extent.size;
      levels = Math.max(levels, extent.levels);
    }
    if (levels >= maxDepth) throw new DecodeError(`Nested deeper than ${maxDepth}.`);
    if (size > limit)
      throw new DecodeError(`The payload expands, by its YAML aliases, to more than ${limit} elements.`);
    const extent = { size, levels: levels + 1 };
    known.set(owner, extent);
    return extent;
  };
  measure(root);
}

/** What is in a container; `undefined` for anything else. */
function members(value: unknown): Iterable<unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) return value as unknown[];
  if (value instanceof Map) return value.values();
  if (value instanceof Set) return value;
  return Object.getPrototypeOf(value) === Object.prototype ? Object.values(value) : undefined;
}
