/** What is shown of waits while they last. */
import type { TaskMeta } from '../meta.ts';

/** Shows how waits stand. `open` and `close` go around it. */
export interface Display {
  /** A task is awaited from now on. */
  add(taskId: string): void;
  /** Its state was seen. */
  seen(taskId: string, meta: TaskMeta): void;
  /** It is awaited no more. */
  remove(taskId: string): void;
  /** Clears the display. */
  close(): void;
}

/** Shows nothing. */
export const NO_DISPLAY: Display = {
  add: () => undefined,
  seen: () => undefined,
  remove: () => undefined,
  close: () => undefined,
};
