/** The routes of examples/producer-service, on a backend in memory. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type RedisBackend, SendError } from 'celery-redis-backend';
import type { CanvasMessage } from 'celery-redis-backend/canvas';
import { awaited, fail, memoryBackend, progress, pythonError, start, succeed } from 'celery-redis-backend/testing';
import type { FastifyInstance } from 'fastify';
import { createService } from '../../examples/producer-service/service.ts';

let backend: RedisBackend;
let app: FastifyInstance;
let sent: CanvasMessage[];
let port: number;
let refuse: Error | undefined;

beforeEach(async () => {
  backend = memoryBackend();
  sent = [];
  refuse = undefined;
  app = createService({
    backend,
    send: (message) => {
      if (refuse) throw refuse;
      sent.push(message);
    },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  port = (app.server.address() as AddressInfo).port;
});

afterEach(() => app.close());

const add = (taskId: string = randomUUID()): { task: string; taskId: string; args: number[] } => ({
  task: 'python.add',
  taskId,
  args: [2, 3],
});

/** The events of a stream that has ended. */
function eventsOf(text: string): { readonly event: string; readonly data: Readonly<Record<string, unknown>> }[] {
  return [...text.matchAll(/^event: (.+)\ndata: (.+)$/gm)].map(([, event = '', data = '']) => ({
    event,
    data: JSON.parse(data) as Record<string, unknown>,
  }));
}

/** Looks until it is so; the limit of the test is its own. */
async function becomes(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await setImmediate();
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: unknown;
}

/** Asks the service. @param body - to be posted, as JSON unless it is a text */
async function ask(path: string, body?: unknown): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: text };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, body === undefined ? {} : post);
  const { status, headers } = response;
  const said = await response.text();
  const isJson = headers.get('content-type')?.startsWith('application/json');
  return { status, headers, text: said, json: isJson ? JSON.parse(said) : undefined };
}

/** Asks over a connection of its own. Resolves when it is asked, or was told `text`. */
async function open(path: string, text = ''): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  let told = '';
  while (!told.includes(text)) told += String((await once(socket, 'data'))[0]);
  return socket.resume();
}

/** Sockets of clients. */
const connections = (): Promise<number> => promisify(app.server.getConnections.bind(app.server))();

describe('sending', () => {
  it('sends a task with the id of the client, to the queue of its language', async () => {
    const call = add();
    const answer = await ask('/tasks', call);
    expect([answer.status, answer.json]).toEqual([202, call]);
    expect(answer.headers.get('location')).toBe(`/tasks/python.add/${call.taskId}`);
    expect(sent).toMatchObject([{ queue: 'celery', headers: { id: call.taskId }, body: [[2, 3], {}, {}] }]);
    await ask('/tasks', { task: 'typescript.fail', args: ['no'] });
    expect(sent[1]).toMatchObject({ queue: 'typescript', headers: { task: 'typescript.fail' } });
  });

  it('subscribes before it sends', async () => {
    const call = add();
    await ask('/tasks', call);
    expect(backend.stats()).toMatchObject({ held: 1, channels: 1 });
  });

  it('sends a group, whose values are asked for by its id', async () => {
    const [groupId, calls] = [randomUUID(), [add(), add()]];
    await ask('/groups', { groupId, tasks: calls });
    expect(sent.map(({ headers }) => headers)).toMatchObject(calls.map(({ taskId: id }) => ({ id, group: groupId })));
    const answer = ask(`/groups/${groupId}`);
    for (const [index, { taskId }] of calls.entries()) await succeed(backend, taskId, index);
    expect((await answer).json).toEqual({ groupId, status: 'SUCCESS', result: [0, 1] });
    expect((await ask(`/groups/${randomUUID()}`)).status).toBe(404);
    expect((await ask('/nowhere')).json).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });

  it('sends the header of a chord, with the body that follows it', async () => {
    const [header, body] = [[add(), add()], { task: 'typescript.total', taskId: randomUUID() }];
    await ask('/chords', { header, body });
    expect(sent).toHaveLength(2);
    const [, , embed] = sent[1]?.body ?? [];
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
    const answer = await ask('/tasks', payload);
    expect([answer.status, answer.json]).toMatchObject([400, { error: { code: 'INVALID_REQUEST' } }]);
    expect(answer.text).toContain(says);
    expect(sent).toEqual([]);
  });

  it('tells of a broker that takes nothing', async () => {
    refuse = new SendError('a', new Error('out of reach'));
    const answer = await ask('/tasks', add());
    expect([answer.status, answer.json]).toMatchObject([503, { error: { code: 'CELERY_SEND' } }]);
  });

  it('tells of a body that is no JSON as Fastify does, and of nothing that was not foreseen', async () => {
    const broken = await ask('/tasks', '{');
    expect([broken.status, broken.json]).toMatchObject([400, { error: { code: expect.stringContaining('FST_ERR') } }]);
    refuse = new Error('password=secret');
    const failed = await ask('/tasks', add());
    expect([failed.status, failed.json]).toEqual([
      500,
      { error: { code: 'INTERNAL', message: 'The service failed.' } },
    ]);
  });
});

describe('a long poll', () => {
  const url = (taskId: string, timeout = 20): string => `/tasks/python.add/${taskId}?timeout=${timeout}`;

  it('is answered when the result is there', async () => {
    const taskId = randomUUID();
    const answer = ask(url(taskId));
    await awaited(backend, taskId);
    await progress(backend, taskId, { done: 1, of: 2 });
    await succeed(backend, taskId, 5);
    expect((await answer).json).toEqual({ taskId, status: 'SUCCESS', result: 5 });
  });

  it('tells how a task failed', async () => {
    const taskId = randomUUID();
    await fail(backend, taskId, pythonError('shop.CardDeclined', 'no money'));
    const answer = await ask(url(taskId));
    const error = { code: 'CELERY_TASK_FAILED', type: 'CardDeclined', message: 'no money' };
    expect([answer.status, answer.json]).toMatchObject([200, { taskId, status: 'FAILURE', error }]);
  });

  it('says when its time is up, and when Python breaks its word', async () => {
    const taskId = randomUUID();
    const early = await ask(url(taskId, 0));
    expect([early.status, early.json]).toMatchObject([202, { status: 'TIMEOUT', error: { code: 'CELERY_TIMEOUT' } }]);
    await succeed(backend, taskId, 'five');
    const wrong = await ask(url(taskId));
    expect([wrong.status, wrong.json]).toMatchObject([
      502,
      { status: 'INVALID', error: { code: 'CELERY_RESULT_INVALID' } },
    ]);
  });

  it('is refused for longer than proxies bear, and for no such task', async () => {
    expect((await ask(url(randomUUID(), 61))).status).toBe(400);
    expect((await ask(`/tasks/os.system/${randomUUID()}`)).status).toBe(400);
  });

  it('is ended by the service when that stops', async () => {
    const taskId = randomUUID();
    const answer = ask(url(taskId));
    await awaited(backend, taskId);
    await app.close();
    expect([(await answer).status, (await answer).json]).toMatchObject([
      503,
      { error: { code: 'CELERY_BACKEND_CLOSED' } },
    ]);
  });
});

describe('a stream', () => {
  const url = (...taskIds: readonly string[]): string =>
    `/events?${taskIds.map((taskId) => `task=python.add:${taskId}`).join('&')}`;

  it('tells each state of each task, and ends after the last', async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    const answer = ask(url(one, two));
    await Promise.all([awaited(backend, one), awaited(backend, two)]);
    await start(backend, one, { pid: 1 });
    await progress(backend, one, { done: 1, of: 2 });
    await fail(backend, two, pythonError('shop.CardDeclined', 'no money'));
    await succeed(backend, one, 5);
    const { headers, text } = await answer;
    expect(headers.get('content-type')).toBe('text/event-stream');
    const told = (taskId: string): unknown[] =>
      eventsOf(text).flatMap(({ event, data }) => (data['taskId'] === taskId ? [{ event, ...data }] : []));
    const state = { event: 'state', task: 'python.add' };
    expect(told(one)).toEqual([
      { ...state, taskId: one, status: 'STARTED', result: { pid: 1 } },
      { ...state, taskId: one, status: 'PROGRESS', result: { done: 1, of: 2 } },
      { ...state, taskId: one, status: 'SUCCESS', result: 5 },
    ]);
    const error = { code: 'CELERY_TASK_FAILED', type: 'CardDeclined', message: 'no money' };
    expect(told(two)).toMatchObject([{ ...state, taskId: two, status: 'FAILURE', error }]);
    expect(eventsOf(text).map(({ event }) => event)).toContain('listening');
    expect(eventsOf(text).at(-1)?.event).toBe('end');
  });

  it('shows the present state first to a client that comes again', async () => {
    const taskId = randomUUID();
    await progress(backend, taskId, { done: 1, of: 2 });
    const client = await open(url(taskId), '"status":"PROGRESS","result":{"done":1,"of":2}');
    client.destroy();
  });

  it('goes on with the others when one task takes too long, or is no number', async () => {
    const [slow, wrong, good] = [randomUUID(), randomUUID(), randomUUID()];
    await succeed(backend, wrong, 'five');
    await succeed(backend, good, 5);
    const { text } = await ask(`${url(slow, wrong, good)}&timeout=0.05`);
    const told = eventsOf(text).filter(({ event }) => event === 'state' || event === 'problem');
    const outcomes = told.map(({ data }) => data['status'] ?? (data['error'] as { code?: string }).code);
    expect(outcomes).toEqual(expect.arrayContaining(['CELERY_TIMEOUT', 'CELERY_RESULT_INVALID', 'SUCCESS']));
    expect(eventsOf(text).at(-1)?.event).toBe('end');
  });

  it('has a limit of tasks, and of names', async () => {
    expect((await ask(url(...Array.from({ length: 101 }, () => randomUUID())))).status).toBe(400);
    expect((await ask('/events')).status).toBe(400);
    expect((await ask('/events?task=python.add')).status).toBe(400);
  });

  it('breaks when the service stops, so that the client comes again', async () => {
    const taskId = randomUUID();
    const stream = ask(url(taskId));
    await awaited(backend, taskId);
    await Promise.all([app.close(), expect(stream).rejects.toThrow('terminated')]);
  });
});

describe('clients that leave', () => {
  it('leave no wait, no channel and no socket behind, 1,000 of them', async () => {
    const shared = randomUUID();
    for (let round = 0; round < 10; round++) {
      // Each in a task of its own and, half of them, in one that all are in.
      const clients = await Promise.all(
        Array.from({ length: 100 }, (_, index) => {
          const taskId = randomUUID();
          return index % 2 === 0
            ? open(`/events?task=python.add:${taskId}&task=python.add:${shared}`, 'event: listening')
            : open(`/tasks/python.add/${taskId}`);
        }),
      );
      await becomes(() => backend.stats().waits === 150);
      expect(backend.stats().channels).toBe(101);
      for (const client of clients) client.destroy();
      await becomes(async () => (await connections()) === 0);
      await becomes(() => backend.stats().waits === 0 && backend.stats().channels === 0);
      expect(backend.stats().held).toBe(0);
    }
    expect((await ask('/health')).json).toMatchObject({ stats: { waits: 0, channels: 0 } });
  });

  it('are not waited for by a wait of another', async () => {
    const taskId = randomUUID();
    const leaving = await open(`/events?task=python.add:${taskId}`, 'event: listening');
    const staying = ask(`/tasks/python.add/${taskId}`);
    await becomes(() => backend.stats().waits === 2);
    leaving.destroy();
    await becomes(() => backend.stats().waits === 1);
    await succeed(backend, taskId, 5);
    expect((await staying).json).toMatchObject({ result: 5 });
  });
});

describe('the rest', () => {
  it('says whether Redis answers, and what is waited for', async () => {
    const healthy = await ask('/health');
    expect([healthy.status, healthy.json]).toMatchObject([200, { ping: expect.any(Number), stats: { waits: 0 } }]);
    await backend.close();
    const closed = await ask('/health');
    expect([closed.status, closed.json]).toMatchObject([503, { error: { code: 'CELERY_BACKEND_CLOSED' } }]);
  });

  it('has a page that loads nothing from elsewhere', async () => {
    const html = await ask('/');
    expect(html.headers.get('content-security-policy')).toBe("default-src 'self'");
    expect(html.text).toContain('<html lang="en">');
    for (const [, file = ''] of html.text.matchAll(/(?:src|href)="([^":]+)"/g)) {
      expect((await ask(`/${file}`)).status).toBe(200);
    }
    expect(html.text).not.toMatch(/https?:/);
  });
});
