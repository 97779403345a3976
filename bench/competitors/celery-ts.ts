/** celery-ts: one pattern subscription hears every result; two connections, of which a wait holds the one that is free. */
import { RedisBackend, RedisTcpOptions } from 'celery-ts';
import type { Competitor, Peer } from '../harness.ts';
import { type Sample, sample } from '../sample.ts';
import { floor } from './floor.ts';
import { FIRST, nodeProgram } from './program.ts';

const ONE_WAIT = 'a wait holds its only free connection, so that there is one at a time';

/** Its backend is made anew for each round, since it hears, and keeps for a day, what all others publish. */
class CeleryTs implements Peer {
  readonly #port: number;
  readonly #floor: Peer;
  #backend: RedisBackend | undefined;
  /** The waits under way. */
  readonly #waits = new Set<string>();

  constructor(port: number, floor: Peer) {
    this.#port = port;
    this.#floor = floor;
  }

  store(taskId: string, { value }: Sample): Promise<unknown> {
    const message = {
      task_id: taskId,
      status: 'SUCCESS' as never,
      result: value,
      traceback: null as never,
      children: [],
    };
    return this.#open().put(message);
  }

  async read(taskId: string): Promise<unknown> {
    return (await this.#open().get({ taskId, timeout: 60_000 })).result;
  }

  async wait(taskId: string, timeout?: number): Promise<unknown> {
    const options = timeout === undefined ? { taskId } : { taskId, timeout: timeout * 1000 };
    this.#waits.add(taskId);
    try {
      return (await this.#open().get(options)).result;
    } finally {
      this.#waits.delete(taskId);
    }
  }

  /** Its own `put` publishes where none of its waiters listens. */
  announce(taskId: string, sample: Sample): Promise<unknown> {
    return this.#floor.store(taskId, sample);
  }

  /** Resolves when it is subscribed. A command would wait for the end of the wait under way. */
  async ping(): Promise<unknown> {
    return Reflect.get(this.#open(), 'subscriber') as Promise<unknown>;
  }

  /** Its `end` waits for the wait that has a connection, so that what nothing came for gets a result first. */
  async rest(): Promise<void> {
    await Promise.all([...this.#waits].map((taskId) => this.#floor.store(taskId, sample())));
    await this.#backend?.end();
    this.#backend = undefined;
  }

  async close(): Promise<void> {
    await Promise.all([this.rest(), this.#floor.close()]);
  }

  #open(): RedisBackend {
    this.#backend ??= new RedisBackend(
      new RedisTcpOptions({ host: '127.0.0.1', port: this.#port, db: 0, protocol: 'redis' }),
    );
    return this.#backend;
  }
}

/** What its backend can do without hanging. */
export const celeryTs: Competitor = {
  name: 'celery-ts',
  celery: false,
  share: 0.2,
  atOnce: 1,
  cannot: {
    hops: 'is not taken apart',
    cached: 'keeps every result of everybody for a day, but reads the key for those that it did not hear',
    waiters: ONE_WAIT,
    memory: ONE_WAIT,
    fan: ONE_WAIT,
  },
  packages: ['celery-ts'],
  firstAnswer: nodeProgram(`
    const { RedisBackend, RedisTcpOptions } = (await import('celery-ts')).default;
    const backend = new RedisBackend(new RedisTcpOptions({ host: '127.0.0.1', port, db: 0, protocol: 'redis' }));
    await backend.get({ taskId: '${FIRST}' });`),
  open: async (port, idle) => new CeleryTs(port, await floor.open(port, idle)),
};
