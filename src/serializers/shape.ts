/** What a JavaScript value is to those who write it. */
import { types as is } from 'node:util';

import { InvalidArgumentError } from '../errors.ts';
import type { TypeRegistry } from './types.ts';
import { Decimal, PlainDate, PlainTime, Uuid } from './values.ts';

/** A value as a format with types of its own sees it: nothing but these, at the top level. */
export type Native =
  | null
  | boolean
  | number
  | bigint
  | string
  | Date
  | Decimal
  | PlainDate
  | PlainTime
  | Uuid
  | Uint8Array
  | readonly unknown[]
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | Readonly<Record<string, unknown>>;

/** How often one value may turn into another: by `toJSON`, a registered class or a boxed primitive. */
const MAX_TURNS = 10;

/**
 * A value without what is JavaScript's own: `toJSON` is called, boxed primitives are opened, and a class registered
 * without a marker is encoded. The members of a container are left as they are.
 *
 * @param format - the format's name, for messages
 * @throws InvalidArgumentError for a value that the format has no form for
 */
export function native(value: unknown, key: string | number, format: string, types: TypeRegistry): Native {
  let current = value;
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    if (typeof current !== 'object' || current === null) return primitive(current, format);
    const next = isOwn(current) ? current : turned(current, String(key), format, types);
    if (next === current) return structure(current, format);
    current = next;
  }
  throw new InvalidArgumentError('its toJSON() or its registered class makes ever new objects of it');
}

function primitive(value: unknown, format: string): null | boolean | number | bigint | string {
  if (value === null || value === undefined) return null;
  if (typeof value === 'function' || typeof value === 'symbol') {
    throw new InvalidArgumentError(`a ${typeof value} has no ${format} form`);
  }
  // Objects, functions and symbols are gone.
  return value as boolean | number | bigint | string;
}

/** Whether a value is of a type that some format has a form for, whatever its `toJSON` says. */
function isOwn(value: object): boolean {
  return (
    value instanceof Decimal || value instanceof PlainDate || value instanceof PlainTime || value instanceof Uuid ||
    is.isDate(value) || is.isUint8Array(value)
  ); // prettier-ignore
}

function turned(value: object, key: string, format: string, types: TypeRegistry): unknown {
  if (is.isBoxedPrimitive(value)) return value.valueOf();
  const encoder = isPlain(value) ? undefined : types.encoder(value);
  if (encoder?.marker === null) return encoder.encode(value);
  if (encoder) {
    throw new InvalidArgumentError(
      `a class registered with a marker travels in JSON; for ${format}, give it a toJSON() or register it with marker null`,
    );
  }
  return hasToJson(value) ? value.toJSON(key) : value;
}

function structure(value: object, format: string): Native {
  const isKnown = Array.isArray(value) || isPlain(value) || isOwn(value) || is.isMap(value) || is.isSet(value);
  if (!isKnown) {
    const tag = tagOf(value);
    if (tag !== 'Object') throw new InvalidArgumentError(refusal(tag, format));
  }
  // One of the known, or an instance of a class, whose own fields are written.
  return value as Native;
}

/** `Object.prototype.toString` without its frame. */
export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

const ADVICE: Readonly<Record<string, (format: string) => string>> = {
  Error: () => 'an Error is not a value: return its message, or fail the task with it',
  Promise: (format) => `a Promise has no ${format} form: await it`,
  RegExp: (format) => `a RegExp has no ${format} form: use its source`,
  ArrayBuffer: (format) => `an ArrayBuffer has no ${format} form: wrap it in a Uint8Array`,
};

/** Why an object of a kind is refused, and what to do about it. */
export function refusal(tag: string, format: string): string {
  const advice = Object.hasOwn(ADVICE, tag) ? ADVICE[tag] : undefined;
  return (
    advice?.(format) ??
    `a ${tag} has no ${format} form: convert it, give it a toJSON(), or register its class with registerType()`
  );
}

/** Not so for a Date or a Buffer, whose types are kept. */
export function hasToJson(value: object): value is { toJSON(key: string): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function' && !is.isDate(value) && !is.isUint8Array(value);
}

/** Whether an object is no instance of a class. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null;
}

/** A mapping that was read: an object when all its keys are strings, else a Map. */
export function mapping(
  entries: readonly (readonly [unknown, unknown])[],
): Record<string, unknown> | Map<unknown, unknown> {
  // It defines own properties, `__proto__` too.
  return entries.every(([key]) => typeof key === 'string')
    ? (Object.fromEntries(entries) as Record<string, unknown>)
    : new Map(entries);
}
