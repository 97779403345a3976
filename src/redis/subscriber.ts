/** Messages of Redis channels. */
import type { Warnings } from '../diagnostics.ts';
import type { ChannelListener, ChannelSource } from '../ports.ts';
import type { RedisClient, RedisPipeline } from './client.ts';
import type { Connection } from './connection.ts';
import { isReply, refused } from './errors.ts';
import { isRetryable } from '../retry.ts';

/** The most channels of one round trip. */
const MAX_CHANNELS = 1000;

/**
 * A subscriber keeps no list of channels: after a break nothing is subscribed, and the listener, told of the new
 * connection, subscribes to what it still wants. One channel a command: a command for several that is answered in part
 * when the link breaks leaves ioredis handing later replies to the wrong caller.
 */
export class RedisSubscriber implements ChannelSource {
  readonly #connection: Connection;
  readonly #warnings: Pick<Warnings, 'warn'>;
  #listener: ChannelListener | undefined;

  constructor(connection: Connection, warnings: Pick<Warnings, 'warn'>) {
    this.#connection = connection;
    this.#warnings = warnings;
    connection.onClient((client) => {
      client.on('messageBuffer', (channel, payload) => {
        this.#listener?.onMessage(channel.toString(), payload);
      });
    });
  }

  listen(listener: ChannelListener): void {
    this.#listener = listener;
  }

  /** Tells the listener that a connection, of messages or of commands, came up, for the first time or again. */
  connected(first: boolean): void {
    if (first) this.#listener?.onReady();
    else this.#listener?.onReconnect();
  }

  /**
   * Subscribes. Rejects at once while the link is known to be down. Command: SUBSCRIBE, one a channel, pipelined.
   *
   * @throws BackendError when the link is down or breaks; BackendClosedError
   */
  async subscribe(channels: readonly string[]): Promise<readonly (Error | null)[]> {
    if (this.#connection.state === 'lost') throw this.#connection.outage();
    return this.#inChunks('SUBSCRIBE', channels, (pipeline, channel) => pipeline.subscribe(channel));
  }

  /** Unsubscribes, unless the link is down. Command: UNSUBSCRIBE, one a channel, pipelined. */
  async unsubscribe(channels: readonly string[]): Promise<readonly (Error | null)[]> {
    const done = channels.map(() => null);
    if (this.#connection.state !== 'ready') return done;
    let outcomes: readonly (Error | null)[];
    try {
      outcomes = await this.#inChunks('UNSUBSCRIBE', channels, (pipeline, channel) => pipeline.unsubscribe(channel));
    } catch {
      // The link broke, which unsubscribes too.
      return done;
    }
    const refusal = outcomes.find((outcome) => outcome && !isRetryable(outcome));
    if (refusal) {
      this.#warnings.warn(
        'CELERY_CHANNEL_KEPT',
        `Channels that nobody waits on stay subscribed until the connection is made anew: ${refusal.message}`,
      );
    }
    return outcomes;
  }

  /** All chunks leave at once, so that what is asked for after them leaves after them. */
  async #inChunks(
    name: string,
    channels: readonly string[],
    add: (pipeline: RedisPipeline, channel: string) => unknown,
  ): Promise<(Error | null)[]> {
    const chunks: Promise<(Error | null)[]>[] = [];
    for (let from = 0; from < channels.length; from += MAX_CHANNELS) {
      chunks.push(this.#send(name, channels.slice(from, from + MAX_CHANNELS), add));
    }
    return (await Promise.all(chunks)).flat();
  }

  async #send(
    name: string,
    channels: readonly string[],
    add: (pipeline: RedisPipeline, channel: string) => unknown,
  ): Promise<(Error | null)[]> {
    const results = await this.#connection.run({
      what: `${name} ${channels[0] ?? ''}${channels.length > 1 ? ` and ${channels.length - 1} more` : ''}`,
      key: null,
      // Confirmations come in order with the watchdog's PONGs, so that they come or the link ends.
      patient: true,
      send: (client) => exchange(client, channels, add),
    });
    return results.map((error, index) => {
      const channel = channels[index] ?? '';
      return error && refused(`${name} ${channel}`, error, { channel, user: this.#connection.user });
    });
  }
}

/** Sends one command a channel. Resolves to the error reply of each, or `null`; rejects when there are no replies. */
async function exchange(
  client: RedisClient,
  channels: readonly string[],
  add: (pipeline: RedisPipeline, channel: string) => unknown,
): Promise<(Error | null)[]> {
  const pipeline = client.pipeline();
  for (const channel of channels) add(pipeline, channel);
  const results = (await pipeline.exec()) ?? [];
  return results.map(([error]) => {
    if (error && !isReply(error)) throw error;
    return error;
  });
}
