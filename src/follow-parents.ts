/** A wait that a parent's failure ends. */
import type { WaitOptions } from './arguments.ts';
import { TimeoutError } from './errors.ts';
import type { TaskMeta } from './meta.ts';
import { hasFailed, readTasks, type ResultSource, type TaskResult } from './result-node.ts';

/**
 * Waits until a task is ready, whose meta it keeps then, or one of its parents fails. The parents are looked at first, in
 * their order; a parent that succeeded is not waited for any more.
 *
 * @throws the error of the parent that failed
 */
export async function waitAlong(
  task: TaskResult,
  parents: readonly TaskResult[],
  source: ResultSource,
  options: WaitOptions,
): Promise<void> {
  // Nothing is waited for any more, but the parents have their say.
  const metaOf = task.known ? await readTasks(parents, source) : ({ known }: TaskResult) => known;
  const metas = parents.map(metaOf);
  const failure =
    metas.find((meta) => meta && hasFailed(meta)) ??
    (task.known ? undefined : await wait(task, parents, source, options));
  if (failure) throw failure.result;
}

/** @returns the meta of the parent that failed, if one did first */
async function wait(
  task: TaskResult,
  parents: readonly TaskResult[],
  source: ResultSource,
  options: WaitOptions,
): Promise<TaskMeta | undefined> {
  const unknown = new Map<string, TaskResult[]>();
  for (const parent of parents) {
    if (parent.known || parent.id === task.id) continue;
    const same = unknown.get(parent.id);
    if (same) same.push(parent);
    else unknown.set(parent.id, [parent]);
  }
  if (unknown.size === 0) return undefined;
  try {
    for await (const { taskId: id, meta } of source.asCompleted([...unknown.keys(), task.id], options)) {
      for (const each of unknown.get(id) ?? [task]) each.take(meta);
      if (id === task.id) return undefined;
      if (hasFailed(meta)) return meta;
    }
  } catch (error) {
    if (error instanceof TimeoutError) throw new TimeoutError(task.id, error.timeout, error.lastLook);
    throw error;
  }
  return undefined;
}
