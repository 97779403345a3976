import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import { instance, matches } from './assert.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { RemoteError, type TaskMeta } from '../../index.ts';
import { type Declare, deferred, keyOf, metaText, newId, newIdsOfSlot, outcome } from './context.ts';

/** Subscriptions from before a task is sent. */
export function holding(test: Declare): void {
  test('what came after onTaskCall is there when the first wait comes, without a read', async (context) => {
    const [good = '', bad = '', later = ''] = newIdsOfSlot(3);
    const [producer, worker] = [context.backend({ maxCachedResults: -1 }), context.backend()];
    await Promise.all([producer.onTaskCall(good), producer.onTaskCall(bad)]);
    matches(producer.stats(), { held: 2, waits: 0 });
    await worker.storeResult(good, { n: 1 }, 'SUCCESS');
    await worker.storeResult(bad, new Error('boom'), 'FAILURE');
    await worker.storeResult(bad, 'better', 'SUCCESS');
    const last = deferred<undefined>();
    const onMessage = ({ status }: TaskMeta): void => {
      if (status === 'LAST') last.resolve(undefined);
    };
    const { result } = await context.live(producer, later, { onMessage });
    // Its message comes after theirs, from the same server over the same connection.
    await worker.storeResult(later, null, 'LAST');
    await last.promise;
    await context.raw.del(keyOf(good));
    await context.raw.del(keyOf(bad));
    deepStrictEqual(await producer.waitFor(good), { n: 1 });
    strictEqual(await producer.waitFor(bad), 'better');
    strictEqual(producer.stats().held, 0);
    await worker.storeResult(later, 1, 'SUCCESS');
    await result;
  });

  test('a failure that came after onTaskCall is read by the first wait, one or of many', async (context) => {
    const [one = '', many = '', polled = '', later = ''] = newIdsOfSlot(4);
    const [producer, worker] = [context.backend(), context.backend()];
    await Promise.all([one, many, polled].map((id) => producer.onTaskCall(id)));
    for (const id of [one, many, polled]) await worker.storeResult(id, new Error('boom'), 'FAILURE');
    const { result } = await context.live(producer, later);
    strictEqual(producer.stats().held, 3);
    instance(await outcome(producer.waitFor(one)), RemoteError);
    for await (const { status } of producer.asCompleted([many])) strictEqual(status, 'FAILURE');
    instance(await outcome(producer.waitFor(polled, { timeout: 0 })), RemoteError);
    strictEqual(producer.stats().held, 0);
    await worker.storeResult(later, 1, 'SUCCESS');
    await result;
  });

  test('a wait after onTaskCall finds what was stored before it, published or not', async (context) => {
    const id = newId();
    const producer = context.backend();
    await context.raw.set(keyOf(id), metaText(id, 'SUCCESS', 'silent'));
    await producer.onTaskCall(id);
    strictEqual(await producer.waitFor(id), 'silent');
    strictEqual(producer.stats().held, 0);
  });

  test('forget drops what onTaskCall holds', async (context) => {
    const id = newId();
    const producer = context.backend();
    await producer.onTaskCall(id);
    await producer.forget(id);
    strictEqual(producer.stats().held, 0);
    matches(await outcome(producer.waitFor(id, { timeout: 0.05 })), { code: 'CELERY_TIMEOUT' });
  });

  test('onTaskCall never rejects: not for a wrong id, not after close', async (context) => {
    const producer = context.backend();
    const call = producer.onTaskCall.bind(producer) as (id: unknown) => Promise<void>;
    for (const id of [undefined, null, 5, '', 'a\nb']) await call(id);
    matches(producer.stats(), { held: 0, channels: 0 });
    const [open, closing] = [producer.onTaskCall(newId()), producer.close()];
    await Promise.all([open, closing]);
    await producer.onTaskCall(newId());
    matches(producer.stats(), { held: 0, channels: 0 });
  });

  test('of 2,000 results of tasks called for and sent, awaited at random moments, none is missed', async (context) => {
    const [producer, worker] = [context.backend(), context.backend()];
    await Promise.all([producer.connect(), worker.connect()]);
    const one = async (): Promise<boolean> => {
      const id = newId();
      await producer.onTaskCall(id);
      const stored = delay(Math.random() * 10).then(() => worker.storeResult(id, id, 'SUCCESS'));
      await delay(Math.random() * 20);
      const value = await producer.waitFor(id);
      await stored;
      return value === id;
    };
    const outcomes: boolean[] = [];
    for (let round = 0; round < 40; round += 1) {
      outcomes.push(...(await Promise.all(Array.from({ length: 50 }, one))));
    }
    deepStrictEqual(
      outcomes,
      Array.from({ length: 2_000 }, () => true),
    );
    matches(producer.stats(), { waits: 0, held: 0, rescued: 0 });
  });
}
