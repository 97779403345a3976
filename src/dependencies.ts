/** The tree of tasks that a task sent. */
import { checkTimeout } from './arguments.ts';
import { IncompleteStream } from './errors.ts';
import { type GetOptions, identity, type Result, type ResultSource } from './result-node.ts';

/** A result, with the one whose child it is. */
export type Dependency = readonly [parent: Result | null, result: Result];

/** What `AsyncResult.collect` takes. */
export interface CollectOptions extends GetOptions {
  /** Whether a result that is not ready is passed over. @default false */
  readonly intermediate?: boolean | undefined;
}

/**
 * A result, its children, their children ..., breadth first, each once. What a result sent is looked at when the next one
 * is asked for, so that there is time to wait for it.
 *
 * @throws IncompleteStream when a result is not ready by then, unless `intermediate`
 */
export async function* iterdeps(root: Result, intermediate: boolean): AsyncGenerator<Dependency, void, undefined> {
  const queue: Dependency[] = [[null, root]];
  const seen = new Set<string>();
  for (const dependency of queue) {
    const [, result] = dependency;
    const name = identity(result);
    // A task that was retried is its own child.
    if (seen.has(name)) continue;
    seen.add(name);
    yield dependency;
    if (await result.ready()) {
      for (const child of (await result.children()) ?? []) queue.push([result, child]);
    } else if (!intermediate) throw new IncompleteStream(result.id);
  }
}

/** The same with the value of each result, which is waited for. One limit bounds all waits. */
export async function* collect(
  root: Result,
  source: ResultSource,
  { intermediate = false, timeout, ...options }: CollectOptions,
): AsyncGenerator<readonly [result: Result, value: unknown], void, undefined> {
  const timeoutMs = checkTimeout(timeout);
  const deadline = timeoutMs === undefined ? Infinity : source.clock.now() + timeoutMs;
  for await (const [, result] of iterdeps(root, intermediate)) {
    const left = Math.max(0, deadline - source.clock.now()) / 1000;
    yield [result, await result.get({ ...options, timeout: left })];
  }
}
