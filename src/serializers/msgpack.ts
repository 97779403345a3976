/** The `msgpack` serializer. */
import { DecodeError } from '../errors.ts';
import type { Serializer } from '../ports.ts';
import type { JsonOptions } from './json.ts';
import { DEFAULT_LIMITS } from './json.ts';
import { readMsgpack } from './msgpack-read.ts';
import { writeMsgpack } from './msgpack-write.ts';
import { defaultTypes } from './types.ts';

/**
 * The body of a Lua function of `key`. A meta starts with its status, as a short text, behind one byte that says how
 * many fields there are; other writers' metas are decoded. (Redis's decoder knows no bytes and no extensions, so that
 * it serves as a fallback only.) A value that is no string, or cannot be decoded, is no SUCCESS.
 */
const PROBE = String.raw`
local head = redis.pcall('GETRANGE', key, 0, 39)
if type(head) ~= 'string' or head == '' then return false end
local fields, length = string.byte(head, 1), string.byte(head, 9)
if fields > 128 and fields < 144 and string.sub(head, 2, 8) == '\166status' and length and length >= 160 and length < 192 then
  return string.sub(head, 9, 9 + length - 160) == '\167SUCCESS'
end
local ok, meta = pcall(cmsgpack.unpack, redis.call('GET', key))
return ok and type(meta) == 'table' and meta['status'] == 'SUCCESS'
`;

/**
 * Makes a serializer that writes and reads what kombu's `msgpack` does, byte for byte. It needs no package.
 *
 * `encode` throws EncodeError, `decode` DecodeError; docs/serialization.md says which types cross and how.
 *
 * @see kombu.serialization.register_msgpack
 */
export function createMsgpackSerializer(options: JsonOptions = {}): Serializer {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const types = options.types ?? defaultTypes;
  return {
    name: 'msgpack',
    contentType: 'application/x-msgpack',
    probe: PROBE,
    encode: (document) => writeMsgpack(document, limits, types),
    decode(payload) {
      if (payload.byteLength > limits.maxPayload) {
        throw new DecodeError(`A payload of ${payload.byteLength} bytes, more than ${limits.maxPayload}.`);
      }
      return readMsgpack(payload, limits);
    },
  };
}
