/** Short, escaped pieces of data for messages: enough to recognise it, never all of it. */
import { inspect } from 'node:util';

const EXCERPT_LENGTH = 40;

/** At most 40 characters of `text`, quoted, with everything but printable ASCII escaped. */
export function excerpt(text: string): string {
  const head = escapeUnprintable(JSON.stringify(text.slice(0, EXCERPT_LENGTH)));
  return text.length > EXCERPT_LENGTH ? `${head}...` : head;
}

/** A text with everything but printable ASCII escaped. */
export function escapeUnprintable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** One step of a path into a value: `.total`, `[3]`, `["a key"]`. */
export function step(key: string | number): string {
  if (typeof key === 'number') return `[${key}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key.slice(0, 100)}` : `[${excerpt(key)}]`;
}

/** A short description of any value: an excerpt of a text, the type of everything else. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return excerpt(value);
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** How deep a value is shown, and how many members of it. */
const SHOWN_DEPTH = 4;
const SHOWN_MEMBERS = 1000;
/** How many items a container is shown with. */
const SHOWN_ITEMS = 100;

/** A value as text for people, at most `limit` characters. Never throws; a large value is shown in part. */
export function readable(value: unknown, limit: number): string {
  if (typeof value === 'string') return value.slice(0, limit);
  try {
    const depth = affordableDepth(value);
    const shown = depth < 0 ? Object.fromEntries(Object.entries(value as object).slice(0, SHOWN_ITEMS)) : value;
    const bounds = { depth: Math.max(0, depth), maxArrayLength: SHOWN_ITEMS, maxStringLength: limit };
    return inspect(shown, { ...bounds, breakLength: Infinity }).slice(0, limit);
  } catch {
    return `a value of type ${typeof value}`;
  }
}

/** How deep a value can be shown without too many members; -1 for an object that has too many itself. */
function affordableDepth(root: unknown): number {
  let left = SHOWN_MEMBERS;
  let level: readonly unknown[] = [root];
  for (let depth = 0; depth <= SHOWN_DEPTH; depth++) {
    const next: unknown[] = [];
    for (const value of level) {
      for (const member of shownMembers(value, left + 1)) next.push(member);
      if (next.length > left) return depth - 1;
    }
    left -= next.length;
    level = next;
  }
  return SHOWN_DEPTH;
}

/** The members that a value is shown with, as far as they are data; no more than `most` of an object. */
function shownMembers(value: unknown, most: number): readonly unknown[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  if (Array.isArray(value)) return value.slice(0, SHOWN_ITEMS) as unknown[];
  if (value instanceof Map) return [...value.entries()].slice(0, SHOWN_ITEMS).flat() as unknown[];
  if (value instanceof Set) return [...value].slice(0, SHOWN_ITEMS);
  // A getter is not called to be shown.
  return Object.keys(value)
    .slice(0, most)
    .map((key) => Object.getOwnPropertyDescriptor(value, key)?.value as unknown);
}
