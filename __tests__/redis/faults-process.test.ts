/** A process that stalls, whose wall clock steps, that waits for long, or for very much. */
import { randomUUID } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type BackendOptions, RedisBackend } from '../../src/index.ts';
import { systemClock } from '../../src/clock.ts';
import { eventually } from '../support/driver.ts';
import { live, lost } from '../support/live.ts';
import { RedisServer } from '../support/redis.ts';

const DAY = 86_400_000;

let server: RedisServer;
const backends: RedisBackend[] = [];

beforeEach(async () => {
  server = await RedisServer.start();
});

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
  await server.stop();
});

function open(options: BackendOptions = {}): RedisBackend {
  const backend = new RedisBackend({}, { url: server.url, backstop: 0, ...options });
  backends.push(backend);
  return backend;
}

/** Blocks the event loop. */
function stall(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Calls `run` from where Node calls timers, what a socket received, or what waits for the end of a turn. */
const FROM: readonly [string, (run: () => void, backend: RedisBackend) => void][] = [
  ['a timer', (run) => setTimeout(run, 0)],
  ['setImmediate', (run) => setImmediate(run)],
  ['a callback of a socket', (run, backend) => void backend.ping().then(run)],
];

describe('a process that stalls', () => {
  it.each(FROM)('in %s beyond the deadline of a wait gives the result that came meanwhile', async (_title, call) => {
    const waiter = open();
    const id = randomUUID();
    await live(waiter, id);
    const payload = JSON.stringify({ status: 'SUCCESS', result: 'in the socket', task_id: id });
    const admin = server.admin();
    await admin.ping();
    const result = waiter.waitFor(id, { timeout: 0.2 });
    call(() => {
      // It is written to the socket at once, and answered while nothing here runs.
      void admin.multi().set(`celery-task-meta-${id}`, payload).publish(`celery-task-meta-${id}`, payload).exec();
      stall(600);
    }, waiter);
    expect(await result).toBe('in the socket');
  });

  it('for longer than deadAfter keeps its links', async () => {
    const backend = open({ heartbeat: 0.05, deadAfter: 0.2 });
    const id = randomUUID();
    const { result } = await live(backend, id);
    for (let i = 0; i < 5; i += 1) {
      await backend.ping();
      stall(400);
    }
    await backend.storeResult(id, 'kept', 'SUCCESS');
    expect(await result).toBe('kept');
    expect(backend.stats().reconnects).toBe(0);
  });
});

describe('a wall clock', () => {
  it.each([
    ['forward', 365 * DAY],
    ['back', -365 * DAY],
  ])('that steps %s by a year moves no deadline, heartbeat or pause', async (_title, step) => {
    const backend = open({ heartbeat: 0.05, deadAfter: 5 });
    const id = randomUUID();
    const { result } = await live(backend, id);
    const wall = Date.now();
    jest.spyOn(Date, 'now').mockImplementation(() => wall + step);
    const start = performance.now();
    await expect(backend.waitFor(id, { timeout: 0.3 })).rejects.toMatchObject({ code: 'CELERY_TIMEOUT' });
    expect(performance.now() - start).toBeGreaterThanOrEqual(299);
    const gone = lost('subscriber');
    await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await gone;
    await backend.storeResult(id, 'any year', 'SUCCESS');
    expect(await result).toBe('any year');
  });
});

describe('a wait', () => {
  it('of a deadline beyond the timers of Node, 2^31 ms, does not end at once', async () => {
    const backend = open();
    const id = randomUUID();
    const long = backend.waitFor(id, { timeout: 2 ** 31 });
    const { result } = await live(backend, id, 50 * 365 * 86_400);
    await backend.storeResult(id, 'in time', 'SUCCESS');
    expect(await Promise.all([long, result])).toEqual(['in time', 'in time']);
  });

  it('and 2,000 others over 12 new connections share one listener of their signal, and leave none', async () => {
    const backend = open();
    const ids = Array.from({ length: 2000 }, () => randomUUID());
    const { signal } = new AbortController();
    const values = Promise.all(ids.map((id) => backend.waitFor(id, { signal })));
    await live(backend, ids[0] ?? '');
    for (let i = 0; i < 12; i += 1) {
      const before = backend.stats().reconnects;
      await server.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await eventually(async () => {
        await server.cli('PING');
        return backend.stats().reconnects > before;
      });
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    }
    await Promise.all(ids.map((id) => backend.storeResult(id, id, 'SUCCESS')));
    expect(await values).toEqual(ids);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(backend.stats()).toMatchObject({ waits: 0, rescued: 0 });
  });

  it('has nothing to do with the clock of another backend in the same process', async () => {
    const still = open({ clock: { ...systemClock, now: () => 0, after: () => ({ cancel: () => undefined }) } });
    const backend = open();
    const id = randomUUID();
    const waiting = still.waitFor(id, { timeout: 0.01 });
    await expect(backend.waitFor(id, { timeout: 0.1 })).rejects.toMatchObject({ code: 'CELERY_TIMEOUT' });
    await backend.storeResult(id, 1, 'SUCCESS');
    expect(await waiting).toBe(1);
  });
});
