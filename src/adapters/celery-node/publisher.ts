/** Sends messages for a worker, over a connection of its own. */
import { encodeBody, redisEnvelope, type CanvasMessage } from '../../canvas/message.ts';
import { SendError } from '../../errors.ts';
import type { CeleryNodeBroker, CeleryNodeWorker } from './types.ts';

/** A client of ioredis 4, which celery-node has. */
interface RedisLike {
  readonly status: string;
  lpush(key: string, value: string): Promise<unknown>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  disconnect(): void;
}

/** A channel of amqplib. */
interface ChannelLike {
  assertQueue(queue: string, options: object): Promise<unknown>;
  publish(exchange: string, routingKey: string, content: Buffer, options: object): unknown;
}

/**
 * unopened -> open -> closed
 *
 * A worker's own connection is blocked by its BRPOP for seconds at a time; so the first message opens a second broker of
 * the same class. Messages are written by our own serializer, which knows bigints, NaN and typed values.
 */
export class Publisher {
  readonly #worker: CeleryNodeWorker;
  readonly #onConnectionError: (error: Error) => void;
  #broker: CeleryNodeBroker | undefined;
  #isClosed = false;

  /** @param onConnectionError - is told of connections that fail; they are made anew */
  constructor(worker: CeleryNodeWorker, onConnectionError: (error: Error) => void) {
    this.#worker = worker;
    this.#onConnectionError = onConnectionError;
  }

  /** Resolves when the broker has the message. @throws EncodeError, SendError */
  async send(message: CanvasMessage): Promise<void> {
    const text = encodeBody(message);
    try {
      if (this.#isClosed) throw new Error('The worker was disconnected.');
      await deliver((this.#broker ??= this.#open()), message, text);
    } catch (error) {
      throw new SendError(message.headers.id, error);
    }
  }

  /** Closes what was opened. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const broker = this.#broker;
    this.#broker = undefined;
    const redis = broker && redisOf(broker);
    // A QUIT would wait for a connection that is down.
    if (redis && redis.status !== 'ready') redis.disconnect();
    else await broker?.disconnect();
  }

  #open(): CeleryNodeBroker {
    const { broker, conf } = this.#worker;
    const options = [conf.CELERY_BROKER, conf.CELERY_BROKER_OPTIONS, conf.CELERY_QUEUE];
    const opened = Reflect.construct(broker.constructor as new () => CeleryNodeBroker, options) as CeleryNodeBroker;
    redisOf(opened)?.on('error', this.#onConnectionError);
    return opened;
  }
}

async function deliver(broker: CeleryNodeBroker, message: CanvasMessage, text: string): Promise<void> {
  const { queue, headers, properties, body } = message;
  const redis = redisOf(broker);
  const channel = channelOf(broker);
  if (redis) await redis.lpush(queue, redisEnvelope(message));
  else if (channel) await publishTo(await channel, message, text);
  else await broker.publish(body, '', queue, headers, properties);
}

async function publishTo(
  channel: ChannelLike,
  { queue, headers, properties }: CanvasMessage,
  text: string,
): Promise<void> {
  await channel.assertQueue(queue, { durable: true, autoDelete: false, exclusive: false });
  channel.publish('', queue, Buffer.from(text), {
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    headers,
    deliveryMode: 2,
    correlationId: properties.correlation_id,
    replyTo: properties.reply_to,
    priority: properties.priority,
  });
}

function redisOf(broker: object): RedisLike | undefined {
  const redis: unknown = Reflect.get(broker, 'redis');
  return hasMethods(redis, ['lpush', 'on', 'disconnect']) ? (redis as RedisLike) : undefined;
}

function channelOf(broker: object): Promise<ChannelLike> | undefined {
  const channel: unknown = Reflect.get(broker, 'channel');
  return hasMethods(channel, ['then']) ? (channel as Promise<ChannelLike>) : undefined;
}

function hasMethods(value: unknown, names: readonly string[]): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof Reflect.get(value, name) === 'function');
}
