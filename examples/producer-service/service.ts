/** The routes: tasks are sent, and their results waited for, by HTTP. A client that leaves takes its waits with it. */
import { type BaseBackend, GroupResult, tasks } from 'celery-redis-backend';
import type { CanvasOptions } from 'celery-redis-backend/canvas';
import { fastify, type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { call, chord, group, type Handles, known, results } from './catalogue.ts';
import { follow } from './follow.ts';
import { metrics } from './metrics.ts';
import { page } from './page.ts';
import { problemOf, statusOf } from './problem.ts';
import { Sender } from './sender.ts';

/** What the service works with. The backend is closed with it, and ends its waits and streams. */
export interface ServiceOptions {
  readonly backend: BaseBackend;
  /** Gives a message to the broker. @throws SendError */
  readonly send: CanvasOptions['send'];
  readonly logger?: boolean;
}

/** Seconds of a long poll: shorter than the patience of proxies. */
const longPoll = z.object({ timeout: z.coerce.number().min(0).max(60).default(20) });

/** `?task=python.add:ID&task=...`: one stream for many tasks, since browsers open six connections to a host. */
const streamed = z.object({
  task: z.preprocess((names) => [names].flat().map(parseName), z.array(known).max(100)),
  /** Seconds for each task, from now on; none: no limit. */
  timeout: z.coerce.number().min(0).optional(),
});

function parseName(name: unknown): object {
  const [task, taskId] = String(name).split(':');
  return { task, taskId };
}

/** Makes the service; `listen` or `inject` begins it. */
export function createService({ backend, send, logger = false }: ServiceOptions): FastifyInstance {
  const app = fastify({ logger });
  const handles = tasks(backend, results);
  app.setErrorHandler((error, request, reply) => {
    const status = statusOf(error);
    if (status === 500 && !request.socket.destroyed) request.log.error(error);
    return reply.code(status).send({ error: problemOf(error) });
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ error: { code: 'NOT_FOUND', message: 'There is no such route.' } }),
  );
  app.addHook('preClose', () => backend.close());
  sending(app, new Sender(backend, send));
  waiting(app, backend, handles);
  streaming(app, backend, handles);
  health(app, backend);
  metrics(app, backend);
  page(app);
  return app;
}

/** Answers 202 with the ids, once the broker has all messages. */
function sending(app: FastifyInstance, sender: Sender): void {
  app.post('/tasks', async (request, reply) => {
    const sent = call.parse(request.body);
    await sender.task(sent);
    return reply.code(202).header('location', `/tasks/${sent.task}/${sent.taskId}`).send(sent);
  });
  app.post('/groups', async (request, reply) => {
    const sent = group.parse(request.body);
    await sender.group(sent.groupId, sent.tasks);
    return reply.code(202).header('location', `/groups/${sent.groupId}`).send(sent);
  });
  app.post('/chords', async (request, reply) => {
    const sent = chord.parse(request.body);
    await sender.chord(sent.header, sent.body);
    return reply.code(202).header('location', `/tasks/${sent.body.task}/${sent.body.taskId}`).send(sent);
  });
}

/** Long polls: answered the moment the result is published, or with 202 when the time is up. */
function waiting(app: FastifyInstance, backend: BaseBackend, handles: Handles): void {
  app.get('/tasks/:task/:taskId', async ({ params, query, signal }, reply) => {
    const { task, taskId } = known.parse(params);
    const { timeout } = longPoll.parse(query);
    const settled = await handles.task(task).settle(taskId, { timeout, signal });
    if (settled.status === 'SUCCESS') return { taskId, status: settled.status, result: settled.result };
    const { status, error } = settled;
    return reply.code(statusOf(error)).send({ taskId, status, error: problemOf(error) });
  });
  app.get('/groups/:groupId', async ({ params, query, signal }, reply) => {
    const { groupId } = z.object({ groupId: z.uuid() }).parse(params);
    const { timeout } = longPoll.parse(query);
    const members = await GroupResult.restore<number>(backend, groupId);
    if (!members) return reply.code(404).send({ error: { code: 'NOT_FOUND', message: 'No such group was sent.' } });
    return { groupId, status: 'SUCCESS', result: await members.get({ timeout, signal }) };
  });
}

function streaming(app: FastifyInstance, backend: BaseBackend, handles: Handles): void {
  app.get('/events', ({ query }, reply) => {
    const { task, timeout } = streamed.parse(query);
    return reply
      .type('text/event-stream')
      .headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
      .send(follow(backend, handles, task, { timeout }));
  });
}

/** Whether Redis answers, and what this process waits for. */
function health(app: FastifyInstance, backend: BaseBackend): void {
  app.get('/health', async (_request, reply) => {
    const stats = backend.stats();
    try {
      return { ping: await backend.ping(), stats };
    } catch (error) {
      return reply.code(statusOf(error)).send({ error: problemOf(error), stats });
    }
  });
}
