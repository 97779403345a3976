/** The order of a mapping's keys in PyYAML: sorted when Python can compare them, else as they come. */
import { types as is } from 'node:util';

import type { Native } from './shape.ts';
import { PlainDate } from './values.ts';

type Entry = readonly [Native, unknown];

/** The entries in PyYAML's order. */
export function sortedEntries(entries: readonly Entry[]): readonly Entry[] {
  const [first] = entries;
  const compare = first && comparison(first[0]);
  if (!compare || !entries.every(([key]) => comparison(key) === compare)) return entries;
  return [...entries].sort(([a], [b]) => compare(a, b));
}

type Comparison = (a: Native, b: Native) => number;

const texts: Comparison = (a, b) => compareTexts(a as string, b as string);
const bytes: Comparison = (a, b) => Buffer.compare(a as Uint8Array, b as Uint8Array);
const numbers: Comparison = (a, b) => {
  const [x, y] = [ordinal(a), ordinal(b)];
  return x < y ? -1 : Number(x > y);
};
const dates: Comparison = (a, b) => Number(a) - Number(b);
const days: Comparison = (a, b) => compareTexts((a as PlainDate).text, (b as PlainDate).text);

/** How the keys of one kind compare; `undefined` when Python cannot compare them. */
function comparison(key: Native): Comparison | undefined {
  if (typeof key === 'string') return texts;
  if (typeof key === 'number' || typeof key === 'bigint' || typeof key === 'boolean') return numbers;
  if (is.isUint8Array(key)) return bytes;
  if (is.isDate(key)) return dates;
  return key instanceof PlainDate ? days : undefined;
}

/** In Python a boolean is 0 or 1. */
function ordinal(key: Native): number | bigint {
  return typeof key === 'bigint' ? key : Number(key);
}

/** By code points, as Python compares, which differs from UTF-16 for characters beyond U+FFFF. */
function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let at = 0;
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  // Both may differ in the second halves of their characters.
  if (at > 0 && isPair(a, at - 1) !== isPair(b, at - 1)) at -= 1;
  return (a.codePointAt(at) ?? -1) - (b.codePointAt(at) ?? -1);
}

function isPair(text: string, at: number): boolean {
  return (text.codePointAt(at) ?? 0) > 0xffff;
}
