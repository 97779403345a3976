import { deepStrictEqual, notStrictEqual, ok, strictEqual } from 'node:assert/strict';
import { instance, matches } from './assert.ts';
import { RemoteError, TaskRevokedError } from '../../index.ts';
import { type Declare, keyOf, metaText, newId, outcome } from './context.ts';

/** Reading what is stored. */
export function reading(test: Declare): void {
  test('a missing key reads as PENDING, with two fields', async (context) => {
    const backend = context.backend();
    const id = newId();
    deepStrictEqual(await backend.getTaskMeta(id), { status: 'PENDING', result: null });
    strictEqual(await backend.getStatus(id), 'PENDING');
    strictEqual(await backend.getState(id), 'PENDING');
    strictEqual(await backend.getResult(id), null);
    strictEqual(await backend.getTraceback(id), null);
    strictEqual(await backend.getChildren(id), null);
  });

  test('an empty value reads as PENDING', async (context) => {
    const id = newId();
    await context.raw.set(keyOf(id), '');
    strictEqual(await context.backend().getStatus(id), 'PENDING');
  });

  test('each reader finds its part of the meta', async (context) => {
    const id = newId();
    const [writer, reader] = [context.backend(), context.backend()];
    const children = [[['c1', null], null]] as const;
    await writer.storeResult(id, { n: 1 }, 'SUCCESS', { traceback: 'tb', request: { children } });
    strictEqual(await reader.getStatus(id), 'SUCCESS');
    deepStrictEqual(await reader.getResult(id), { n: 1 });
    strictEqual(await reader.getTraceback(id), 'tb');
    deepStrictEqual(await reader.getChildren(id), children);
    matches(await reader.getTaskMeta(id), { status: 'SUCCESS', task_id: id });
  });

  test('the result of a failure reads as its error, made anew for each reader', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, new TypeError('no number'), 'FAILURE');
    const [first, second] = [await backend.getResult(id), await backend.getResult(id)];
    instance(first, RemoteError);
    matches(first, { excType: 'TypeError', message: 'no number', taskId: id });
    notStrictEqual(second, first);
    instance((await backend.getTaskMeta(id)).result, RemoteError);
  });

  test('the error of a revoked task is a TaskRevokedError', async (context) => {
    const id = newId();
    const info = { exc_type: 'TaskRevokedError', exc_message: ['expired'], exc_module: 'celery.exceptions' };
    await context.raw.set(keyOf(id), metaText(id, 'REVOKED', info));
    const error = await outcome(context.backend().waitFor(id));
    instance(error, TaskRevokedError);
    matches(error, { code: 'CELERY_TASK_REVOKED', message: 'expired' });
  });

  test('many metas come in the order of their ids, each once', async (context) => {
    const backend = context.backend();
    const ids = Array.from({ length: 250 }, newId);
    await Promise.all(ids.flatMap((id, i) => (i % 2 ? [backend.storeResult(id, i, 'SUCCESS')] : [])));
    const metas = await backend.getMany([...ids, ...ids]);
    deepStrictEqual([...metas.keys()], ids);
    deepStrictEqual(
      [...metas.values()].map((meta) => meta.result),
      ids.map((_, i) => (i % 2 ? i : null)),
    );
    deepStrictEqual(await backend.getMany([]), new Map());
  });

  test('a payload that does not decode fails the call that reads it, and no other', async (context) => {
    const [bad, good] = [newId(), newId()];
    const backend = context.backend();
    await context.raw.set(keyOf(bad), '{"status": "SUCC');
    await backend.storeResult(good, 1, 'SUCCESS');
    const [first, second] = await Promise.all([outcome(backend.getResult(bad)), backend.getResult(good)]);
    matches(first, { code: 'CELERY_DECODE' });
    strictEqual(second, 1);
    matches(await outcome(backend.getMany([good, bad])), { code: 'CELERY_DECODE' });
  });

  test('a payload of another task is refused', async (context) => {
    const id = newId();
    await context.raw.set(keyOf(id), metaText('other', 'SUCCESS', 1));
    matches(await outcome(context.backend().getResult(id)), { code: 'CELERY_DECODE' });
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
    for (const call of calls) matches(await outcome(call()), { code: 'CELERY_INVALID_ID' });
  });

  test('a forgotten result is gone', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, 1, 'SUCCESS');
    strictEqual(await backend.getResult(id), 1);
    await backend.forget(id);
    strictEqual(await backend.getStatus(id), 'PENDING');
    strictEqual(await context.raw.get(keyOf(id)), null);
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
    deepStrictEqual(await reader.waitFor(id), value);
    strictEqual(await writer.storeResult(id, value, 'FAILURE'), 'kept');
    strictEqual(await context.backend().getStatus(id), 'SUCCESS');
  });

  test('a result of 4 MB comes back as it was', async (context) => {
    const id = newId();
    const value = 'x'.repeat(4 * 1024 * 1024);
    await context.backend().storeResult(id, value, 'SUCCESS');
    strictEqual((await context.backend().getResult<string>(id)) === value, true);
  });

  test('connects, pings and names itself', async (context) => {
    const backend = context.backend();
    await backend.connect({ timeout: 10 });
    ok((await backend.ping()) >= 0);
    strictEqual(backend.asUri(), backend.url);
    matches(backend.stats(), { waits: 0, channels: 0, stores: 0, reconnects: 0, rescued: 0 });
  });
}
