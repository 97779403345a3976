/** The long polls of examples/producer-service. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { awaited, fail, progress, pythonError, succeed } from 'celery-redis-backend/testing';
import { ServiceUnderTest } from '../../support/service.ts';

let service: ServiceUnderTest;

beforeEach(async () => {
  service = await ServiceUnderTest.start();
});

afterEach(() => service.close());

describe('a long poll', () => {
  const url = (taskId: string, timeout = 20): string => `/tasks/python.add/${taskId}?timeout=${timeout}`;

  it('is answered when the result is there', async () => {
    const taskId = randomUUID();
    const answer = service.ask(url(taskId));
    await awaited(service.backend, taskId);
    await progress(service.backend, taskId, { current: 1, total: 2 });
    await succeed(service.backend, taskId, 5);
    expect((await answer).json).toEqual({ taskId, status: 'SUCCESS', result: 5 });
  });

  it('tells how a task failed', async () => {
    const taskId = randomUUID();
    await fail(service.backend, taskId, pythonError('shop.CardDeclined', 'no money'));
    const answer = await service.ask(url(taskId));
    const error = { code: 'CELERY_TASK_FAILED', type: 'CardDeclined', message: 'no money' };
    expect([answer.status, answer.json]).toMatchObject([200, { taskId, status: 'FAILURE', error }]);
  });

  it('says when its time is up, and when Python breaks its word', async () => {
    const taskId = randomUUID();
    const early = await service.ask(url(taskId, 0));
    expect([early.status, early.json]).toMatchObject([202, { status: 'TIMEOUT', error: { code: 'CELERY_TIMEOUT' } }]);
    await succeed(service.backend, taskId, 'five');
    const wrong = await service.ask(url(taskId));
    expect([wrong.status, wrong.json]).toMatchObject([
      502,
      { status: 'INVALID', error: { code: 'CELERY_RESULT_INVALID' } },
    ]);
  });

  it('is refused for longer than proxies bear, and for no such task', async () => {
    expect((await service.ask(url(randomUUID(), 61))).status).toBe(400);
    expect((await service.ask(`/tasks/os.system/${randomUUID()}`)).status).toBe(400);
  });

  it('is ended by the service when that stops', async () => {
    const taskId = randomUUID();
    const answer = service.ask(url(taskId));
    await awaited(service.backend, taskId);
    await service.close();
    expect([(await answer).status, (await answer).json]).toMatchObject([
      503,
      { error: { code: 'CELERY_BACKEND_CLOSED' } },
    ]);
  });
});
