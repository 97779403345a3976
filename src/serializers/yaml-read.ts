/**
 * Values from YAML as PyYAML's `safe_load` reads it. js-yaml parses; the types are ours, since its own YAML 1.1 takes
 * `y` for true and `-.5` for a number where PyYAML writes texts, loses integers beyond 2^53, and has no dates without a
 * time. There are no other tags, so that nothing runs.
 */
import type * as JsYaml from 'js-yaml';

import { DecodeError } from '../errors.ts';
import { foreignFormat } from './foreign.ts';
import type { ReadLimits } from './json-scan.ts';
import { mapping } from './shape.ts';
import { PlainDate } from './values.ts';
import { checkExpansion, expansionOf } from './expansion.ts';
import { FORMS } from './yaml-scalar.ts';

/** What is used of js-yaml 5. */
export type YamlLibrary = typeof JsYaml;

/**
 * Makes a reader.
 *
 * @returns a function that throws DecodeError when a payload is not YAML, goes beyond a bound, or has a foreign tag
 */
export function createYamlReader(yaml: YamlLibrary, limits: ReadLimits): (payload: Uint8Array) => unknown {
  const schema = pythonSchema(yaml, limits.maxDigits);
  return (payload) => {
    const text = decodeUtf8(payload);
    try {
      // A scalar is two levels for js-yaml, so the exact bound comes after it. The last of equal keys wins, as in Python.
      const value = yaml.load(text, { schema, json: true, maxDepth: limits.maxDepth + 2 });
      checkExpansion(expansionOf(value, limits), text.length);
      return value;
    } catch (error) {
      throw error instanceof DecodeError ? error : new DecodeError(`The payload is not YAML: ${reason(yaml, error)}.`);
    }
  };
}

function decodeUtf8(payload: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
  } catch (error) {
    const foreign = foreignFormat(Buffer.from(payload.subarray(0, 64)), 'yaml');
    const hint = foreign === undefined ? '' : ` It ${foreign}`;
    throw new DecodeError(`The payload is not UTF-8, or too long for a string.${hint}`, { cause: error });
  }
}

/** js-yaml's reason, without its quotation of the payload. */
function reason(yaml: YamlLibrary, error: unknown): string {
  if (error instanceof RangeError) return 'nested too deeply';
  const text = error instanceof yaml.YAMLException ? error.reason : String(error);
  return text.slice(0, 120).replace(/[^\x20-\x7e]/g, '?');
}

/** The types of PyYAML's SafeLoader. */
function pythonSchema(yaml: YamlLibrary, maxDigits: number): JsYaml.Schema {
  const { seqTag, strTag, mergeTag, binaryTag, setTag, pairsTag } = yaml;
  const scalars = [
    scalar(yaml, 'null', ['', '~', 'n', 'N'], FORMS.null, () => null),
    scalar(yaml, 'bool', 'yYnNtTfFoO'.split(''), FORMS.bool, (text) => /^(?:yes|true|on)$/i.test(text)),
    scalar(yaml, 'int', '-+0123456789'.split(''), FORMS.int, (text) => integer(text, maxDigits)),
    scalar(yaml, 'float', '-+.0123456789'.split(''), FORMS.float, float),
    timestamp(yaml),
  ];
  const omapTag = { ...pairsTag, tagName: 'tag:yaml.org,2002:omap' };
  return new yaml.Schema([strTag, seqTag, mapTag(yaml), ...scalars, mergeTag, binaryTag, setTag, omapTag, pairsTag]);
}

function scalar(
  yaml: YamlLibrary,
  name: string,
  implicitFirstChars: readonly string[],
  form: RegExp,
  read: (text: string) => unknown,
): JsYaml.ScalarTagDefinition {
  return yaml.defineScalarTag<unknown>(`tag:yaml.org,2002:${name}`, {
    implicit: true,
    implicitFirstChars,
    resolve: (text) => (form.test(text) ? read(text) : yaml.NOT_RESOLVED),
    identify: () => false,
  });
}

/** An integer, in base 2, 8, 10, 16 or 60. */
function integer(text: string, maxDigits: number): number | bigint {
  const sign = text.startsWith('-') ? -1n : 1n;
  const digits = text.replace(/^[-+]|_/g, '');
  if (digits.length > maxDigits) throw new DecodeError(`A number has more than ${maxDigits} digits.`);
  const value = sign * magnitude(digits);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function magnitude(digits: string): bigint {
  if (digits.includes(':')) return digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n);
  // `0b` and `0x` without digits are errors in Python.
  if (/^0[bx]?$/.test(digits)) return 0n;
  return BigInt(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits);
}

function float(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace(/^[-+]|_/g, '').toLowerCase();
  if (digits === '.inf') return sign * Infinity;
  if (digits === '.nan') return NaN;
  return sign * digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** A datetime, cut to milliseconds and without an offset in UTC; or a date. */
function timestamp(yaml: YamlLibrary): JsYaml.ScalarTagDefinition {
  const { timestampTag, NOT_RESOLVED } = yaml;
  return {
    ...timestampTag,
    resolve(text, isExplicit, tagName) {
      const date = timestampTag.resolve(text, isExplicit, tagName);
      return date === NOT_RESOLVED || !FORMS.date.test(text) ? date : new PlainDate(text);
    },
  };
}

/** A mapping whose keys are scalars: an object when all of them are texts, else a Map. */
function mapTag(yaml: YamlLibrary): JsYaml.MappingTagDefinition<Map<unknown, unknown>, object> {
  return yaml.defineMappingTag<Map<unknown, unknown>, object>('tag:yaml.org,2002:map', {
    create: () => new Map(),
    addPair(map, key, value) {
      if (isContainer(key)) return 'a key that is a list or a mapping';
      map.set(key, value);
      return '';
    },
    has: (map, key) => map.has(key),
    keys: (result) => (result instanceof Map ? result.keys() : Object.keys(result)),
    get: (result, key) =>
      result instanceof Map ? (result.get(key) as unknown) : (result as Record<string, unknown>)[String(key)],
    finalize: (map) => mapping([...map]),
    identify: () => false,
  });
}

/** Dates and bytes are objects too, but scalars of YAML. */
function isContainer(key: unknown): boolean {
  if (typeof key !== 'object' || key === null) return false;
  return !(key instanceof Date || key instanceof PlainDate || key instanceof Uint8Array);
}
