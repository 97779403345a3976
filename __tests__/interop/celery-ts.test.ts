/** celery-ts with this backend, beside a worker of real Celery. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Client, type MessageBroker, type TaskMessage } from 'celery-ts';
import { createCeleryTsBackend } from '../../src/adapters/celery-ts/index.ts';
import { Border, keyOf, taskId } from '../support/border.ts';
import { CeleryWorker } from '../support/celery.ts';
import { Monitor } from '../support/monitor.ts';
import { findCeleryPython } from '../support/require-celery.ts';

const version = `Celery ${findCeleryPython().celery}`;

/** What celery-ts's own Redis broker sends stops a worker of Celery: kombu knows no body encoding of that name. */
class Broker implements MessageBroker {
  async publish(message: TaskMessage): Promise<string> {
    const body = Buffer.from(message.body).toString('base64');
    const properties = { ...message.properties, body_encoding: 'base64', delivery_tag: randomUUID() };
    await border.server.cli('LPUSH', message.properties.queue, JSON.stringify({ ...message, body, properties }));
    return '';
  }

  disconnect(): Promise<void> {
    return Promise.resolve();
  }

  end(): Promise<void> {
    return Promise.resolve();
  }
}

let border: Border;
let worker: CeleryWorker;

beforeAll(async () => {
  border = await Border.open();
  worker = await CeleryWorker.start(border.server.url);
});

afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  await border[Symbol.asyncDispose]();
});

describe(`a client of celery-ts, for a worker of ${version}`, () => {
  it('gets values and failures, by a subscription each and none for all', async () => {
    const backend = border.backend();
    await backend.connect();
    await using monitor = await Monitor.start(border.server);
    const client = new Client({
      backend: createCeleryTsBackend(backend),
      brokers: [new Broker()],
      id: taskId(),
    });
    const add = client.createTask<number>('celery_tasks.add');
    const results = [1, 2, 3].map((n) => add.applyAsync({ args: [n, n] as never, kwargs: {} }));
    expect(await Promise.all(results.map((result) => result.get()))).toEqual([2, 4, 6]);
    const failed = client.createTask('celery_tasks.fail').applyAsync({ args: ['value'] as never, kwargs: {} });
    expect(await failed.get()).toEqual({
      exc_type: 'ValueError',
      exc_message: ['boom', 2],
      exc_module: 'builtins',
    });
    await monitor.caughtUp();
    const names = monitor.commands.map(({ name }) => name);
    expect(names).not.toContain('PSUBSCRIBE');
    expect(names.filter((name) => name === 'SUBSCRIBE')).toHaveLength(4);
    // Nobody reads this one, and it stays so when the client leaves.
    client.createTask('celery_tasks.unknown').applyAsync({ args: [] as never, kwargs: {} });
    await client.end();
    expect(backend.stats()).toMatchObject({ waits: 0, rescued: 0 });
  });

  it('puts what Python reads, and wakes a Python that waits', async () => {
    const [id, backend] = [taskId(), createCeleryTsBackend(border.backend())];
    const value = border.python.runAside('return AsyncResult(task_id, app=app).get(timeout=30)', { task_id: id });
    await border.awaited(id);
    await backend.put({ task_id: id, status: 'SUCCESS', result: [1], traceback: null, children: [] });
    expect(await value).toEqual([1]);
    expect(await backend.delete(id)).toBe('1');
    expect(await border.server.cli('EXISTS', keyOf(id))).toBe(0);
  });
});
