import { deepStrictEqual, match, strictEqual } from 'node:assert/strict';
import { contains, instance, matches } from './assert.ts';
import { type BaseBackend, RemoteError } from '../../index.ts';
import { type Declare, deferred, keyOf, metaText, newId, outcome } from './context.ts';

const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/;

/** Storing results. */
export function storing(test: Declare): void {
  test('a store writes the fields of Celery in their order, as ASCII JSON', async (context) => {
    const id = newId();
    const backend = context.backend();
    strictEqual(await backend.storeResult(id, { ok: 'é' }, 'SUCCESS'), 'stored');
    const text = (await context.raw.get(keyOf(id))) ?? '';
    const { date_done: date } = JSON.parse(text) as { date_done: string };
    match(date, DATE);
    strictEqual(
      text,
      `{"status": "SUCCESS", "result": {"ok": "\\u00e9"}, "traceback": null, "children": null, ` +
        `"date_done": "${date}", "task_id": "${id}"}`,
    );
  });

  test('a store with a request adds group, parent and children; extended adds the fields of the request', async (context) => {
    const id = newId();
    const request = {
      task: 'app.add',
      args: [1, 2],
      kwargs: { k: 1n },
      hostname: 'celery@host',
      retries: 2,
      delivery_info: { routing_key: 'q' },
      group: 'g1',
      parent_id: 'p1',
      children: [[['c1', null], null]] as const,
      stamped_headers: ['mark'],
      stamps: { mark: 'x', status: 'forged' },
    };
    await context.backend({ extended: true }).storeResult(id, 3, 'SUCCESS', { request });
    const meta = JSON.parse((await context.raw.get(keyOf(id))) ?? '') as Record<string, unknown>;
    deepStrictEqual(
      Object.keys(meta),
      'status result traceback children date_done group_id parent_id name args kwargs worker retries queue stamped_headers mark task_id'.split(
        ' ',
      ),
    );
    matches(meta, {
      status: 'SUCCESS',
      children: [[['c1', null], null]],
      group_id: 'g1',
      parent_id: 'p1',
      name: 'app.add',
      args: [1, 2],
      kwargs: { k: 1 },
      worker: 'celery@host',
      retries: 2,
      queue: 'q',
      mark: 'x',
    });
  });

  test('a store publishes the bytes that it stores', async (context) => {
    const id = newId();
    const { promise, resolve } = deferred<string>();
    await context.raw.listen(keyOf(id), resolve);
    await context.backend().storeResult(id, [1, 'é', null], 'SUCCESS');
    strictEqual(await promise, await context.raw.get(keyOf(id)));
  });

  test('a SUCCESS is kept, whatever is stored after it, and nothing is published then', async (context) => {
    const id = newId();
    const backend = context.backend();
    const published: string[] = [];
    const end = deferred<string>();
    await context.raw.listen(keyOf(id), (text) => {
      published.push(text);
      if (text.includes('the end')) end.resolve(text);
    });
    await backend.storeResult(id, 1, 'SUCCESS');
    const before = await context.raw.get(keyOf(id));
    for (const state of ['FAILURE', 'STARTED', 'SUCCESS', 'RETRY', 'PENDING']) {
      strictEqual(
        await backend.storeResult(id, new Error('late'), state).catch(() => 'refused'),
        state === 'FAILURE' || state === 'RETRY' ? 'kept' : 'refused',
      );
    }
    strictEqual(await backend.storeResult(id, 2, 'SUCCESS'), 'kept');
    strictEqual(await context.raw.get(keyOf(id)), before);
    // Of a cluster only what one node publishes has an order.
    await context.raw.del(keyOf(id));
    await backend.storeResult(id, 'the end', 'SUCCESS');
    deepStrictEqual(published, [before, await end.promise]);
  });

  test('any other state is overwritten by any', async (context) => {
    const id = newId();
    const backend = context.backend();
    for (const state of ['PENDING', 'STARTED', 'FAILURE', 'STARTED', 'REVOKED', 'PROGRESS', 'FAILURE', 'SUCCESS']) {
      strictEqual(await backend.storeResult(id, null, state), 'stored');
      strictEqual(await context.backend().getStatus(id), state);
    }
  });

  test('an undecodable present value is overwritten', async (context) => {
    const id = newId();
    for (const rubbish of ['rubbish', '{"status": "SUCC', '[]', '{}', '', 'null', '{"status": 5}']) {
      await context.raw.set(keyOf(id), rubbish);
      strictEqual(await context.backend().storeResult(id, 1, 'STARTED'), 'stored');
    }
  });

  test('the SUCCESS of a writer with other spaces or field order is kept', async (context) => {
    const id = newId();
    await context.raw.set(keyOf(id), `{"task_id":"${id}","result":1,"status":"SUCCESS"}`);
    strictEqual(await context.backend().storeResult(id, 2, 'SUCCESS'), 'kept');
    await context.raw.set(keyOf(id), `{"status":"SUCCESS","result":1,"task_id":"${id}"}`);
    strictEqual(await context.backend().storeResult(id, 2, 'SUCCESS'), 'kept');
  });

  test('a SUCCESS that Python can read and the script cannot is kept', async (context) => {
    const id = newId();
    const deep = `${'['.repeat(900)}${']'.repeat(900)}`;
    for (const result of ['"\\ud83d"', 'NaN', '-Infinity', '9'.repeat(400), deep]) {
      await context.raw.set(keyOf(id), `{"result": ${result}, "status": "SUCCESS"}`);
      strictEqual(await context.backend().storeResult(id, 2, 'FAILURE'), 'kept');
      await context.raw.set(keyOf(id), `{"result": ${result}, "status": "STARTED"}`);
      strictEqual(await context.backend().storeResult(id, 2, 'FAILURE'), 'stored');
    }
  });

  test('of a value that starts with its status the first bytes tell, whatever follows', async (context) => {
    const id = newId();
    for (const value of ['{"status": "SUCCESS", "resu', '{"status":"SUCCESS","status":"STARTED"}']) {
      await context.raw.set(keyOf(id), value);
      strictEqual(await context.backend().storeResult(id, 1, 'FAILURE'), 'kept');
    }
    await context.raw.set(keyOf(id), '{"status":"FAILURE","status":"SUCCESS"}');
    strictEqual(await context.backend().storeResult(id, 1, 'STARTED'), 'stored');
    await context.backend().forget(id);
    strictEqual(await context.backend().storeResult(id, 1, 'STARTED'), 'stored');
  });

  test('a FAILURE whose arguments mention a SUCCESS is no SUCCESS', async (context) => {
    const id = newId();
    const backend = context.backend();
    await backend.storeResult(id, new Error('{"status": "SUCCESS"}'), 'FAILURE');
    strictEqual(await backend.storeResult(id, { status: 'SUCCESS' }, 'SUCCESS'), 'stored');
  });

  test('a result lives for a day, for its own number of whole seconds, or for ever', async (context) => {
    const ttl = async (expires?: number | string | null): Promise<number> => {
      const id = newId();
      await context.backend(expires === undefined ? {} : { expires }).storeResult(id, 1, 'SUCCESS');
      return context.raw.ttl(keyOf(id));
    };
    strictEqual(await ttl(), 86_400);
    strictEqual(await ttl(90.9), 90);
    strictEqual(await ttl('45'), 45);
    strictEqual(await ttl(null), -1);
    strictEqual(await ttl(0), -1);
    strictEqual(await ttl(0.5), -1);
  });

  test('each store begins the life of a result anew', async (context) => {
    const id = newId();
    await context.backend({ expires: 10 }).storeResult(id, 1, 'STARTED');
    await context.backend({ expires: 1000 }).storeResult(id, 1, 'SUCCESS');
    strictEqual(await context.raw.ttl(keyOf(id)), 1000);
  });

  test('a global prefix keeps two applications apart, keys and channels', async (context) => {
    const id = newId();
    const [mine, other] = [
      context.backend({ globalKeyprefix: 'mine' }),
      context.backend({ globalKeyprefix: 'other:' }),
    ];
    const wait = await context.live(other, id);
    await mine.storeResult(id, 'mine', 'SUCCESS');
    strictEqual(await other.getStatus(id), 'SEEN');
    await other.storeResult(id, 'other', 'SUCCESS');
    strictEqual(await wait.result, 'other');
    contains(await context.raw.get(`mine_${keyOf(id)}`), '"mine"');
    contains(await context.raw.get(`other:${keyOf(id)}`), '"other"');
  });

  test('a failure is stored as an exception with the stack as its traceback', async (context) => {
    const id = newId();
    await context.backend().storeResult(id, new RangeError('too far'), 'FAILURE');
    const meta = JSON.parse((await context.raw.get(keyOf(id))) ?? '') as Record<string, unknown>;
    matches(meta['result'], { exc_type: 'RangeError', exc_message: ['too far'] });
    match(String(meta['traceback']), /^RangeError: too far\n {4}at /);
  });

  test('a failure that was read is stored again as it came', async (context) => {
    const [first, second] = [newId(), newId()];
    const info = { exc_type: 'Outer.Inner', exc_message: ['a', 2, null], exc_module: 'some.module' };
    await context.raw.set(keyOf(first), metaText(first, 'FAILURE', info));
    const backend = context.backend();
    const error = await outcome(backend.waitFor(first));
    instance(error, RemoteError);
    await backend.storeResult(second, error, 'FAILURE');
    matches(JSON.parse((await context.raw.get(keyOf(second))) ?? ''), { result: info });
  });

  test('nothing is sent for a wrong id, state or value', async (context) => {
    const backend = context.backend();
    const store = backend.storeResult.bind(backend) as (...args: unknown[]) => Promise<unknown>;
    for (const id of ['', 5, null, undefined, ['a', 'b'], 'a\nb', 'x'.repeat(513), '\ud800', {}]) {
      matches(await outcome(store(id, 1, 'SUCCESS')), { code: 'CELERY_INVALID_ID' });
    }
    for (const state of ['', 5, null]) {
      matches(await outcome(store(newId(), 1, state)), { code: 'CELERY_INVALID_ARGUMENT' });
    }
    const id = newId();
    matches(await outcome(store(id, { deep: [Symbol('s')] }, 'SUCCESS')), { code: 'CELERY_ENCODE' });
    strictEqual(await context.raw.get(keyOf(id)), null);
  });

  test('stores of one task land in the order of their calls', async (context) => {
    const backend = context.backend();
    const ids = Array.from({ length: 20 }, newId);
    const all = ids.flatMap((id) =>
      Array.from({ length: 10 }, (_, step) => backend.storeResult(id, step, `STEP${step}`)),
    );
    deepStrictEqual(new Set(await Promise.all(all)), new Set(['stored']));
    const metas = await backend.getMany(ids);
    deepStrictEqual(
      [...metas.values()].map((meta) => meta.result),
      ids.map(() => 9),
    );
  });

  test('in 2,000 races of a SUCCESS and a FAILURE the SUCCESS stands', async (context) => {
    const [one, other] = [context.backend(), context.backend()];
    const race = async (id: string, first: BaseBackend, second: BaseBackend): Promise<void> => {
      await Promise.all([
        first.storeResult(id, 'right', 'SUCCESS'),
        second.storeResult(id, new Error('late'), 'FAILURE'),
      ]);
    };
    const ids = Array.from({ length: 2_000 }, newId);
    for (let from = 0; from < ids.length; from += 100) {
      await Promise.all(
        ids.slice(from, from + 100).map((id, i) => (i % 2 ? race(id, one, other) : race(id, other, one))),
      );
    }
    const states = [...(await context.backend().getMany(ids)).values()].map((meta) => meta.status);
    deepStrictEqual(new Set(states), new Set(['SUCCESS']));
  });
}
