/** Clients of celery-node that wake by push. */
import { randomUUID } from 'node:crypto';
import type { BaseBackend } from '../../backend.ts';
import { SendError } from '../../errors.ts';
import { decodeException } from '../../exceptions.ts';
import { PROPAGATE_STATES, isReady } from '../../states.ts';
import { codeOf } from '../failure-info.ts';
import { type SwallowedObserver, Swallower } from '../swallowed.ts';
import { Face, nodeMeta } from './face.ts';
import type { CeleryNodeClient, CeleryNodeMeta, CeleryNodeResult } from './types.ts';

/** What {@link attachClient} takes besides. */
export interface AttachClientOptions {
  /** Whether `client.disconnect()` closes the backend. @default false: who opened it closes it */
  readonly own?: boolean | undefined;
  /** Is told what would have rejected where celery-node does not look. */
  readonly onError?: SwallowedObserver | undefined;
}

/**
 * Gives a client of celery-node this backend: its results wake when they are published, not at the next poll, and
 * nothing rejects that nobody looks at.
 *
 * ```ts
 * const client = attachClient(celery.createClient(broker, broker), backend);
 * ```
 *
 * `get(timeout)` takes milliseconds as before (`interval` is ignored), rejects with `Error('TIMEOUT')`, and for a failed
 * task with `Error('FAILURE')` or `Error('REVOKED')`, which has `exc_type`, `exc_message`, `exc_module`, `traceback`, and
 * the task's own error as `cause`. It rejects with SendError when the broker did not take the task.
 *
 * @returns the same client
 */
export function attachClient<C extends CeleryNodeClient>(
  client: C,
  backend: BaseBackend,
  { own = false, onError }: AttachClientOptions = {},
): C {
  const swallower = new Swallower('celery-node', onError);
  const face = new Face(backend, own, swallower);
  // Private to TypeScript only. What is there was not opened yet, or is the user's to close.
  Reflect.set(client, '_backend', face);
  const stock = client.asyncResult.bind(client);
  Reflect.set(client, 'asyncResult', (taskId: string) => pushing(stock(taskId), face));
  Reflect.set(client, 'sendTask', (name: string, args?: never[], kwargs?: object, id?: string) => {
    // As in stock, an empty id is none.
    const taskId = id === undefined || id === '' ? randomUUID() : id;
    const failed = new AbortController();
    // Stock sends null for kwargs that are left out, which no worker of Celery takes.
    send(client, name, args ?? [], kwargs ?? {}, taskId).catch((error: unknown) => {
      const lost = new SendError(taskId, error);
      swallower.tell('send', taskId, lost);
      failed.abort(lost);
    });
    return pushing(stock(taskId), face, failed.signal);
  });
  return client;
}

async function send(
  client: CeleryNodeClient,
  name: string,
  args: never[],
  kwargs: object,
  taskId: string,
): Promise<void> {
  const { headers, properties, body } = client.createTaskMessage(taskId, name, args, kwargs);
  await client.isReady();
  await client.broker.publish(body, '', client.conf.CELERY_QUEUE, headers, properties);
}

/** The same result, waiting for the message. A ready meta is kept, as stock keeps it. */
function pushing<R extends CeleryNodeResult>(result: R, face: Face, signal?: AbortSignal): R {
  const { taskId } = result;
  let known: CeleryNodeMeta | undefined;
  const keep = (meta: CeleryNodeMeta): CeleryNodeMeta => {
    if (isReady(meta.status)) known ??= meta;
    return meta;
  };
  const look = async (): Promise<CeleryNodeMeta | null> => {
    const meta = known ?? (await face.getTaskMeta(taskId));
    return meta && keep(meta);
  };
  return Object.assign(result, {
    get: async (timeout?: number): Promise<unknown> => {
      const meta = known ?? keep(nodeMeta(taskId, await wait(face, taskId, timeout, signal)));
      if (PROPAGATE_STATES.has(meta.status)) throw failureOf(meta);
      return meta.result;
    },
    result: async (): Promise<unknown> => (await look())?.result ?? null,
    status: async (): Promise<string | null> => (await look())?.status ?? null,
  });
}

async function wait(
  { backend }: Face,
  taskId: string,
  timeout: number | undefined,
  signal: AbortSignal | undefined,
): ReturnType<BaseBackend['waitForMeta']> {
  try {
    // As in stock, 0 is no limit.
    return await backend.waitForMeta(taskId, { timeout: timeout ? timeout / 1000 : null, signal });
  } catch (error) {
    if (codeOf(error) !== 'CELERY_TIMEOUT') throw error;
    throw Object.assign(new Error('TIMEOUT', { cause: error }), { code: 'CELERY_TIMEOUT' });
  }
}

/** What stock rejects with, and why. */
function failureOf({ status, result, traceback, task_id: taskId }: CeleryNodeMeta): Error {
  const cause = decodeException(result, { taskId, state: status, traceback });
  return Object.assign(new Error(status, { cause }), result);
}
