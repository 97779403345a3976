/** Both sides of the border: a Redis server, a Python with Celery, and backends of ours. */
import { randomUUID } from 'node:crypto';
import { type BackendOptions, RedisBackend } from '../../src/index.ts';
import { Python } from './celery.ts';
import type { Monitor } from './monitor.ts';
import type { CeleryPython } from './require-celery.ts';
import { RedisServer } from './redis.ts';

/** What Python's AsyncResult shows of a task, in Python's own words. */
export interface PythonView {
  readonly state: string;
  readonly ready: boolean;
  /** `repr()` of it. */
  readonly result: string;
  readonly type: string;
  readonly traceback: string | null;
  readonly children: unknown;
  readonly date_done: string | null;
  readonly name: string | null;
  readonly args: unknown;
  readonly kwargs: unknown;
  readonly worker: string | null;
  readonly retries: number | null;
  readonly queue: string | null;
}

/** What Python's AsyncResult.get raises. */
export interface PythonError {
  readonly type: string;
  readonly module: string;
  readonly bases: readonly string[];
  readonly str: string;
  readonly args: string;
}

/** For one file of tests: opened before all, closed after all. */
export class Border implements AsyncDisposable {
  readonly server: RedisServer;
  readonly python: Python;
  readonly #backends: RedisBackend[] = [];
  #closed = false;

  private constructor(server: RedisServer) {
    this.server = server;
    this.python = new Python(server.url);
  }

  static async open(): Promise<Border> {
    return new Border(await RedisServer.start());
  }

  /** A new backend, closed with the border. */
  backend(options: BackendOptions = {}): RedisBackend {
    const backend = new RedisBackend({}, { url: this.server.url, ...options });
    this.#backends.push(backend);
    return backend;
  }

  /** What Python shows of a task. @param conf - settings of the Python app */
  view(taskId: string, conf: Readonly<Record<string, unknown>> = {}): Promise<PythonView> {
    return this.python.run('return view(task_id, **conf)', { task_id: taskId, conf });
  }

  /** What `get(timeout=5)` raises in Python; null when it returns. */
  caught(taskId: string): Promise<PythonError | null> {
    return this.python.run('return caught(task_id)', { task_id: taskId });
  }

  /** The text stored for a task. */
  async payload(taskId: string): Promise<string> {
    return String(await this.server.cli('GET', keyOf(taskId)));
  }

  /** Asks again and again until the answer is yes. */
  async until(condition: () => Promise<boolean>): Promise<void> {
    while (!this.#closed && !(await condition()));
  }

  /**
   * Resolves once so many wait for a task for good: each has subscribed, and then read the key. What is stored between
   * the two may reach them by the read alone. The monitor must be older than the waits.
   */
  async settled(monitor: Monitor, taskId: string, waiters = 1): Promise<void> {
    const key = keyOf(taskId);
    const readers = new Set<string>();
    await monitor.until(({ name, args, source }) => {
      if (/^M?GET$/.test(name) && args.includes(key)) readers.add(source);
      return readers.size >= waiters;
    });
    await this.awaited(taskId, waiters);
  }

  /** Resolves once so many are subscribed to the channel of a task. */
  async awaited(taskId: string, subscribers = 1): Promise<void> {
    await this.until(async () => {
      const [, count] = (await this.server.cli('PUBSUB', 'NUMSUB', keyOf(taskId))) as [string, number];
      return count >= subscribers;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#backends.map((backend) => backend.close()));
    await this.python[Symbol.asyncDispose]();
    await this.server.stop();
  }
}

/** Whether Python's kombu writes and reads types in envelopes, as 5.3 and later do. */
export function hasEnvelopes({ kombu }: CeleryPython): boolean {
  const [major = 0, minor = 0] = kombu.split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 3);
}

/** A task id of one's own. */
export function taskId(): string {
  return randomUUID();
}

/** The key of a task. */
export function keyOf(id: string): string {
  return `celery-task-meta-${id}`;
}
