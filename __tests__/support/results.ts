/** Backends on one memory of their own, with what tests of result objects need. */
import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import { AsyncResult, type BackendOptions, GroupResult, RedisBackend, type Result } from '../../src/index.ts';
import { metaText } from './contract/context.ts';
import { closeSpace, openSpace, type Space } from '../../src/memory/space.ts';
import { systemClock } from '../../src/clock.ts';
import { settle } from './virtual-clock.ts';

/** Closed at the end of each test. */
export class Results implements AsyncDisposable {
  readonly url: string = `memory://${randomUUID()}`;
  readonly space: Space = openSpace(this.url, systemClock);
  readonly backend: RedisBackend;
  /** The side that stores. */
  readonly writer: RedisBackend;

  constructor(options: BackendOptions = {}) {
    this.backend = new RedisBackend({}, { url: this.url, maxCachedResults: -1, ...options });
    this.writer = new RedisBackend({}, { url: this.url });
  }

  task<T = unknown>(id: string, parent: Result | null = null): AsyncResult<T> {
    return new AsyncResult<T>(id, this.backend, parent);
  }

  group<T = unknown>(id: string, members: readonly (string | Result)[], parent: Result | null = null): GroupResult<T> {
    const results = members.map((member) => (typeof member === 'string' ? this.task(member) : member));
    return new GroupResult<T>(id, results, this.backend, parent);
  }

  async succeed(id: string, value: unknown = id): Promise<void> {
    await this.writer.storeResult(id, value, 'SUCCESS');
  }

  async fail(id: string, message: string = id): Promise<void> {
    await this.writer.storeResult(id, new RangeError(message), 'FAILURE');
  }

  /** Puts a meta there as another writer would, and publishes it. */
  put(id: string, status: string, result: unknown, more: object = {}): void {
    const text = JSON.stringify({ ...(JSON.parse(metaText(id, status, result)) as object), ...more });
    this.space.set(`celery-task-meta-${id}`, Buffer.from(text), null);
    this.space.publish(`celery-task-meta-${id}`, Buffer.from(text));
  }

  /** Resolves once so many tasks are waited for. */
  async waiting(channels: number): Promise<void> {
    while (this.backend.stats().channels !== channels) await new Promise((resolve) => setImmediate(resolve));
    await settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await settle();
    const { waits, channels } = this.backend.stats();
    await Promise.all([this.backend.close(), this.writer.close()]);
    closeSpace(this.url);
    expect({ waits, channels }).toEqual({ waits: 0, channels: 0 });
  }
}
