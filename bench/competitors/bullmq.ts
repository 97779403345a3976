/** BullMQ: a worker completes a job whose `waitUntilFinished` is awaited elsewhere. */
import type { Competitor, Peer } from '../harness.ts';
import { sample, type Sample } from '../sample.ts';
import { nodeProgram } from './program.ts';

/** What is used of it. Its own types would need it installed for the compiler to be content with this file. */
interface BullMQ {
  readonly Queue: new (name: string, options: object) => Queue;
  readonly QueueEvents: new (name: string, options: object) => QueueEvents;
  readonly Worker: new (name: string, processor: null, options: object) => Worker;
  readonly Job: (new (queue: Queue, name: string, data: object, options: object, id: string) => Job) & {
    fromId(queue: Queue, id: string): Promise<Job | undefined>;
  };
}
interface Closable {
  setMaxListeners(count: number): unknown;
  close(): Promise<void>;
}
interface Queue extends Closable {
  getJob(id: string): Promise<unknown>;
  addBulk(jobs: readonly object[]): Promise<unknown>;
}
interface QueueEvents extends Closable {
  waitUntilReady(): Promise<unknown>;
}
interface Worker extends Closable {
  getNextJob(token: string, options: { block: boolean }): Promise<Job | undefined>;
}
interface Job {
  readonly id: string;
  readonly returnvalue: unknown;
  waitUntilFinished(events: QueueEvents, ttl?: number): Promise<unknown>;
  moveToCompleted(value: unknown, token: string, fetchNext: false): Promise<unknown>;
}

const QUEUE = 'bench';
const TOKEN = 'bench';
const LANES = 50;

/** Tasks are jobs of the same id. The storing process takes them before; only their end is measured. */
class BullMQPeer implements Peer {
  readonly #library: BullMQ;
  readonly #options: object;
  readonly #queue: Queue;
  readonly #taken = new Map<string, Job>();
  #events: QueueEvents | undefined;
  #worker: Worker | undefined;

  constructor(library: BullMQ, port: number) {
    this.#library = library;
    this.#options = { connection: { host: '127.0.0.1', port, maxRetriesPerRequest: null } };
    // Its events are trimmed beyond 10,000, and a wait that misses its own never ends.
    this.#queue = new library.Queue(QUEUE, { ...this.#options, streams: { events: { maxLen: 1_000_000 } } });
    this.#queue.setMaxListeners(0);
  }

  async adopt(taskIds: readonly string[]): Promise<void> {
    this.#worker ??= new this.#library.Worker(QUEUE, null, { ...this.#options, autorun: false, lockDuration: 600_000 });
    const worker = this.#worker;
    await this.#queue.addBulk(taskIds.map((jobId) => ({ name: 'task', data: {}, opts: { jobId } })));
    const take = async (): Promise<void> => {
      for (;;) {
        const job = await worker.getNextJob(TOKEN, { block: false });
        if (!job) return;
        this.#taken.set(job.id, job);
      }
    };
    await Promise.all(Array.from({ length: LANES }, take));
    const missing = taskIds.filter((id) => !this.#taken.has(id)).length;
    if (missing > 0) throw new Error(`BullMQ: ${missing} jobs were not taken.`);
  }

  async store(taskId: string, { value }: Sample): Promise<unknown> {
    const job = this.#taken.get(taskId);
    this.#taken.delete(taskId);
    if (!job) throw new Error(`BullMQ: ${taskId} was not taken.`);
    return job.moveToCompleted(value, TOKEN, false);
  }

  announceAll(taskIds: readonly string[]): Promise<unknown> {
    return Promise.all(taskIds.map((id) => this.store(id, sample())));
  }

  async read(taskId: string): Promise<unknown> {
    return (await this.#library.Job.fromId(this.#queue, taskId))?.returnvalue;
  }

  wait(taskId: string, timeout?: number): Promise<unknown> {
    const job = new this.#library.Job(this.#queue, 'task', {}, {}, taskId);
    return job.waitUntilFinished(this.#listen(), timeout === undefined ? undefined : timeout * 1000);
  }

  async ping(): Promise<unknown> {
    await this.#listen().waitUntilReady();
    return this.#queue.getJob('ping');
  }

  async close(): Promise<void> {
    await Promise.all([this.#queue.close(), this.#events?.close(), this.#worker?.close()]);
  }

  #listen(): QueueEvents {
    if (!this.#events) {
      this.#events = new this.#library.QueueEvents(QUEUE, this.#options);
      this.#events.setMaxListeners(0);
    }
    return this.#events;
  }
}

/** Adding jobs and taking them is not measured, only what stores a result and wakes for it. */
export const bullmq: Competitor = {
  name: 'bullmq',
  celery: false,
  share: 0.2,
  lookups: 3,
  cannot: {
    hops: 'is not taken apart',
    cached: 'has no cache',
    'waiters-100k': 'left out for its time: jobs are added, taken and completed one by one',
    'memory-100k': 'left out for its time, as above',
  },
  packages: ['bullmq', 'ioredis'],
  firstAnswer: nodeProgram(`
    const { Queue } = await import('bullmq');
    const queue = new Queue('${QUEUE}', { connection: { host: '127.0.0.1', port } });
    await queue.getJob('none');`),
  async open(port) {
    return new BullMQPeer((await import(import.meta.resolve('bullmq'))) as BullMQ, port);
  },
};
