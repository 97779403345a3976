import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ChordError,
  ExceptionRegistry,
  type RedisBackend,
  RemoteError,
  TaskRevokedError,
  type TaskState,
} from '../../src/index.ts';
import { Border, taskId } from '../support/border.ts';
import { CeleryWorker } from '../support/celery.ts';
import { findCeleryPython } from '../support/require-celery.ts';

let border: Border;
let backend: RedisBackend;
let worker: CeleryWorker;

beforeAll(async () => {
  border = await Border.open();
  backend = border.backend();
  worker = await CeleryWorker.start(border.server.url);
});

afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  await border[Symbol.asyncDispose]();
});

class CardDeclined extends Error {}
class Money extends Error {
  override name = 'Outer.MoneyError';
}

/** A task that failed here with an error, as Python's `get` raises it. */
async function raised(error: unknown, state: TaskState = 'FAILURE', by = backend): ReturnType<Border['caught']> {
  const id = taskId();
  await by.storeResult(id, error, state);
  return border.caught(id);
}

/** What a wait for a failed task rejects with. */
async function rejection(id: string, by = backend): Promise<RemoteError> {
  const outcome = await by.waitFor(id, { timeout: 30 }).then(
    (value) => new Error(`resolved to ${String(value)}`),
    (error: unknown) => error,
  );
  if (outcome instanceof RemoteError) return outcome;
  throw outcome;
}

describe('an error of TypeScript raises in Python', () => {
  it.each([
    ['an Error', new Error('boom'), 'Error'],
    ['a RangeError', new RangeError('boom'), 'RangeError'],
    ['a class of its own', new CardDeclined('boom'), 'CardDeclined'],
    ['a dotted name', new Money('boom'), 'Outer.MoneyError'],
    ['an AggregateError', new AggregateError([new Error('a')], 'boom'), 'AggregateError'],
    ['a DOMException', new DOMException('boom', 'AbortError'), 'AbortError'],
    ['a name of a builtin that is no exception', named('map'), 'map'],
  ])('a class made on the fly for %s', async (_title, error, type) => {
    const bases = [type, 'Exception', 'BaseException', 'object'];
    expect(await raised(error)).toEqual({ type, bases, module: 'celery.exceptions', str: 'boom', args: "('boom',)" });
  });

  it.each([
    ['TypeError', new TypeError('boom')],
    ['SyntaxError', new SyntaxError('boom')],
    ['ValueError', named('ValueError')],
  ])("Python's own %s", async (type, error) => {
    expect(await raised(error)).toMatchObject({ type, module: 'builtins', str: 'boom' });
  });

  it('with the causes in the traceback', async () => {
    const id = taskId();
    const cause = new TypeError('the socket closed');
    await backend.storeResult(id, new CardDeclined('no answer', { cause }), 'FAILURE');
    const { traceback } = await border.view(id);
    expect(traceback).toContain('no answer');
    expect(traceback).toContain('Caused by: TypeError: the socket closed');
    expect(traceback).toContain('exceptions.test.ts');
  });

  it('with its whole message, whatever is in it', async () => {
    const message = 'é 😀 \'"\\ line 1\nline 2\t\u2028';
    const id = taskId();
    await backend.storeResult(id, new Error(message), 'FAILURE');
    const isWhole = await border.python.run('return str(AsyncResult(task_id, app=app).result) == message', {
      task_id: id,
      message,
    });
    expect(isWhole).toBe(true);
  });

  it.each([
    ['a text', 'out of stock', 'out of stock'],
    ['an object', { reason: 1 }, '{ reason: 1 }'],
    ['nothing', undefined, 'Unknown error'],
  ])('when %s was thrown', async (_title, thrown, str) => {
    expect(await raised(thrown)).toMatchObject({ type: 'Error', str });
  });

  it('a class that both sides have, when it is registered', async () => {
    const exceptions = new ExceptionRegistry();
    class Missing extends Error {}
    exceptions.register(Missing, {
      excType: 'KeyError',
      excModule: 'builtins',
      encode: (error) => [error.message, 2],
      decode: (args) => new Missing(String(args[0])),
    });
    const own = border.backend({ exceptions });
    expect(await raised(new Missing('id'), 'FAILURE', own)).toMatchObject({ type: 'KeyError', args: "('id', 2)" });
    const id = taskId();
    await border.python.run("app.backend.store_result(task_id, KeyError('id'), 'FAILURE')", { task_id: id });
    await expect(own.waitFor(id, { timeout: 5 })).rejects.toThrow(Missing);
  });

  it('the same exception again, when an error of Python is stored once more', async () => {
    const [first, second] = [taskId(), taskId()];
    await border.python.run("app.backend.store_result(task_id, OSError(2, 'gone'), 'FAILURE', traceback='tb')", {
      task_id: first,
    });
    await backend.storeResult(second, await rejection(first), 'FAILURE');
    expect(await border.caught(second)).toMatchObject({ type: 'FileNotFoundError', str: '[Errno 2] gone' });
    expect((await border.view(second)).traceback).toBe('tb');
  });

  it("Celery's own TaskRevokedError for REVOKED", async () => {
    const revoked = { taskId: 'x', excType: 'TaskRevokedError', excModule: 'celery.exceptions', traceback: null };
    const error = new TaskRevokedError('terminated', { ...revoked, excArgs: ['terminated'] });
    expect(await raised(error, 'REVOKED')).toMatchObject({
      type: 'TaskRevokedError',
      module: 'celery.exceptions',
      str: 'terminated',
    });
  });
});

function named(name: string): Error {
  return Object.assign(new Error('boom'), { name });
}

describe('an exception that Python stores arrives', () => {
  it.each([
    ["ValueError('boom', 2)", { excType: 'ValueError', excModule: 'builtins', excArgs: ['boom', 2] }, 'boom, 2'],
    ['KeyError()', { excType: 'KeyError', excModule: 'builtins', excArgs: [] }, 'KeyError'],
    [
      "OSError(2, 'No such file', '/nowhere')",
      { excType: 'FileNotFoundError', excModule: 'builtins', excArgs: [2, 'No such file'] },
      '[Errno 2] No such file',
    ],
    [
      "ValueError(KeyError('inner'), {1})",
      { excType: 'ValueError', excArgs: ["KeyError('inner')", '{1}'] },
      "KeyError('inner'), {1}",
    ],
    [
      "type('Inner', (Exception,), {'__module__': 'shop', '__qualname__': 'Outer.Inner'})('x')",
      { excType: 'Outer.Inner', excModule: 'shop', excArgs: ['x'] },
      'x',
    ],
    [
      'celery.exceptions.MaxRetriesExceededError("Can\'t retry")',
      { excType: 'MaxRetriesExceededError', excModule: 'celery.exceptions' },
      "Can't retry",
    ],
    [
      "celery.exceptions.NotRegistered('shop.nope')",
      { excType: 'NotRegistered', excModule: 'celery.exceptions', excArgs: ['shop.nope'] },
      'shop.nope',
    ],
    [
      "__import__('billiard').exceptions.WorkerLostError('Worker exited prematurely: signal 9')",
      { excType: 'WorkerLostError', excModule: 'billiard.exceptions' },
      'Worker exited prematurely: signal 9',
    ],
  ])('typed and readable: %s', async (expression, fields, message) => {
    const id = taskId();
    await border.python.run(`app.backend.store_result(task_id, ${expression}, 'FAILURE')`, { task_id: id });
    const error = await rejection(id);
    expect(error).toMatchObject({ ...fields, code: 'CELERY_TASK_FAILED', name: 'RemoteError', taskId: id, message });
    // The stack is that of the one who awaited.
    expect(error.stack).toContain('exceptions.test.ts');
  });

  it('as what is inside the wrapper of one that cannot be pickled', async () => {
    const id = taskId();
    await border.python.run(
      `class NeedsMore(Exception):
  def __init__(self, code, reason):
    super().__init__(f'{code}: {reason}')
wrapped = celery.utils.serialization.get_pickleable_exception(NeedsMore(51, 'declined'))
app.backend.store_result(task_id, wrapped, 'FAILURE')`,
      { task_id: id },
    );
    expect(await border.payload(id)).toContain('"exc_type": "UnpickleableExceptionWrapper"');
    const error = await rejection(id);
    expect(error).toMatchObject({ excType: 'NeedsMore', excArgs: ['51: declined'], message: '51: declined' });
  });

  it('as ChordError when it is one', async () => {
    const id = taskId();
    await border.python.run(
      "app.backend.store_result(task_id, celery.exceptions.ChordError('Dependency x raised y'), 'FAILURE')",
      { task_id: id },
    );
    const error = await rejection(id);
    expect(error).toBeInstanceOf(ChordError);
    expect(error).toMatchObject({ code: 'CELERY_CHORD', message: 'Dependency x raised y' });
  });
});

describe(`a task that fails in a worker of Celery ${findCeleryPython().celery} rejects a wait`, () => {
  const send = (
    task: string,
    args: readonly unknown[],
    options: Readonly<Record<string, unknown>> = {},
  ): Promise<string> =>
    border.python.run('return app.send_task("celery_tasks." + task, args, **options).id', { task, args, options });

  const fail = async (task: string, ...args: unknown[]): Promise<RemoteError> => rejection(await send(task, args));

  it.each([
    ['ValueError', 'value', { excType: 'ValueError', excModule: 'builtins', excArgs: ['boom', 2] }],
    ['KeyError', 'key', { excType: 'KeyError', excModule: 'builtins', excArgs: ['missing'] }],
    [
      'a class with two arguments',
      'custom',
      { excType: 'CardDeclined', excModule: 'celery_tasks', excArgs: ['declined', 51] },
    ],
    [
      'OSError, whose file name is lost',
      'os',
      { excType: 'FileNotFoundError', excArgs: [2, 'No such file or directory'] },
    ],
    ['a message beyond ASCII', 'unicode', { excType: 'ValueError', message: 'café 😀' }],
  ])('with %s', async (_title, name, fields) => {
    const error = await fail('fail', name);
    expect(error).toMatchObject(fields);
    expect(error.traceback).toMatch(/^Traceback \(most recent call last\):[^]*celery_tasks\.py[^]*\n$/);
  });

  // Celery 5.6 wraps it, 5.2 stores it as it is.
  it('with the class of an exception that cannot be pickled', async () => {
    expect(await fail('fail', 'unpicklable')).toMatchObject({
      excType: 'NeedsMore',
      excModule: 'celery_tasks',
      excArgs: ['51: declined'],
      message: '51: declined',
    });
  });

  it('with the outer one of two, and both in the traceback', async () => {
    const error = await fail('fail_nested');
    expect(error).toMatchObject({ excType: 'RuntimeError', message: 'outer' });
    expect(error.traceback).toContain("KeyError: 'inner'");
    expect(error.traceback).toContain('The above exception was the direct cause');
  });

  it('with MaxRetriesExceededError when the retries are used up', async () => {
    const error = await fail('retry', false);
    expect(error).toMatchObject({ excType: 'MaxRetriesExceededError', excModule: 'celery.exceptions' });
    expect(error.message).toMatch(/^Can't retry celery_tasks\.retry\[/);
  });

  it('with EncodeError when its value cannot be serialized', async () => {
    const error = await fail('return_set');
    expect(error).toMatchObject({ excType: 'EncodeError', excModule: 'kombu.exceptions' });
    expect(error.message).toContain('Object of type set is not JSON serializable');
  });

  it('with NotRegistered, and no traceback, when there is no such task', async () => {
    expect(await fail('no_such_task')).toMatchObject({
      excType: 'NotRegistered',
      excArgs: ['celery_tasks.no_such_task'],
      traceback: null,
    });
  });

  it('with TaskRevokedError when it expired before it ran', async () => {
    const error = await rejection(await send('add', [1, 1], { expires: -1 }));
    expect(error).toBeInstanceOf(TaskRevokedError);
    expect(error).toMatchObject({ code: 'CELERY_TASK_REVOKED', message: 'expired' });
  });

  it('with TaskRevokedError when it was revoked', async () => {
    const id = taskId();
    await border.python.run('return app.control.revoke(task_id, reply=True, timeout=10, limit=1)', { task_id: id });
    await send('add', [1, 1], { task_id: id });
    const error = await rejection(id);
    expect(error).toBeInstanceOf(TaskRevokedError);
    expect(error).toMatchObject({ message: 'revoked', excArgs: ['revoked'] });
  });
});
