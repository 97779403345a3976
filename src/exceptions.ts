/**
 * Errors as Celery stores them, `{exc_type, exc_message, exc_module}`, and back.
 *
 * No class is ever looked up by a name from the wire, but for those that the user registered and Celery's own.
 *
 * @see celery.backends.base.Backend.prepare_exception
 * @see celery.backends.base.Backend.exception_to_python
 */
import { types as is } from 'node:util';

import type { RemoteErrorFields } from './errors.ts';
import { ChordError, EncodeError, InvalidArgumentError, RemoteError, TaskRevokedError } from './errors.ts';
import { className, errorName, FOREIGN_MODULE, messageOf, moduleOf, property, stackText } from './exception-text.ts';
import type { ExceptionInfo } from './meta.ts';
import { describe, readable } from './serializers/excerpt.ts';

/** A class of errors, abstract or not. */
export type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

/** How a class of errors is written and read. */
export interface ExceptionMapping<E extends Error = Error> {
  /** The class's name on the wire. @default the name of the class */
  readonly excType?: string | undefined;
  /** The Python module that has a class of that name. @default one that no Python process has, so that Celery makes a class */
  readonly excModule?: string | undefined;
  /** The arguments on the wire; with one text, that is what Python's `str()` says. @default the message alone */
  readonly encode?: ((error: E) => readonly unknown[]) | undefined;
  /** Makes the error. @default `new Class(message)` */
  readonly decode?: ((args: readonly unknown[], fields: RemoteErrorFields) => Error) | undefined;
}

interface Entry {
  readonly excType: string;
  readonly excModule: string;
  encode(error: Error): readonly unknown[];
  decode(message: string, fields: RemoteErrorFields): unknown;
}

/** Classes of errors that keep their identity across the wire. */
export class ExceptionRegistry {
  /** By prototype. */
  readonly #written = new Map<object, Entry>();
  /** By module and type. */
  readonly #read = new Map<string, Entry>();

  /**
   * Maps a class both ways. Its subclasses are written like it, unless they are registered themselves.
   *
   * @throws InvalidArgumentError when the class or its name on the wire is taken
   */
  register<E extends Error>(type: ErrorClass<E>, mapping: ExceptionMapping<E> = {}): void {
    const prototype: unknown = type.prototype;
    if (typeof prototype !== 'object' || prototype === null) {
      throw new InvalidArgumentError(`Expected a class of errors to register; got ${describe(type)}.`);
    }
    const { excType = type.name, excModule = FOREIGN_MODULE, encode, decode } = mapping;
    const name = wireName(excModule, excType);
    if (this.#written.has(prototype)) throw new InvalidArgumentError(`${type.name} is registered already.`);
    if (this.#read.has(name)) throw new InvalidArgumentError(`${name} is registered already.`);
    const entry: Entry = {
      excType,
      excModule,
      // Found by its prototype, so the error is an E.
      encode: (error) => (encode ? encode(error as E) : [error.message]),
      decode: (message, fields) =>
        decode ? decode(fields.excArgs, fields) : Reflect.construct(type as unknown as ErrorConstructor, [message]),
    };
    this.#written.set(prototype, entry);
    this.#read.set(name, entry);
  }

  /** @internal */
  forError(error: object): Entry | undefined {
    for (let type: object | null = error; type; type = Object.getPrototypeOf(type) as object | null) {
      const entry = this.#written.get(type);
      if (entry) return entry;
    }
    return undefined;
  }

  /** @internal */
  forName(excModule: string | null, excType: string): Entry | undefined {
    return this.#read.get(wireName(excModule ?? '', excType));
  }
}

function wireName(excModule: string, excType: string): string {
  return `${excModule}.${excType}`;
}

/** The registry of backends that are not given their own. */
export const defaultExceptions: ExceptionRegistry = new ExceptionRegistry();

/**
 * Maps a class of errors in the process-wide registry.
 *
 * @throws InvalidArgumentError when the class or its name on the wire is taken
 * @see ExceptionRegistry.register
 */
export function registerException<E extends Error>(type: ErrorClass<E>, mapping?: ExceptionMapping<E>): void {
  defaultExceptions.register(type, mapping);
}

/** What stands in a meta instead of an error that was read from it, where that is another one. */
const wrappers = new WeakMap<object, ExceptionInfo>();

/** An error as it is stored. */
export interface EncodedException {
  readonly info: ExceptionInfo;
  /** The JavaScript stack, or the traceback that a remote error came with. */
  readonly traceback: string | null;
}

/**
 * What to store for what a task failed with.
 *
 * One argument is written, the message, so that it is what Python's `str()` of the exception says. A remote error is
 * written as it came; `{exc_type, ...}` is taken as it is; what is no error becomes the message of an `Error`. So does
 * an error whose mapping throws.
 *
 * @throws EncodeError when a mapping's `encode` returns no array; nothing else is thrown, whatever the error does
 */
export function encodeException(value: unknown, registry: ExceptionRegistry = defaultExceptions): EncodedException {
  if (!isErrorLike(value)) {
    if (isExceptionInfo(value)) return { info: value, traceback: null };
    return {
      info: foreign('Error', value === undefined || value === null ? 'Unknown error' : readable(value, 8192)),
      traceback: null,
    };
  }
  const entry = attempt(() => registry.forError(value));
  if (entry) {
    const args = attempt(() => ({ value: entry.encode(value) }));
    if (args) return { info: mapped(entry, args.value), traceback: stackText(value) };
  }
  if (value instanceof RemoteError) {
    const { excType, excArgs, excModule, traceback } = value;
    const wrapper = wrappers.get(value);
    if (wrapper) return { info: wrapper, traceback };
    return { info: { exc_type: excType, exc_message: excArgs, exc_module: excModule }, traceback };
  }
  return { info: foreign(errorName(value), textOf(property(value, 'message'))), traceback: stackText(value) };
}

function mapped({ excType, excModule }: Entry, args: unknown): ExceptionInfo {
  if (Array.isArray(args)) return { exc_type: excType, exc_message: args as unknown[], exc_module: excModule };
  throw new EncodeError(`The mapping of ${excType}: encode must return an array of arguments; got ${describe(args)}.`);
}

function textOf(message: unknown): string {
  if (typeof message === 'string') return message;
  return message === undefined || message === null ? '' : readable(message, 8192);
}

function foreign(name: string, message: string): ExceptionInfo {
  return { exc_type: name, exc_message: [message], exc_module: moduleOf(name) };
}

/** An error of this or another realm; a DOMException is one too. */
function isErrorLike(value: unknown): value is Error {
  if (typeof value !== 'object' || value === null) return false;
  const hasShape = typeof property(value, 'message') === 'string' && typeof property(value, 'stack') === 'string';
  return is.isNativeError(value) || hasShape || attempt(() => value instanceof Error) === true;
}

function isExceptionInfo(value: unknown): value is ExceptionInfo {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof property(value, 'exc_type') === 'string' &&
    Array.isArray(property(value, 'exc_message')) &&
    ['string', 'object'].includes(typeof property(value, 'exc_module'))
  );
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

/**
 * The same with every argument that cannot be encoded replaced by its text, alone.
 *
 * @see celery.utils.serialization.ensure_serializable
 */
export function legible(info: ExceptionInfo, canEncode: (arg: unknown) => boolean): ExceptionInfo {
  return { ...info, exc_message: info.exc_message.map((arg) => (canEncode(arg) ? arg : readable(arg, 8192))) };
}

/** What is known of a failure besides its exception. */
export interface FailureContext {
  readonly taskId: string;
  readonly state: string;
  readonly traceback: unknown;
}

/**
 * The error of a failed task, from the `result` of its meta. Takes whatever a writer left there and never throws.
 *
 * @returns an error of a registered class, TaskRevokedError, ChordError, or RemoteError
 */
export function decodeException(
  result: unknown,
  context: FailureContext,
  registry: ExceptionRegistry = defaultExceptions,
): Error {
  const { repr, wrapper, ...fields } = fieldsOf(result, context);
  const message = messageOf(className(fields.excType), repr === undefined ? fields.excArgs : [repr]);
  const entry = registry.forName(fields.excModule, fields.excType);
  if (entry) {
    try {
      const error: unknown = entry.decode(message, fields);
      if (isErrorLike(error)) return error;
      return remoteError(
        message,
        fields,
        new TypeError(`The decoder of ${fields.excType} returned ${describe(error)}.`),
      );
    } catch (error) {
      return remoteError(message, fields, error);
    }
  }
  if (fields.excModule === 'celery.exceptions') {
    if (fields.excType === 'TaskRevokedError') return new TaskRevokedError(message, fields);
    if (fields.excType === 'ChordError') return new ChordError(message, fields);
  }
  const error = new RemoteError(message, fields);
  if (wrapper) wrappers.set(error, wrapper);
  return error;
}

function remoteError(message: string, fields: RemoteErrorFields, cause: unknown): RemoteError {
  const error = new RemoteError(message, fields);
  error.cause = cause;
  return error;
}

function fieldsOf(result: unknown, { taskId, state, traceback: text }: FailureContext): Read {
  const traceback = typeof text === 'string' ? text : null;
  const info = infoOf(result);
  const excType = info && own(info, 'exc_type');
  if (info === undefined || typeof excType !== 'string') {
    const excArgs = isEmpty(result) ? [`The task's state is ${state}, but no error was stored.`] : [result];
    return { taskId, excType: 'Error', excModule: null, excArgs, traceback };
  }
  const module = own(info, 'exc_module');
  const fields = {
    excType,
    excModule: typeof module === 'string' ? module : null,
    excArgs: argsOf(own(info, 'exc_message')),
  };
  return { taskId, ...(unwrapped(fields) ?? fields), traceback };
}

type Named = Pick<RemoteErrorFields, 'excType' | 'excModule' | 'excArgs'>;

/** `repr` is the message of an exception without arguments, where it is known; `wrapper` is what it was in. */
type Read = RemoteErrorFields & { readonly repr?: string; readonly wrapper?: ExceptionInfo };

/** The exception inside the wrapper that a worker puts around what cannot be pickled. */
function unwrapped({ excType, excModule, excArgs }: Named): (Named & Pick<Read, 'repr' | 'wrapper'>) | undefined {
  const [module, name, args, repr] = excArgs;
  if (excType !== 'UnpickleableExceptionWrapper' || typeof module !== 'string' || typeof name !== 'string')
    return undefined;
  const wrapper = { exc_type: excType, exc_message: excArgs, exc_module: excModule };
  const inner = { excType: name, excModule: module, excArgs: argsOf(args), wrapper };
  return inner.excArgs.length === 0 && typeof repr === 'string' ? { ...inner, repr } : inner;
}

function argsOf(message: unknown): readonly unknown[] {
  if (Array.isArray(message)) return message as readonly unknown[];
  return message === undefined || message === null ? [] : [message];
}

/** An object, or the pairs of one: Celery takes both. */
function infoOf(result: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof result !== 'object' || result === null) return undefined;
  if (!Array.isArray(result)) return result as Record<string, unknown>;
  const isPairs = result.every((pair) => Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string');
  return isPairs ? Object.fromEntries(result as [string, unknown][]) : undefined;
}

function own(record: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function isEmpty(result: unknown): boolean {
  return (
    result === null ||
    result === undefined ||
    result === '' ||
    (typeof result === 'object' && Object.keys(result).length === 0)
  );
}
