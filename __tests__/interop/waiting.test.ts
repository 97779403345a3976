import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RedisBackend, TaskMeta } from '../../src/index.ts';
import { Border, keyOf, taskId } from '../support/border.ts';
import { CeleryWorker } from '../support/celery.ts';
import { type Command, Monitor } from '../support/monitor.ts';
import { findCeleryPython } from '../support/require-celery.ts';

const version = `Celery ${findCeleryPython().celery}`;

let border: Border;

beforeAll(async () => {
  border = await Border.open();
});

afterAll(async () => {
  await border[Symbol.asyncDispose]();
});

describe(`a wait for a task of a real worker of ${version}`, () => {
  let worker: CeleryWorker;
  let backend: RedisBackend;

  beforeAll(async () => {
    worker = await CeleryWorker.start(border.server.url, { extended: true, trackStarted: true });
    backend = border.backend();
    await backend.connect();
  });

  afterAll(async () => {
    await worker[Symbol.asyncDispose]();
  });

  const send = (task: string, args: readonly unknown[], id: string): Promise<unknown> =>
    border.python.run('app.send_task("celery_tasks." + task, args, task_id=task_id)', { task, args, task_id: id });

  it('wakes by the message: it reads once, before the task is sent, and never again', async () => {
    await using monitor = await Monitor.start(border.server);
    const id = taskId();
    const value = backend.waitFor(id, { timeout: 30 });
    const about = (wanted: string) => (command: Command) => command.name === wanted && command.args.includes(keyOf(id));
    const subscriber = (await monitor.until(about('SUBSCRIBE'))).source;
    const reader = (await monitor.until(about('GET'))).source;
    await send('add', [2, 3], id);
    expect(await value).toBe(5);
    await monitor.until((command) => about('UNSUBSCRIBE')(command) && command.source === subscriber);
    expect(monitor.about(keyOf(id), subscriber)).toEqual(['SUBSCRIBE', 'UNSUBSCRIBE']);
    expect(monitor.about(keyOf(id), reader)).toEqual(['GET']);
    expect(monitor.about(keyOf(id)).slice(0, 2)).toEqual(['SUBSCRIBE', 'GET']);
    expect(backend.stats().rescued).toBe(0);
  });

  it('shows every state on the way: STARTED, PROGRESS, SUCCESS', async () => {
    const [id, gate] = [taskId(), taskId()];
    const seen: unknown[] = [];
    const value = backend.waitFor(id, {
      timeout: 30,
      onMessage: (meta) => {
        if (meta.status === 'PENDING') return;
        seen.push([meta.status, meta.result]);
        // The task goes on once its progress was seen here.
        if (meta.status === 'PROGRESS') void border.server.cli('LPUSH', gate, 'go');
      },
    });
    await border.awaited(id);
    await send('progress', [gate], id);
    expect(await value).toBe('done');
    expect(seen).toEqual([
      ['STARTED', { pid: expect.any(Number), hostname: expect.stringMatching(/^celery@/) }],
      ['PROGRESS', { done: 1 }],
      ['PROGRESS', { done: 2 }],
      ['SUCCESS', 'done'],
    ]);
  });

  it('goes on through RETRY, with its error, to the result', async () => {
    const id = taskId();
    const seen: TaskMeta[] = [];
    const value = backend.waitFor(id, { timeout: 30, onMessage: (meta) => seen.push(meta) });
    await border.awaited(id);
    await send('retry', [true], id);
    expect(await value).toBe(1);
    const retry = seen.find(({ status }) => status === 'RETRY');
    expect(retry).toMatchObject({ result: { excType: 'ValueError', message: 'not yet' }, date_done: null, retries: 0 });
    expect(retry?.traceback).toContain('ValueError: not yet');
    expect(seen.at(-1)).toMatchObject({ status: 'SUCCESS', retries: 1, parent_id: id });
  });

  it('of many tasks wakes for each of them with its own result', async () => {
    const ids = Array.from({ length: 100 }, taskId);
    const values = Promise.all(ids.map((id) => backend.waitFor(id, { timeout: 30 })));
    await border.python.run(
      `for number, task_id in enumerate(ids):
  app.send_task('celery_tasks.echo', [number], task_id=task_id)`,
      { ids },
    );
    expect(await values).toEqual(ids.map((_, i) => i));
  });

  it('gets the extended meta: name, args, kwargs, worker, retries and queue', async () => {
    const id = taskId();
    await border.python.run("app.send_task('celery_tasks.add', [2], {'y': 3}, task_id=task_id)", { task_id: id });
    expect(await backend.waitFor(id, { timeout: 30 })).toBe(5);
    const meta = await backend.getTaskMeta(id);
    expect(meta).toMatchObject({
      name: 'celery_tasks.add',
      args: [2],
      kwargs: { y: 3 },
      retries: 0,
      queue: 'celery',
    });
    expect(meta.worker).toMatch(/^celery@/);
  });

  it('gets the children of the task: a task and a group', async () => {
    const id = taskId();
    await send('spawn', [], id);
    const [child, team, members] = await backend.waitFor<[string, string, [string, string]]>(id, { timeout: 30 });
    expect(await backend.getChildren(id)).toEqual([
      [[child, null], null],
      [[team, null], members.map((member) => [[member, null], null])],
    ]);
    expect(await Promise.all([child, ...members].map((each) => backend.waitFor(each, { timeout: 30 })))).toEqual([
      2, 0, 2,
    ]);
    expect(await backend.getTaskMeta(members[0])).toMatchObject({ group_id: team, parent_id: id });
  });

  it('goes on after Ignore, which stores nothing', async () => {
    const [id, next] = [taskId(), taskId()];
    const ignored = new AbortController();
    const outcome = backend.waitFor(id, { signal: ignored.signal }).catch((error: unknown) => error);
    await border.awaited(id);
    await send('ignore', [], id);
    await send('add', [1, 1], next);
    await backend.waitFor(next, { timeout: 30 });
    expect(await backend.getStatus(id)).toBe('STARTED');
    const reason = new Error('enough');
    ignored.abort(reason);
    expect(await outcome).toBe(reason);
  });
});

describe(`an AsyncResult.get of ${version} that already waits`, () => {
  it('returns as soon as TypeScript stores the result', async () => {
    await using monitor = await Monitor.start(border.server);
    const backend = border.backend();
    const id = taskId();
    const value = border.python.runAside('return AsyncResult(task_id, app=app).get(timeout=5)', { task_id: id });
    await border.settled(monitor, id);
    await backend.storeResult(id, { total: 42 }, 'SUCCESS', { request: {} });
    expect(await value).toEqual({ total: 42 });
  });

  it('shows what TypeScript stores on the way to on_message', async () => {
    await using monitor = await Monitor.start(border.server);
    const backend = border.backend();
    const id = taskId();
    const states = border.python.runAside<string[]>(
      `states = []
AsyncResult(task_id, app=app).get(timeout=5, on_message=lambda meta: states.append(meta['status']))
return states`,
      { task_id: id },
    );
    await border.settled(monitor, id);
    await backend.storeResult(id, { pid: 1, hostname: 'typescript@here' }, 'STARTED');
    await backend.storeResult(id, { done: 1 }, 'PROGRESS');
    await backend.storeResult(id, null, 'SUCCESS');
    expect(await states).toEqual(['STARTED', 'PROGRESS', 'SUCCESS']);
  });

  it('raises as soon as TypeScript stores a failure', async () => {
    await using monitor = await Monitor.start(border.server);
    const backend = border.backend();
    const id = taskId();
    const error = border.python.runAside('return caught(task_id)', { task_id: id });
    await border.settled(monitor, id);
    await backend.storeResult(id, new TypeError('boom'), 'FAILURE');
    expect(await error).toMatchObject({ type: 'TypeError', module: 'builtins', str: 'boom' });
  });

  it('and a wait of TypeScript both end by one store', async () => {
    await using monitor = await Monitor.start(border.server);
    const [producer, worker] = [border.backend(), border.backend()];
    const id = taskId();
    const theirs = border.python.runAside('return AsyncResult(task_id, app=app).get(timeout=5)', { task_id: id });
    const ours = producer.waitFor(id, { timeout: 5 });
    await border.settled(monitor, id, 2);
    await worker.storeResult(id, [1], 'SUCCESS');
    expect(await Promise.all([theirs, ours])).toEqual([[1], [1]]);
  });
});

describe(`a group of ${version} whose tasks TypeScript does`, () => {
  const JOIN = `group = GroupResult(group_id, [AsyncResult(each, app=app) for each in ids], app=app)
values = group.get(timeout=5)
return [values, group.successful(), group.completed_count()]`;

  it('is joined when all results are there', async () => {
    const backend = border.backend();
    const ids = [taskId(), taskId(), taskId()];
    for (const [i, id] of ids.entries()) await backend.storeResult(id, i, 'SUCCESS', { request: { group: 'team' } });
    expect(await border.python.runAside(JOIN, { group_id: 'team', ids })).toEqual([[0, 1, 2], true, 3]);
  });

  it('is joined in the order of its members when results come later and in another order', async () => {
    await using monitor = await Monitor.start(border.server);
    const backend = border.backend();
    const ids = [taskId(), taskId(), taskId()];
    const joined = border.python.runAside(JOIN, { group_id: 'team', ids });
    for (const id of ids) await border.settled(monitor, id);
    for (const [i, id] of [...ids.entries()].reverse()) await backend.storeResult(id, i, 'SUCCESS');
    expect(await joined).toEqual([[0, 1, 2], true, 3]);
  });

  it('raises the error of the member that failed', async () => {
    const backend = border.backend();
    const [good, bad] = [taskId(), taskId()];
    await backend.storeResult(good, 1, 'SUCCESS');
    await backend.storeResult(bad, new RangeError('boom'), 'FAILURE');
    const joined = border.python.runAside(JOIN, { group_id: 'team', ids: [good, bad] });
    await expect(joined).rejects.toThrow('celery.exceptions.RangeError: boom');
  });
});

describe('an extended meta', () => {
  const request = {
    task: 'shop.pay',
    args: [1, 'x'],
    kwargs: { amount: 2.5 },
    hostname: 'typescript@here',
    retries: 2,
    delivery_info: { routing_key: 'payments' },
  };

  it('of TypeScript is shown by AsyncResult', async () => {
    const id = taskId();
    await border.backend({ extended: true }).storeResult(id, 1, 'SUCCESS', { request });
    expect(await border.view(id, { result_extended: true })).toMatchObject({
      name: 'shop.pay',
      args: [1, 'x'],
      kwargs: { amount: 2.5 },
      worker: 'typescript@here',
      retries: 2,
      queue: 'payments',
    });
  });

  it('has the same bytes as that of Python, but for the moment', async () => {
    const [theirs, ours] = [taskId(), taskId()];
    await border.python.run(
      `from celery.app.task import Context
make_app(result_extended=True).backend.store_result(task_id, 1, 'SUCCESS', request=Context(dict(request, children=[])))`,
      { task_id: theirs, request },
    );
    await border.backend({ extended: true }).storeResult(ours, 1, 'SUCCESS', { request });
    const comparable = async (id: string): Promise<string> =>
      (await border.payload(id)).replace(id, '').replace(/"date_done": "[^"]*"/, '');
    expect(await comparable(ours)).toBe(await comparable(theirs));
  });

  it('of TypeScript is not written unless asked for', async () => {
    const id = taskId();
    await border.backend().storeResult(id, 1, 'SUCCESS', { request });
    expect(await border.view(id)).toMatchObject({ name: null, args: null, queue: null });
  });
});
