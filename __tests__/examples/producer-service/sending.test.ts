/** What examples/producer-service sends, and refuses to. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SendError } from 'celery-redis-backend';
import { succeed } from 'celery-redis-backend/testing';
import { ServiceUnderTest } from '../../support/service.ts';

let service: ServiceUnderTest;

beforeEach(async () => {
  service = await ServiceUnderTest.start();
});

afterEach(() => service.close());

const add = (taskId: string = randomUUID()): { task: string; taskId: string; args: number[] } => ({
  task: 'python.add',
  taskId,
  args: [2, 3],
});

describe('sending', () => {
  it('sends a task with the id of the client, to the queue of its language', async () => {
    const call = add();
    const answer = await service.ask('/tasks', call);
    expect([answer.status, answer.json]).toEqual([202, call]);
    expect(answer.headers.get('location')).toBe(`/tasks/python.add/${call.taskId}`);
    expect(service.sent).toMatchObject([{ queue: 'celery', headers: { id: call.taskId }, body: [[2, 3], {}, {}] }]);
    await service.ask('/tasks', { task: 'typescript.fail', args: ['no'] });
    expect(service.sent[1]).toMatchObject({ queue: 'typescript', headers: { task: 'typescript.fail' } });
  });

  it('subscribes before it sends', async () => {
    const call = add();
    await service.ask('/tasks', call);
    expect(service.backend.stats()).toMatchObject({ held: 1, channels: 1 });
  });

  it('sends a group, whose values are asked for by its id', async () => {
    const [groupId, calls] = [randomUUID(), [add(), add()]];
    await service.ask('/groups', { groupId, tasks: calls });
    expect(service.sent.map(({ headers }) => headers)).toMatchObject(
      calls.map(({ taskId: id }) => ({ id, group: groupId })),
    );
    const answer = service.ask(`/groups/${groupId}`);
    for (const [index, { taskId }] of calls.entries()) await succeed(service.backend, taskId, index);
    expect((await answer).json).toEqual({ groupId, status: 'SUCCESS', result: [0, 1] });
    expect((await service.ask(`/groups/${randomUUID()}`)).status).toBe(404);
    expect((await service.ask('/nowhere')).json).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });

  it('sends the header of a chord, with the body that follows it', async () => {
    const [header, body] = [[add(), add()], { task: 'typescript.total', taskId: randomUUID() }];
    await service.ask('/chords', { header, body });
    expect(service.sent).toHaveLength(2);
    const [, , embed] = service.sent[1]?.body ?? [];
    expect(embed).toMatchObject({
      chord: { task: body.task, options: { task_id: body.taskId, queue: 'typescript' } },
    });
  });

  it.each([
    [{ task: 'os.system', args: [] }, 'task'],
    [{ task: 'python.add', args: [2, 'x'] }, 'args[1]'],
    [{ task: 'python.add', args: [2, 3], taskId: 'mine' }, 'taskId'],
    [[], 'expected object'],
  ])('refuses %j', async (payload, says) => {
    const answer = await service.ask('/tasks', payload);
    expect([answer.status, answer.json]).toMatchObject([400, { error: { code: 'INVALID_REQUEST' } }]);
    expect(answer.text).toContain(says);
    expect(service.sent).toEqual([]);
  });

  it('tells of a broker that takes nothing', async () => {
    service.refuse = new SendError('a', new Error('out of reach'));
    const answer = await service.ask('/tasks', add());
    expect([answer.status, answer.json]).toMatchObject([503, { error: { code: 'CELERY_SEND' } }]);
  });

  it('tells of a body that is no JSON as Fastify does, and of nothing that was not foreseen', async () => {
    const broken = await service.ask('/tasks', '{');
    expect([broken.status, broken.json]).toMatchObject([400, { error: { code: expect.stringContaining('FST_ERR') } }]);
    service.refuse = new Error('password=secret');
    const failed = await service.ask('/tasks', add());
    expect([failed.status, failed.json]).toEqual([
      500,
      { error: { code: 'INTERNAL', message: 'The service failed.' } },
    ]);
  });
});
