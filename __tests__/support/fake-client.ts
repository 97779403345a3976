/** A client of ioredis whose connection the test makes, breaks and refuses. */
import { EventEmitter } from 'node:events';
import type { RedisClient } from '../../src/redis/client.ts';

/** The events and methods that a connection uses for its life. */
export class FakeClient extends EventEmitter {
  readonly options = {};
  readonly stream = {
    writable: true,
    bytesRead: 0,
    writableLength: 0,
    destroy: (): boolean => this.emit('end'),
    on: (): void => undefined,
    prependListener: (): void => undefined,
  };
  attempts = 0;
  disconnects = 0;

  connect(): Promise<void> {
    this.attempts += 1;
    return Promise.reject(new Error('its outcome comes as an event'));
  }

  disconnect(): void {
    this.disconnects += 1;
    this.emit('end');
  }

  ping(): Promise<string> {
    return Promise.resolve('PONG');
  }

  /** The attempt fails. */
  fail(message = 'connect ECONNREFUSED', name = 'Error'): void {
    this.emit('error', Object.assign(new Error(message), { name }));
    this.emit('end');
  }

  succeed(): void {
    this.emit('connect');
    this.emit('ready');
  }

  /** As the type that it stands in for. */
  get asClient(): RedisClient {
    return this as unknown as RedisClient;
  }
}
