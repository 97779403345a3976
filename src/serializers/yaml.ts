/** The `yaml` serializer. */
import { DecodeError, ImproperlyConfigured } from '../errors.ts';
import type { Serializer } from '../ports.ts';
import type { JsonOptions } from './json.ts';
import { DEFAULT_LIMITS } from './json.ts';
import { defaultTypes } from './types.ts';
import type { YamlLibrary } from './yaml-read.ts';
import { createYamlReader } from './yaml-read.ts';
import { writeYaml } from './yaml-write.ts';

/**
 * The body of a Lua function of `key`. In block style only a key of the meta itself stands in the first column: a text
 * of many lines is indented, whatever is in it. Forms of other writers: quotes, comments, other line ends, and JSON,
 * which is YAML too. A value that is no string is no SUCCESS.
 */
const PROBE = String.raw`
local text = redis.call('GET', key)
if type(text) ~= 'string' then return false end
if string.find(text, '\nstatus: SUCCESS\n', 1, true) then return true end
if string.find(text, '^%s*{') then
  local ok, meta = pcall(cjson.decode, text)
  return ok and type(meta) == 'table' and meta['status'] == 'SUCCESS'
end
text = '\n' .. text .. '\n'
for _, quote in ipairs({ '', '"', "'" }) do
  local line = '[\r\n]["\']?status["\']?[ \t]*:[ \t]+' .. quote .. 'SUCCESS' .. quote
  if string.find(text, line .. '[ \t]*[\r\n]') or string.find(text, line .. '[ \t]+#') then return true end
end
return false
`;

/**
 * Makes a serializer that writes and reads what kombu's `yaml` does, byte for byte. It reads by js-yaml, which is
 * loaded at its first use.
 *
 * `encode` throws EncodeError, `decode` DecodeError; docs/serialization.md says which types cross and how.
 *
 * @throws ImproperlyConfigured from `load` when js-yaml 5 is not installed
 * @see kombu.serialization.register_yaml
 */
export function createYamlSerializer(options: JsonOptions = {}): Serializer {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const types = options.types ?? defaultTypes;
  let read: ((payload: Uint8Array) => unknown) | undefined;
  return {
    name: 'yaml',
    contentType: 'application/x-yaml',
    probe: PROBE,
    async load() {
      read ??= createYamlReader(await loadYaml(), limits);
    },
    encode: (document) => writeYaml(document, limits, types),
    decode(payload) {
      if (!read) throw new ImproperlyConfigured('The yaml serializer is used before its load().');
      if (payload.byteLength > limits.maxPayload) {
        throw new DecodeError(`A payload of ${payload.byteLength} bytes, more than ${limits.maxPayload}.`);
      }
      return read(payload);
    },
  };
}

async function loadYaml(): Promise<YamlLibrary> {
  let library: YamlLibrary;
  try {
    library = await import('js-yaml');
  } catch (error) {
    throw new ImproperlyConfigured(
      "serializer 'yaml': the package js-yaml could not be loaded. Install it: npm install js-yaml@5",
      { cause: error },
    );
  }
  if ('defineMappingTag' in library) return library;
  throw new ImproperlyConfigured(
    "serializer 'yaml': the installed js-yaml is older than version 5. Install that: npm install js-yaml@5",
  );
}
