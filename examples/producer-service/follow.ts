/** The states of tasks, as they are seen, as server-sent events. */
import type { Readable } from 'node:stream';
import {
  type BaseBackend,
  DecodeError,
  ResultInvalidError,
  type TaskMeta,
  TimeoutError,
  type WatchOptions,
} from 'celery-redis-backend';
import type { Handles, Known } from './catalogue.ts';
import { type Emit, eventStream } from './event-stream.ts';
import { problemOf } from './problem.ts';

/**
 * `listening` once everything that is published from now on is seen, `state` for each state, `problem` for a task whose
 * states are told no more, and in the end `end`. Of a task that is known already the present state comes first, so that
 * a client whose connection broke has but to come again.
 */
export function follow(
  backend: BaseBackend,
  handles: Handles,
  tasks: readonly Known[],
  options: Pick<WatchOptions, 'timeout'>,
): Readable {
  return eventStream(async (emit, signal) => {
    const told = Promise.all(tasks.map((task) => tell(handles, task, emit, { ...options, signal })));
    const listening = Promise.all(tasks.map(({ taskId }) => backend.onTaskCall(taskId)));
    await Promise.all([told, listening.then(() => emit('listening', {}))]);
    await emit('end', {});
  });
}

async function tell(handles: Handles, { task, taskId }: Known, emit: Emit, options: WatchOptions): Promise<void> {
  try {
    for await (const meta of handles.task(task).watch(taskId, options)) {
      await emit('state', { task, taskId, ...told(meta) });
    }
  } catch (error) {
    if (!isOfTask(error)) throw error;
    await emit('problem', { task, taskId, error: problemOf(error) });
  }
}

function told({ status, result }: TaskMeta): object {
  return result instanceof Error ? { status, error: problemOf(result) } : { status, result };
}

/** Whether it says something of one task; the others of its stream go on. */
function isOfTask(error: unknown): boolean {
  return error instanceof TimeoutError || error instanceof ResultInvalidError || error instanceof DecodeError;
}
