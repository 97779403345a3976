import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { BackendClosedError, RemoteError, TimeoutError } from '../../../src/index.ts';
import { type Declare, keyOf, metaText, newId, outcome } from './context.ts';

/** Waiting for results. */
export function waiting(test: Declare): void {
  test('a wait for a stored result resolves with it', async (context) => {
    const id = newId();
    await context.backend().storeResult(id, { n: 1 }, 'SUCCESS');
    expect(await context.backend().waitFor(id)).toEqual({ n: 1 });
  });

  test('a wait resolves when the result is published', async (context) => {
    const id = newId();
    const { result } = await context.live(context.backend(), id);
    await context.backend().storeResult(id, 'now', 'SUCCESS');
    expect(await result).toBe('now');
  });

  test('a hundred waits for one task share one value', async (context) => {
    const id = newId();
    const backend = context.backend();
    const waits = Array.from({ length: 100 }, () => backend.waitFor(id));
    await context.backend().storeResult(id, { n: 1 }, 'SUCCESS');
    const values = await Promise.all(waits);
    expect(new Set(values).size).toBe(1);
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
    expect(first).toBeInstanceOf(RemoteError);
    expect(first).toMatchObject({
      code: 'CELERY_TASK_FAILED',
      taskId: id,
      excType: 'RangeError',
      excArgs: ['too far'],
      message: 'too far',
      traceback: 'the traceback',
    });
    expect((first as Error).stack).toContain('caller');
    expect(second).not.toBe(first);
  });

  test('with propagate off the error is returned', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, new Error('x'), 'FAILURE');
    expect(await backend.waitFor(id, { propagate: false })).toBeInstanceOf(RemoteError);
    await expect(backend.waitFor(id, { propagate: true })).rejects.toThrow('x');
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
    expect(await result).toBe('done');
    expect(seen).toEqual(['SEEN', 'STARTED', 'PROGRESS', 'RETRY', 'SUCCESS']);
  });

  test('a late waiter is shown the present state first', async (context) => {
    const id = newId();
    const backend = context.backend();
    const first = await context.live(backend, id);
    const second = await context.live(backend, id);
    await backend.storeResult(id, 1, 'SUCCESS');
    expect(await Promise.all([first.result, second.result])).toEqual([1, 1]);
  });

  test('a wait without a result ends at its timeout, and leaves nothing', async (context) => {
    const backend = context.backend();
    const id = newId();
    const error = await outcome(backend.waitFor(id, { timeout: 0.05 }));
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: 'CELERY_TIMEOUT', taskId: id, timeout: 0.05, lastLook: 'unready' });
    expect(backend.stats().waits).toBe(0);
  });

  test('timeout 0 reads once, without a subscription', async (context) => {
    const backend = context.backend();
    const id = newId();
    expect(await outcome(backend.waitFor(id, { timeout: 0 }))).toMatchObject({ code: 'CELERY_TIMEOUT', timeout: 0 });
    expect(backend.stats().channels).toBe(0);
    await backend.storeResult(id, 1, 'SUCCESS');
    expect(await backend.waitFor(id, { timeout: 0 })).toBe(1);
  });

  test('undefined, null and Infinity are no limit', async (context) => {
    const id = newId();
    const backend = context.backend();
    const waits = [undefined, null, Infinity].map((timeout) => backend.waitFor(id, { timeout }));
    await backend.storeResult(id, 1, 'SUCCESS');
    expect(await Promise.all(waits)).toEqual([1, 1, 1]);
  });

  test('a wrong timeout, signal or observer is an error before anything is sent', async (context) => {
    const backend = context.backend();
    const wait = backend.waitFor.bind(backend) as (...args: unknown[]) => Promise<unknown>;
    const wrong = [{ timeout: -1 }, { timeout: NaN }, { timeout: '5' }, { signal: {} }, { onMessage: 5 }];
    for (const options of wrong) {
      expect(await outcome(wait(newId(), options))).toMatchObject({ code: 'CELERY_INVALID_ARGUMENT' });
    }
    expect(backend.stats()).toMatchObject({ waits: 0, channels: 0 });
  });

  test('an abort ends a wait with its reason, and others go on', async (context) => {
    const id = newId();
    const backend = context.backend();
    const controller = new AbortController();
    const { result: aborted } = await context.live(backend, id, { signal: controller.signal });
    const { result: other } = await context.live(backend, id);
    controller.abort(new Error('enough'));
    expect(await outcome(aborted)).toEqual(new Error('enough'));
    await backend.storeResult(id, 1, 'SUCCESS');
    expect(await other).toBe(1);
  });

  test('an aborted signal ends a wait before it begins, be the result known or not', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, 1, 'SUCCESS');
    await backend.waitFor(id);
    const signal = AbortSignal.abort(new Error('too late'));
    expect(await outcome(backend.waitFor(id, { signal }))).toEqual(new Error('too late'));
    expect(await outcome(backend.waitFor(newId(), { signal }))).toEqual(new Error('too late'));
  });

  test('an abort ends a wait of timeout 0', async (context) => {
    const controller = new AbortController();
    const wait = outcome(context.backend().waitFor(newId(), { timeout: 0, signal: controller.signal }));
    controller.abort(new Error('enough'));
    expect(await wait).toEqual(new Error('enough'));
  });

  test('an observer that rejects ends its wait, be the result known, read once or waited for', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, 1, 'SUCCESS');
    const onMessage = (): Promise<never> => Promise.reject(new Error('observer'));
    expect(await outcome(backend.waitFor(id, { onMessage, timeout: 0 }))).toEqual(new Error('observer'));
    expect(backend.isCached(id)).toBe(true);
    expect(await outcome(backend.waitFor(id, { onMessage }))).toEqual(new Error('observer'));
    expect(await outcome(context.backend().waitFor(id, { onMessage }))).toEqual(new Error('observer'));
  });

  test('an empty value is no result', async (context) => {
    const id = newId();
    await context.raw.set(keyOf(id), '');
    const backend = context.backend();
    const wait = backend.waitFor(id, { timeout: 30 });
    await backend.storeResult(id, 1, 'SUCCESS');
    expect(await wait).toBe(1);
  });

  test('an observer that throws ends its wait', async (context) => {
    const id = newId();
    const backend = context.backend();
    const onMessage = (): void => {
      throw new Error('observer');
    };
    const wait = outcome(backend.waitFor(id, { onMessage }));
    await backend.storeResult(id, 1, 'STARTED');
    expect(await wait).toEqual(new Error('observer'));
  });

  test('a result that was set and never published is found at the deadline', async (context) => {
    const id = newId();
    const backend = context.backend();
    const { result } = await context.live(backend, id, { timeout: 0.3 });
    await context.raw.set(keyOf(id), metaText(id, 'SUCCESS', 'silent'));
    expect(await result).toBe('silent');
  });

  test('a message that is rubbish or of another task makes the key be read again', async (context) => {
    const id = newId();
    const { result } = await context.live(context.backend(), id);
    await context.raw.publish(keyOf(id), 'rubbish');
    await context.raw.publish(keyOf(id), metaText('other', 'SUCCESS', 'foreign'));
    await context.raw.set(keyOf(id), metaText(id, 'SUCCESS', 'truth'));
    await context.raw.publish(keyOf(id), '');
    expect(await result).toBe('truth');
  });

  test('a wait for a key that does not decode rejects', async (context) => {
    const id = newId();
    await context.raw.set(keyOf(id), 'rubbish');
    expect(await outcome(context.backend().waitFor(id))).toMatchObject({ code: 'CELERY_DECODE' });
  });

  test('a forget does not end a wait: the task may run again', async (context) => {
    const id = newId();
    const backend = context.backend();
    const { result } = await context.live(backend, id);
    await backend.forget(id);
    await context.backend().storeResult(id, 'second run', 'SUCCESS');
    expect(await result).toBe('second run');
  });

  test('close ends every wait, twice is once, and every later call is refused', async (context) => {
    const backend = context.backend();
    const { result } = await context.live(backend, newId());
    const [first, second] = [backend.close(), backend.close()];
    expect(await outcome(result)).toBeInstanceOf(BackendClosedError);
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
    for (const call of calls) expect(await outcome(call())).toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
  });

  test('close lets the stores end that were accepted', async (context) => {
    const ids = Array.from({ length: 50 }, newId);
    const backend = context.backend();
    const stores = ids.map((id) => backend.storeResult(id, 1, 'SUCCESS'));
    await Promise.resolve();
    await backend.close();
    expect(new Set(await Promise.all(stores))).toEqual(new Set(['stored']));
    const metas = await context.backend().getMany(ids);
    expect([...metas.values()].every((meta) => meta.status === 'SUCCESS')).toBe(true);
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
    expect(outcomes).toEqual(Array.from({ length: 2_000 }, () => true));
    expect(waiter.stats()).toMatchObject({ waits: 0, rescued: 0 });
  });

  test('10,000 waits live on one backend, and leave nothing', async (context) => {
    const [waiter, writer] = [context.backend({ maxCachedResults: -1 }), context.backend()];
    const ids = Array.from({ length: 10_000 }, newId);
    const waits = ids.map((id) => waiter.waitFor(id, { timeout: 300 }));
    for (let from = 0; from < ids.length; from += 500) {
      await Promise.all(ids.slice(from, from + 500).map((id) => writer.storeResult(id, id, 'SUCCESS')));
    }
    expect(await Promise.all(waits)).toEqual(ids);
    expect(waiter.stats()).toMatchObject({ waits: 0, rescued: 0 });
  });
}
