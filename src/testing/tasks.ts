/** Plays the worker: each stores and publishes what a worker of Celery does. */
import type { BaseBackend, ExceptionInfo, StoreOptions, StoreOutcome } from '../index.ts';

/** What results are stored by. */
export type Storing = Pick<BaseBackend, 'storeResult'>;

/** The task begins: stores STARTED. @param meta - Celery writes `{ pid, hostname }` */
export function start(
  backend: Storing,
  taskId: string,
  meta: object = { pid: 1, hostname: 'celery@test' },
  options: StoreOptions = {},
): Promise<StoreOutcome> {
  return backend.storeResult(taskId, meta, 'STARTED', options);
}

/** The task gets on: stores a state that ends no wait. @param state - @default 'PROGRESS' */
export function progress(
  backend: Storing,
  taskId: string,
  data: unknown,
  state = 'PROGRESS',
  options: StoreOptions = {},
): Promise<StoreOutcome> {
  return backend.storeResult(taskId, data, state, options);
}

/** The task ends: stores SUCCESS. @param value - undefined is stored as null */
export function succeed(
  backend: Storing,
  taskId: string,
  value?: unknown,
  options: StoreOptions = {},
): Promise<StoreOutcome> {
  return backend.storeResult(taskId, value, 'SUCCESS', options);
}

/** The task fails: stores FAILURE. @param error - one of JavaScript, or of {@link pythonError} */
export function fail(
  backend: Storing,
  taskId: string,
  error: Error | ExceptionInfo,
  options: StoreOptions = {},
): Promise<StoreOutcome> {
  return backend.storeResult(taskId, error, 'FAILURE', { ...tracebackOf(error), ...options });
}

/** The task will be tried again: stores RETRY, which ends no wait. @param error - why */
export function retry(
  backend: Storing,
  taskId: string,
  error: Error | ExceptionInfo,
  options: StoreOptions = {},
): Promise<StoreOutcome> {
  return backend.storeResult(taskId, error, 'RETRY', { ...tracebackOf(error), ...options });
}

/** The task is revoked: stores REVOKED. @param reason - `'revoked'`, `'expired'` or `'terminated'`, as Celery writes it */
export function revoke(
  backend: Storing,
  taskId: string,
  reason = 'revoked',
  options: StoreOptions = {},
): Promise<StoreOutcome> {
  return backend.storeResult(taskId, pythonError('celery.exceptions.TaskRevokedError', reason), 'REVOKED', options);
}

/**
 * An exception as a worker in Python stores it; a wait for it rejects with RemoteError, or the class registered for it.
 *
 * @param type - the class, with its module unless it is one of Python's own: `'ValueError'`, `'shop.errors.NoSuchSku'`
 * @param args - what the exception was made with, its message first
 */
export function pythonError(type: string, ...args: readonly unknown[]): ExceptionInfo {
  const dot = type.lastIndexOf('.');
  const [module, name] = dot === -1 ? ['builtins', type] : [type.slice(0, dot), type.slice(dot + 1)];
  return { exc_type: name, exc_message: args, exc_module: module };
}

/** A traceback as Python prints it; an error of JavaScript has its own. */
function tracebackOf(error: Error | ExceptionInfo): StoreOptions {
  if (error instanceof Error) return {};
  const { exc_type: type, exc_module: module, exc_message: args } = error;
  const name = module === null || module === 'builtins' ? type : `${module}.${type}`;
  const lines = [
    'Traceback (most recent call last):',
    '  File "/app/tasks.py", line 1, in task',
    `${name}: ${args.join(', ')}`,
  ];
  return { traceback: `${lines.join('\n')}\n` };
}
