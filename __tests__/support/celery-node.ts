/** A worker of celery-node with this package's backend. */
import celery from 'celery-node';
import { attachWorker, type AttachWorkerOptions, type Swallowed } from '../../src/adapters/celery-node/index.ts';
import type { RedisBackend } from '../../src/index.ts';

/** A task of such a worker; the last argument is its kwargs. */
export type NodeTask = (...args: never[]) => unknown;

/** Takes tasks until its block ends. */
export class NodeWorker implements AsyncDisposable {
  readonly worker: ReturnType<typeof celery.createWorker>;
  readonly told: Swallowed[] = [];
  /** How often each task was called. */
  readonly calls: Map<string, number> = new Map<string, number>();

  constructor(
    url: string,
    backend: RedisBackend,
    tasks: Readonly<Record<string, NodeTask>>,
    { queue = 'celery', ...options }: AttachWorkerOptions = {},
  ) {
    const stock = celery.createWorker(url, url, queue);
    this.worker = attachWorker(stock, backend, { ...options, onError: (swallowed) => this.told.push(swallowed) });
    for (const [name, task] of Object.entries(tasks)) {
      this.worker.register(name, (...args: never[]) => {
        this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
        return task(...args);
      });
    }
    // Its start() says so on the console.
    void (Reflect.get(this.worker, 'run') as () => Promise<unknown>).call(this.worker);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker.whenCurrentJobsFinished();
    await this.worker.disconnect();
  }
}
