/** Metas as text: JSON for programs, one line for people. Nothing in it moves a cursor or ends a line. */
import { encodeException } from '../exceptions.ts';
import type { TaskMeta } from '../meta.ts';
import { EXCEPTION_STATES } from '../states.ts';

/** Control characters that JSON leaves as they are, and those that turn the direction of a text. */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const UNSEEN = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u200e\u200f\u2066-\u2069]/g;

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/**
 * A value as JSON in one line. What JSON has no form for is a string: integers beyond 2^53, NaN and Infinity, dates (ISO
 * 8601), bytes (base64), decimals. A map is an object, a set an array.
 */
export function toJson(value: unknown): string {
  const text = JSON.stringify(value, function (this: Record<string, unknown>, key: string, given: unknown) {
    // A Buffer has turned itself into something else already.
    const own = this[key];
    if (own instanceof Uint8Array) return Buffer.from(own).toString('base64');
    return plain(given);
  }) as string | undefined;
  return (text ?? 'null').replace(UNSEEN, escaped);
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, each]) => [String(key), each as unknown]));
  if (value instanceof Set) return [...value] as unknown[];
  return value;
}

/** A text for one line: control characters as `\n` or `\u001b`. */
export function oneLine(text: string): string {
  return text.replace(/\n/g, '\\n').replace(/\t/g, '\\t').replace(UNSEEN, escaped);
}

/** A text of several lines, such as a traceback, without control characters but for these. */
export function manyLines(text: string): string {
  return text.split('\n').map(oneLine).join('\n');
}

/** A meta under the names of the wire, an error as `{exc_type, exc_message, exc_module}`. */
export function plainMeta(taskId: string, meta: TaskMeta): Record<string, unknown> {
  const { status, result } = meta;
  const shown = EXCEPTION_STATES.has(status) ? errorOf(result) : result;
  // First what everyone looks for; the id is the one that was asked for.
  return Object.assign({ task_id: taskId, status, result: shown }, { ...meta, task_id: taskId, result: shown });
}

function errorOf(result: unknown): unknown {
  return result === null ? null : encodeException(result).info;
}

/** The value of a meta for people: JSON, or `ValueError: no such sku`; empty where there is none. */
export function shownValue({ status, result }: TaskMeta): string {
  if (result === null && status !== 'SUCCESS') return '';
  if (!EXCEPTION_STATES.has(status)) return toJson(result);
  const { exc_type: type } = encodeException(result).info;
  const message = result instanceof Error ? result.message : '';
  return oneLine(message === '' ? type : `${type}: ${message}`);
}

/** What a task says of its progress, by Celery's custom: `{current, total}`. */
export interface Progress {
  readonly current: number;
  readonly total: number;
}

/** The progress in a meta whose state is no ready one. */
export function progressOf({ result }: TaskMeta): Progress | undefined {
  if (typeof result !== 'object' || result === null || !('current' in result) || !('total' in result)) return undefined;
  const { current, total } = result;
  if (typeof current !== 'number' || typeof total !== 'number') return undefined;
  return Number.isFinite(current) && total > 0 && Number.isFinite(total) ? { current, total } : undefined;
}
