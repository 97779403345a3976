/** The public door. */
export type { CeleryState, ReadyState, TaskState } from './states.ts';
export { EXCEPTION_STATES, PROPAGATE_STATES, READY_STATES, UNREADY_STATES, isReady } from './states.ts';
