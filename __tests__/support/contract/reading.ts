import { expect } from '@jest/globals';
import { RemoteError, TaskRevokedError } from '../../../src/index.ts';
import { type Declare, keyOf, metaText, newId, outcome } from './context.ts';

/** Reading what is stored. */
export function reading(test: Declare): void {
  test('a missing key reads as PENDING, with two fields', async (context) => {
    const backend = context.backend();
    const id = newId();
    expect(await backend.getTaskMeta(id)).toEqual({ status: 'PENDING', result: null });
    expect(await backend.getStatus(id)).toBe('PENDING');
    expect(await backend.getState(id)).toBe('PENDING');
    expect(await backend.getResult(id)).toBeNull();
    expect(await backend.getTraceback(id)).toBeNull();
    expect(await backend.getChildren(id)).toBeNull();
  });

  test('an empty value reads as PENDING', async (context) => {
    const id = newId();
    await context.raw.set(keyOf(id), '');
    expect(await context.backend().getStatus(id)).toBe('PENDING');
  });

  test('each reader finds its part of the meta', async (context) => {
    const id = newId();
    const [writer, reader] = [context.backend(), context.backend()];
    const children = [[['c1', null], null]] as const;
    await writer.storeResult(id, { n: 1 }, 'SUCCESS', { traceback: 'tb', request: { children } });
    expect(await reader.getStatus(id)).toBe('SUCCESS');
    expect(await reader.getResult(id)).toEqual({ n: 1 });
    expect(await reader.getTraceback(id)).toBe('tb');
    expect(await reader.getChildren(id)).toEqual(children);
    expect(await reader.getTaskMeta(id)).toMatchObject({ status: 'SUCCESS', task_id: id });
  });

  test('the result of a failure reads as its error, made anew for each reader', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, new TypeError('no number'), 'FAILURE');
    const [first, second] = [await backend.getResult(id), await backend.getResult(id)];
    expect(first).toBeInstanceOf(RemoteError);
    expect(first).toMatchObject({ excType: 'TypeError', message: 'no number', taskId: id });
    expect(second).not.toBe(first);
    expect((await backend.getTaskMeta(id)).result).toBeInstanceOf(RemoteError);
  });

  test('the error of a revoked task is a TaskRevokedError', async (context) => {
    const id = newId();
    const info = { exc_type: 'TaskRevokedError', exc_message: ['expired'], exc_module: 'celery.exceptions' };
    await context.raw.set(keyOf(id), metaText(id, 'REVOKED', info));
    const error = await outcome(context.backend().waitFor(id));
    expect(error).toBeInstanceOf(TaskRevokedError);
    expect(error).toMatchObject({ code: 'CELERY_TASK_REVOKED', message: 'expired' });
  });

  test('many metas come in the order of their ids, each once', async (context) => {
    const backend = context.backend();
    const ids = Array.from({ length: 250 }, newId);
    await Promise.all(ids.flatMap((id, i) => (i % 2 ? [backend.storeResult(id, i, 'SUCCESS')] : [])));
    const metas = await backend.getMany([...ids, ...ids]);
    expect([...metas.keys()]).toEqual(ids);
    expect([...metas.values()].map((meta) => meta.result)).toEqual(ids.map((_, i) => (i % 2 ? i : null)));
    expect(await backend.getMany([])).toEqual(new Map());
  });

  test('a payload that does not decode fails the call that reads it, and no other', async (context) => {
    const [bad, good] = [newId(), newId()];
    const backend = context.backend();
    await context.raw.set(keyOf(bad), '{"status": "SUCC');
    await backend.storeResult(good, 1, 'SUCCESS');
    const [first, second] = await Promise.all([outcome(backend.getResult(bad)), backend.getResult(good)]);
    expect(first).toMatchObject({ code: 'CELERY_DECODE' });
    expect(second).toBe(1);
    expect(await outcome(backend.getMany([good, bad]))).toMatchObject({ code: 'CELERY_DECODE' });
  });

  test('a payload of another task is refused', async (context) => {
    const id = newId();
    await context.raw.set(keyOf(id), metaText('other', 'SUCCESS', 1));
    expect(await outcome(context.backend().getResult(id))).toMatchObject({ code: 'CELERY_DECODE' });
  });

  test('a wrong id is refused by every reader', async (context) => {
    const backend = context.backend();
    const calls = [
      () => backend.getTaskMeta(''),
      () => backend.getStatus(''),
      () => backend.getResult(''),
      () => backend.getTraceback(''),
      () => backend.getChildren(''),
      () => backend.getMany(['ok', '']),
      () => backend.reloadTaskResult(''),
      () => backend.forget(''),
      () => backend.waitFor(''),
    ];
    for (const call of calls) expect(await outcome(call())).toMatchObject({ code: 'CELERY_INVALID_ID' });
  });

  test('a forgotten result is gone', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, 1, 'SUCCESS');
    expect(await backend.getResult(id)).toBe(1);
    await backend.forget(id);
    expect(await backend.getStatus(id)).toBe('PENDING');
    expect(await context.raw.get(keyOf(id))).toBeNull();
    await backend.forget(id);
  });

  test('superjson keeps the types of JavaScript, inside a meta that others can read', async (context) => {
    const id = newId();
    const [writer, reader] = [
      context.backend({ serializer: 'superjson' }),
      context.backend({ serializer: 'superjson' }),
    ];
    const value = { at: new Date(0), map: new Map([['a', new Set([1n])]]), nothing: undefined };
    await writer.storeResult(id, value, 'SUCCESS');
    expect(await reader.waitFor(id)).toEqual(value);
    expect(await writer.storeResult(id, value, 'FAILURE')).toBe('kept');
    expect(await context.backend().getStatus(id)).toBe('SUCCESS');
  });

  test('a result of 4 MB comes back as it was', async (context) => {
    const id = newId();
    const value = 'x'.repeat(4 * 1024 * 1024);
    await context.backend().storeResult(id, value, 'SUCCESS');
    expect((await context.backend().getResult<string>(id)) === value).toBe(true);
  });

  test('connects, pings and names itself', async (context) => {
    const backend = context.backend();
    await backend.connect({ timeout: 10 });
    expect(await backend.ping()).toBeGreaterThanOrEqual(0);
    expect(backend.asUri()).toBe(backend.url);
    expect(backend.stats()).toMatchObject({ waits: 0, channels: 0, stores: 0, reconnects: 0, rescued: 0 });
  });
}
