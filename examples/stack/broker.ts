/**
 * A broker on Redis, as little of one as an example needs: it carries the messages that a canvas makes.
 *
 * A queue is a list: LPUSH sends, BRPOP takes. Unlike kombu, this consumer acknowledges nothing: a task that was taken
 * is lost when its worker dies. For a client and worker of production quality look to celery-node or celery-ts.
 *
 * @see https://docs.celeryq.dev/en/stable/internals/protocol.html
 */
import { SendError, type TaskMessage } from 'celery-redis-backend';
import { type CanvasMessage, redisEnvelope } from 'celery-redis-backend/canvas';
import { Redis, type RedisOptions } from 'ioredis';

interface Envelope {
  readonly body: string;
  readonly headers: unknown;
  readonly properties: unknown;
}

/** A connection to the broker. */
export class Broker {
  readonly #redis: Redis;

  /** @param options - those of ioredis; without any a call waits for Redis as long as it takes */
  constructor(url: string, options: RedisOptions = {}) {
    this.#redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: null, ...options });
    this.#redis.on('error', (error: Error) => {
      console.error(`broker: ${error.message}`);
    });
  }

  /** Connects now, to fail at boot; else the first call does. */
  async connect(): Promise<void> {
    await this.#redis.connect();
  }

  /** Sends a task. @throws SendError */
  async send(message: CanvasMessage): Promise<void> {
    try {
      await this.#redis.lpush(message.queue, redisEnvelope(message));
    } catch (error) {
      throw new SendError(message.headers.id, error);
    }
  }

  /** Takes the next task; `undefined` when none comes within `seconds`. */
  async take(queue: string, seconds: number): Promise<TaskMessage | undefined> {
    const taken = await this.#redis.brpop(queue, seconds);
    if (!taken) return undefined;
    const { body, headers, properties } = JSON.parse(taken[1]) as Envelope;
    return { headers, properties, body: JSON.parse(Buffer.from(body, 'base64').toString()) as unknown };
  }

  close(): void {
    this.#redis.disconnect();
  }
}
