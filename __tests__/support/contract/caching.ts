import { expect } from '@jest/globals';
import type { RedisBackend } from '../../../src/index.ts';
import { type Declare, keyOf, metaText, newId } from './context.ts';

/** What is known costs no call. */
export function caching(test: Declare): void {
  test('a known result is answered by every reader without a call', async (context) => {
    const id = newId();
    await context.backend().storeResult(id, 'known', 'SUCCESS', { traceback: 'tb' });
    const backend = context.backend();
    expect(await backend.waitFor(id)).toBe('known');
    expect(backend.isCached(id)).toBe(true);
    await context.raw.del(keyOf(id));
    expect(await backend.getStatus(id)).toBe('SUCCESS');
    expect(await backend.getResult(id)).toBe('known');
    expect(await backend.getTraceback(id)).toBe('tb');
    expect(await backend.getChildren(id)).toBeNull();
    expect(await backend.getTaskMeta(id)).toMatchObject({ status: 'SUCCESS' });
    expect((await backend.getMany([id])).get(id)).toMatchObject({ result: 'known' });
    expect(await backend.waitFor(id, { timeout: 0 })).toBe('known');
  });

  test('each way of reading a SUCCESS makes it known', async (context) => {
    const readers: ((backend: RedisBackend, id: string) => Promise<unknown>)[] = [
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
      expect(backend.isCached(id)).toBe(true);
    }
  });

  test('a store does not make its result known', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, 1, 'SUCCESS');
    expect(backend.isCached(id)).toBe(false);
  });

  test('only a SUCCESS is known', async (context) => {
    const id = newId();
    const backend = context.backend();
    for (const state of ['STARTED', 'FAILURE', 'REVOKED']) {
      await backend.storeResult(id, new Error('x'), state).catch(() => backend.storeResult(id, null, state));
      expect(await backend.getStatus(id)).toBe(state);
      expect(backend.isCached(id)).toBe(false);
    }
  });

  test('a known result is shared, not copied', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, { n: 1 }, 'SUCCESS');
    expect(await backend.waitFor(id)).toBe(await backend.waitFor(id));
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
    expect(await known(2)).toBe(2);
    expect(await known(-1)).toBe(0);
    expect(await known(0)).toBe(5);
  });

  test('forget makes a result unknown, reloadTaskResult reads it anew', async (context) => {
    const id = newId();
    const backend = context.backend();
    await context.raw.set(keyOf(id), metaText(id, 'SUCCESS', 'old'));
    expect(await backend.getResult(id)).toBe('old');
    await context.raw.set(keyOf(id), metaText(id, 'SUCCESS', 'new'));
    expect(await backend.getResult(id)).toBe('old');
    expect(await backend.reloadTaskResult(id)).toMatchObject({ result: 'new' });
    expect(await backend.getResult(id)).toBe('new');
    await backend.forget(id);
    expect(backend.isCached(id)).toBe(false);
  });

  test('reloadTaskResult of what is gone makes it unknown', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, 1, 'SUCCESS');
    await backend.getResult(id);
    await context.raw.del(keyOf(id));
    expect(await backend.reloadTaskResult(id)).toEqual({ status: 'PENDING', result: null });
    expect(await backend.getStatus(id)).toBe('PENDING');
  });
}
