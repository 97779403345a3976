/**
 * Every error this package throws. Match on `code`, which is stable, rather than on class or message.
 *
 * ```
 * CeleryError
 * ├── ImproperlyConfigured     a wrong option, setting or URL
 * ├── InvalidArgumentError     a wrong argument of one call
 * ├── SecurityError            something that will not be decoded for safety's sake
 * ├── SerializationError
 * │   ├── EncodeError          a value that the serializer cannot write
 * │   ├── DecodeError          a payload that the serializer cannot read
 * │   └── ContentDisallowed    a serializer that is not in the accept list
 * ├── SendError                a task message that the broker did not confirm
 * ├── BackendError
 * │   ├── BackendGetMetaError  a read that Redis did not answer
 * │   ├── BackendStoreError    a store that did not succeed
 * │   └── BackendClosedError   the backend was closed
 * └── TaskError
 *     ├── TimeoutError         the wait's deadline passed
 *     ├── IncompleteStream     a result whose children are asked for is not ready
 *     ├── ResultInvalidError   a result that a schema refuses; in invalid-result.ts
 *     └── RemoteError          the task failed
 *         ├── TaskRevokedError
 *         └── ChordError
 * ```
 * @see celery.exceptions
 */

/** The stable code of each error. */
export type ErrorCode =
  | 'CELERY_IMPROPERLY_CONFIGURED'
  | 'CELERY_INVALID_ARGUMENT'
  | 'CELERY_INVALID_ID'
  | 'CELERY_SECURITY'
  | 'CELERY_ENCODE'
  | 'CELERY_DECODE'
  | 'CELERY_CONTENT_DISALLOWED'
  | 'CELERY_SEND'
  | 'CELERY_BACKEND'
  | 'CELERY_BACKEND_UNAVAILABLE'
  | 'CELERY_BACKEND_REFUSED'
  | 'CELERY_BACKEND_GET'
  | 'CELERY_BACKEND_STORE'
  | 'CELERY_STORE_OVERLOADED'
  | 'CELERY_VALUE_TOO_LARGE'
  | 'CELERY_BACKEND_CLOSED'
  | 'CELERY_TIMEOUT'
  | 'CELERY_INCOMPLETE_STREAM'
  | 'CELERY_RESULT_INVALID'
  | 'CELERY_TASK_FAILED'
  | 'CELERY_TASK_REVOKED'
  | 'CELERY_CHORD'
  | 'CELERY_CHORD_UNSENT';

/** What an error may carry besides its message. */
export interface CeleryErrorOptions extends ErrorOptions {
  /** Overrides the code of the class. */
  readonly code?: ErrorCode;
}

/** What a {@link BackendError} may carry besides. */
export interface BackendErrorOptions extends CeleryErrorOptions {
  readonly reply?: string | undefined;
}

/** The root of every error of this package. */
export class CeleryError extends Error {
  /** Stable, meant to be matched on. */
  readonly code: ErrorCode;

  constructor(message: string, code: ErrorCode, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An option, a setting of `app.conf` or a URL is wrong. Says what was expected and what came. */
export class ImproperlyConfigured extends CeleryError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 'CELERY_IMPROPERLY_CONFIGURED', options);
  }
}

/** An argument of one call is wrong (`CELERY_INVALID_ID` for a task id). Nothing was sent. */
export class InvalidArgumentError extends CeleryError {
  constructor(message: string, options: CeleryErrorOptions = {}) {
    super(message, options.code ?? 'CELERY_INVALID_ARGUMENT', options);
  }
}

/** A payload asks for something that is never done with data from the wire. */
export class SecurityError extends CeleryError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 'CELERY_SECURITY', options);
  }
}

/** A value or payload and the serializer do not go together. */
export class SerializationError extends CeleryError {}

/** A value cannot be written. Says where in the value, and why. Nothing was sent. */
export class EncodeError extends SerializationError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 'CELERY_ENCODE', options);
  }
}

/** A payload cannot be read. Only the call that read it fails. */
export class DecodeError extends SerializationError {
  /** The task whose result it is, where that is known. */
  declare readonly taskId?: string;

  constructor(message: string, options: ErrorOptions & { readonly taskId?: string } = {}) {
    super(message, 'CELERY_DECODE', options);
    if (options.taskId !== undefined) this.taskId = options.taskId;
  }
}

/** The serializer is not in the accept list. */
export class ContentDisallowed extends SerializationError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 'CELERY_CONTENT_DISALLOWED', options);
  }
}

/** A broker did not confirm a task message, which runs only if its answer alone was lost. Says why, without payload. */
export class SendError extends CeleryError {
  readonly taskId: string;

  constructor(taskId: string, reason: unknown) {
    // The errors of a broker's client may hold the message and the password: their text alone is passed on.
    const why = reason instanceof Error ? reason.message : String(reason);
    super(`The broker did not confirm the message of task ${taskId}: ${why}`, 'CELERY_SEND');
    this.taskId = taskId;
  }
}

/**
 * The backend could not do what was asked: `CELERY_BACKEND_UNAVAILABLE` when Redis could not be reached or did not
 * answer in time, `CELERY_BACKEND_REFUSED` when it answered with an error, `CELERY_CHORD_UNSENT` when the application did
 * not send the body of a complete chord.
 */
export class BackendError extends CeleryError {
  /** The first word of Redis's error reply (`'WRONGTYPE'`, `'OOM'`, `'ERR'`), where it answered with one. */
  declare readonly reply?: string;

  constructor(message: string, options: BackendErrorOptions = {}) {
    super(message, options.code ?? 'CELERY_BACKEND', options);
    if (options.reply !== undefined) this.reply = options.reply;
  }
}

/** A meta, or a group, could not be read. `cause` says why. */
export class BackendGetMetaError extends BackendError {
  /** The task, or the group, that was asked for; empty where several were. */
  readonly taskId: string;

  constructor(message: string, taskId: string, options: CeleryErrorOptions = {}) {
    super(message, { ...options, code: options.code ?? 'CELERY_BACKEND_GET' });
    this.taskId = taskId;
  }
}

/**
 * A result could not be stored. `cause` says why; without one it was not tried: `CELERY_VALUE_TOO_LARGE` when it never
 * can be stored, `CELERY_STORE_OVERLOADED` when too many other stores are pending.
 */
export class BackendStoreError extends BackendError {
  /** The task, or the group. */
  readonly taskId: string;
  /** The state that was to be stored; empty for a group. */
  readonly state: string;

  constructor(message: string, taskId: string, state: string, options: CeleryErrorOptions = {}) {
    super(message, { ...options, code: options.code ?? 'CELERY_BACKEND_STORE' });
    this.taskId = taskId;
    this.state = state;
  }
}

/** The backend was closed, before or during the call. */
export class BackendClosedError extends BackendError {
  constructor(message = 'The backend is closed.', options?: ErrorOptions) {
    super(message, { ...options, code: 'CELERY_BACKEND_CLOSED' });
  }
}

/** What came of a task, or of waiting for it. */
export class TaskError extends CeleryError {
  readonly taskId: string;

  constructor(message: string, code: ErrorCode, taskId: string, options?: ErrorOptions) {
    super(message, code, options);
    this.taskId = taskId;
  }
}

/**
 * What the last read at a deadline found: `'unready'`: it succeeded and the result was not there; `'failed'`: it did
 * not succeed in its budget; `'skipped'`: the link was known to be down; `'unloaded'`: the serializer was not loaded yet.
 */
export type LastLook = 'unready' | 'failed' | 'skipped' | 'unloaded';

/** A wait's deadline passed before the task was ready. The task itself goes on. */
export class TimeoutError extends TaskError {
  /** The limit that was given, in seconds. */
  readonly timeout: number;
  /** What the last read at the deadline found. */
  readonly lastLook: LastLook;

  constructor(taskId: string, timeout: number, lastLook: LastLook) {
    super(timeoutMessage(taskId, timeout, lastLook), 'CELERY_TIMEOUT', taskId);
    this.timeout = timeout;
    this.lastLook = lastLook;
  }
}

function timeoutMessage(taskId: string, timeout: number, lastLook: LastLook): string {
  const outcome = {
    unready: 'its result was not there at the deadline',
    failed: 'Redis did not answer the last read at the deadline',
    skipped: 'Redis was out of reach at the deadline',
    unloaded: 'the serializer was not loaded at the deadline, so that nothing was read',
  }[lastLook];
  return `Task ${taskId} did not become ready in ${timeout} s: ${outcome}.`;
}

/** The children of a result are asked for before it is ready, so that they may not be known yet. */
export class IncompleteStream extends TaskError {
  constructor(taskId: string) {
    super(`The children of ${taskId} are not known: it is not ready.`, 'CELERY_INCOMPLETE_STREAM', taskId);
  }
}

/** What a failed task left behind. */
export interface RemoteErrorFields {
  readonly taskId: string;
  /** The exception's class name, as Python writes it: `'ValueError'`, `'Outer.Inner'`. */
  readonly excType: string;
  /** The exception's module, `null` when the writer gave none. */
  readonly excModule: string | null;
  /** The exception's arguments. */
  readonly excArgs: readonly unknown[];
  /** The traceback (Python) or stack (JavaScript) of the failure, `null` when none was stored. */
  readonly traceback: string | null;
}

/** The task failed. The message is what `str()` of the exception would say, the stack is that of the caller. */
export class RemoteError extends TaskError implements RemoteErrorFields {
  readonly excType: string;
  readonly excModule: string | null;
  readonly excArgs: readonly unknown[];
  readonly traceback: string | null;

  constructor(message: string, fields: RemoteErrorFields, code: ErrorCode = 'CELERY_TASK_FAILED') {
    super(message, code, fields.taskId);
    this.excType = fields.excType;
    this.excModule = fields.excModule;
    this.excArgs = fields.excArgs;
    this.traceback = fields.traceback;
  }
}

/** The task was revoked, expired or terminated; the message says which. */
export class TaskRevokedError extends RemoteError {
  constructor(message: string, fields: RemoteErrorFields) {
    super(message, fields, 'CELERY_TASK_REVOKED');
  }
}

/** A header task of a chord failed, so that its body never ran. */
export class ChordError extends RemoteError {
  constructor(message: string, fields: RemoteErrorFields) {
    super(message, fields, 'CELERY_CHORD');
  }
}

// On the prototypes, so that the first line of a stack has the name too.
const NAMED = {
  CeleryError,
  ImproperlyConfigured,
  InvalidArgumentError,
  SecurityError,
  SerializationError,
  EncodeError,
  DecodeError,
  ContentDisallowed,
  SendError,
  BackendError,
  BackendGetMetaError,
  BackendStoreError,
  BackendClosedError,
  TaskError,
  TimeoutError,
  IncompleteStream,
  RemoteError,
  TaskRevokedError,
  ChordError,
};
for (const [name, { prototype }] of Object.entries(NAMED)) prototype.name = name;
