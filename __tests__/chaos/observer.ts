/** Records everything that is published. */
import { Redis } from 'ioredis';
import type { RedisServer } from '../support/redis.ts';
import { PATTERN, type Published, sightOf } from './history.ts';

export class Observer {
  readonly published: Published[] = [];
  readonly #clients: Redis[] = [];
  readonly #now: () => number;

  private constructor(now: () => number) {
    this.#now = now;
  }

  /** Listens at each server, past all proxies. What is published while one is away is missed. */
  static async start(servers: readonly RedisServer[], now: () => number): Promise<Observer> {
    const observer = new Observer(now);
    await Promise.all(servers.map((server) => observer.#listen(server)));
    return observer;
  }

  stop(): void {
    for (const client of this.#clients) client.disconnect();
  }

  async #listen({ port }: RedisServer): Promise<void> {
    const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 20, disconnectTimeout: 100 });
    this.#clients.push(client);
    client.on('error', () => undefined);
    let life = 0;
    client.on('ready', () => (life += 1));
    client.on('pmessage', (_pattern: string, channel: string, payload: string) => {
      // What comes over one connection has an order.
      this.published.push({ ...sightOf(channel, payload, this.#now()), order: `${port}/${life}` });
    });
    await client.psubscribe(PATTERN);
  }
}
