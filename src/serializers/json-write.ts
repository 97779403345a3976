/**
 * JSON text as Python's `json.dumps` writes it under kombu's encoder: `", "` and `": "`, ASCII only, floats in Python's
 * notation.
 *
 * @see kombu.utils.json.JSONEncoder
 */
import { isUtf8 } from 'node:buffer';
import { types as is } from 'node:util';

import { EncodeError, InvalidArgumentError } from '../errors.ts';
import { describe, excerpt, readable } from './excerpt.ts';
import { formatDatetime } from './iso.ts';
import { GrowingText, isTooLong, quote } from './json-text.ts';
import type { TypeEncoder, TypeRegistry } from './types.ts';

/** Bounds of a written text. */
export interface WriteLimits {
  readonly maxDepth: number;
  readonly maxDigits: number;
}

/**
 * Writes a value.
 *
 * @throws EncodeError naming the place in the value and the reason
 */
export function writeJson(value: unknown, limits: WriteLimits, types: TypeRegistry): string {
  const writer = new JsonWriter(limits, types);
  try {
    return writer.write(value, '');
  } catch (error) {
    throw error instanceof EncodeError ? error : writer.failure(reasonOf(error), error);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof InvalidArgumentError) return error.message;
  const message = readable(error instanceof Error ? error.message : error, 200);
  if (error instanceof RangeError && message.includes('call stack')) return 'nested too deeply';
  return isTooLong(error) ? 'the text becomes too long' : `reading it failed: ${message}`;
}

/** A number as Python's `repr` writes it: a safe integer as an int, everything else as a float. */
export function pythonNumber(value: number): string {
  if (Number.isSafeInteger(value)) return value === 0 && 1 / value < 0 ? '-0.0' : String(value);
  if (!Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude >= 1e16 || magnitude < 1e-4) return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** One run. The path and the ancestors are kept as it goes, for messages and cycles. */
class JsonWriter {
  readonly #limits: WriteLimits;
  readonly #types: TypeRegistry;
  readonly #path: (string | number)[] = [];
  readonly #ancestors: object[] = [];
  #depth = 0;

  constructor(limits: WriteLimits, types: TypeRegistry) {
    this.#limits = limits;
    this.#types = types;
  }

  failure(reason: string, cause?: unknown): EncodeError {
    const steps = this.#path.slice(0, this.#depth).map(step);
    const path = steps.length > 20 ? [...steps.slice(0, 10), ' ... ', ...steps.slice(-10)] : steps;
    return new EncodeError(
      `Cannot encode $${path.join('')}: ${reason.replace(/\.$/, '')}.`,
      cause === undefined ? {} : { cause },
    );
  }

  write(value: unknown, key: string | number): string {
    switch (typeof value) {
      case 'string':
        return quote(value);
      case 'number':
        return pythonNumber(value);
      case 'boolean':
        return value ? 'true' : 'false';
      case 'undefined':
        return 'null';
      case 'object':
        return value === null ? 'null' : this.#object(value, key);
      case 'bigint':
        return this.#integer(value);
      default:
        throw this.failure(`a ${typeof value} has no JSON form`);
    }
  }

  #integer(value: bigint): string {
    const text = value.toString();
    const digits = value < 0n ? text.length - 1 : text.length;
    if (digits > this.#limits.maxDigits) {
      throw this.failure(`an integer of ${digits} digits, more than ${this.#limits.maxDigits}`);
    }
    return text;
  }

  #object(value: object, key: string | number): string {
    const encoder = isPlain(value) ? undefined : this.#types.encoder(value);
    if (encoder) return this.#registered(value, encoder);
    if (!hasToJson(value)) return this.#structure(value);
    const json = value.toJSON(String(key));
    if (typeof json !== 'object' || json === null) return this.write(json, key);
    const inner = isPlain(json) ? undefined : this.#types.encoder(json);
    return inner ? this.#registered(json, inner) : this.#structure(json);
  }

  #registered(value: object, encoder: TypeEncoder): string {
    const encoded = encoder.encode(value);
    const place = this.#enter(value);
    this.#path[place] = '__value__';
    const text = this.write(encoded, '__value__');
    this.#depth = place;
    return encoder.marker === null ? text : envelope(encoder.marker, text);
  }

  #structure(value: object): string {
    if (Array.isArray(value)) return this.#array(value, value);
    if (isPlain(value)) return this.#members(value, Object.keys(value));
    if (is.isUint8Array(value)) return bytesEnvelope(value);
    if (is.isMap(value)) return this.#map(value);
    if (is.isSet(value)) return this.#array(value, [...value]);
    if (is.isDate(value)) return envelope('datetime', quote(formatDatetime(value)));
    if (is.isBoxedPrimitive(value)) return this.write(value.valueOf(), '');
    const tag = Object.prototype.toString.call(value).slice(8, -1);
    if (tag !== 'Object') throw this.failure(refusal(tag));
    return this.#members(value, Object.keys(value));
  }

  #array(owner: object, items: readonly unknown[]): string {
    const place = this.#enter(owner);
    const text = new GrowingText('[');
    for (let i = 0; i < items.length; i++) {
      this.#path[place] = i;
      const item = this.write(items[i], i);
      text.add(i === 0 ? item : `, ${item}`);
    }
    this.#depth = place;
    return `${text.toString()}]`;
  }

  #map(map: ReadonlyMap<unknown, unknown>): string {
    const keys = [...map.keys()].map((key) => {
      if (typeof key === 'string') return key;
      if (typeof key === 'number') return pythonNumber(key);
      if (typeof key === 'bigint') return this.#integer(key);
      if (typeof key === 'boolean' || key === null) return String(key);
      throw this.failure(`a Map key must be a string, number, bigint, boolean or null; got ${describe(key)}`);
    });
    return this.#members(map, keys, [...map.values()]);
  }

  /** @param values - the values of `keys`; by default the owner's own properties, each read when its turn comes */
  #members(owner: object, keys: readonly string[], values?: readonly unknown[]): string {
    const place = this.#enter(owner);
    const text = new GrowingText('{');
    let count = 0;
    let marks = 0;
    let next = 0;
    for (const key of keys) {
      this.#path[place] = key;
      const value = values ? values[next++] : (owner as Record<string, unknown>)[key];
      if (value === undefined) continue;
      if (key === '__type__' || key === '__value__') marks += 1;
      const member = `${quote(key)}: ${this.write(value, key)}`;
      text.add(count === 0 ? member : `, ${member}`);
      count += 1;
    }
    this.#depth = place;
    if (marks === 2 && count === 2) throw this.failure(LOOKALIKE);
    return `${text.toString()}}`;
  }

  /** Goes down into an object; returns the place of its members' keys in the path. */
  #enter(owner: object): number {
    const depth = this.#depth;
    for (let i = 0; i < depth; i++) {
      if (this.#ancestors[i] === owner)
        throw this.failure(`circular: it is $${this.#path.slice(0, i).map(step).join('')} again`);
    }
    if (depth >= this.#limits.maxDepth) throw this.failure(`nested deeper than ${this.#limits.maxDepth}`);
    this.#ancestors[depth] = owner;
    this.#depth = depth + 1;
    return depth;
  }
}

const LOOKALIKE =
  'an object with exactly the keys __type__ and __value__ would be read as a typed value; add a key, or register its class with registerType()';

const ADVICE: Readonly<Record<string, string>> = {
  Error: 'an Error is not a value: return its message, or fail the task with it',
  Promise: 'a Promise has no JSON form: await it',
  RegExp: 'a RegExp has no JSON form: use its source',
  ArrayBuffer: 'an ArrayBuffer has no JSON form: wrap it in a Uint8Array',
};

function refusal(tag: string): string {
  return (
    ADVICE[tag] ??
    `a ${tag} has no JSON form: convert it, give it a toJSON(), or register its class with registerType()`
  );
}

/** Not so for a Date or a Buffer, whose types are kept. */
function hasToJson(value: object): value is { toJSON(key: string): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function' && !is.isDate(value) && !is.isUint8Array(value);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null;
}

function envelope(marker: string, text: string): string {
  return `{"__type__": ${quote(marker)}, "__value__": ${text}}`;
}

function bytesEnvelope(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer)
    ? envelope('bytes', quote(buffer.toString('utf8')))
    : envelope('base64', `"${buffer.toString('base64')}"`);
}

function step(key: string | number): string {
  if (typeof key === 'number') return `[${key}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key.slice(0, 100)}` : `[${excerpt(key)}]`;
}
