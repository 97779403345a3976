/**
 * Celery's task states and the sets the backend decides by.
 *
 * @see celery.states
 */

/** The states that Celery itself writes or shows. */
export type CeleryState =
  'PENDING' | 'RECEIVED' | 'STARTED' | 'SUCCESS' | 'FAILURE' | 'REVOKED' | 'REJECTED' | 'RETRY' | 'IGNORED';

/** A task state: one of Celery's, or any string of the application's own (`'PROGRESS'`). */
export type TaskState = CeleryState | (string & Record<never, never>);

/** A state that ends a wait. Custom states are never ready. */
export type ReadyState = 'SUCCESS' | 'FAILURE' | 'REVOKED';

/** The result is there: a wait ends. */
export const READY_STATES: ReadonlySet<string> = new Set(['SUCCESS', 'FAILURE', 'REVOKED']);

/** Celery's own states that do not end a wait. Custom states are in neither set. */
export const UNREADY_STATES: ReadonlySet<string> = new Set(['PENDING', 'RECEIVED', 'STARTED', 'REJECTED', 'RETRY']);

/** The `result` of a meta in these states is an encoded exception. */
export const EXCEPTION_STATES: ReadonlySet<string> = new Set(['RETRY', 'FAILURE', 'REVOKED']);

/** A wait that ends in these states throws the task's error, unless told not to. */
export const PROPAGATE_STATES: ReadonlySet<string> = new Set(['FAILURE', 'REVOKED']);

/** Whether a state ends a wait. */
export function isReady(state: string): state is ReadyState {
  return READY_STATES.has(state);
}
