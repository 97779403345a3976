/** The `json` serializer: Celery's default. */
import { DecodeError } from '../errors.ts';
import type { Serializer } from '../ports.ts';
import { readJson } from './json-read.ts';
import { writeJson } from './json-write.ts';
import type { TypeRegistry } from './types.ts';
import { defaultTypes } from './types.ts';

/** Bounds that keep a hostile payload from harming its reader. */
export interface JsonLimits {
  /** Levels of arrays and objects. @default 1000 */
  readonly maxDepth: number;
  /** Digits of one number, as in Python. @default 4300 */
  readonly maxDigits: number;
  /** Bytes of a payload. @default 512 MiB, Redis's own limit */
  readonly maxPayload: number;
}

/** The bounds unless told otherwise. */
export const DEFAULT_LIMITS: JsonLimits = Object.freeze({
  maxDepth: 1000,
  maxDigits: 4300,
  maxPayload: 512 * 1024 * 1024,
});

/** What a JSON serializer is made of. */
export interface JsonOptions {
  readonly limits?: Partial<JsonLimits> | undefined;
  /** The types that travel in envelopes. @default the process-wide registry that `registerType` adds to */
  readonly types?: TypeRegistry | undefined;
}

/**
 * The body of a Lua function of `key`. A meta starts with its status, which the first bytes tell; other writers' metas
 * are decoded. cjson does not read all that Python writes (a lone surrogate, for one): then the answer is nil, unknown.
 */
const PROBE = String.raw`
local head = redis.pcall('GETRANGE', key, 0, 63)
if type(head) ~= 'string' or head == '' then return false end
local status = string.match(head, '^{"status": ?"([^"\\]*)"')
if status then return status == 'SUCCESS' end
local ok, meta = pcall(function() return cjson.decode(redis.call('GET', key)) end)
if not ok then return nil end
return type(meta) == 'table' and meta['status'] == 'SUCCESS'
`;

/** The rule of the probe's first bytes. */
const STATUS_FIRST = /^\{"status": ?"([^"\\]*)"/;

function peekStatus(payload: Uint8Array): string | undefined {
  const head = Buffer.from(payload.buffer, payload.byteOffset, Math.min(payload.byteLength, 64));
  return STATUS_FIRST.exec(head.toString('latin1'))?.[1];
}

/**
 * Makes a serializer that writes and reads what kombu's `json` does, byte for byte.
 *
 * `encode` throws EncodeError, `decode` DecodeError; docs/serialization.md says which types cross and how.
 *
 * @see kombu.serialization.register_json
 */
export function createJsonSerializer(options: JsonOptions = {}): Serializer {
  const limits: JsonLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const types = options.types ?? defaultTypes;
  return {
    name: 'json',
    contentType: 'application/json',
    probe: PROBE,
    peekStatus,
    encode: (document) => writeJson(document, limits, types),
    decode(payload) {
      if (payload.byteLength > limits.maxPayload) {
        throw new DecodeError(`A payload of ${payload.byteLength} bytes, more than ${limits.maxPayload}.`);
      }
      return readJson(payload, limits, types);
    },
  };
}
