import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import { matches } from './assert.ts';
import {
  type ErrbackCall,
  type ResultTuple,
  type Signature,
  type SignatureOptions,
  type TaskRequest,
} from '../../index.ts';
import { Chord, metaOf } from './chord-context.ts';
import { type Declare, keyOf, newId, outcome } from './context.ts';

/** What a worker tells of its tasks. */
export function working(test: Declare): void {
  test('a task that begins, is retried, ends, fails or is revoked has the meta of Celery', async (context) => {
    const backend = context.backend();
    const [a, b, c] = [newId(), newId(), newId()];
    const request = { id: a, group: 'g', parent_id: 'p' };
    strictEqual(await backend.markAsStarted(a, { pid: 7, hostname: 'celery@host' }, { request }), 'stored');
    matches(await metaOf(context, a), {
      status: 'STARTED',
      result: { pid: 7, hostname: 'celery@host' },
      date_done: null,
    });
    strictEqual(await backend.markAsRetry(a, null, { request, traceback: 'tb' }), 'stored');
    matches(await metaOf(context, a), { status: 'RETRY', result: null, traceback: 'tb', children: [] });
    strictEqual(await backend.markAsDone(a, 5, { request }), 'stored');
    matches(await metaOf(context, a), { status: 'SUCCESS', result: 5, group_id: 'g', parent_id: 'p' });
    strictEqual(await backend.markAsFailure(a, new Error('late')), 'kept');
    strictEqual(await backend.markAsFailure(b, new TypeError('no'), { traceback: 'tb\n' }), 'stored');
    matches(await metaOf(context, b), {
      status: 'FAILURE',
      result: { exc_type: 'TypeError', exc_message: ['no'], exc_module: 'builtins' },
      traceback: 'tb\n',
      children: null,
    });
    strictEqual(await backend.markAsRevoked(c, 'expired', { request: { id: c } }), 'stored');
    matches(await metaOf(context, c), {
      status: 'REVOKED',
      result: { exc_type: 'TaskRevokedError', exc_message: ['expired'], exc_module: 'celery.exceptions' },
      traceback: null,
      children: [],
    });
    await backend.markAsRevoked(b);
    matches(await metaOf(context, b), { status: 'REVOKED', result: { exc_message: [''] } });
    await backend.markAsDone(c, 1, { state: 'CUSTOM' });
    strictEqual((await metaOf(context, c)).status, 'CUSTOM');
  });

  test('an ignored result is not stored, a failure neither unless errors are; its part of the chord is returned', async (context) => {
    const request = { ignore_result: true };
    const forms = [
      [context.backend(), request, false],
      [context.backend({ ignoreResult: true }), {}, false],
      [context.backend({ storeErrorsEvenIfIgnored: true }), request, true],
      [context.backend({}, { conf: { taskIgnoreResult: true, taskStoreErrorsEvenIfIgnored: true } }), undefined, true],
    ] as const;
    for (const [backend, request, storesErrors] of forms) {
      const id = newId();
      const options = { ...(request && { request }) };
      strictEqual(await backend.markAsStarted(id, {}, options), 'ignored');
      strictEqual(await backend.markAsDone(id, 1, options), 'ignored');
      strictEqual(await context.raw.get(keyOf(id)), null);
      for (const mark of ['markAsRetry', 'markAsFailure', 'markAsRevoked'] as const) {
        strictEqual(await backend[mark](id, 'x', options), storesErrors ? 'stored' : 'ignored');
      }
    }
    const chord = new Chord(context);
    const backend = chord.backend({ ignoreResult: true });
    await backend.setChordSize(chord.groupId, 3);
    strictEqual(await backend.markAsDone('a', 1, { request: chord.request('a', 0) }), 'ignored');
    strictEqual(await backend.markAsDone('b', 2, { request: chord.request('b', 1), storeResult: true }), 'ignored');
    const own = chord.request('c', 2, { ignore_result: false });
    strictEqual(await backend.markAsDone('c', 3, { request: own, storeResult: false }), 'ignored');
    deepStrictEqual(chord.sent, [[chord.body, [[1, 2, 3]]]]);
    strictEqual(await backend.markAsFailure(newId(), 'x', { storeResult: true }), 'stored');
    strictEqual(await context.backend().markAsRetry(newId(), 'x', { storeResult: false }), 'ignored');
  });

  test('error callbacks find the failure stored, whose children they become, after those it has', async (context) => {
    const id = newId();
    const calls: unknown[] = [];
    const app = {
      callErrbacks: async ({ request, error, traceback }: ErrbackCall): Promise<readonly ResultTuple[]> => {
        calls.push([request.id, request.errbacks, error, traceback, (await metaOf(context, id)).status]);
        return [[['errback', null], null]];
      },
    };
    const errbacks = [{ task: 'app.on_error' }];
    const error = new Error('no');
    const children = [[['child', null], null]] as const;
    const backend = context.backend({}, app);
    await backend.markAsFailure(id, error, { request: { errbacks, children }, traceback: 'tb' });
    deepStrictEqual(calls, [[id, errbacks, error, 'tb', 'FAILURE']]);
    deepStrictEqual((await metaOf(context, id)).children, [
      [['child', null], null],
      [['errback', null], null],
    ]);
    await backend.markAsFailure(id, error, { request: { errbacks }, callErrbacks: false });
    await backend.markAsFailure(id, error, { request: { errbacks: [] } });
    strictEqual(calls.length, 1);
  });

  test('error callbacks that cannot be sent do not keep the failure from being stored', async (context) => {
    const reason = new Error('no broker');
    const forms = [() => Promise.reject(reason), () => { throw reason; }, () => [['rubbish']] as never]; // prettier-ignore
    for (const callErrbacks of forms) {
      const chord = new Chord(context);
      const backend = context.backend({}, { ...chord.app, callErrbacks });
      await backend.setChordSize(chord.groupId, 1);
      const request = chord.request(newId(), 0, { errbacks: [{ task: 'app.on_error' }] });
      const found = await outcome(backend.markAsFailure(request.id, new Error('x'), { request }));
      strictEqual(found === reason || (found as { code?: string }).code === 'CELERY_DECODE', true);
      strictEqual((await metaOf(context, request.id)).status, 'FAILURE');
      strictEqual((await metaOf(context, chord.bodyId)).status, 'FAILURE');
    }
  });

  test('a failure is that of all that follows in the chain, of parts of chords and the bodies of chords there', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend({ extended: true });
    await backend.setChordSize(chord.groupId, 2);
    const [last, inner, body, id] = [newId(), newId(), newId(), newId()];
    const signature = (task: string, options: SignatureOptions, more: object = {}): Signature => ({ task, args: [1], kwargs: { k: 2 }, options, ...more }); // prettier-ignore
    const part = { group_id: chord.groupId, chord: chord.body };
    const chain = [
      signature('app.last', { task_id: last, group_index: 0, ...part }),
      signature('app.nameless', {}),
      signature('celery.chord', {}, {
        kwargs: { body: signature('celery.chord', { task_id: inner }, { kwargs: { body: signature('app.body', { task_id: body, group_index: 1, ...part }) } }) },
      }),
    ]; // prettier-ignore
    await backend.markAsFailure(id, new TypeError('no'), { request: { id, chain, hostname: 'h' }, traceback: 'tb' });
    for (const taskId of [id, last, inner, body]) {
      matches(await metaOf(context, taskId), {
        status: 'FAILURE',
        traceback: 'tb',
        result: { exc_message: ['no'] },
      });
    }
    matches(await metaOf(context, last), {
      name: 'app.last',
      args: [1],
      kwargs: { k: 2 },
      worker: null,
      retries: 0,
      group_id: chord.groupId,
    });
    strictEqual((await context.raw.members(chord.key('.j'))).length, 2);
    matches((await metaOf(context, chord.bodyId)).result, { exc_type: 'ChordError' });
  });

  test('a chord that cannot be served does not keep the failure from the rest of the chain and its callbacks', async (context) => {
    const chord = new Chord(context);
    const calls: unknown[] = [];
    const app = {
      callErrbacks: ({ request }: ErrbackCall): readonly ResultTuple[] => {
        calls.push(request.id);
        return [];
      },
    };
    const backend = context.backend({}, app);
    const [id, last] = [newId(), newId()];
    const chain = [{ task: 'app.last', options: { task_id: last } }];
    const request = chord.request(id, 0, { chain, errbacks: [{ task: 'app.on_error' }] });
    matches(await outcome(backend.markAsFailure(id, new Error('no'), { request })), {
      code: 'CELERY_IMPROPERLY_CONFIGURED',
    });
    for (const taskId of [id, last]) strictEqual((await metaOf(context, taskId)).status, 'FAILURE');
    deepStrictEqual(calls, [id]);
  });

  test('the chain after an ignored failure is not stored, but its parts of chords are returned', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend();
    const last = newId();
    const options = { task_id: last, group_id: chord.groupId, chord: chord.body };
    const request: TaskRequest = { ignore_result: true, chain: [{ task: 'app.last', options }] };
    strictEqual(await backend.markAsFailure(newId(), new Error('no'), { request }), 'ignored');
    strictEqual(await metaOf(context, last), null);
    deepStrictEqual(await chord.keys(), { j: 1 });
  });

  test('an error that was read from a backend is stored as it was', async (context) => {
    const backend = context.backend();
    const infos = [
      { exc_type: 'Outer.Inner', exc_message: ['a', 2, { k: null }], exc_module: 'app.errors' },
      { exc_type: 'ChordError', exc_message: ['x'], exc_module: 'celery.exceptions' },
      { exc_type: 'TaskRevokedError', exc_message: [], exc_module: 'celery.exceptions' },
      { exc_type: 'UnpickleableExceptionWrapper', exc_message: ['app', 'NeedsTwo', ['404'], "NeedsTwo('404')"], exc_module: 'celery.utils.serialization' },
    ]; // prettier-ignore
    for (const info of infos) {
      const [id, again] = [newId(), newId()];
      await backend.markAsFailure(id, info, { traceback: 'tb of Python' });
      await backend.markAsFailure(again, await backend.getResult(id));
      matches(await metaOf(context, again), { result: info, traceback: 'tb of Python' });
    }
  });
}
