/**
 * JSON text as Python's `json.dumps` writes it under kombu's encoder: `", "` and `": "`, ASCII only, floats in Python's
 * notation.
 *
 * @see kombu.utils.json.JSONEncoder
 */
import { isUtf8 } from 'node:buffer';
import { types as is } from 'node:util';

import { describe } from './excerpt.ts';
import { formatDatetime } from './iso.ts';
import { GrowingText, quote } from './json-text.ts';
import { hasToJson, isPlain, refusal, tagOf } from './shape.ts';
import { Trail } from './trail.ts';
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
    throw writer.trail.failureOf(error);
  }
}

/** A number as Python's `repr` writes it: a safe integer as an int, everything else as a float. */
export function pythonNumber(value: number): string {
  if (Number.isSafeInteger(value)) return value === 0 && 1 / value < 0 ? '-0.0' : String(value);
  if (!Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude >= 1e16 || magnitude < 1e-4) return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** One run. */
class JsonWriter {
  readonly trail: Trail;
  readonly #limits: WriteLimits;
  readonly #types: TypeRegistry;

  constructor(limits: WriteLimits, types: TypeRegistry) {
    this.trail = new Trail(limits.maxDepth);
    this.#limits = limits;
    this.#types = types;
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
        throw this.trail.failure(`a ${typeof value} has no JSON form`);
    }
  }

  #integer(value: bigint): string {
    const text = value.toString();
    const digits = value < 0n ? text.length - 1 : text.length;
    if (digits > this.#limits.maxDigits) {
      throw this.trail.failure(`an integer of ${digits} digits, more than ${this.#limits.maxDigits}`);
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
    const place = this.trail.enter(value);
    this.trail.step(place, '__value__');
    const text = this.write(encoded, '__value__');
    this.trail.leave(place);
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
    const tag = tagOf(value);
    if (tag !== 'Object') throw this.trail.failure(refusal(tag, 'JSON'));
    return this.#members(value, Object.keys(value));
  }

  #array(owner: object, items: readonly unknown[]): string {
    const place = this.trail.enter(owner);
    const text = new GrowingText('[');
    for (let i = 0; i < items.length; i++) {
      this.trail.step(place, i);
      const item = this.write(items[i], i);
      text.add(i === 0 ? item : `, ${item}`);
    }
    this.trail.leave(place);
    return `${text.toString()}]`;
  }

  #map(map: ReadonlyMap<unknown, unknown>): string {
    const keys = [...map.keys()].map((key) => {
      if (typeof key === 'string') return key;
      if (typeof key === 'number') return pythonNumber(key);
      if (typeof key === 'bigint') return this.#integer(key);
      if (typeof key === 'boolean' || key === null) return String(key);
      throw this.trail.failure(`a Map key must be a string, number, bigint, boolean or null; got ${describe(key)}`);
    });
    return this.#members(map, keys, [...map.values()]);
  }

  /** @param values - the values of `keys`; by default the owner's own properties, each read when its turn comes */
  #members(owner: object, keys: readonly string[], values?: readonly unknown[]): string {
    const place = this.trail.enter(owner);
    const text = new GrowingText('{');
    let count = 0;
    let marks = 0;
    let next = 0;
    for (const key of keys) {
      this.trail.step(place, key);
      const value = values ? values[next++] : (owner as Record<string, unknown>)[key];
      if (value === undefined) continue;
      if (key === '__type__' || key === '__value__') marks += 1;
      const member = `${quote(key)}: ${this.write(value, key)}`;
      text.add(count === 0 ? member : `, ${member}`);
      count += 1;
    }
    this.trail.leave(place);
    if (marks === 2 && count === 2) throw this.trail.failure(LOOKALIKE);
    return `${text.toString()}}`;
  }
}

const LOOKALIKE =
  'an object with exactly the keys __type__ and __value__ would be read as a typed value; add a key, or register its class with registerType()';

function envelope(marker: string, text: string): string {
  return `{"__type__": ${quote(marker)}, "__value__": ${text}}`;
}

function bytesEnvelope(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer)
    ? envelope('bytes', quote(buffer.toString('utf8')))
    : envelope('base64', `"${buffer.toString('base64')}"`);
}
