/**
 * Values as PyYAML's `safe_dump` writes them: block style, keys sorted, dates, bytes and sets in YAML's own types.
 * Objects that occur twice are written twice, without anchors.
 *
 * @see yaml.representer.SafeRepresenter
 */
import { types as is } from 'node:util';

import { describe } from './excerpt.ts';
import { formatDatetime } from './iso.ts';
import { pythonNumber, type WriteLimits } from './json-write.ts';
import { type Native, native } from './shape.ts';
import { Trail } from './trail.ts';
import type { TypeRegistry } from './types.ts';
import { Decimal, PlainDate, PlainTime, Uuid } from './values.ts';
import { Emitter, type Style, styleOf } from './yaml-emit.ts';
import { analyze, isPlainText } from './yaml-scalar.ts';
import { sortedEntries } from './yaml-sort.ts';

/**
 * Writes a value.
 *
 * @throws EncodeError naming the place in the value and the reason
 */
export function writeYaml(value: unknown, limits: WriteLimits, types: TypeRegistry): string {
  const writer = new YamlWriter(limits, types);
  try {
    return writer.document(value);
  } catch (error) {
    throw writer.trail.failureOf(error);
  }
}

/** A scalar as it is written. */
interface Scalar {
  readonly tag: 'null' | 'bool' | 'int' | 'float' | 'str' | 'binary' | 'timestamp';
  readonly text: string;
  readonly style: Style;
  readonly multiline: boolean;
}

/** The longest key, with its tag, that may stand in front of a colon on one line. */
const SIMPLE_KEY_LENGTH = 128;

/** One run. */
class YamlWriter {
  readonly trail: Trail;
  readonly #limits: WriteLimits;
  readonly #types: TypeRegistry;
  readonly #emitter = new Emitter();

  constructor(limits: WriteLimits, types: TypeRegistry) {
    this.trail = new Trail(limits.maxDepth);
    this.#limits = limits;
    this.#types = types;
  }

  document(value: unknown): string {
    const root = this.#native(value, '');
    this.#node(root, false);
    this.#emitter.indent();
    // PyYAML ends a document that is nothing but a plain scalar.
    return this.#scalar(root)?.style === 'plain' ? `${this.#emitter.text}...\n` : this.#emitter.text;
  }

  #native(value: unknown, key: string | number): Native {
    return native(value, key, 'YAML', this.#types);
  }

  #node(value: Native, inMapping: boolean): void {
    const scalar = this.#scalar(value);
    if (scalar) this.#emitScalar(scalar, false);
    else if (Array.isArray(value)) this.#sequence(value, inMapping);
    else if (is.isSet(value)) this.#set(value);
    else if (is.isMap(value)) this.#mapping(value, Array.from((value as ReadonlyMap<unknown, unknown>).entries()));
    else this.#mapping(value as object, Object.entries(value as object));
  }

  #emitScalar({ tag, text, style }: Scalar, isKey: boolean): void {
    if (tag === 'binary') this.#emitter.indicator('!!binary', true);
    this.#emitter.indented(
      () => {
        this.#emitter.scalar(text, style, !isKey);
      },
      { flow: true },
    );
  }

  #sequence(items: readonly unknown[], inMapping: boolean): void {
    const place = this.trail.enter(items);
    if (items.length === 0) this.#emitter.indicator('[]', true);
    const emit = (): void => {
      for (let i = 0; i < items.length; i++) {
        this.trail.step(place, i);
        this.#emitter.indent();
        this.#emitter.indicator('-', true, true);
        this.#node(this.#native(items[i], i), false);
      }
    };
    if (items.length > 0) this.#emitter.indented(emit, { indentless: inMapping && !this.#emitter.indention });
    this.trail.leave(place);
  }

  #set(set: ReadonlySet<unknown>): void {
    this.#emitter.indicator('!!set', true);
    this.#mapping(
      set,
      Array.from(set, (item) => [item, null] as const),
    );
  }

  #mapping(owner: object, all: readonly (readonly [unknown, unknown])[]): void {
    const place = this.trail.enter(owner);
    const entries = all
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [this.#native(key, ''), value] as const);
    if (entries.length === 0) this.#emitter.indicator('{}', true);
    const emit = (): void => {
      for (const [key, value] of sortedEntries(entries)) {
        this.trail.step(place, typeof key === 'string' ? key : describe(key));
        this.#emitter.indent();
        this.#key(key);
        this.#node(this.#native(value, typeof key === 'string' ? key : ''), true);
      }
    };
    if (entries.length > 0) this.#emitter.indented(emit);
    this.trail.leave(place);
  }

  /** A key and its colon. */
  #key(key: Native): void {
    const scalar = this.#scalar(key);
    if (!scalar) throw this.trail.failure('a key cannot be a list, a set or an object: Python reads no such key');
    const { tag, text, multiline } = scalar;
    // Python counts characters, not units of UTF-16.
    const length = `!!${tag}`.length + (text.length < SIMPLE_KEY_LENGTH * 2 ? Array.from(text).length : text.length);
    if (text !== '' && !multiline && length < SIMPLE_KEY_LENGTH) {
      this.#emitScalar(scalar, true);
      this.#emitter.indicator(':', false);
    } else {
      this.#emitter.indicator('?', true, true);
      this.#emitScalar(scalar, false);
      this.#emitter.indent();
      this.#emitter.indicator(':', true, true);
    }
  }

  /** A value as a scalar; `undefined` for a container. */
  #scalar(value: Native): Scalar | undefined {
    if (value === null) return plain('null', 'null');
    if (typeof value === 'string') return textual(value);
    if (typeof value === 'boolean') return plain('bool', String(value));
    if (typeof value === 'bigint') return plain('int', this.#digits(value));
    if (typeof value === 'number') return numeric(value);
    if (is.isUint8Array(value)) return binary(value);
    if (is.isDate(value)) return plain('timestamp', formatDatetime(value).replace('T', ' '));
    if (value instanceof PlainDate) return plain('timestamp', value.text);
    for (const kind of [Decimal, PlainTime, Uuid]) {
      if (value instanceof kind) throw this.trail.failure(`a ${kind.name} has no YAML form: use its toString()`);
    }
    return undefined;
  }

  #digits(value: bigint): string {
    const text = value.toString();
    const digits = value < 0n ? text.length - 1 : text.length;
    if (digits <= this.#limits.maxDigits) return text;
    throw this.trail.failure(`an integer of ${digits} digits, more than ${this.#limits.maxDigits}`);
  }
}

function plain(tag: Scalar['tag'], text: string): Scalar {
  return { tag, text, style: 'plain', multiline: false };
}

function textual(text: string): Scalar {
  const analysis = analyze(text);
  return { tag: 'str', text, style: styleOf(analysis, isPlainText(text)), multiline: analysis.multiline };
}

function numeric(value: number): Scalar {
  if (Number.isNaN(value)) return plain('float', '.nan');
  if (!Number.isFinite(value)) return plain('float', value > 0 ? '.inf' : '-.inf');
  const text = pythonNumber(value);
  if (/^-?\d+$/.test(text)) return plain('int', text);
  // YAML 1.1 wants a point in a float.
  return plain('float', text.includes('.') ? text : text.replace('e', '.0e'));
}

/** Base64 in lines of 76. */
function binary(bytes: Uint8Array): Scalar {
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  const text = base64.replace(/.{1,76}/g, '$&\n');
  return { tag: 'binary', text, style: text === '' ? 'double' : 'literal', multiline: text !== '' };
}
