/** Task metas to payloads and back. */
import { BackendStoreError, DecodeError, EncodeError } from './errors.ts';
import type { ExceptionRegistry } from './exceptions.ts';
import { decodeException, encodeException, legible } from './exceptions.ts';
import type { ExceptionInfo, GroupTuple, TaskMeta } from './meta.ts';
import { PartPrefixes } from './chords/part-prefixes.ts';
import type { Serializer, SuccessGuard } from './ports.ts';
import { describe } from './serializers/excerpt.ts';
import { isTooLong } from './serializers/json-text.ts';
import { EXCEPTION_STATES, type TaskState } from './states.ts';
import { parseGroup } from './tuples.ts';

/** What a codec is made of. */
export interface CodecParts {
  readonly serializer: Serializer;
  readonly exceptions: ExceptionRegistry;
  /** The longest payload, in bytes. */
  readonly maxPayload: number;
}

/** The part of a chord, encoded. */
export interface EncodedPart {
  readonly member: string | Uint8Array;
  /** What every part of the task begins with, and no other; `null` where the serializer gives no such thing. */
  readonly prefix: string | Uint8Array | null;
}

/** The part of a chord, decoded. */
export interface DecodedPart {
  readonly taskId: string;
  readonly state: TaskState;
  /** The value, or the encoded exception. */
  readonly result: unknown;
}

/** Encodes and decodes the metas of one backend. */
export class Codec {
  readonly #serializer: Serializer;
  readonly #exceptions: ExceptionRegistry;
  readonly #maxPayload: number;
  #loading: Promise<void> | undefined;
  #loaded: boolean;
  readonly #prefixes: PartPrefixes;

  /** How to tell a stored SUCCESS. */
  readonly guard: SuccessGuard;

  constructor({ serializer, exceptions, maxPayload }: CodecParts) {
    this.#serializer = serializer;
    this.#exceptions = exceptions;
    this.#prefixes = new PartPrefixes(serializer);
    this.#maxPayload = maxPayload;
    this.#loaded = !serializer.load;
    const isSuccess = (payload: Uint8Array): boolean => this.#isSuccess(payload);
    this.guard = serializer.probe === undefined ? { isSuccess } : { probe: serializer.probe, isSuccess };
  }

  /** Whether nothing has to be loaded any more. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Loads the serializer, once. To be awaited before anything is encoded or decoded; a failure is tried again. */
  load(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load(): Promise<void> {
    try {
      await this.#serializer.load?.();
      this.#loaded = true;
    } catch (error) {
      this.#loading = undefined;
      throw error;
    }
  }

  /**
   * What a failure is stored as. A RETRY may have no error.
   *
   * @see celery.backends.base.Backend.prepare_exception
   */
  encodeError(value: unknown, state: TaskState): { result: ExceptionInfo | null; traceback: string | null } {
    if (state === 'RETRY' && (value === null || value === undefined)) return { result: null, traceback: null };
    const { info, traceback } = encodeException(value, this.#exceptions);
    return { result: info, traceback };
  }

  /**
   * @throws EncodeError when a value cannot be written
   * @throws BackendStoreError with `CELERY_VALUE_TOO_LARGE` when the payload is longer than Redis can hold
   */
  encodeMeta(meta: TaskMeta): string | Uint8Array {
    return this.#bounded(() => this.#encode(meta), meta.task_id ?? '', meta.status);
  }

  /** The same for a saved group. @see celery.backends.base.Backend.save_group */
  encodeGroup(group: GroupTuple, groupId: string): string | Uint8Array {
    return this.#bounded(() => this.#serializer.encode({ result: group }), groupId, '');
  }

  /**
   * One part of a chord: `[1, taskId, state, result]`.
   *
   * @throws EncodeError, BackendStoreError as {@link encodeMeta}
   * @see celery.backends.redis.RedisBackend.on_chord_part_return
   */
  encodePart(taskId: string, state: TaskState, value: unknown): EncodedPart {
    const isError = EXCEPTION_STATES.has(state);
    const result = isError ? this.encodeError(value, state).result : (this.#wrap(value) ?? null);
    const encode = (part: unknown): string | Uint8Array => this.#serializer.encode([1, taskId, state, part]);
    const member = this.#bounded(
      () => (isError ? this.#legibly(result as ExceptionInfo | null, encode) : encode(result)),
      taskId,
      state,
    );
    return { member, prefix: this.#prefixes.of(taskId) };
  }

  /** What {@link encodePart} wrote, an exception as it was stored. @throws DecodeError */
  decodePart(payload: Uint8Array): DecodedPart {
    const part = this.#serializer.decode(payload);
    const [, taskId, state, result] = Array.isArray(part) ? (part as unknown[]) : [];
    if (!Array.isArray(part) || part.length !== 4 || typeof state !== 'string') {
      throw new DecodeError(`Expected the part of a chord, [1, task id, state, result]; got ${describe(part)}.`);
    }
    const value = EXCEPTION_STATES.has(state) || !this.#serializer.unwrap ? result : this.#serializer.unwrap(result);
    return { taskId: typeof taskId === 'string' ? taskId : describe(taskId), state, result: value };
  }

  #wrap(value: unknown): unknown {
    return this.#serializer.wrap ? this.#serializer.wrap(value) : value;
  }

  #bounded(encode: () => string | Uint8Array, id: string, state: string): string | Uint8Array {
    try {
      const payload = encode();
      if (byteLength(payload, this.#maxPayload) <= this.#maxPayload) return payload;
    } catch (error) {
      if (!isRefusedLength(error)) throw error;
    }
    throw new BackendStoreError(
      `value too large for Redis backend: the payload is longer than ${this.#maxPayload} bytes.`,
      id,
      state,
      { code: 'CELERY_VALUE_TOO_LARGE' },
    );
  }

  #encode(meta: TaskMeta): string | Uint8Array {
    const converted = this.#convert(meta, 'wrap');
    // Python needs the field, and JSON leaves out what is undefined.
    const document = converted.result === undefined ? { ...converted, result: null } : converted;
    const encode = (result: unknown): string | Uint8Array => this.#serializer.encode({ ...document, result });
    return hasException(meta) ? this.#legibly(meta.result, encode) : this.#serializer.encode(document);
  }

  /** Encodes what holds an exception: an argument that cannot be encoded becomes its text, alone. */
  #legibly(
    info: ExceptionInfo | null,
    encode: (info: ExceptionInfo | null) => string | Uint8Array,
  ): string | Uint8Array {
    try {
      return encode(info);
    } catch (error) {
      if (info === null || !(error instanceof EncodeError) || isRefusedLength(error)) throw error;
      return encode(legible(info, (arg) => this.#canEncode(arg)));
    }
  }

  #canEncode(value: unknown): boolean {
    try {
      this.#serializer.encode(value);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * The meta of a task, frozen, with the exception of a failure still as it was stored.
   *
   * @throws DecodeError when the payload cannot be read, is no meta, or is the meta of another task
   */
  decodeMeta(payload: Uint8Array, taskId: string): TaskMeta {
    try {
      return this.#decode(payload, taskId);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const message = `The result of task ${describe(taskId)} cannot be read. ${error.message}`;
      throw new DecodeError(message, { cause: error.cause, taskId });
    }
  }

  #decode(payload: Uint8Array, taskId: string): TaskMeta {
    const document = this.#serializer.decode(payload);
    if (!isRecord(document)) throw new DecodeError(`Expected a task's meta; got ${describe(document)}.`);
    const { status, task_id: owner = null } = document;
    if (typeof status !== 'string') throw new DecodeError(`Expected a meta with a status; got ${describe(status)}.`);
    if (owner !== null && owner !== taskId) {
      throw new DecodeError(`Expected the meta of task ${describe(taskId)}; got that of ${describe(owner)}.`);
    }
    const meta = Object.hasOwn(document, 'result') ? document : { ...document, result: null };
    // The status was checked, and the result is there.
    return Object.freeze(this.#convert(meta as unknown as TaskMeta, 'unwrap'));
  }

  /** The tuple of a saved group. @throws DecodeError when the payload cannot be read or is no group */
  decodeGroup(payload: Uint8Array): GroupTuple {
    const document = this.#serializer.decode(payload);
    if (!isRecord(document)) throw new DecodeError(`Expected a saved group; got ${describe(document)}.`);
    return parseGroup(document['result']);
  }

  /**
   * A meta for its reader: the exception of FAILURE, RETRY and REVOKED as an error, made anew for each call. A RETRY
   * without one keeps its null.
   *
   * @see celery.backends.base.Backend.meta_from_decoded
   */
  present(meta: TaskMeta, taskId: string): TaskMeta {
    const { status, result, traceback } = meta;
    if (!EXCEPTION_STATES.has(status) || (status === 'RETRY' && result === null)) return meta;
    const error = decodeException(result, { taskId, state: status, traceback }, this.#exceptions);
    return Object.freeze({ ...meta, result: error });
  }

  /** Applies `wrap` or `unwrap` to the values inside a meta. An exception is none: its form is Celery's. */
  #convert(meta: TaskMeta, method: 'wrap' | 'unwrap'): TaskMeta {
    const serializer = this.#serializer;
    if (!serializer[method]) return meta;
    const converted: Record<string, unknown> = { ...meta };
    for (const field of ['result', 'args', 'kwargs']) {
      const isException = field === 'result' && EXCEPTION_STATES.has(meta.status);
      if (!isException && Object.hasOwn(meta, field)) converted[field] = serializer[method](meta[field]);
    }
    return converted as TaskMeta;
  }

  #isSuccess(payload: Uint8Array): boolean {
    const status = this.#serializer.peekStatus?.(payload);
    if (status !== undefined) return status === 'SUCCESS';
    try {
      const document = this.#serializer.decode(payload);
      return isRecord(document) && document['status'] === 'SUCCESS';
    } catch {
      return false;
    }
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasException(meta: TaskMeta): meta is TaskMeta<ExceptionInfo> {
  return EXCEPTION_STATES.has(meta.status) && isRecord(meta.result) && Array.isArray(meta.result['exc_message']);
}

/** Counts only where the limit is near: UTF-8 has at most three bytes for a unit of UTF-16. */
function byteLength(payload: string | Uint8Array, limit: number): number {
  if (typeof payload !== 'string') return payload.byteLength;
  return payload.length * 3 <= limit ? payload.length : Buffer.byteLength(payload);
}

/** Whether a text became longer than V8's strings can be. */
function isRefusedLength(error: unknown): boolean {
  return isTooLong(error instanceof EncodeError ? error.cause : error);
}
