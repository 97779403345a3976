import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AsyncResult, GroupResult, type RedisBackend, resultFromTuple } from '../../src/index.ts';
import { Border, taskId } from '../support/border.ts';
import { CeleryWorker } from '../support/celery.ts';
import { findCeleryPython } from '../support/require-celery.ts';

const version = `Celery ${findCeleryPython().celery}`;

let border: Border;

beforeAll(async () => {
  border = await Border.open();
});

afterAll(async () => {
  await border[Symbol.asyncDispose]();
});

const groupKey = (id: string): string => `celery-taskset-meta-${id}`;

/** A group in a group, a parent each. */
function nested(id: string, backend: RedisBackend): GroupResult {
  const task = (name: string, parent?: AsyncResult): AsyncResult => new AsyncResult(name, backend, parent);
  const inner = new GroupResult(`${id}-inner`, [task(`${id}-b`)], backend, task(`${id}-q`));
  return new GroupResult(id, [task(`${id}-a`, task(`${id}-p`)), inner], backend);
}

const SAVE = `inner = GroupResult(gid + '-inner', [AsyncResult(gid + '-b', app=app)], parent=AsyncResult(gid + '-q', app=app), app=app)
GroupResult(gid, [AsyncResult(gid + '-a', parent=AsyncResult(gid + '-p', app=app), app=app), inner], app=app).save()`;

describe(`a saved group`, () => {
  it(`of TypeScript is restored by ${version}`, async () => {
    const [id, backend] = [taskId(), border.backend()];
    await nested(id, backend).save();
    const tuple = await border.python.run('return GroupResult.restore(gid, app=app).as_tuple()', { gid: id });
    expect(tuple).toEqual(nested(id, backend).asTuple());
  });

  it(`of ${version} is restored by TypeScript, and saved again with the same bytes and life`, async () => {
    const [id, backend] = [taskId(), border.backend()];
    await border.python.run(SAVE, { gid: id });
    const theirs = await border.server.cli('GET', groupKey(id));
    const group = await GroupResult.restore(backend, id);
    expect(group?.equals(nested(id, backend))).toBe(true);
    await border.server.cli('DEL', groupKey(id));
    await group?.save();
    expect(await border.server.cli('GET', groupKey(id))).toBe(theirs);
    expect(await border.server.cli('TTL', groupKey(id))).toBe(86_400);
  });

  it('is gone for both when either deletes it', async () => {
    const [id, backend] = [taskId(), border.backend()];
    const restored = (): Promise<boolean> =>
      border.python.run('return GroupResult.restore(gid, app=app) is not None', { gid: id });
    await nested(id, backend).save();
    expect(await restored()).toBe(true);
    await border.python.run('GroupResult.restore(gid, app=app).delete()', { gid: id });
    expect(await GroupResult.restore(backend, id)).toBeNull();
    await nested(id, backend).save();
    await nested(id, backend).delete();
    expect(await restored()).toBe(false);
  });

  it(`of TypeScript is joined by ${version} over results of TypeScript, nested lists included`, async () => {
    const [id, backend] = [taskId(), border.backend()];
    await nested(id, backend).save();
    const joined = border.python.runAside(
      `group = GroupResult.restore(gid, app=app)
values = group.join(timeout=5)
return [values, group.successful(), group.completed_count()]`,
      { gid: id },
    );
    await border.awaited(`${id}-a`);
    for (const name of ['p', 'q', 'b', 'a']) await backend.storeResult(`${id}-${name}`, name, 'SUCCESS');
    expect(await joined).toEqual([['a', ['b']], true, 2]);
  });

  it('of TypeScript stored as a value is the same value in Python', async () => {
    const [id, backend] = [taskId(), border.backend()];
    await backend.storeResult(id, nested('g', backend), 'SUCCESS');
    const tuple = await border.python.run(
      `from celery.result import result_from_tuple
return result_from_tuple(AsyncResult(task_id, app=app).result, app=app).as_tuple()`,
      { task_id: id },
    );
    expect(tuple).toEqual(nested('g', backend).asTuple());
  });
});

describe(`results of a real worker of ${version}`, () => {
  let worker: CeleryWorker;
  let backend: RedisBackend;

  beforeAll(async () => {
    worker = await CeleryWorker.start(border.server.url);
    backend = border.backend({ maxCachedResults: -1 });
    await backend.connect();
  });

  afterAll(async () => {
    await worker[Symbol.asyncDispose]();
  });

  it('a group that Python sends and saves is joined here, in member order and as it completes', async () => {
    const id = taskId();
    await border.python.run(
      `from celery import group, signature
tasks = [signature('celery_tasks.echo', args=[n], app=app) for n in range(20)]
group(tasks, app=app).apply_async(task_id=gid).save()`,
      { gid: id },
    );
    const group = await GroupResult.restore<number>(backend, id);
    const numbers = Array.from({ length: 20 }, (_, n) => n);
    expect(await group?.joinNative({ timeout: 30 })).toEqual(numbers);
    expect(await group?.successful()).toBe(true);
    const again = await GroupResult.restore<number>(backend, id);
    const seen: number[] = [];
    for await (const [, value] of again?.asCompleted({ timeout: 30 }) ?? []) seen.push(value);
    expect(seen.sort((a, b) => a - b)).toEqual(numbers);
    expect(backend.stats()).toMatchObject({ waits: 0, rescued: 0 });
  });

  it('a group with a task that fails rejects with its error', async () => {
    const [good, bad] = [taskId(), taskId()];
    await border.python.run(
      `app.send_task('celery_tasks.echo', [1], task_id=good)
app.send_task('celery_tasks.fail', ['value'], task_id=bad)`,
      { good, bad },
    );
    const members = [new AsyncResult(good, backend), new AsyncResult(bad, backend)];
    const joined = new GroupResult('g', members, backend).get({ timeout: 30 });
    await expect(joined).rejects.toMatchObject({ excType: 'ValueError', excArgs: ['boom', 2], taskId: bad });
  });

  it('a chain that fails ends the wait for its last task, by the tuple that Python gives', async () => {
    const tuple = await border.python.run(
      `from celery import chain, signature
steps = [signature('celery_tasks.' + name, args=args, app=app, immutable=True) for name, args in
  [('add', [1, 1]), ('fail', ['key']), ('add', [2, 2])]]
return chain(*steps, app=app).apply_async().as_tuple()`,
    );
    const last = resultFromTuple(tuple, backend);
    await expect(last.get({ timeout: 30 })).rejects.toMatchObject({ excType: 'KeyError', taskId: last.parent?.id });
  });

  it('collect follows the children of a task, groups included', async () => {
    const id = taskId();
    await border.python.run("app.send_task('celery_tasks.spawn', [], task_id=task_id)", { task_id: id });
    const values: unknown[] = [];
    for await (const [result, value] of new AsyncResult(id, backend).collect({ timeout: 30 })) {
      values.push(result.id === id ? 'spawned' : value);
    }
    expect(values).toEqual(['spawned', 2, [0, 2], 0, 2]);
  });
});
