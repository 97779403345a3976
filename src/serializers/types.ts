/**
 * The types that travel in an envelope, `{"__type__": marker, "__value__": ...}`.
 *
 * @see kombu.utils.json
 */
import { DecodeError, InvalidArgumentError } from '../errors.ts';
import { describe } from './excerpt.ts';
import { formatDatetime, parseDatetime } from './iso.ts';
import { Decimal, PlainDate, PlainTime, Uuid } from './values.ts';

/** A class whose instances are values, abstract or not. */
export type ValueClass<T extends object> = abstract new (...args: never[]) => T;

/** How the values of one class are written. */
export interface TypeEncoder {
  /** The envelope's marker; `null` for no envelope. */
  readonly marker: string | null;
  encode(value: object): unknown;
}

/** The types that a serializer writes into envelopes and reads from them. Starts out with kombu's own. */
export class TypeRegistry {
  /** By prototype. */
  readonly #encoders = new Map<object, TypeEncoder>();
  readonly #decoders = new Map<string, (value: unknown) => unknown>();

  constructor() {
    this.register(Date, 'datetime', formatDatetime, (value) => parseDatetime(text(value)));
    this.register(PlainDate, 'date', String, (value) => new PlainDate(text(value)));
    this.register(PlainTime, 'time', String, (value) => new PlainTime(text(value)));
    this.register(Decimal, 'decimal', String, decodeDecimal);
    this.register(Uuid, 'uuid', (uuid) => ({ hex: uuid.hex }), decodeUuid);
    this.#decoders.set('bytes', decodeText);
    this.#decoders.set('base64', decodeBase64);
  }

  /**
   * Adds a class.
   *
   * @param type - instances of it and of its subclasses are written by `encode`; the nearest class wins
   * @param marker - the `__type__`; `null` writes what `encode` returns as it is, without an envelope
   * @param encode - returns anything that can be written
   * @param decode - is given what was read for `encode`'s value, with the typed values inside it already decoded; by
   * default returns it as it is
   * @throws InvalidArgumentError when the class or the marker is taken
   */
  register<T extends object>(
    type: ValueClass<T>,
    marker: string | null,
    encode: (value: T) => unknown,
    decode: (value: unknown) => unknown = (value) => value,
  ): void {
    const prototype: unknown = type.prototype;
    if (typeof prototype !== 'object' || prototype === null) {
      throw new InvalidArgumentError(`Expected a class to register; got ${describe(type)}.`);
    }
    if (prototype === Object.prototype || prototype === Array.prototype) {
      throw new InvalidArgumentError(`${type.name} cannot be registered: plain objects and arrays are plain JSON.`);
    }
    if (this.#encoders.has(prototype)) throw new InvalidArgumentError(`${type.name} is registered already.`);
    if (marker !== null && this.#decoders.has(marker)) {
      throw new InvalidArgumentError(`The marker ${describe(marker)} is registered already.`);
    }
    // The registry finds an encoder by the prototype of the value, so the value is a T.
    this.#encoders.set(prototype, { marker, encode: (value) => encode(value as T) });
    if (marker !== null) this.#decoders.set(marker, decode);
  }

  /** How to write an object; `undefined` when none of its classes is registered. */
  encoder(value: object): TypeEncoder | undefined {
    let prototype: object | null = Object.getPrototypeOf(value) as object | null;
    for (; prototype; prototype = Object.getPrototypeOf(prototype) as object | null) {
      const encoder = this.#encoders.get(prototype);
      if (encoder) return encoder;
    }
    return undefined;
  }

  /** Whether envelopes with this marker are decoded. */
  knows(marker: unknown): marker is string {
    return typeof marker === 'string' && this.#decoders.has(marker);
  }

  /**
   * Decodes the value of an envelope whose marker is known.
   *
   * @throws DecodeError when the value is malformed
   */
  decode(marker: string, value: unknown): unknown {
    try {
      return this.#decoders.get(marker)?.(value);
    } catch (error) {
      throw new DecodeError(`Malformed ${describe(marker)} value: ${describe(value)}.`, { cause: error });
    }
  }
}

/** The registry of serializers that are not given their own. */
export const defaultTypes: TypeRegistry = new TypeRegistry();

/**
 * Adds a class to the process-wide registry: `registerType(Money, 'money', (m) => m.cents, (cents) => new Money(cents))`.
 * A Python reader needs a `register_type` with the same marker.
 *
 * @throws InvalidArgumentError when the class or the marker is taken
 * @see kombu.utils.json.register_type
 * @see TypeRegistry.register
 */
export function registerType<T extends object>(
  type: ValueClass<T>,
  marker: string | null,
  encode: (value: T) => unknown,
  decode?: (value: unknown) => unknown,
): void {
  defaultTypes.register(type, marker, encode, decode);
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new InvalidArgumentError(`Expected a text; got ${describe(value)}.`);
}

function decodeDecimal(value: unknown): Decimal {
  return new Decimal(typeof value === 'number' || typeof value === 'bigint' ? String(value) : text(value));
}

function decodeUuid(value: unknown): string {
  if (typeof value !== 'object' || value === null) throw new InvalidArgumentError('Expected an object.');
  const { hex, ...rest } = value as Record<string, unknown>;
  // kombu 5.3.0 wrote the version as well.
  if (Object.keys(rest).some((key) => key !== 'version')) throw new InvalidArgumentError('Expected hex and version.');
  return new Uuid(text(hex)).text;
}

function decodeText(value: unknown): Uint8Array {
  if (!text(value).isWellFormed()) throw new InvalidArgumentError('Expected text that UTF-8 can hold.');
  return new TextEncoder().encode(text(value));
}

function decodeBase64(value: unknown): Uint8Array {
  const bytes = Buffer.from(text(value), 'base64');
  // Node skips what is not base64; the way back shows it.
  if (bytes.toString('base64') !== value) throw new InvalidArgumentError('Expected padded standard base64.');
  return new Uint8Array(bytes);
}
