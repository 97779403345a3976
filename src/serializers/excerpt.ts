/** Short, escaped pieces of data for messages: enough to recognise it, never all of it. */
import { inspect } from 'node:util';

const EXCERPT_LENGTH = 40;

/** At most 40 characters of `text`, quoted, with everything but printable ASCII escaped. */
export function excerpt(text: string): string {
  const head = JSON.stringify(text.slice(0, EXCERPT_LENGTH)).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return text.length > EXCERPT_LENGTH ? `${head}...` : head;
}

/** A short description of any value: an excerpt of a text, the type of everything else. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return excerpt(value);
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** A value as text for people, at most `limit` characters. Never throws. */
export function readable(value: unknown, limit: number): string {
  if (typeof value === 'string') return value.slice(0, limit);
  try {
    return inspect(value, { depth: 4, breakLength: Infinity, maxArrayLength: 100, maxStringLength: limit }).slice(
      0,
      limit,
    );
  } catch {
    return `a value of type ${typeof value}`;
  }
}
