/** Ways to wait, over what a source tells of tasks as they become ready. */
import type { MetaWaitOptions, WaitOptions } from './arguments.ts';
import { InvalidArgumentError, TimeoutError } from './errors.ts';
import type { ResultSource } from './result-node.ts';
import { type Settled, settledOf, type TimedOut, valueOf } from './settled.ts';

/** See {@link BaseBackend.settle}. */
export async function settle<T>(
  source: ResultSource,
  taskId: string,
  options: MetaWaitOptions,
): Promise<Settled<T> | TimedOut> {
  try {
    return settledOf<T>(taskId, await source.waitForMeta(taskId, options));
  } catch (error) {
    // One that an observer throws, of another wait, is no outcome of this one.
    if (!(error instanceof TimeoutError) || error.taskId !== taskId) throw error;
    return { taskId, status: 'TIMEOUT', error };
  }
}

/** See {@link BaseBackend.waitForAll}. */
export async function waitForAll<T>(
  source: ResultSource,
  taskIds: readonly string[],
  options: WaitOptions,
): Promise<(T | Error)[]> {
  const ids: readonly string[] = Array.isArray(taskIds) ? (taskIds.slice() as string[]) : taskIds;
  const values = new Map<string, unknown>();
  for await (const settled of source.asCompleted(ids, options)) {
    values.set(settled.taskId, valueOf(settled, options.propagate));
  }
  return ids.map((taskId) => values.get(taskId) as T);
}

/** See {@link BaseBackend.waitForAny}. */
export async function waitForAny<T>(
  source: ResultSource,
  taskIds: readonly string[],
  options: WaitOptions,
): Promise<Settled<T>> {
  for await (const settled of source.asCompleted(taskIds, options)) {
    valueOf(settled, options.propagate);
    return settled as Settled<T>;
  }
  throw new InvalidArgumentError('taskIds: expected at least one; got none.');
}
