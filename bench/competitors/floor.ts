/** Bare ioredis. */
import { Redis } from 'ioredis';
import type { Competitor, Memory, Peer } from '../harness.ts';
import { encodeMeta, keyOf, type Sample } from '../sample.ts';
import { FIRST, nodeProgram } from './program.ts';

interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly timer: NodeJS.Timeout | undefined;
  /** The next one for the same id. */
  next: Waiter | undefined;
}

interface Meta {
  readonly status: string;
  readonly result: unknown;
}

/** What a store is on ioredis. */
type Store = (client: Redis, key: string, payload: string, idle: boolean) => Promise<unknown>;

/** The least. With nothing to batch, auto-pipelining would only add its wait for the end of the tick. */
const twoCommands: Store = (client, key, payload, idle) =>
  idle
    ? client.pipeline().setex(key, 86_400, payload).publish(key, payload).exec()
    : Promise.all([client.setex(key, 86_400, payload), client.publish(key, payload)]);

/** The least that keeps a SUCCESS from being overwritten. */
const GUARDED = `
  if redis.call('GETRANGE', KEYS[1], 0, 19) == '{"status": "SUCCESS"' then return 0 end
  redis.call('SETEX', KEYS[1], 86400, ARGV[1])
  redis.call('PUBLISH', KEYS[1], ARGV[1])
  return 1`;

const oneScript: Store = (client, key, payload) => (client as unknown as Guarded).guarded(key, payload);

interface Guarded {
  guarded(key: string, payload: string): Promise<unknown>;
}

/** The least that a program on ioredis has to do: no cache, no care for broken links. */
class Floor implements Peer {
  readonly memory: Memory;
  readonly #commands: Redis;
  readonly #subscriber: Redis;
  readonly #idle: boolean;
  readonly #store: Store;
  readonly #waiters = new Map<string, Waiter>();

  constructor(port: number, idle: boolean, store: Store) {
    this.#idle = idle;
    this.#store = store;
    this.#commands = new Redis(port, '127.0.0.1', { enableAutoPipelining: !idle });
    this.#commands.defineCommand('guarded', { numberOfKeys: 1, lua: GUARDED });
    this.#subscriber = new Redis(port, '127.0.0.1');
    this.#subscriber.on('message', (channel, payload) => {
      this.#settle(channel, payload);
    });
    const known = new Map<string, unknown>();
    this.memory = {
      // eslint-disable-next-line @typescript-eslint/require-await -- the least that a cache behind a promise costs
      known: async (taskId) => known.get(taskId),
      learn: async (taskId) => known.set(taskId, await this.read(taskId)),
    };
  }

  store(taskId: string, sample: Sample): Promise<unknown> {
    return this.#store(this.#commands, keyOf(taskId), encodeMeta(taskId, sample), this.#idle);
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
      const next = this.#waiters.get(key);
      this.#waiters.set(key, { resolve, timer, next });
      if (next === undefined) this.#readOnce(key).catch(reject);
    });
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
    let waiter = this.#waiters.get(key);
    if (!waiter) return;
    const meta = JSON.parse(payload) as Meta;
    if (meta.status !== 'SUCCESS' && meta.status !== 'FAILURE') return;
    this.#leave(key);
    for (; waiter; waiter = waiter.next) {
      clearTimeout(waiter.timer);
      waiter.resolve(meta.result);
    }
  }

  #leave(key: string): void {
    this.#waiters.delete(key);
    this.#subscriber.unsubscribe(key).catch(() => undefined);
  }
}

/** SETEX + PUBLISH; SUBSCRIBE, then GET. */
export const floor: Competitor = {
  name: 'ioredis',
  celery: true,
  cannot: {},
  packages: ['ioredis'],
  firstAnswer: nodeProgram(`
    const { Redis } = await import('ioredis');
    JSON.parse(await new Redis(port, '127.0.0.1').get('${keyOf(FIRST)}'));`),
  open: (port, idle) => Promise.resolve(new Floor(port, idle, twoCommands)),
};

const SAME = 'does the same as ioredis';

/** The floor, but that a store is one script that checks for a SUCCESS: what any guard costs at least. */
export const guardedFloor: Competitor = {
  ...floor,
  name: 'ioredis guarded',
  cannot: { reads: SAME, cached: SAME, waiters: SAME, memory: SAME, startup: SAME, pending: SAME },
  open: (port, idle) => Promise.resolve(new Floor(port, idle, oneScript)),
};
