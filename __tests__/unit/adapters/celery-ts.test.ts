import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from '@jest/globals';
import type { ResultBackend } from 'celery-ts';
import { createCeleryTsBackend } from '../../../src/adapters/celery-ts/index.ts';
import type { Swallowed } from '../../../src/adapters/swallowed.ts';
import { failure } from '../../support/failure.ts';
import { Results } from '../../support/results.ts';
import { settle } from '../../support/virtual-clock.ts';

/** Whether a promise is pending after all that is due has happened. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(
    () => (done = true),
    () => (done = true),
  );
  await settle();
  await new Promise((resolve) => setImmediate(resolve));
  return !done;
}

describe('the celery-ts backend', () => {
  it("is celery-ts's ResultBackend, by its types too", async () => {
    await using results = new Results();
    const backend: ResultBackend = createCeleryTsBackend(results.backend);
    expect(backend.uri()).toBe(results.url);
  });

  it('resolves a get to the whole message, stored before or after', async () => {
    await using results = new Results();
    const backend = createCeleryTsBackend(results.backend);
    const later = backend.get({ taskId: 'a' });
    await results.waiting(1);
    await results.succeed('a', 5);
    const message = { children: [], result: 5, status: 'SUCCESS', task_id: 'a', traceback: null };
    expect(await later).toEqual(message);
    expect(await backend.get({ taskId: 'a' })).toEqual(message);
  });

  it.each([{ stored: 'before' }, { stored: 'after' }])(
    'resolves to the data of a failure that is stored $stored',
    async ({ stored }) => {
      await using results = new Results();
      const backend = createCeleryTsBackend(results.backend);
      if (stored === 'before') await results.fail('a', 'boom');
      const got = backend.get({ taskId: 'a' });
      if (stored === 'after') {
        await results.waiting(1);
        results.put('a', 'STARTED', null);
        await results.fail('a', 'boom');
      }
      const message = await got;
      expect(message).toMatchObject({ status: 'FAILURE', result: { exc_type: 'RangeError', exc_message: ['boom'] } });
      expect(message.traceback).toContain('RangeError: boom');
    },
  );

  it('rejects with the error of a failure when rejectOnFailure is set', async () => {
    await using results = new Results();
    const backend = createCeleryTsBackend(results.backend, { rejectOnFailure: true });
    await results.fail('a', 'boom');
    expect(await failure(backend.get({ taskId: 'a' }))).toMatchObject({ code: 'CELERY_TASK_FAILED', message: 'boom' });
  });

  it('takes a timeout in milliseconds, for the second wait of a task too', async () => {
    await using results = new Results();
    const backend = createCeleryTsBackend(results.backend);
    const unbounded = backend.get({ taskId: 'a' });
    await expect(backend.get({ taskId: 'a', timeout: 1 })).rejects.toThrow('timed out');
    expect(await isPending(unbounded)).toBe(true);
    await backend.end();
  });

  it('puts a message that is read as Celery stores it', async () => {
    await using results = new Results();
    const backend = createCeleryTsBackend(results.backend);
    const result = { exc_type: 'ValueError', exc_message: ['bad'], exc_module: 'builtins' };
    const message = { task_id: 'a', status: 'FAILURE', result, traceback: 'there', children: [] };
    expect(await backend.put(message)).toBe('stored');
    expect(await backend.get({ taskId: 'a' })).toEqual(message);
    await expect(results.backend.waitFor('a')).rejects.toMatchObject({ excType: 'ValueError', traceback: 'there' });
  });

  it("deletes to '1' or '0', and rejects the waits of that task alone", async () => {
    await using results = new Results();
    const backend = createCeleryTsBackend(results.backend);
    results.put('a', 'STARTED', null);
    const deleted = failure(backend.get({ taskId: 'a' }));
    const other = backend.get({ taskId: 'b' });
    await results.waiting(2);
    expect(await backend.delete('a')).toBe('1');
    expect(await deleted).toMatchObject({ message: 'deleted' });
    expect(await backend.delete('a')).toBe('0');
    await results.succeed('b', 1);
    expect(await other).toMatchObject({ result: 1 });
  });

  it.each([
    { what: 'ended', end: (backend: { end(): Promise<void> }) => backend.end() },
    { what: 'disconnected', end: (backend: { disconnect(): Promise<void> }) => backend.disconnect() },
  ])(
    'leaves waits without a timeout pending when it is $what, gives their channels up, and rejects those with one',
    async ({ end }) => {
      await using results = new Results();
      const backend = createCeleryTsBackend(results.backend);
      const unbounded = backend.get({ taskId: 'a' });
      const bounded = failure(backend.get({ taskId: 'a', timeout: 60_000 }));
      await results.waiting(1);
      await end(backend);
      expect((await bounded).message).toBe('The backend was ended.');
      expect(await isPending(unbounded)).toBe(true);
      expect(results.backend.stats()).toMatchObject({ waits: 0 });
      expect(await isPending(backend.get({ taskId: 'b' }))).toBe(true);
      // Not its own: it is open.
      await results.backend.storeResult('c', 1, 'SUCCESS');
    },
  );

  it('closes the backend at its end when it is its own, with waits under way', async () => {
    await using results = new Results();
    const backend = createCeleryTsBackend(results.backend, { own: true });
    const unbounded = backend.get({ taskId: 'a' });
    await backend.end();
    expect(await isPending(unbounded)).toBe(true);
    await expect(results.backend.getStatus('a')).rejects.toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
  });

  it('bounds waits without a timeout by maxWait: they stay pending, and are forgotten', async () => {
    await using results = new Results();
    const told: Swallowed[] = [];
    const options = { maxWait: 0.001, onError: (swallowed: Swallowed) => told.push(swallowed) };
    const backend = createCeleryTsBackend(results.backend, options);
    const wait = backend.get({ taskId: 'a' });
    await results.waiting(1);
    await results.waiting(0);
    expect(await isPending(wait)).toBe(true);
    expect(told).toEqual([]);
  });

  it('resolves to a failure when what is stored cannot be read, which diagnostics are told of', async () => {
    await using results = new Results();
    const told: unknown[] = [];
    const listen = (message: unknown): void => void told.push(message);
    subscribe('celery-redis-backend:swallowed', listen);
    try {
      const backend = createCeleryTsBackend(results.backend);
      results.space.set('celery-task-meta-a', Buffer.from('{"stat'), null);
      expect(await backend.get({ taskId: 'a' })).toMatchObject({
        status: 'FAILURE',
        result: { exc_type: 'DecodeError' },
      });
      expect(told).toMatchObject([{ operation: 'get', taskId: 'a', error: { code: 'CELERY_DECODE' } }]);
      expect(await backend.delete('a')).toBe('1');
    } finally {
      unsubscribe('celery-redis-backend:swallowed', listen);
    }
  });

  it('goes on when onError throws', async () => {
    await using results = new Results();
    const backend = createCeleryTsBackend(results.backend, {
      onError: () => {
        throw new Error('no');
      },
    });
    // No id, so that it can never be stored.
    expect(await isPending(backend.get({ taskId: '' }))).toBe(true);
  });
});
