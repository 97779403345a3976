/** What became of a task, to be told apart by its status. */
import type { TimeoutError } from './errors.ts';
import type { TaskMeta } from './meta.ts';
import { PROPAGATE_STATES } from './states.ts';

/** A task that succeeded. */
export interface Succeeded<T = unknown> {
  readonly taskId: string;
  readonly status: 'SUCCESS';
  /** The value. Shared between all who wait for it: treat it as read-only. */
  readonly result: T;
  /** The whole meta. */
  readonly meta: TaskMeta;
}

/** A task that failed, or was revoked. */
export interface Failed {
  readonly taskId: string;
  readonly status: 'FAILURE' | 'REVOKED';
  /** The task's own error, that a wait would have thrown. */
  readonly error: Error;
  /** The whole meta: the traceback of a failure is there. */
  readonly meta: TaskMeta;
}

/** A task that was not ready in time. It goes on. */
export interface TimedOut {
  readonly taskId: string;
  readonly status: 'TIMEOUT';
  readonly error: TimeoutError;
}

/** A task that is ready: `switch (settled.status)` has its value or its error, with their types. */
export type Settled<T = unknown> = Succeeded<T> | Failed;

/** @param meta - ready, with its error built */
export function settledOf<T>(taskId: string, meta: TaskMeta): Settled<T> {
  const { status, result } = meta;
  return PROPAGATE_STATES.has(status)
    ? { taskId, status: status as Failed['status'], error: result as Error, meta }
    : { taskId, status: 'SUCCESS', result: result as T, meta };
}

/** The value, or the error in its place. @throws the error of a failure, unless `propagate` is false */
export function valueOf<T>(settled: Settled<T>, propagate: boolean | undefined): T | Error {
  if (settled.status === 'SUCCESS') return settled.result;
  if (propagate !== false) throw settled.error;
  return settled.error;
}
