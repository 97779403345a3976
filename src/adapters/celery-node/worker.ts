/** Workers of celery-node whose results everybody can read, and whose tasks may be parts of chains, groups and chords. */
import type { BaseBackend } from '../../backend.ts';
import { Canvas } from '../../canvas/canvas.ts';
import { type SwallowedObserver, Swallower } from '../swallowed.ts';
import { Face } from './face.ts';
import { Publisher } from './publisher.ts';
import { Runner } from './runner.ts';
import { sendersOf } from './senders.ts';
import type { CeleryNodeDelivery, CeleryNodeWorker } from './types.ts';

/** What {@link attachWorker} takes besides. */
export interface AttachWorkerOptions {
  /** Whether `worker.disconnect()` closes the backend. @default false: who opened it closes it */
  readonly own?: boolean | undefined;
  /** Whether to store STARTED when a task begins, unless its results are ignored. @default the backend's `trackStarted` */
  readonly trackStarted?: boolean | undefined;
  /** The worker's name, for monitors and `resultExtended`. @default `celery.node@<host>` */
  readonly hostname?: string | undefined;
  /** The queue of tasks whose signature names none. @default the worker's */
  readonly queue?: string | undefined;
  /** Is told what would have rejected where celery-node does not look. */
  readonly onError?: SwallowedObserver | undefined;
}

/**
 * Gives a worker of celery-node this backend, before it is started:
 *
 * ```ts
 * const worker = attachWorker(celery.createWorker(broker, broker), backend);
 * ```
 *
 * Failures are stored so that Python can read them. What follows a task is sent: callbacks, the next task of a chain, the
 * body of a chord, error callbacks. An unknown task fails with NotRegistered, an expired one is revoked, one with an
 * `eta` is held until then. `whenCurrentJobsFinished` waits for the stores too. Nothing rejects that nobody looks at.
 *
 * The backend's `app` is given the hooks `applySignature` and `callErrbacks`, unless it has its own. Of several workers
 * on one app each sends what follows its own tasks, by its own broker; what is sent outside of tasks goes by the one that
 * was attached last and is not disconnected, without any it is refused with ImproperlyConfigured.
 *
 * @returns the same worker
 * @throws ImproperlyConfigured when the backend's `app` cannot be given them
 */
export function attachWorker<W extends CeleryNodeWorker>(
  worker: W,
  backend: BaseBackend,
  { own = false, trackStarted = backend.trackStarted, hostname, queue, onError }: AttachWorkerOptions = {},
): W {
  const swallower = new Swallower('celery-node', onError);
  const publisher = new Publisher(worker, (error) => {
    swallower.tell('connect', undefined, error);
  });
  const canvas = new Canvas({
    send: (message) => publisher.send(message),
    queue: queue ?? worker.conf.CELERY_QUEUE,
    backend,
  });
  const senders = sendersOf(backend.app);
  senders.add(backend.app, worker, canvas);
  const face = new Face(backend, own, swallower);
  face.atEnd(() => {
    senders.remove(worker, canvas);
    return publisher.close();
  });
  // Private to TypeScript only.
  Reflect.set(worker, '_backend', face);
  const { handlers, activeTasks, conf } = worker;
  const runner = new Runner({
    ...{ backend, canvas, swallower, handlers, hostname, trackStarted },
    queue: conf.CELERY_QUEUE,
  });
  Reflect.set(worker, 'createTaskHandler', () => (message: CeleryNodeDelivery | null | undefined): Promise<void> => {
    if (!message) return Promise.resolve();
    const job = senders.run(canvas, () => runner.run(message)).finally(() => activeTasks.delete(job));
    activeTasks.add(job);
    return job;
  });
  return worker;
}
