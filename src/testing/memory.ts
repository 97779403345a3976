/** Backends for tests of what uses one. */
import { randomUUID } from 'node:crypto';
import { systemClock } from '../clock.ts';
import { type BackendOptions, type BaseBackend, type CeleryApp, InvalidArgumentError, RedisBackend } from '../index.ts';
import { checkId, createKeys } from '../keys.ts';
import { closeSpace, openSpace } from '../memory/space.ts';

/**
 * A backend on the memory of this process: no server, no connection, and all that a backend does. Every one has a memory
 * of its own, unless it is given the `url` of another (`memory://...`), as a worker and a producer of one test are.
 *
 * To be closed as any other.
 *
 * @param options - as of every backend. `url` is by default `memory://` with a random name
 */
export function memoryBackend(options: BackendOptions = {}, app: CeleryApp = {}): RedisBackend {
  const backend = new RedisBackend(app, { url: `memory://${randomUUID()}`, ...options });
  checkMemory(backend);
  return backend;
}

/** What {@link awaited} has to know of a backend. */
export interface AwaitedOptions {
  /** That of the backend. @default '' */
  readonly globalKeyprefix?: string | undefined;
}

/**
 * Resolves once a task is awaited, by this backend or another of the same memory: `waitFor` and its like have
 * subscribed to it, or `onTaskCall` has. What is stored from then on comes to them by push. A wait that is answered at
 * once, from the cache or with a `timeout` of 0, is never seen.
 *
 * @param backend - one on `memory://`
 * @throws InvalidArgumentError for any other
 */
export async function awaited(
  backend: Pick<BaseBackend, 'url'>,
  taskId: string,
  { globalKeyprefix = '' }: AwaitedOptions = {},
): Promise<void> {
  checkMemory(backend);
  checkId(taskId);
  const space = openSpace(backend.url, systemClock);
  try {
    await space.subscribed(createKeys(globalKeyprefix).task(taskId));
  } finally {
    closeSpace(backend.url);
  }
}

function checkMemory({ url }: Pick<BaseBackend, 'url'>): void {
  if (url.startsWith('memory://')) return;
  throw new InvalidArgumentError(`Expected a backend on memory://; got one on ${url}.`);
}
