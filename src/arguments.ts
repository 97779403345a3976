/** What the calls of a backend take, with the checks. */
import type { MetaObserver } from './consumer/channel.ts';
import { InvalidArgumentError } from './errors.ts';
import { checkId } from './keys.ts';
import type { ResultTuple, TaskRequest } from './meta.ts';
import { show } from './option-checks.ts';
import type { Signature } from './signature.ts';
import type { TaskState } from './states.ts';

/** The application, as far as a backend is concerned. A plain `{}` will do. */
export interface CeleryApp {
  /** Settings by Celery's names, in camelCase or snake_case. Options win over them. */
  readonly conf?: object | null | undefined;
  /** The application's name. */
  readonly main?: string | null | undefined;
  /**
   * Sends the tasks of a signature, with `args` before its own unless it is immutable. Resolves when the broker has
   * them. Needed by workers whose tasks are parts of chords: it sends the body.
   *
   * @see celery.canvas.Signature.apply_async
   */
  readonly applySignature?: ((signature: Signature, args: readonly unknown[]) => unknown) | undefined;
  /**
   * Sends the error callbacks (`request.errbacks`) of a task that failed. Resolves to the tuples of the results of what
   * it sent: they become the children of the failed task.
   *
   * @see celery.backends.base.Backend._call_task_errbacks
   */
  readonly callErrbacks?: ((call: ErrbackCall) => Promise<readonly ResultTuple[]> | readonly ResultTuple[]) | undefined;
}

/** What {@link CeleryApp.callErrbacks} is given. */
export interface ErrbackCall {
  readonly request: TaskRequest;
  readonly error: unknown;
  readonly traceback: string | null;
}

/** What {@link BaseBackend.storeResult} takes besides. */
export interface StoreOptions {
  /** Text of the traceback. @default the stack of an error that is stored, else null */
  readonly traceback?: string | null | undefined;
  /** The request of the running task. */
  readonly request?: TaskRequest | undefined;
}

/** What {@link BaseBackend.markAsStarted} takes besides. */
export interface StartedOptions {
  /** The request of the running task. */
  readonly request?: TaskRequest | undefined;
}

/** What {@link BaseBackend.markAsDone} and its like take besides. */
export interface MarkOptions extends StoreOptions {
  /**
   * Whether to store the result. @default as the request has it (`ignore_result`), else the options `ignoreResult` and,
   * for errors, `storeErrorsEvenIfIgnored`
   */
  readonly storeResult?: boolean | undefined;
  /** The state to store, instead of that of the method. */
  readonly state?: TaskState | undefined;
}

/** What {@link BaseBackend.markAsFailure} takes besides. */
export interface FailureOptions extends MarkOptions {
  /** Whether to send the error callbacks. @default true */
  readonly callErrbacks?: boolean | undefined;
}

/** What a wait for a meta takes. */
export interface MetaWaitOptions {
  /** Seconds; undefined, null or Infinity = no limit; 0 = one read, no subscription, then TimeoutError. */
  readonly timeout?: number | null | undefined;
  /** Ends the wait with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Is shown every state that is seen, the ready one included. What it throws, or rejects with, ends the wait. Where it
   * returns a promise for the ready one, the wait ends once that is settled, but not after its own limits.
   */
  readonly onMessage?: MetaObserver | undefined;
}

/** What {@link BaseBackend.waitFor} takes. */
export interface WaitOptions extends MetaWaitOptions {
  /** Whether a failed task throws its error. With false the error is returned. @default true */
  readonly propagate?: boolean | undefined;
}

/** Options by which a failure is thrown. */
export interface Propagating {
  readonly propagate?: true | undefined;
}

/** What {@link BaseBackend.watch} takes. */
export type WatchOptions = Pick<MetaWaitOptions, 'timeout' | 'signal'>;

/** @throws InvalidArgumentError */
export function checkState(state: unknown): void {
  if (typeof state === 'string' && state !== '') return;
  throw new InvalidArgumentError(`state: expected a name; got ${show(state)}.`);
}

/** Refuses what is no object where a bag is expected. @throws InvalidArgumentError */
export function checkBag(name: string, bag: unknown): void {
  if (typeof bag === 'object' && bag !== null) return;
  throw new InvalidArgumentError(`${name}: expected an object; got ${show(bag)}.`);
}

/** The limit in milliseconds, undefined for none. @throws InvalidArgumentError */
export function checkTimeout(timeout: unknown): number | undefined {
  if (timeout === undefined || timeout === null || timeout === Infinity) return undefined;
  if (typeof timeout === 'number' && timeout >= 0) return timeout * 1000;
  throw new InvalidArgumentError(`timeout: expected seconds, 0 or more, undefined or null; got ${show(timeout)}.`);
}

/** @throws InvalidArgumentError */
export function checkIds(taskIds: unknown): void {
  if (!Array.isArray(taskIds)) throw new InvalidArgumentError(`taskIds: expected an array; got ${show(taskIds)}.`);
  for (const taskId of taskIds) checkId(taskId);
}

/** Checks the options of a wait. Returns its limit in milliseconds; throws the reason of an aborted signal. */
export function checkWait(options: MetaWaitOptions): number | undefined {
  checkBag('options', options);
  const { timeout, signal, onMessage } = options;
  const timeoutMs = checkTimeout(timeout);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidArgumentError(`signal: expected an AbortSignal; got ${show(signal)}.`);
  }
  if (onMessage !== undefined && typeof onMessage !== 'function') {
    throw new InvalidArgumentError(`onMessage: expected a function; got ${show(onMessage)}.`);
  }
  signal?.throwIfAborted();
  return timeoutMs;
}
