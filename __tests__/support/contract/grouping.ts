import { expect } from '@jest/globals';
import { AsyncResult, GroupResult, type GroupTuple } from '../../../src/index.ts';
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
    expect(await context.backend().saveGroup(id, tuple)).toBe('stored');
    const text = `{"result": [["${id}", [["p", null], null]], [[["t1", null], null], [["g", null], []]]]}`;
    expect(await context.raw.get(groupKey(id))).toBe(text);
    expect(await promise).toBe(text);
    expect(await context.raw.ttl(groupKey(id))).toBe(86_400);
  });

  test('a group is restored as it was saved, replaced by a later save, and gone once deleted', async (context) => {
    const id = newId();
    const [writer, reader] = [context.backend({ expires: null }), context.backend()];
    expect(await reader.restoreGroup(id)).toBeNull();
    await writer.saveGroup(id, [[id, null], [[['t1', null], null]]]);
    expect(await reader.restoreGroup(id)).toEqual([[id, null], [[['t1', null], null]]]);
    // Nothing is kept, not even what looks like a SUCCESS.
    await context.raw.set(groupKey(id), metaText(id, 'SUCCESS', 1));
    await writer.saveGroup(id, new GroupResult(id, [new AsyncResult('t2', writer)], writer));
    expect(await reader.restoreGroup(id)).toEqual([[id, null], [[['t2', null], null]]]);
    expect(await context.raw.ttl(groupKey(id))).toBe(-1);
    await reader.deleteGroup(id);
    expect(await context.raw.get(groupKey(id))).toBeNull();
    expect(await writer.restoreGroup(id)).toBeNull();
    await reader.deleteGroup(id);
  });

  test('a group and a task of one id do not meet', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, 1, 'SUCCESS');
    await backend.saveGroup(id, [[id, null], []]);
    expect(await backend.getResult(id)).toBe(1);
    expect(await backend.restoreGroup(id)).toEqual([[id, null], []]);
  });

  test('a group that does not decode, or is none, is a DecodeError of the call that reads it', async (context) => {
    const id = newId();
    for (const text of ['rubbish', '5', '[]', '{}', '{"result": 5}', '{"result": [["t", null], null]}']) {
      await context.raw.set(groupKey(id), text);
      expect(await outcome(context.backend().restoreGroup(id))).toMatchObject({ code: 'CELERY_DECODE' });
    }
    await context.raw.set(groupKey(id), '');
    expect(await context.backend().restoreGroup(id)).toBeNull();
  });

  test('nothing is sent for a wrong group or id, or after close', async (context) => {
    const id = newId();
    const backend = context.backend();
    const save = backend.saveGroup.bind(backend) as (...args: unknown[]) => Promise<unknown>;
    for (const group of [null, 5, [], [id, null], [[id, null], null], { asTuple: () => 5 }]) {
      expect(await outcome(save(id, group))).toMatchObject({ code: 'CELERY_INVALID_ARGUMENT' });
    }
    const calls = [() => save('', [['a', null], []]), () => backend.restoreGroup(''), () => backend.deleteGroup('')];
    for (const call of calls) expect(await outcome(call())).toMatchObject({ code: 'CELERY_INVALID_ID' });
    expect(await context.raw.get(groupKey(id))).toBeNull();
    await backend.close();
    const late = [
      () => save(id, [[id, null], []]),
      () => backend.restoreGroup(id),
      () => backend.deleteGroup(id),
      () => backend.waitForMeta(id),
      () => backend.asCompleted([id]).next(),
    ];
    for (const call of late) expect(await outcome(call())).toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
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
    expect(seen).toEqual([
      [b, 'FAILURE'],
      [c, 'SUCCESS'],
      [d, 'SUCCESS'],
      [a, 'SUCCESS'],
    ]);
    expect(backend.stats().waits).toBe(0);
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
    expect(await group.joinNative({ timeout: 60 })).toEqual(ids);
    expect(backend.stats().channels).toBe(0);
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
    expect(await joined).toEqual(ids);
    expect(backend.stats()).toMatchObject({ waits: 0, rescued: 0 });
  });
}
