/** A backend on a memory of its own, and the application it is of. */
import { randomUUID } from 'node:crypto';
import { systemClock } from '../../src/clock.ts';
import { RedisBackend, type ResultTuple } from '../../src/index.ts';
import { closeSpace, openSpace, type Space } from '../../src/memory/space.ts';
import { parseTuple } from '../../src/tuples.ts';
import { Finding } from './judge.ts';
import type { Format } from './payloads.ts';
import { createExceptions, createSerializers } from './readers.ts';

/** A backend, the memory that it reads, and what it had the application do. */
export class World {
  readonly url: string = `memory://${randomUUID()}`;
  readonly space: Space = openSpace(this.url, systemClock);
  readonly backend: RedisBackend;
  /** Bodies of chords that were sent. */
  bodies = 0;
  /** Tasks whose error callbacks were sent. */
  failed = 0;

  constructor(format: Format) {
    const app = {
      applySignature: (): Promise<void> => {
        this.bodies += 1;
        return Promise.resolve();
      },
      callErrbacks: (): Promise<readonly ResultTuple[]> => {
        this.failed += 1;
        return Promise.resolve([parseTuple([['errback', null], null])]);
      },
    };
    this.backend = new RedisBackend(app, {
      url: this.url,
      serializer: createSerializers()[format],
      exceptions: createExceptions(),
      maxCachedResults: 10,
      chordJoinTimeout: 0.001,
      lastLook: 0,
      retryPolicy: { maxRetries: 0 },
    });
  }

  put(key: string, payload: Uint8Array): void {
    this.space.set(key, payload, null);
    this.space.publish(key, payload);
  }

  /** @throws Finding when something is still awaited */
  async close(): Promise<void> {
    const { waits, channels } = this.backend.stats();
    await this.backend.close();
    closeSpace(this.url);
    if (waits + channels > 0) throw new Finding(`left behind: ${waits} waits, ${channels} channels`);
  }
}
