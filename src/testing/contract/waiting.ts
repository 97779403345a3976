import { deepStrictEqual, notStrictEqual, strictEqual } from 'node:assert/strict';
import { contains, instance, matches } from './assert.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { BackendClosedError, RemoteError, TimeoutError } from '../../index.ts';
import { type Declare, keyOf, metaText, newId, outcome } from './context.ts';

/** Waiting for results. */
export function waiting(test: Declare): void {
  test('a wait for a stored result resolves with it', async (context) => {
    const id = newId();
    await context.backend().storeResult(id, { n: 1 }, 'SUCCESS');
    deepStrictEqual(await context.backend().waitFor(id), { n: 1 });
  });

  test('a wait resolves when the result is published', async (context) => {
    const id = newId();
    const { result } = await context.live(context.backend(), id);
    await context.backend().storeResult(id, 'now', 'SUCCESS');
    strictEqual(await result, 'now');
  });

  test('a hundred waits for one task share one value', async (context) => {
    const id = newId();
    const backend = context.backend();
    const waits = Array.from({ length: 100 }, () => backend.waitFor(id));
    await context.backend().storeResult(id, { n: 1 }, 'SUCCESS');
    const values = await Promise.all(waits);
    strictEqual(new Set(values).size, 1);
  });

  test('a failed task rejects with its error, whose stack names the caller', async (context) => {
    const id = newId();
    const backend = context.backend();
    async function caller(): Promise<unknown> {
      return await backend.waitFor(id);
    }
    const waits = [outcome(caller()), outcome(caller())];
    await backend.storeResult(id, new RangeError('too far'), 'FAILURE', { traceback: 'the traceback' });
    const [first, second] = await Promise.all(waits);
    instance(first, RemoteError);
    matches(first, {
      code: 'CELERY_TASK_FAILED',
      taskId: id,
      excType: 'RangeError',
      excArgs: ['too far'],
      message: 'too far',
      traceback: 'the traceback',
    });
    contains((first as Error).stack, 'caller');
    notStrictEqual(second, first);
  });

  test('with propagate off the error is returned', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, new Error('x'), 'FAILURE');
    instance(await backend.waitFor(id, { propagate: false }), RemoteError);
    matches(await outcome(backend.waitFor(id, { propagate: true })), { code: 'CELERY_TASK_FAILED', message: 'x' });
  });

  test('RETRY, STARTED, PROGRESS and other states are shown, and do not end a wait', async (context) => {
    const id = newId();
    const seen: string[] = [];
    const backend = context.backend();
    const { result } = await context.live(backend, id, { onMessage: (meta) => seen.push(meta.status) });
    await backend.storeResult(id, { pid: 1 }, 'STARTED');
    await backend.storeResult(id, { percent: 50 }, 'PROGRESS');
    await backend.storeResult(id, new Error('again'), 'RETRY');
    await backend.storeResult(id, 'done', 'SUCCESS');
    strictEqual(await result, 'done');
    deepStrictEqual(seen, ['SEEN', 'STARTED', 'PROGRESS', 'RETRY', 'SUCCESS']);
  });

  test('a late waiter is shown the present state first', async (context) => {
    const id = newId();
    const backend = context.backend();
    const first = await context.live(backend, id);
    const second = await context.live(backend, id);
    await backend.storeResult(id, 1, 'SUCCESS');
    deepStrictEqual(await Promise.all([first.result, second.result]), [1, 1]);
  });

  test('a wait without a result ends at its timeout, and leaves nothing', async (context) => {
    const backend = context.backend();
    const id = newId();
    const error = await outcome(backend.waitFor(id, { timeout: 0.05 }));
    instance(error, TimeoutError);
    matches(error, { code: 'CELERY_TIMEOUT', taskId: id, timeout: 0.05, lastLook: 'unready' });
    strictEqual(backend.stats().waits, 0);
  });

  test('timeout 0 reads once, without a subscription', async (context) => {
    const backend = context.backend();
    const id = newId();
    matches(await outcome(backend.waitFor(id, { timeout: 0 })), { code: 'CELERY_TIMEOUT', timeout: 0 });
    strictEqual(backend.stats().channels, 0);
    await backend.storeResult(id, 1, 'SUCCESS');
    strictEqual(await backend.waitFor(id, { timeout: 0 }), 1);
  });

  test('undefined, null and Infinity are no limit', async (context) => {
    const id = newId();
    const backend = context.backend();
    const waits = [undefined, null, Infinity].map((timeout) => backend.waitFor(id, { timeout }));
    await backend.storeResult(id, 1, 'SUCCESS');
    deepStrictEqual(await Promise.all(waits), [1, 1, 1]);
  });

  test('a wrong timeout, signal or observer is an error before anything is sent', async (context) => {
    const backend = context.backend();
    const wait = backend.waitFor.bind(backend) as (...args: unknown[]) => Promise<unknown>;
    const wrong = [{ timeout: -1 }, { timeout: NaN }, { timeout: '5' }, { signal: {} }, { onMessage: 5 }];
    for (const options of wrong) {
      matches(await outcome(wait(newId(), options)), { code: 'CELERY_INVALID_ARGUMENT' });
    }
    matches(backend.stats(), { waits: 0, channels: 0 });
  });

  test('an abort ends a wait with its reason, and others go on', async (context) => {
    const id = newId();
    const backend = context.backend();
    const controller = new AbortController();
    const { result: aborted } = await context.live(backend, id, { signal: controller.signal });
    const { result: other } = await context.live(backend, id);
    controller.abort(new Error('enough'));
    deepStrictEqual(await outcome(aborted), new Error('enough'));
    await backend.storeResult(id, 1, 'SUCCESS');
    strictEqual(await other, 1);
  });

  test('an aborted signal ends a wait before it begins, be the result known or not', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, 1, 'SUCCESS');
    await backend.waitFor(id);
    const signal = AbortSignal.abort(new Error('too late'));
    deepStrictEqual(await outcome(backend.waitFor(id, { signal })), new Error('too late'));
    deepStrictEqual(await outcome(backend.waitFor(newId(), { signal })), new Error('too late'));
  });

  test('an abort ends a wait of timeout 0', async (context) => {
    const controller = new AbortController();
    const wait = outcome(context.backend().waitFor(newId(), { timeout: 0, signal: controller.signal }));
    controller.abort(new Error('enough'));
    deepStrictEqual(await wait, new Error('enough'));
  });

  test('an observer that rejects ends its wait, be the result known, read once or waited for', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, 1, 'SUCCESS');
    const onMessage = (): Promise<never> => Promise.reject(new Error('observer'));
    deepStrictEqual(await outcome(backend.waitFor(id, { onMessage, timeout: 0 })), new Error('observer'));
    strictEqual(backend.isCached(id), true);
    deepStrictEqual(await outcome(backend.waitFor(id, { onMessage })), new Error('observer'));
    deepStrictEqual(await outcome(context.backend().waitFor(id, { onMessage })), new Error('observer'));
  });

  test('an empty value is no result', async (context) => {
    const id = newId();
    await context.raw.set(keyOf(id), '');
    const backend = context.backend();
    const wait = backend.waitFor(id, { timeout: 30 });
    await backend.storeResult(id, 1, 'SUCCESS');
    strictEqual(await wait, 1);
  });

  test('an observer that throws ends its wait', async (context) => {
    const id = newId();
    const backend = context.backend();
    const onMessage = (): void => {
      throw new Error('observer');
    };
    const wait = outcome(backend.waitFor(id, { onMessage }));
    await backend.storeResult(id, 1, 'STARTED');
    deepStrictEqual(await wait, new Error('observer'));
  });

  test('a result that was set and never published is found at the deadline', async (context) => {
    const id = newId();
    const backend = context.backend();
    const { result } = await context.live(backend, id, { timeout: 0.3 });
    await context.raw.set(keyOf(id), metaText(id, 'SUCCESS', 'silent'));
    strictEqual(await result, 'silent');
  });

  test('a message that is rubbish or of another task makes the key be read again', async (context) => {
    const id = newId();
    const { result } = await context.live(context.backend(), id);
    await context.raw.publish(keyOf(id), 'rubbish');
    await context.raw.publish(keyOf(id), metaText('other', 'SUCCESS', 'foreign'));
    await context.raw.set(keyOf(id), metaText(id, 'SUCCESS', 'truth'));
    await context.raw.publish(keyOf(id), '');
    strictEqual(await result, 'truth');
  });

  test('a wait for a key that does not decode rejects', async (context) => {
    const id = newId();
    await context.raw.set(keyOf(id), 'rubbish');
    matches(await outcome(context.backend().waitFor(id)), { code: 'CELERY_DECODE' });
  });

  test('a forget does not end a wait: the task may run again', async (context) => {
    const id = newId();
    const backend = context.backend();
    const { result } = await context.live(backend, id);
    await backend.forget(id);
    await context.backend().storeResult(id, 'second run', 'SUCCESS');
    strictEqual(await result, 'second run');
  });

  test('close ends every wait, twice is once, and every later call is refused', async (context) => {
    const backend = context.backend();
    const { result } = await context.live(backend, newId());
    const [first, second] = [backend.close(), backend.close()];
    instance(await outcome(result), BackendClosedError);
    await Promise.all([first, second, backend[Symbol.asyncDispose]()]);
    const calls = [
      () => backend.waitFor(newId()),
      () => backend.storeResult(newId(), 1, 'SUCCESS'),
      () => backend.getTaskMeta(newId()),
      () => backend.getMany([newId()]),
      () => backend.forget(newId()),
      () => backend.reloadTaskResult(newId()),
      () => backend.connect(),
      () => backend.ping(),
    ];
    for (const call of calls) matches(await outcome(call()), { code: 'CELERY_BACKEND_CLOSED' });
  });

  test('close lets the stores end that were accepted', async (context) => {
    const ids = Array.from({ length: 50 }, newId);
    const backend = context.backend();
    const stores = ids.map((id) => backend.storeResult(id, 1, 'SUCCESS'));
    await Promise.resolve();
    await backend.close();
    deepStrictEqual(new Set(await Promise.all(stores)), new Set(['stored']));
    const metas = await context.backend().getMany(ids);
    strictEqual(
      [...metas.values()].every((meta) => meta.status === 'SUCCESS'),
      true,
    );
  });

  test('of 2,000 results stored at random moments around their wait, none is missed', async (context) => {
    const [waiter, writer] = [context.backend(), context.backend()];
    await Promise.all([waiter.connect(), writer.connect()]);
    const one = async (): Promise<unknown> => {
      const id = newId();
      const wait = waiter.waitFor(id);
      const moment = Math.random() * 20;
      const stored = delay(moment).then(() => writer.storeResult(id, id, 'SUCCESS'));
      await stored;
      return (await wait) === id;
    };
    const outcomes: unknown[] = [];
    for (let round = 0; round < 40; round += 1) {
      outcomes.push(...(await Promise.all(Array.from({ length: 50 }, one))));
    }
    deepStrictEqual(
      outcomes,
      Array.from({ length: 2_000 }, () => true),
    );
    matches(waiter.stats(), { waits: 0, rescued: 0 });
  });

  test('10,000 waits live on one backend, and leave nothing', async (context) => {
    const [waiter, writer] = [context.backend({ maxCachedResults: -1 }), context.backend()];
    const ids = Array.from({ length: 10_000 }, newId);
    const waits = ids.map((id) => waiter.waitFor(id, { timeout: 300 }));
    for (let from = 0; from < ids.length; from += 500) {
      await Promise.all(ids.slice(from, from + 500).map((id) => writer.storeResult(id, id, 'SUCCESS')));
    }
    deepStrictEqual(await Promise.all(waits), ids);
    matches(waiter.stats(), { waits: 0, rescued: 0 });
  });
}
