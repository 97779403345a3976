import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RemoteError, TaskRevokedError, type RedisBackend, type ResultTuple } from '../../src/index.ts';
import { Border, keyOf, taskId } from '../support/border.ts';
import { type Command, Monitor } from '../support/monitor.ts';

let border: Border;
let backend: RedisBackend;

beforeAll(async () => {
  border = await Border.open();
  backend = border.backend();
});

afterAll(async () => {
  await border[Symbol.asyncDispose]();
});

const REVOKED = { exc_type: 'TaskRevokedError', exc_message: ['terminated'], exc_module: 'celery.exceptions' };
const CHILDREN: readonly ResultTuple[] = [
  [['child', [['parent', null], null]], null],
  [['team', null], [[['member', null], null]]],
];

describe('a state that TypeScript stores', () => {
  it.each([
    ['PENDING', null, 'None'],
    ['RECEIVED', null, 'None'],
    ['STARTED', { pid: 7, hostname: 'typescript@here' }, "{'pid': 7, 'hostname': 'typescript@here'}"],
    ['PROGRESS', { done: 1, of: 3 }, "{'done': 1, 'of': 3}"],
    ['AWAITING_PAYMENT', 'since monday', "'since monday'"],
  ])('is read by Python as %s, which is not ready', async (state, value, repr) => {
    const id = taskId();
    await backend.storeResult(id, value, state);
    expect(await border.payload(id)).toContain(`"status": "${state}"`);
    expect(await border.view(id)).toMatchObject({
      state,
      result: repr,
      ready: false,
      date_done: null,
      traceback: null,
    });
  });

  it('is read by Python as SUCCESS with its value, its moment and no children', async () => {
    const id = taskId();
    const before = Date.now();
    await backend.storeResult(id, { total: 42 }, 'SUCCESS', { request: {} });
    const view = await border.view(id);
    expect(view).toMatchObject({
      state: 'SUCCESS',
      ready: true,
      result: "{'total': 42}",
      children: [],
      traceback: null,
    });
    const { date_done: stored } = JSON.parse(await border.payload(id)) as { date_done: string };
    // A whole millisecond of zero is the one case in which Python leaves the fraction out.
    expect(view.date_done).toBe(stored.replace('.000000', ''));
    expect(Date.parse(stored)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(stored)).toBeLessThanOrEqual(Date.now());
  });

  it('is read by Python as FAILURE with an exception and the JavaScript stack as its traceback', async () => {
    const id = taskId();
    const error = new Error('the card was declined');
    await backend.storeResult(id, error, 'FAILURE');
    const view = await border.view(id);
    expect(view).toMatchObject({ state: 'FAILURE', ready: true, result: "Error('the card was declined')" });
    expect(view.traceback).toBe(`${error.stack ?? ''}\n`);
  });

  it('is read by Python as RETRY with the exception, or without one, and is not ready', async () => {
    const [why, unsaid] = [taskId(), taskId()];
    await backend.storeResult(why, new TypeError('not yet'), 'RETRY', { traceback: 'at line 1\n' });
    await backend.storeResult(unsaid, null, 'RETRY');
    expect(await border.view(why)).toMatchObject({
      state: 'RETRY',
      ready: false,
      result: "TypeError('not yet')",
      traceback: 'at line 1\n',
    });
    expect(await border.view(unsaid)).toMatchObject({ state: 'RETRY', ready: false, result: 'None' });
  });

  it("is read by Python as REVOKED with Celery's own exception", async () => {
    const id = taskId();
    await backend.storeResult(id, REVOKED, 'REVOKED');
    const view = await border.view(id);
    expect(view).toMatchObject({ state: 'REVOKED', ready: true, result: "TaskRevokedError('terminated')" });
    expect(view.date_done).not.toBeNull();
  });

  it('keeps its children, a task and a group, for Python', async () => {
    const id = taskId();
    await backend.storeResult(id, null, 'SUCCESS', { request: { children: CHILDREN } });
    expect((await border.view(id)).children).toEqual(CHILDREN);
  });

  it('keeps group and parent for Python', async () => {
    const id = taskId();
    await backend.storeResult(id, null, 'SUCCESS', { request: { group: 'team', parent_id: 'parent' } });
    const meta = await border.python.run('return app.backend.get_task_meta(task_id)', { task_id: id });
    expect(meta).toMatchObject({ group_id: 'team', parent_id: 'parent', task_id: id });
  });
});

describe('a state that Python stores', () => {
  const store = (id: string, value: string, state: string): Promise<unknown> =>
    border.python.run(`app.backend.store_result(task_id, ${value}, state, traceback='line 1')`, { task_id: id, state });

  it.each([
    ['PENDING', 'None', null],
    ['RECEIVED', 'None', null],
    ['STARTED', "{'pid': 7, 'hostname': 'celery@here'}", { pid: 7, hostname: 'celery@here' }],
    ['PROGRESS', "{'done': 1}", { done: 1 }],
    ['AWAITING_PAYMENT', "'since monday'", 'since monday'],
  ])('is read as %s, which does not end a wait', async (state, value, result) => {
    const id = taskId();
    await store(id, value, state);
    expect(await backend.getTaskMeta(id)).toMatchObject({ status: state, result, date_done: null, task_id: id });
    await expect(backend.waitFor(id, { timeout: 0 })).rejects.toMatchObject({ code: 'CELERY_TIMEOUT' });
  });

  it('is read as SUCCESS in every way there is', async () => {
    const id = taskId();
    await store(id, '[1, None]', 'SUCCESS');
    expect(await backend.getStatus(id)).toBe('SUCCESS');
    expect(await backend.getResult(id)).toEqual([1, null]);
    expect(await backend.getTraceback(id)).toBe('line 1');
    expect(await backend.getChildren(id)).toBeNull();
    expect((await backend.getTaskMeta(id)).date_done).toBe(
      (JSON.parse(await border.payload(id)) as Record<string, unknown>)['date_done'],
    );
    expect(await backend.waitFor(id, { timeout: 5 })).toEqual([1, null]);
  });

  it('is read as FAILURE with a typed error and the Python traceback', async () => {
    const id = taskId();
    await store(id, "ValueError('boom', 2)", 'FAILURE');
    const error = await backend.waitFor(id, { timeout: 5 }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ excType: 'ValueError', excModule: 'builtins', excArgs: ['boom', 2] });
    expect(error).toMatchObject({ traceback: 'line 1', taskId: id, code: 'CELERY_TASK_FAILED' });
    expect(await backend.waitFor(id, { propagate: false })).toBeInstanceOf(RemoteError);
  });

  it('is read as RETRY with the error or null, and does not end a wait', async () => {
    const [why, unsaid] = [taskId(), taskId()];
    await store(why, "KeyError('x')", 'RETRY');
    await store(unsaid, 'None', 'RETRY');
    expect((await backend.getTaskMeta(why)).result).toMatchObject({ excType: 'KeyError', traceback: 'line 1' });
    expect(await backend.getTaskMeta(unsaid)).toMatchObject({ status: 'RETRY', result: null });
    await expect(backend.waitFor(why, { timeout: 0 })).rejects.toMatchObject({ code: 'CELERY_TIMEOUT' });
  });

  it('is read as REVOKED and ends a wait with TaskRevokedError', async () => {
    const id = taskId();
    await border.python.run("app.backend.mark_as_revoked(task_id, 'expired')", { task_id: id });
    await expect(backend.waitFor(id, { timeout: 5 })).rejects.toThrow(TaskRevokedError);
    await expect(backend.waitFor(id, { timeout: 5 })).rejects.toMatchObject({ message: 'expired' });
  });

  it('and then forgets is read as PENDING, and the other way round', async () => {
    const [theirs, ours] = [taskId(), taskId()];
    await store(theirs, '1', 'PROGRESS');
    await border.python.run('app.backend.forget(task_id)', { task_id: theirs });
    expect(await backend.getTaskMeta(theirs)).toEqual({ status: 'PENDING', result: null });
    await backend.storeResult(ours, 1, 'SUCCESS');
    await backend.forget(ours);
    expect(await border.view(ours)).toMatchObject({ state: 'PENDING', result: 'None', ready: false });
  });
});

describe('a SUCCESS', () => {
  it('of Python is kept when TypeScript stores a late FAILURE', async () => {
    const id = taskId();
    await border.python.run("app.backend.store_result(task_id, 1, 'SUCCESS')", { task_id: id });
    const stored = await border.payload(id);
    expect(await backend.storeResult(id, new Error('late'), 'FAILURE')).toBe('kept');
    expect(await border.payload(id)).toBe(stored);
  });

  it('of TypeScript is kept when Python stores a late FAILURE', async () => {
    const id = taskId();
    expect(await backend.storeResult(id, 1, 'SUCCESS')).toBe('stored');
    const stored = await border.payload(id);
    await border.python.run("app.backend.store_result(task_id, ValueError('late'), 'FAILURE')", { task_id: id });
    expect(await border.payload(id)).toBe(stored);
  });

  it('replaces a FAILURE of the other side', async () => {
    const [theirs, ours] = [taskId(), taskId()];
    await border.python.run("app.backend.store_result(task_id, ValueError('x'), 'FAILURE')", { task_id: theirs });
    await backend.storeResult(ours, new Error('x'), 'FAILURE');
    expect(await backend.storeResult(theirs, 2, 'SUCCESS')).toBe('stored');
    await border.python.run("app.backend.store_result(task_id, 3, 'SUCCESS')", { task_id: ours });
    expect(await border.view(theirs)).toMatchObject({ state: 'SUCCESS', result: '2' });
    expect(await backend.waitFor(ours, { timeout: 5 })).toBe(3);
  });
});

describe('the time to live', () => {
  it.each([
    ['its default', undefined, {}],
    ['90.9 seconds', 90.9, { result_expires: 90.9 }],
    ['a text of seconds', '45', { result_expires: '45' }],
    ['0.5 seconds, which is none', 0.5, { result_expires: 0.5 }],
    ['null, which is none', null, { result_expires: null }],
  ])('is the same from both sides with %s', async (_title, expires, conf) => {
    await using monitor = await Monitor.start(border.server);
    const [theirs, ours] = [taskId(), taskId()];
    await border.python.run("make_app(**conf).backend.store_result(task_id, 1, 'SUCCESS')", { task_id: theirs, conf });
    await border.backend({ expires }).storeResult(ours, 1, 'SUCCESS');
    const written = async (id: string): Promise<readonly string[]> => {
      const { name, args } = await monitor.until((command) => /^SET(EX)?$/.test(command.name) && isAbout(command, id));
      return [name, ...args.slice(1, -1)];
    };
    expect(await written(ours)).toEqual(await written(theirs));
    const forEver = expires === null || expires === 0.5;
    expect(Number(await border.server.cli('TTL', keyOf(ours))) === -1).toBe(forEver);
  });
});

function isAbout({ args }: Command, id: string): boolean {
  return args[0] === keyOf(id);
}
