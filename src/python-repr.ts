/** What Python's `repr()` says, for messages that Celery makes with it. */
import { encodeException } from './exceptions.ts';
import { readable } from './serializers/excerpt.ts';
import { TextValue } from './serializers/values.ts';

const MAX_LENGTH = 8192;
const MAX_DEPTH = 20;
const MAX_ITEMS = 100;

/** Of an error: `ValueError('boom', 2)`. */
export function errorRepr(error: unknown): string {
  return exceptionRepr(encodeException(error).info);
}

/** Of an exception as it is stored: `ValueError('boom', 2)`. Takes whatever a writer left there. */
export function exceptionRepr(info: unknown): string {
  if (!isRecord(info) || typeof info['exc_type'] !== 'string') return pythonRepr(info);
  const { exc_type: type, exc_message: message } = info;
  const args: readonly unknown[] = Array.isArray(message) ? message : [message];
  // Python shows the last name of a dotted one.
  const text = `${type.slice(type.lastIndexOf('.') + 1)}(${items(args, 0, (arg, depth) => repr(arg, depth))})`;
  return text.slice(0, MAX_LENGTH);
}

/** Of a value, nearly. */
export function pythonRepr(value: unknown): string {
  return repr(value, 0).slice(0, MAX_LENGTH);
}

function repr(value: unknown, depth: number): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'string') return quote(value.slice(0, MAX_LENGTH));
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : nonFinite(value);
  if (typeof value === 'bigint') return value.toString();
  if (depth >= MAX_DEPTH) return '...';
  if (Array.isArray(value)) return `[${items(value, depth, repr)}]`;
  if (value instanceof TextValue || value instanceof Date || ArrayBuffer.isView(value)) return typed(value);
  return isRecord(value) ? `{${items(Object.entries(value), depth, pair)}}` : quote(readable(value, MAX_LENGTH));
}

function items<T>(values: readonly T[], depth: number, show: (value: T, depth: number) => string): string {
  const shown = values.slice(0, MAX_ITEMS).map((value) => show(value, depth + 1));
  return [...shown, ...(values.length > MAX_ITEMS ? ['...'] : [])].join(', ');
}

function pair([key, value]: readonly [string, unknown], depth: number): string {
  return `${quote(key)}: ${repr(value, depth)}`;
}

function typed(value: TextValue | Date | ArrayBufferView): string {
  if (value instanceof TextValue) return `${value.kind.replace(/^./, (first) => first.toUpperCase())}('${value.text}')`;
  return quote(readable(value, MAX_LENGTH));
}

function nonFinite(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'inf' : '-inf';
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** In single quotes, unless there are some inside and no double ones. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/[\\\n\r\t]|[\p{C}\p{Zl}\p{Zp}]/gu, (char) => ESCAPES[char] ?? escape(char));
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}

function escape(char: string): string {
  const hex = (char.codePointAt(0) ?? 0).toString(16);
  if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
