/** The binary types that superjson stores in a form that it cannot read, or in one of four characters a byte. */
import { types as is } from 'node:util';

import { EncodeError, InvalidArgumentError } from '../errors.ts';
import { describe } from './excerpt.ts';

/** The part of a SuperJSON instance that is used here. */
interface CustomTypes {
  registerCustom<I, O>(
    transformer: { isApplicable(value: unknown): value is I; serialize(value: I): O; deserialize(value: O): I },
    name: string,
  ): void;
}

/** The typed arrays that superjson itself reads. */
const READABLE: ReadonlySet<string> = new Set(
  'Int8Array Uint16Array Int16Array Uint32Array Int32Array Float32Array Float64Array Uint8ClampedArray'.split(' '),
);

/**
 * Makes `Buffer`, `Uint8Array` (base64), `BigInt64Array` and `BigUint64Array` (texts) come back as they were, and
 * refuses other typed arrays. To be called after the user's own registrations, which come first then.
 */
export function registerBinary(superjson: CustomTypes): void {
  register(superjson, 'Buffer', base64, (value) => Buffer.from(text(value), 'base64'));
  register(superjson, 'Uint8Array', base64, (value) => new Uint8Array(Buffer.from(text(value), 'base64')));
  register(superjson, 'BigInt64Array', texts, (value) => BigInt64Array.from(list(value), toBigInt));
  register(superjson, 'BigUint64Array', texts, (value) => BigUint64Array.from(list(value), toBigInt));
  superjson.registerCustom<NodeJS.TypedArray, unknown>(
    {
      isApplicable: (value): value is NodeJS.TypedArray => is.isTypedArray(value) && !READABLE.has(typeName(value)),
      serialize(value) {
        throw new EncodeError(
          `a ${typeName(value)} could not be read back: convert it, or register it with superjson.`,
        );
      },
      deserialize() {
        throw new InvalidArgumentError('Expected a typed array that superjson can read.');
      },
    },
    'celery-redis-backend.TypedArray',
  );
}

function register(
  superjson: CustomTypes,
  name: string,
  serialize: (value: NodeJS.TypedArray) => unknown,
  deserialize: (value: unknown) => NodeJS.TypedArray,
): void {
  const isApplicable = (value: unknown): value is NodeJS.TypedArray =>
    is.isTypedArray(value) && typeName(value) === name;
  superjson.registerCustom({ isApplicable, serialize, deserialize }, `celery-redis-backend.${name}`);
}

function typeName(value: NodeJS.TypedArray): string {
  return value.constructor.name;
}

function base64({ buffer, byteOffset, byteLength }: NodeJS.TypedArray): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

function texts(value: NodeJS.TypedArray): string[] {
  return Array.from(value, String);
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new InvalidArgumentError(`Expected a text; got ${describe(value)}.`);
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  throw new InvalidArgumentError(`Expected an array; got ${describe(value)}.`);
}

/** An integer of 64 bits has 20 characters at most. */
function toBigInt(value: unknown): bigint {
  const digits = text(value);
  if (!/^-?\d{1,20}$/.test(digits)) throw new InvalidArgumentError(`Expected an integer; got ${describe(digits)}.`);
  return BigInt(digits);
}
