import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { pace } from '../../../src/redis/pace.ts';
import { nextTurn } from '../../../src/turns.ts';

const FULL = { length: 65_536 };

class FakeSocket extends EventEmitter {
  readonly writable = true;
  readonly bytesRead = 0;
  readonly writableLength = 0;
  readonly told: string[] = [];

  pause(): void {
    this.told.push('pause');
  }

  resume(): void {
    this.told.push('resume');
  }

  destroy(): void {
    this.told.push('destroy');
  }
}

let socket: FakeSocket;
let now: number;
/** What the one who listens already takes for a chunk. */
let workMs: number;

/** A chunk comes, and takes so much work. */
function data(chunk: { readonly length: number }, ms: number): void {
  workMs = ms;
  socket.emit('data', chunk);
}

beforeEach(() => {
  socket = new FakeSocket();
  now = 0;
  socket.on('data', () => (now += workMs));
  pace(socket, { now: () => now });
});

describe('what comes over a socket', () => {
  it('is paused after 2 ms of work on full chunks, and goes on in the next turn', async () => {
    for (const ms of [0.5, 0.5, 0.5]) data(FULL, ms);
    expect(socket.told).toEqual([]);
    data(FULL, 0.5);
    expect(socket.told).toEqual(['pause']);
    await nextTurn();
    expect(socket.told).toEqual(['pause', 'resume']);
  });

  it('has as long again in the next turn', async () => {
    data(FULL, 1.5);
    await nextTurn();
    data(FULL, 1.5);
    expect(socket.told).toEqual([]);
    data(FULL, 0.5);
    expect(socket.told).toEqual(['pause']);
  });

  it('is paused by one chunk that takes that long', () => {
    data(FULL, 2);
    expect(socket.told).toEqual(['pause']);
  });

  it('is not paused by a chunk that is not full: nothing was behind it', () => {
    for (let i = 0; i < 10; i += 1) data({ length: 16_383 }, 10);
    expect(socket.told).toEqual([]);
  });

  it('is paused by full records of TLS as well', () => {
    for (let i = 0; i < 2; i += 1) data({ length: 16_384 }, 1);
    expect(socket.told).toEqual(['pause']);
  });
});
