import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import { matches } from './assert.ts';
import type { BaseBackend } from '../../index.ts';
import { type Declare, keyOf, metaText, newId } from './context.ts';

/** What is known costs no call. */
export function caching(test: Declare): void {
  test('a known result is answered by every reader without a call', async (context) => {
    const id = newId();
    await context.backend().storeResult(id, 'known', 'SUCCESS', { traceback: 'tb' });
    const backend = context.backend();
    strictEqual(await backend.waitFor(id), 'known');
    strictEqual(backend.isCached(id), true);
    await context.raw.del(keyOf(id));
    strictEqual(await backend.getStatus(id), 'SUCCESS');
    strictEqual(await backend.getResult(id), 'known');
    strictEqual(await backend.getTraceback(id), 'tb');
    strictEqual(await backend.getChildren(id), null);
    matches(await backend.getTaskMeta(id), { status: 'SUCCESS' });
    matches((await backend.getMany([id])).get(id), { result: 'known' });
    strictEqual(await backend.waitFor(id, { timeout: 0 }), 'known');
  });

  test('each way of reading a SUCCESS makes it known', async (context) => {
    const readers: ((backend: BaseBackend, id: string) => Promise<unknown>)[] = [
      (backend, id) => backend.waitFor(id),
      (backend, id) => backend.waitFor(id, { timeout: 0 }),
      (backend, id) => backend.getStatus(id),
      (backend, id) => backend.getMany([id]),
      (backend, id) => backend.reloadTaskResult(id),
    ];
    for (const read of readers) {
      const id = newId();
      await context.backend().storeResult(id, 1, 'SUCCESS');
      const backend = context.backend();
      await read(backend, id);
      strictEqual(backend.isCached(id), true);
    }
  });

  test('a store does not make its result known', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, 1, 'SUCCESS');
    strictEqual(backend.isCached(id), false);
  });

  test('only a SUCCESS is known', async (context) => {
    const id = newId();
    const backend = context.backend();
    for (const state of ['STARTED', 'FAILURE', 'REVOKED']) {
      await backend.storeResult(id, new Error('x'), state).catch(() => backend.storeResult(id, null, state));
      strictEqual(await backend.getStatus(id), state);
      strictEqual(backend.isCached(id), false);
    }
  });

  test('a known result is shared, not copied', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, { n: 1 }, 'SUCCESS');
    strictEqual(await backend.waitFor(id), await backend.waitFor(id));
  });

  test('maxCachedResults bounds the number of known results; -1 is none, 0 is no bound', async (context) => {
    const writer = context.backend();
    const ids = Array.from({ length: 5 }, newId);
    await Promise.all(ids.map((id) => writer.storeResult(id, 1, 'SUCCESS')));
    const known = async (maxCachedResults: number): Promise<number> => {
      const backend = context.backend({ maxCachedResults });
      for (const id of ids) await backend.getResult(id);
      return ids.filter((id) => backend.isCached(id)).length;
    };
    strictEqual(await known(2), 2);
    strictEqual(await known(-1), 0);
    strictEqual(await known(0), 5);
  });

  test('forget makes a result unknown, reloadTaskResult reads it anew', async (context) => {
    const id = newId();
    const backend = context.backend();
    await context.raw.set(keyOf(id), metaText(id, 'SUCCESS', 'old'));
    strictEqual(await backend.getResult(id), 'old');
    await context.raw.set(keyOf(id), metaText(id, 'SUCCESS', 'new'));
    strictEqual(await backend.getResult(id), 'old');
    matches(await backend.reloadTaskResult(id), { result: 'new' });
    strictEqual(await backend.getResult(id), 'new');
    await backend.forget(id);
    strictEqual(backend.isCached(id), false);
  });

  test('reloadTaskResult of what is gone makes it unknown', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, 1, 'SUCCESS');
    await backend.getResult(id);
    await context.raw.del(keyOf(id));
    deepStrictEqual(await backend.reloadTaskResult(id), { status: 'PENDING', result: null });
    strictEqual(await backend.getStatus(id), 'PENDING');
  });
}
