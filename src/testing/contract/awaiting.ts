import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import { matches } from './assert.ts';
import { type Context, type Declare, newId, outcome, turn } from './context.ts';

/** Stores a SUCCESS for each id, whose value is the id. */
async function succeed(context: Context, ids: readonly string[]): Promise<void> {
  const writer = context.backend();
  for (let from = 0; from < ids.length; from += 500) {
    await Promise.all(ids.slice(from, from + 500).map((id) => writer.storeResult(id, id, 'SUCCESS')));
  }
}

const newIds = (): string[] => Array.from({ length: 10_000 }, newId);

/** The ways to wait, for one task and for many. */
export function awaiting(test: Declare): void {
  test('a watcher sees every state with its data, and a late one the present state first', async (context) => {
    const id = newId();
    const [backend, worker] = [context.backend(), context.backend()];
    const late: unknown[] = [];
    const seen: unknown[] = [];
    const follow = async (): Promise<void> => {
      for await (const { status, result } of backend.watch(id)) late.push([status, result]);
    };
    let following: Promise<void> | undefined;
    await worker.updateState(id, 'STARTED', null);
    for await (const { status, result } of backend.watch(id, { timeout: 60 })) {
      seen.push([status, result]);
      if (status === 'STARTED') await worker.updateState(id, 'PROGRESS', { current: 1, total: 2 });
      if (status === 'PROGRESS') {
        following = follow();
        await worker.storeResult(id, 'done', 'SUCCESS');
      }
    }
    await following;
    const [progress, done] = [
      ['PROGRESS', { current: 1, total: 2 }],
      ['SUCCESS', 'done'],
    ];
    deepStrictEqual(seen, [['STARTED', null], progress, done]);
    // The result may have been there before it came to watch.
    deepStrictEqual(late.at(-1), done);
    ok([1, 2].includes(late.length));
    strictEqual(backend.stats().waits, 0);
  });

  test('a watcher who leaves ends its wait and its subscription, between two states or while it waits', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.updateState(id, 'PROGRESS', 1);
    for await (const { result } of backend.watch(id)) if (result === 1) break;
    strictEqual(backend.stats().waits, 0);
    const states = backend.watch(id);
    await states.next();
    const pending = states.next();
    await states.return();
    deepStrictEqual(await pending, { done: true, value: undefined });
    strictEqual(backend.stats().waits, 0);
    while (backend.stats().channels > 0) await turn();
  });

  test('a task is settled as a value, as an error, or not in time', async (context) => {
    const [backend, worker] = [context.backend(), context.backend()];
    const [good, bad, late] = [newId(), newId(), newId()];
    const waits = [good, bad].map((id) => backend.settle(id));
    await worker.storeResult(good, 1, 'SUCCESS');
    await worker.storeResult(bad, new Error('boom'), 'FAILURE');
    matches(await Promise.all(waits), [
      { taskId: good, status: 'SUCCESS', result: 1 },
      { taskId: bad, status: 'FAILURE', error: { message: 'boom' } },
    ]);
    matches(await backend.settle(late, { timeout: 0.05 }), { taskId: late, status: 'TIMEOUT' });
  });

  test('10,000 tasks are awaited in one call as they are completed, and leave nothing', async (context) => {
    const backend = context.backend({ maxCachedResults: -1 });
    const ids = newIds();
    const stored = succeed(context, ids.toReversed());
    const seen = new Set<unknown>();
    for await (const settled of backend.asCompleted(ids, { timeout: 300 })) {
      if (settled.status === 'SUCCESS' && settled.result === settled.taskId) seen.add(settled.taskId);
    }
    await stored;
    strictEqual(seen.size, 10_000);
    matches(backend.stats(), { waits: 0, rescued: 0 });
  });

  test('10,000 tasks are awaited in one call in the order of their ids, and leave nothing', async (context) => {
    const backend = context.backend({ maxCachedResults: -1 });
    const ids = newIds();
    const all = backend.waitForAll(ids, { timeout: 300 });
    await succeed(context, ids.toReversed());
    deepStrictEqual(await all, ids);
    matches(backend.stats(), { waits: 0, rescued: 0 });
  });

  test('the first of 10,000 tasks ends the waits for all others, an abort too', async (context) => {
    const backend = context.backend();
    const ids = newIds();
    const any = backend.waitForAny(ids, { timeout: 300 });
    const id = ids[7_000] ?? '';
    while (backend.stats().channels < 10_000) await turn();
    await context.backend().storeResult(id, 'first', 'SUCCESS');
    matches(await any, { taskId: id, result: 'first' });
    // So many end in turns.
    while (backend.stats().waits > 0 || backend.stats().channels > 0) await turn();
    const controller = new AbortController();
    const aborted = outcome(backend.waitForAll(newIds(), { signal: controller.signal }));
    while (backend.stats().channels < 10_000) await turn();
    const reason = new Error('enough');
    controller.abort(reason);
    strictEqual(await aborted, reason);
    while (backend.stats().waits > 0 || backend.stats().channels > 0) await turn();
  });
}
