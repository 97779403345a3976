/** What a storer is given to do. */
import type { TaskRequest } from './meta.ts';
import type { StoreOutcome } from './ports.ts';

/** One store, or another call that is tried again like one. */
export interface StoreJob<T = StoreOutcome> {
  /** The task, or the group. */
  readonly taskId: string;
  /** The state that is stored; empty for a group. */
  readonly state: string;
  /** Bytes of the payload. */
  readonly bytes: number;
  /** One try. */
  readonly write: () => Promise<T>;
  /** The task's, for those who watch. */
  readonly request?: TaskRequest | undefined;
  /** What failed, for messages: `'store SUCCESS of task 1'`. @default that */
  readonly what?: string;
}

/** What it does, for messages: `'store SUCCESS of task 1'`. */
export function nameOf({ taskId, state, what }: Pick<StoreJob, 'taskId' | 'state' | 'what'>): string {
  return what ?? `store ${state ? `${state} of task` : 'group'} ${taskId}`;
}
