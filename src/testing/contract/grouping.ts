import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import { matches } from './assert.ts';
import { AsyncResult, GroupResult, type GroupTuple } from '../../index.ts';
import { type Declare, deferred, metaText, newId, outcome } from './context.ts';

const groupKey = (groupId: string): string => `celery-taskset-meta-${groupId}`;

/** Saved groups, and waits for many tasks. */
export function grouping(test: Declare): void {
  test('a saved group has the bytes of Celery, for a day, and they are published', async (context) => {
    const id = newId();
    const { promise, resolve } = deferred<string>();
    await context.raw.listen(groupKey(id), resolve);
    const tuple: GroupTuple = [
      [id, [['p', null], null]],
      [
        [['t1', null], null],
        [['g', null], []],
      ],
    ];
    strictEqual(await context.backend().saveGroup(id, tuple), 'stored');
    const text = `{"result": [["${id}", [["p", null], null]], [[["t1", null], null], [["g", null], []]]]}`;
    strictEqual(await context.raw.get(groupKey(id)), text);
    strictEqual(await promise, text);
    strictEqual(await context.raw.ttl(groupKey(id)), 86_400);
  });

  test('a group is restored as it was saved, replaced by a later save, and gone once deleted', async (context) => {
    const id = newId();
    const [writer, reader] = [context.backend({ expires: null }), context.backend()];
    strictEqual(await reader.restoreGroup(id), null);
    await writer.saveGroup(id, [[id, null], [[['t1', null], null]]]);
    deepStrictEqual(await reader.restoreGroup(id), [[id, null], [[['t1', null], null]]]);
    // Nothing is kept, not even what looks like a SUCCESS.
    await context.raw.set(groupKey(id), metaText(id, 'SUCCESS', 1));
    await writer.saveGroup(id, new GroupResult(id, [new AsyncResult('t2', writer)], writer));
    deepStrictEqual(await reader.restoreGroup(id), [[id, null], [[['t2', null], null]]]);
    strictEqual(await context.raw.ttl(groupKey(id)), -1);
    await reader.deleteGroup(id);
    strictEqual(await context.raw.get(groupKey(id)), null);
    strictEqual(await writer.restoreGroup(id), null);
    await reader.deleteGroup(id);
  });

  test('a group and a task of one id do not meet', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, 1, 'SUCCESS');
    await backend.saveGroup(id, [[id, null], []]);
    strictEqual(await backend.getResult(id), 1);
    deepStrictEqual(await backend.restoreGroup(id), [[id, null], []]);
  });

  test('a group that does not decode, or is none, is a DecodeError of the call that reads it', async (context) => {
    const id = newId();
    for (const text of ['rubbish', '5', '[]', '{}', '{"result": 5}', '{"result": [["t", null], null]}']) {
      await context.raw.set(groupKey(id), text);
      matches(await outcome(context.backend().restoreGroup(id)), { code: 'CELERY_DECODE' });
    }
    await context.raw.set(groupKey(id), '');
    strictEqual(await context.backend().restoreGroup(id), null);
  });

  test('nothing is sent for a wrong group or id, or after close', async (context) => {
    const id = newId();
    const backend = context.backend();
    const save = backend.saveGroup.bind(backend) as (...args: unknown[]) => Promise<unknown>;
    for (const group of [null, 5, [], [id, null], [[id, null], null], { asTuple: () => 5 }]) {
      matches(await outcome(save(id, group)), { code: 'CELERY_INVALID_ARGUMENT' });
    }
    const calls = [() => save('', [['a', null], []]), () => backend.restoreGroup(''), () => backend.deleteGroup('')];
    for (const call of calls) matches(await outcome(call()), { code: 'CELERY_INVALID_ID' });
    strictEqual(await context.raw.get(groupKey(id)), null);
    await backend.close();
    const late = [
      () => save(id, [[id, null], []]),
      () => backend.restoreGroup(id),
      () => backend.deleteGroup(id),
      () => backend.waitForMeta(id),
      () => backend.asCompleted([id]).next(),
    ];
    for (const call of late) matches(await outcome(call()), { code: 'CELERY_BACKEND_CLOSED' });
  });

  test('asCompleted tells of each task once: the ready ones in order, the others as they come', async (context) => {
    const [writer, backend] = [context.backend(), context.backend()];
    const [a, b, c, d] = [newId(), newId(), newId(), newId()];
    await writer.storeResult(c, 'c', 'SUCCESS');
    await writer.storeResult(b, new Error('b'), 'FAILURE');
    const seen: unknown[] = [];
    for await (const { taskId: id, status } of backend.asCompleted([a, b, c, d, a])) {
      seen.push([id, status]);
      if (id === c) await writer.storeResult(d, 'd', 'SUCCESS');
      if (id === d) await writer.storeResult(a, 'a', 'SUCCESS');
    }
    deepStrictEqual(seen, [
      [b, 'FAILURE'],
      [c, 'SUCCESS'],
      [d, 'SUCCESS'],
      [a, 'SUCCESS'],
    ]);
    strictEqual(backend.stats().waits, 0);
  });

  test('a group of 10,000 that is ready is joined in one batch, without a subscription', async (context) => {
    // A batch that takes longer than `commandTimeout` is waited for by push instead.
    const [writer, backend] = [context.backend(), context.backend({ maxCachedResults: -1, commandTimeout: 60 })];
    const ids = Array.from({ length: 10_000 }, newId);
    for (let from = 0; from < ids.length; from += 500) {
      await Promise.all(ids.slice(from, from + 500).map((id) => writer.storeResult(id, id, 'SUCCESS')));
    }
    const group = new GroupResult<string>(
      'g',
      ids.map((id) => new AsyncResult(id, backend)),
      backend,
    );
    deepStrictEqual(await group.joinNative({ timeout: 60 }), ids);
    strictEqual(backend.stats().channels, 0);
  });

  test('a group of 10,000 is joined while its results come', async (context) => {
    const [writer, backend] = [context.backend(), context.backend({ maxCachedResults: -1 })];
    const ids = Array.from({ length: 10_000 }, newId);
    const group = new GroupResult<string>(
      'g',
      ids.map((id) => new AsyncResult(id, backend)),
      backend,
    );
    const joined = group.joinNative({ timeout: 300 });
    for (let from = 0; from < ids.length; from += 500) {
      await Promise.all(ids.slice(from, from + 500).map((id) => writer.storeResult(id, id, 'SUCCESS')));
    }
    deepStrictEqual(await joined, ids);
    matches(backend.stats(), { waits: 0, rescued: 0 });
  });
}
