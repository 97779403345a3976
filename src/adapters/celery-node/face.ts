/** One of our backends with the face of celery-node's. */
import type { BaseBackend } from '../../backend.ts';
import type { TaskMeta } from '../../meta.ts';
import type { TaskState } from '../../states.ts';
import { PROPAGATE_STATES } from '../../states.ts';
import { codeOf, infoOf, plainResult } from '../failure-info.ts';
import type { Swallower } from '../swallowed.ts';
import type { CeleryNodeBackend, CeleryNodeMeta } from './types.ts';

/**
 * Never rejects, since celery-node looks for no rejection: what fails is told to the swallower, and reads as a task of
 * which nothing is known.
 *
 * open -> disconnected
 */
export class Face implements CeleryNodeBackend {
  readonly backend: BaseBackend;
  readonly #own: boolean;
  readonly #swallower: Swallower;
  readonly #stores = new Set<Promise<unknown>>();
  /** Closed at the end, before the backend. */
  readonly #closers: (() => Promise<unknown>)[] = [];

  constructor(backend: BaseBackend, own: boolean, swallower: Swallower) {
    this.backend = backend;
    this.#own = own;
    this.#swallower = swallower;
  }

  /** Resolves at once: nothing that a send or a worker does has to wait for the backend. */
  isReady(): Promise<void> {
    return Promise.resolve();
  }

  /** Waits for the stores under way, and closes the backend if it is its own. Idempotent. */
  async disconnect(): Promise<void> {
    await Promise.all(this.#stores);
    for (const close of this.#closers) await this.#swallower.settle('disconnect', undefined, close(), undefined);
    if (this.#own) await this.#swallower.settle('disconnect', undefined, this.backend.close(), undefined);
  }

  /** Has something closed at the end. */
  atEnd(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  /** Stores a result; one that cannot be written is stored as the failure of the task, as Celery does. */
  async storeResult(taskId: string, result: unknown, state: TaskState): Promise<void> {
    const store = this.#swallower.settle('storeResult', taskId, this.#store(taskId, result, state), undefined);
    this.#stores.add(store);
    await store;
    this.#stores.delete(store);
  }

  async #store(taskId: string, result: unknown, state: TaskState): Promise<void> {
    try {
      await this.backend.storeResult(taskId, result, state);
    } catch (error) {
      if (codeOf(error) !== 'CELERY_ENCODE') throw error;
      await this.backend.storeResult(taskId, error, 'FAILURE');
    }
  }

  /** The meta; null when there is none, or when it could not be read. */
  getTaskMeta(taskId: string): Promise<CeleryNodeMeta | null> {
    return this.#swallower.settle('getTaskMeta', taskId, this.#meta(taskId), null);
  }

  async #meta(taskId: string): Promise<CeleryNodeMeta | null> {
    try {
      const meta = await this.backend.getTaskMeta(taskId);
      // A missing key reads as a meta of two fields.
      return Object.keys(meta).length === 2 && meta.status === 'PENDING' ? null : nodeMeta(taskId, meta);
    } catch (error) {
      if (codeOf(error) !== 'CELERY_DECODE') throw error;
      this.#swallower.tell('getTaskMeta', taskId, error);
      return nodeMeta(taskId, { status: 'FAILURE', result: error });
    }
  }
}

/** A meta with a failure as data. */
export function nodeMeta(taskId: string, meta: TaskMeta): CeleryNodeMeta {
  const { status, traceback = null, children, date_done: dateDone = null } = meta;
  const result = PROPAGATE_STATES.has(status)
    ? { ...(plainResult(meta) ?? infoOf(undefined)), traceback }
    : plainResult(meta);
  return { status, result, traceback, children: children ?? [], task_id: taskId, date_done: dateDone };
}
