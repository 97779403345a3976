/**
 * Values from JSON text as Python's `json.loads` reads it under kombu's `object_hook`.
 *
 * `JSON.parse` does the work. It lacks integers beyond 2^53, NaN and Infinity, bounds, and typed values. No library
 * fits (docs/serialization.md has the table): lossless-json, json-bigint, json-with-bigint and streamparser refuse
 * NaN; json5 reads it, but also trailing commas and comments, loses big integers, and is 30 times slower; lossless-json,
 * json-bigint and jsonc-parser overflow the stack at depth 10,000. So a scan replaces the few tokens that `JSON.parse`
 * cannot read by strings that nobody can guess, and one walk afterwards turns those and the envelopes into values.
 *
 * @see kombu.utils.json.loads
 */
import { isAscii } from 'node:buffer';

import { DecodeError } from '../errors.ts';
import { escapeUnprintable, excerpt } from './excerpt.ts';
import { foreignFormat } from './foreign.ts';
import type { ReadLimits, Replacements } from './json-scan.ts';
import { scan } from './json-scan.ts';
import type { TypeRegistry } from './types.ts';

/**
 * Reads a payload.
 *
 * @throws DecodeError when it is not UTF-8 or not JSON, a bound is exceeded, or a typed value is malformed
 */
export function readJson(payload: Uint8Array, limits: ReadLimits, types: TypeRegistry): unknown {
  const bytes = Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const obvious = flaw(bytes);
  if (obvious !== undefined) throw new DecodeError(obvious);
  const rare = scan(bytes, limits);
  const text = decodeUtf8(rare ? rare.applied() : bytes);
  const value = parse(text, bytes);
  return rare || mayHoldEnvelopes(text) ? revive(value, rare, types) : value;
}

function decodeUtf8(bytes: Buffer): string {
  try {
    if (isAscii(bytes)) return bytes.toString('latin1');
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new DecodeError('The payload is not UTF-8, or too long for a string.', { cause: error });
  }
}

function parse(text: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // V8 goes on with a place in the text it was given and a quotation of it.
    const reason = (error as Error).message.replace(/(?:, (?:\.\.\.)?"| (?:in JSON )?at position ).*$/s, '');
    const shown = escapeUnprintable(reason);
    throw new DecodeError(`The payload is not JSON: ${shown}, in ${excerpt(bytes.toString('latin1', 0, 64))}.`);
  }
}

/** Why the payload is no JSON, as far as its first bytes tell. */
function flaw(bytes: Buffer): string | undefined {
  if (bytes.length === 0) return 'The payload is empty.';
  if (bytes[0] === 0xef && bytes[1] === 0xbb) return 'The payload starts with a byte order mark.';
  const foreign = foreignFormat(bytes, 'json');
  return foreign && `The payload ${foreign}`;
}

/** False only when no object of the text can have the key `__type__`, escaped or not. */
function mayHoldEnvelopes(text: string): boolean {
  return text.includes('__type__') || (text.includes('\\u00') && /\\u00(?:5f|65|7[049])/i.test(text));
}

type Container = unknown[] | Record<string, unknown>;

/** Replaces the stand-ins of numbers and the envelopes, the inner ones first. Without recursion. */
function revive(root: unknown, rare: Replacements | null, types: TypeRegistry): unknown {
  const holder = [root];
  const containers: Container[] = [holder];
  // Every container comes after the one it is in.
  for (const container of containers) {
    const items = Array.isArray(container) ? container : Object.values(container);
    for (const item of items) if (isContainer(item)) containers.push(item);
  }
  for (const container of containers.reverse()) {
    if (Array.isArray(container)) {
      for (let i = 0; i < container.length; i++) container[i] = revived(container[i], rare, types);
    } else {
      // JSON.parse made every key an own property, `__proto__` too, so that this assigns to no setter.
      for (const key of Object.keys(container)) container[key] = revived(container[key], rare, types);
    }
  }
  return holder[0];
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

function revived(value: unknown, rare: Replacements | null, types: TypeRegistry): unknown {
  if (typeof value === 'string') return rare ? rare.restore(value) : value;
  if (!isContainer(value) || Array.isArray(value) || !Object.hasOwn(value, '__type__')) return value;
  const { __type__: marker, __value__: inner } = value;
  const isEnvelope = Object.hasOwn(value, '__value__') && Object.keys(value).length === 2;
  return isEnvelope && types.knows(marker) ? types.decode(marker, inner) : value;
}
