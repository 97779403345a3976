import { describe, expect, it } from '@jest/globals';
import celery from 'celery-node';
import { attachClient, type CeleryNodeBroker, type Swallowed } from '../../../src/adapters/celery-node/index.ts';
import { RedisBackend } from '../../../src/index.ts';
import { failure } from '../../support/failure.ts';
import { Results } from '../../support/results.ts';

/** A broker that keeps what it is given. */
class KeptBroker implements CeleryNodeBroker {
  readonly published: unknown[][] = [];
  failsWith: Error | undefined;

  isReady(): Promise<void> {
    return this.failsWith ? Promise.reject(this.failsWith) : Promise.resolve();
  }

  disconnect(): Promise<void> {
    return Promise.resolve();
  }

  publish(...args: unknown[]): Promise<void> {
    this.published.push(args);
    return Promise.resolve();
  }
}

class Clients extends Results {
  readonly broker = new KeptBroker();
  readonly told: Swallowed[] = [];
  readonly client = attachClient(
    celery.createClient('redis://127.0.0.1:1', 'redis://127.0.0.1:1', 'jobs'),
    this.backend,
    {
      onError: (swallowed) => this.told.push(swallowed),
    },
  );

  constructor() {
    super();
    Reflect.set(this.client, '_broker', this.broker);
  }
}

const polled = 500;

describe('a client of celery-node with the backend', () => {
  it('sends what it sent before, and gets the result the moment it is published', async () => {
    await using clients = new Clients();
    const { client, broker } = clients;
    const result = client.createTask('tasks.add').delay(1, 2);
    const value = result.get();
    await clients.waiting(1);
    const began = performance.now();
    await clients.succeed(result.taskId, 3);
    expect(await value).toBe(3);
    expect(performance.now() - began).toBeLessThan(polled);
    expect(broker.published).toEqual([
      [
        [[1, 2], {}, {}],
        '',
        'jobs',
        { lang: 'js', task: 'tasks.add', id: result.taskId },
        { correlationId: result.taskId, replyTo: '' },
      ],
    ]);
  });

  it("gives results of celery-node's own class", async () => {
    await using clients = new Clients();
    const stock = celery.createClient('redis://127.0.0.1:1', 'redis://127.0.0.1:1');
    Reflect.set(stock, '_backend', {});
    expect(clients.client.asyncResult('a')).toBeInstanceOf(stock.asyncResult('a').constructor);
    expect(clients.client.sendTask('add')).toBeInstanceOf(stock.asyncResult('a').constructor);
  });

  it('takes the id that a task is sent with, unless it is empty', async () => {
    await using clients = new Clients();
    expect(clients.client.sendTask('add', [], {}, 'mine').taskId).toBe('mine');
    expect(clients.client.sendTask('add', [], {}, '').taskId).toMatch(/^[\da-f-]{36}$/);
  });

  it('rejects with TIMEOUT after so many milliseconds, and can be asked again', async () => {
    await using clients = new Clients();
    const result = clients.client.asyncResult('a');
    await expect(result.get(1)).rejects.toThrow('TIMEOUT');
    const value = result.get(0);
    await clients.waiting(1);
    await clients.succeed('a', 1);
    expect(await value).toBe(1);
  });

  it('rejects for a failed task as before, with its traceback and its own error besides', async () => {
    await using clients = new Clients();
    await clients.fail('a', 'boom');
    const error = await failure(clients.client.asyncResult('a').get());
    expect(error).toMatchObject({
      message: 'FAILURE',
      exc_type: 'RangeError',
      exc_message: ['boom'],
      traceback: expect.stringContaining('RangeError: boom'),
      cause: { code: 'CELERY_TASK_FAILED', message: 'boom', taskId: 'a' },
    });
  });

  it('rejects with REVOKED for a revoked task', async () => {
    await using clients = new Clients();
    const info = { exc_type: 'TaskRevokedError', exc_message: ['terminated'], exc_module: 'celery.exceptions' };
    clients.put('a', 'REVOKED', info);
    const error = await failure(clients.client.asyncResult('a').get());
    expect(error).toMatchObject({ message: 'REVOKED', ...info, cause: { code: 'CELERY_TASK_REVOKED' } });
  });

  it('tells status and result at any time, null while nothing is known', async () => {
    await using clients = new Clients();
    const result = clients.client.asyncResult('a');
    expect([await result.status(), await result.result()]).toEqual([null, null]);
    clients.put('a', 'PROGRESS', { done: 1 });
    expect([await result.status(), await result.result()]).toEqual(['PROGRESS', { done: 1 }]);
    await clients.fail('a', 'boom');
    expect(await result.status()).toBe('FAILURE');
    expect(await result.result()).toMatchObject({ exc_type: 'RangeError' });
    // A ready result is kept.
    await clients.succeed('a');
    expect(await result.status()).toBe('FAILURE');
  });

  it('shows a failure, and tells of it, when what is stored cannot be read', async () => {
    await using clients = new Clients();
    clients.space.set('celery-task-meta-a', Buffer.from('{'), null);
    expect(await clients.client.asyncResult('a').status()).toBe('FAILURE');
    expect(clients.told).toMatchObject([{ operation: 'getTaskMeta', taskId: 'a', error: { code: 'CELERY_DECODE' } }]);
    await expect(clients.client.asyncResult('a').get()).rejects.toMatchObject({ code: 'CELERY_DECODE' });
  });

  it('reads null after the backend was closed, and rejects who waits', async () => {
    await using clients = new Clients();
    const value = failure(clients.client.asyncResult('a').get());
    await clients.waiting(1);
    await clients.backend.close();
    expect(await value).toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
    expect(await clients.client.asyncResult('a').status()).toBeNull();
  });

  it('tells of a task that the broker did not take, and rejects who waits for it alone', async () => {
    await using clients = new Clients();
    clients.broker.failsWith = new Error('connect ECONNREFUSED');
    const result = clients.client.sendTask('add');
    await expect(result.get()).rejects.toMatchObject({ code: 'CELERY_SEND', taskId: result.taskId });
    clients.client.sendTask('nobody.waits');
    await expect(result.get()).rejects.toThrow('ECONNREFUSED');
    expect(clients.told.map(({ operation }) => operation)).toEqual(['send', 'send']);
  });

  it.each([{ own: true }, { own: false }])('closes the backend at disconnect when own is $own', async ({ own }) => {
    const backend = new RedisBackend({}, { url: 'memory://' });
    const client = attachClient(celery.createClient('redis://127.0.0.1:1', 'redis://127.0.0.1:1'), backend, { own });
    Reflect.set(client, '_broker', new KeptBroker());
    await client.disconnect();
    await client.disconnect();
    const state = backend.getStatus('a').catch((error: unknown) => Reflect.get(error as object, 'code') as string);
    expect(await state).toBe(own ? 'CELERY_BACKEND_CLOSED' : 'PENDING');
    await backend.close();
  });
});
