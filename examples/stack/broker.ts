/**
 * Celery's task messages over Redis, as little of them as an example needs.
 *
 * A queue is a list: LPUSH sends, BRPOP takes. Unlike kombu, this consumer acknowledges nothing: a task that was taken
 * is lost when its worker dies. For a client and worker of production quality look to celery-node or celery-ts.
 *
 * @see https://docs.celeryq.dev/en/stable/internals/protocol.html
 */
import { randomUUID } from 'node:crypto';
import type { TaskRequest } from 'celery-redis-backend';
import { Redis } from 'ioredis';

/** What a worker is asked to do: the request of the task, with its name and arguments. */
export type TaskMessage = TaskRequest & Required<Pick<TaskRequest, 'id' | 'task' | 'args' | 'kwargs'>>;

/** The headers of protocol 2 that are used here. */
interface Headers {
  readonly id: string;
  readonly task: string;
  readonly retries?: number;
  readonly group?: string | null;
  readonly parent_id?: string | null;
}

interface Envelope {
  readonly body: string;
  readonly headers: Headers;
  readonly properties: { readonly delivery_info?: TaskRequest['delivery_info'] };
}

/** A connection to the broker. */
export class Broker {
  readonly #redis: Redis;

  constructor(url: string) {
    this.#redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: null });
    this.#redis.on('error', (error: Error) => {
      console.error(`broker: ${error.message}`);
    });
  }

  /** Sends a task. @returns its id */
  async send(queue: string, task: string, args: readonly unknown[], kwargs: object = {}): Promise<string> {
    const id = randomUUID();
    const body = JSON.stringify([args, kwargs, { callbacks: null, errbacks: null, chain: null, chord: null }]);
    const message = {
      body: Buffer.from(body).toString('base64'),
      'content-encoding': 'utf-8',
      'content-type': 'application/json',
      headers: {
        lang: 'js',
        task,
        id,
        root_id: id,
        parent_id: null,
        group: null,
        eta: null,
        expires: null,
        retries: 0,
        timelimit: [null, null],
        argsrepr: JSON.stringify(args),
        kwargsrepr: JSON.stringify(kwargs),
        origin: `typescript@${process.pid}`,
      },
      properties: {
        correlation_id: id,
        reply_to: '',
        delivery_mode: 2,
        delivery_info: { exchange: '', routing_key: queue },
        delivery_tag: randomUUID(),
        priority: 0,
        body_encoding: 'base64',
      },
    };
    await this.#redis.lpush(queue, JSON.stringify(message));
    return id;
  }

  /** Takes the next task; `undefined` when none comes within `seconds`. */
  async take(queue: string, seconds: number): Promise<TaskMessage | undefined> {
    const taken = await this.#redis.brpop(queue, seconds);
    if (!taken) return undefined;
    const { body, headers, properties } = JSON.parse(taken[1]) as Envelope;
    const [args, kwargs] = JSON.parse(Buffer.from(body, 'base64').toString()) as [unknown[], object];
    return { ...headers, args, kwargs, delivery_info: properties.delivery_info ?? null };
  }

  close(): void {
    this.#redis.disconnect();
  }
}
