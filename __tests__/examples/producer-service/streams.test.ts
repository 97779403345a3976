/** The server-sent events of examples/producer-service. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { awaited, fail, progress, pythonError, start, succeed } from 'celery-redis-backend/testing';
import { ServiceUnderTest } from '../../support/service.ts';

let service: ServiceUnderTest;

beforeEach(async () => {
  service = await ServiceUnderTest.start();
});

afterEach(() => service.close());

/** The events of a stream that has ended. */
function eventsOf(text: string): { readonly event: string; readonly data: Readonly<Record<string, unknown>> }[] {
  return [...text.matchAll(/^event: (.+)\ndata: (.+)$/gm)].map(([, event = '', data = '']) => ({
    event,
    data: JSON.parse(data) as Record<string, unknown>,
  }));
}

describe('a stream', () => {
  const url = (...taskIds: readonly string[]): string =>
    `/events?${taskIds.map((taskId) => `task=python.add:${taskId}`).join('&')}`;

  it('tells each state of each task, and ends after the last', async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    const answer = service.ask(url(one, two));
    await Promise.all([awaited(service.backend, one), awaited(service.backend, two)]);
    await start(service.backend, one, { pid: 1 });
    await progress(service.backend, one, { current: 1, total: 2 });
    await fail(service.backend, two, pythonError('shop.CardDeclined', 'no money'));
    await succeed(service.backend, one, 5);
    const { headers, text } = await answer;
    expect(headers.get('content-type')).toBe('text/event-stream');
    const told = (taskId: string): unknown[] =>
      eventsOf(text).flatMap(({ event, data }) => (data['taskId'] === taskId ? [{ event, ...data }] : []));
    const state = { event: 'state', task: 'python.add' };
    expect(told(one)).toEqual([
      { ...state, taskId: one, status: 'STARTED', result: { pid: 1 } },
      { ...state, taskId: one, status: 'PROGRESS', result: { current: 1, total: 2 } },
      { ...state, taskId: one, status: 'SUCCESS', result: 5 },
    ]);
    const error = { code: 'CELERY_TASK_FAILED', type: 'CardDeclined', message: 'no money' };
    expect(told(two)).toMatchObject([{ ...state, taskId: two, status: 'FAILURE', error }]);
    expect(eventsOf(text).map(({ event }) => event)).toContain('listening');
    expect(eventsOf(text).at(-1)?.event).toBe('end');
  });

  it('shows the present state first to a client that comes again', async () => {
    const taskId = randomUUID();
    await progress(service.backend, taskId, { current: 1, total: 2 });
    const client = await service.open(url(taskId), '"status":"PROGRESS","result":{"current":1,"total":2}');
    client.destroy();
  });

  it('goes on with the others when one task takes too long, or is no number', async () => {
    const [slow, wrong, good] = [randomUUID(), randomUUID(), randomUUID()];
    await succeed(service.backend, wrong, 'five');
    await succeed(service.backend, good, 5);
    const { text } = await service.ask(`${url(slow, wrong, good)}&timeout=0.05`);
    const told = eventsOf(text).filter(({ event }) => event === 'state' || event === 'problem');
    const outcomes = told.map(({ data }) => data['status'] ?? (data['error'] as { code?: string }).code);
    expect(outcomes).toEqual(expect.arrayContaining(['CELERY_TIMEOUT', 'CELERY_RESULT_INVALID', 'SUCCESS']));
    expect(eventsOf(text).at(-1)?.event).toBe('end');
  });

  it('has a limit of tasks, and of names', async () => {
    expect((await service.ask(url(...Array.from({ length: 101 }, () => randomUUID())))).status).toBe(400);
    expect((await service.ask('/events')).status).toBe(400);
    expect((await service.ask('/events?task=python.add')).status).toBe(400);
  });

  it('breaks when the service stops, so that the client comes again', async () => {
    const taskId = randomUUID();
    const stream = service.ask(url(taskId));
    await awaited(service.backend, taskId);
    await Promise.all([service.close(), expect(stream).rejects.toThrow('terminated')]);
  });
});
