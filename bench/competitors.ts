/** The competitors: this package first, the floor last. */
import { RedisBackend } from 'celery-redis-backend';
import { Redis } from 'ioredis';
import { type Competitor, encodeMeta, keyOf, type Peer, type Sample } from './harness.ts';

/** This package, as it is by default. */
const ours: Competitor = {
  name: 'celery-redis-backend',
  open(port) {
    const backend = new RedisBackend({}, { url: `redis://127.0.0.1:${port}/0` });
    return Promise.resolve({
      store: (taskId, { value }) => backend.storeResult(taskId, value, 'SUCCESS'),
      read: (taskId) => backend.getResult(taskId),
      wait: (taskId, timeout) =>
        timeout === undefined ? backend.waitFor(taskId) : backend.waitFor(taskId, { timeout }),
      known: (taskId) => backend.waitFor(taskId),
      learn: (taskId) => backend.waitFor(taskId),
      ping: () => backend.ping(),
      close: () => backend.close(),
    });
  },
};

interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly timer: NodeJS.Timeout | undefined;
}

interface Meta {
  readonly status: string;
  readonly result: unknown;
}

/** The least that a program on ioredis has to do: no guard, no cache, one waiter an id, no care for broken links. */
class Floor implements Peer {
  readonly #commands: Redis;
  readonly #subscriber: Redis;
  readonly #idle: boolean;
  readonly #waiters = new Map<string, Waiter>();
  readonly #known = new Map<string, unknown>();

  constructor(port: number, idle: boolean) {
    this.#idle = idle;
    this.#commands = new Redis(port, '127.0.0.1', { enableAutoPipelining: !idle });
    this.#subscriber = new Redis(port, '127.0.0.1');
    this.#subscriber.on('message', (channel, payload) => {
      this.#settle(channel, payload);
    });
  }

  async store(taskId: string, sample: Sample): Promise<unknown> {
    const key = keyOf(taskId);
    const payload = encodeMeta(taskId, sample);
    // With nothing to batch, auto-pipelining would only add its wait for the end of the tick.
    if (this.#idle) return this.#commands.pipeline().setex(key, 86_400, payload).publish(key, payload).exec();
    return Promise.all([this.#commands.setex(key, 86_400, payload), this.#commands.publish(key, payload)]);
  }

  async read(taskId: string): Promise<unknown> {
    const payload = await this.#commands.get(keyOf(taskId));
    return payload === null ? null : (JSON.parse(payload) as Meta).result;
  }

  wait(taskId: string, timeout?: number): Promise<unknown> {
    const key = keyOf(taskId);
    return new Promise((resolve, reject) => {
      const late = (): void => {
        this.#leave(key);
        reject(new Error('timeout'));
      };
      const timer = timeout === undefined ? undefined : setTimeout(late, timeout * 1000);
      this.#waiters.set(key, { resolve, timer });
      this.#readOnce(key).catch(reject);
    });
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- the least that a cache behind a promise costs
  async known(taskId: string): Promise<unknown> {
    return this.#known.get(taskId);
  }

  async learn(taskId: string): Promise<void> {
    this.#known.set(taskId, await this.read(taskId));
  }

  ping(): Promise<unknown> {
    return this.#commands.ping();
  }

  async close(): Promise<void> {
    await Promise.all([this.#commands.quit(), this.#subscriber.quit()]);
  }

  async #readOnce(key: string): Promise<void> {
    await this.#subscriber.subscribe(key);
    const payload = await this.#commands.get(key);
    if (payload !== null) this.#settle(key, payload);
  }

  #settle(key: string, payload: string): void {
    const waiter = this.#waiters.get(key);
    if (!waiter) return;
    const meta = JSON.parse(payload) as Meta;
    if (meta.status !== 'SUCCESS' && meta.status !== 'FAILURE') return;
    clearTimeout(waiter.timer);
    this.#leave(key);
    waiter.resolve(meta.result);
  }

  #leave(key: string): void {
    this.#waiters.delete(key);
    this.#subscriber.unsubscribe(key).catch(() => undefined);
  }
}

const floor: Competitor = {
  name: 'ioredis',
  open: (port, idle) => Promise.resolve(new Floor(port, idle)),
};

export const competitors: readonly Competitor[] = [ours, floor];
