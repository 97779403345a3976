import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type RedisBackend, RemoteError, TaskRevokedError, type TaskMeta } from '../../../src/index.ts';
import {
  awaited,
  fail,
  memoryBackend,
  progress,
  pythonError,
  retry,
  revoke,
  start,
  succeed,
} from '../../../src/testing/index.ts';
import { outcome } from '../../support/contract/context.ts';
import { settle } from '../../support/virtual-clock.ts';

let backend: RedisBackend;

beforeEach(() => {
  backend = memoryBackend();
});

afterEach(async () => {
  await backend.close();
});

/** Whether a promise has settled by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  await settle();
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

describe('a memory backend', () => {
  it('has a memory of its own, or that of another', async () => {
    const other = memoryBackend();
    const worker = memoryBackend({ url: backend.url });
    await succeed(worker, 't', 5);
    expect(await backend.waitFor('t')).toBe(5);
    expect(await other.getStatus('t')).toBe('PENDING');
    await Promise.all([other.close(), worker.close()]);
  });

  it('is refused for the URL of a server', () => {
    expect(() => memoryBackend({ url: 'redis://user:hunter2@localhost' })).toThrow(/expected a backend on memory/i);
    expect(() => memoryBackend({ url: 'redis://user:hunter2@localhost' })).not.toThrow(/hunter2/);
  });

  it('takes options and an app as any other', async () => {
    await backend.close();
    backend = memoryBackend({ maxCachedResults: 7 }, { main: 'shop' });
    expect([backend.maxCachedResults, backend.app.main]).toEqual([7, 'shop']);
  });
});

describe('awaited', () => {
  it('resolves once somebody waits for the task, and for no other', async () => {
    const told = awaited(backend, 't');
    const again = awaited(backend, 't');
    const wait = backend.waitFor('other');
    expect(await settled(told)).toBe(false);
    const worker = memoryBackend({ url: backend.url });
    const many = worker.asCompleted(['t'])[Symbol.asyncIterator]().next();
    await Promise.all([told, again]);
    await awaited(backend, 't');
    await succeed(backend, 't', 1);
    await succeed(backend, 'other', 2);
    expect([(await many).value, await wait]).toEqual([expect.objectContaining({ result: 1 }), 2]);
    await worker.close();
  });

  it('keeps nothing of a memory that is closed', async () => {
    const wait = outcome(backend.waitFor('t'));
    await awaited(backend, 't');
    await backend.close();
    await wait;
    const next = memoryBackend({ url: backend.url });
    expect(await settled(awaited(next, 't'))).toBe(false);
    const last = outcome(next.waitFor('t'));
    await awaited(next, 't');
    await next.close();
    await last;
  });

  it('knows of a prefix', async () => {
    const prefixed = memoryBackend({ globalKeyprefix: 'shop' });
    const wait = prefixed.waitFor('t');
    await awaited(prefixed, 't', { globalKeyprefix: 'shop' });
    await succeed(prefixed, 't');
    expect(await wait).toBeNull();
    await prefixed.close();
  });

  it('is refused for another backend, and for what is no id', async () => {
    expect(await outcome(awaited({ url: 'redis://localhost' }, 't'))).toMatchObject({
      code: 'CELERY_INVALID_ARGUMENT',
    });
    expect(await outcome(awaited(backend, ''))).toMatchObject({ code: 'CELERY_INVALID_ID' });
  });
});

describe('a task that a test plays', () => {
  it('is seen by whoever waits: its start, its progress, its retries and its end', async () => {
    const seen: unknown[] = [];
    const onMessage = ({ status, result }: TaskMeta): void => {
      seen.push([status, result instanceof Error ? result.message : result]);
    };
    const wait = backend.waitFor('t', { onMessage });
    await awaited(backend, 't');
    await start(backend, 't');
    await progress(backend, 't', { percent: 50 });
    await progress(backend, 't', 'nearly', 'ALMOST');
    await retry(backend, 't', pythonError('ConnectionError', 'no route'));
    await succeed(backend, 't', { total: 42 });
    expect(await wait).toEqual({ total: 42 });
    expect(seen).toEqual([
      ['STARTED', { pid: 1, hostname: 'celery@test' }],
      ['PROGRESS', { percent: 50 }],
      ['ALMOST', 'nearly'],
      ['RETRY', 'no route'],
      ['SUCCESS', { total: 42 }],
    ]);
  });

  it('fails as one in Python does', async () => {
    await fail(backend, 't', pythonError('shop.errors.NoSuchSku', 'no such sku', 7));
    const error = await outcome(backend.waitFor('t'));
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({
      code: 'CELERY_TASK_FAILED',
      excType: 'NoSuchSku',
      excModule: 'shop.errors',
      excArgs: ['no such sku', 7],
      traceback: expect.stringMatching(/^Traceback \(most recent call last\):\n.*\nshop\.errors\.NoSuchSku: /s),
    });
    await fail(backend, 'u', pythonError('ValueError', 'no'), { traceback: 'my own' });
    expect(await outcome(backend.waitFor('u'))).toMatchObject({
      excModule: 'builtins',
      message: 'no',
      traceback: 'my own',
    });
  });

  it('fails with an error of JavaScript', async () => {
    await fail(backend, 't', new RangeError('too far'));
    expect(await outcome(backend.waitFor('t'))).toMatchObject({
      excType: 'RangeError',
      message: 'too far',
      traceback: expect.stringContaining('memory.test'),
    });
  });

  it('is revoked', async () => {
    await revoke(backend, 't');
    await revoke(backend, 'u', 'expired');
    const errors = [await outcome(backend.waitFor('t')), await outcome(backend.waitFor('u'))];
    for (const error of errors) expect(error).toBeInstanceOf(TaskRevokedError);
    expect(errors.map((error) => (error as Error).message)).toEqual(['revoked', 'expired']);
  });
});
