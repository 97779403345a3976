import { deepStrictEqual, match, notStrictEqual, strictEqual } from 'node:assert/strict';
import { matches } from './assert.ts';
import { RemoteError, type Signature } from '../../index.ts';
import { Chord, chordError, left, metaOf } from './chord-context.ts';
import { type Declare, newId, outcome } from './context.ts';

/** How chords end. */
export function completing(test: Declare): void {
  test('a part that failed or was revoked fails the body once all are there, and the keys are left to expire', async (context) => {
    for (const state of ['FAILURE', 'REVOKED']) {
      const chord = new Chord(context);
      const backend = chord.backend();
      await backend.setChordSize(chord.groupId, 3);
      const fields = {
        taskId: 'b',
        excType: 'Outer.Inner',
        excModule: 'app',
        excArgs: ["it's", 2, null],
        traceback: null,
      };
      await backend.onChordPartReturn(chord.request('b', 1), state, new RemoteError('', fields));
      await backend.onChordPartReturn(chord.request('c', 2), 'FAILURE', new Error('later'));
      strictEqual(await metaOf(context, chord.bodyId), null);
      strictEqual(await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1), 'failed');
      matches(await metaOf(context, chord.bodyId), {
        status: 'FAILURE',
        result: chordError(`Dependency b raised Inner("it's", 2, None)`),
        children: null,
      });
      deepStrictEqual(await chord.keys(), { j: 3, s: '3' });
      deepStrictEqual(chord.sent, []);
      // Not even when it comes again.
      strictEqual(await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1), 'elsewhere');
      matches(await outcome(backend.waitFor(chord.bodyId, { timeout: 5 })), { code: 'CELERY_CHORD' });
    }
  });

  test('the error callbacks of a body that fails are sent, and become its children', async (context) => {
    const chord = new Chord(context);
    const calls: unknown[] = [];
    const link = { task: 'app.on_error' };
    const app = {
      ...chord.app,
      callErrbacks: ({ request, error }: { request: object; error: unknown }) => {
        calls.push([request, String(error)]);
        return [[['errback', null], null]] as const;
      },
    };
    const backend = context.backend({}, app);
    const body = { ...chord.body, options: { ...chord.body.options, link_error: [link] } };
    await backend.setChordSize(chord.groupId, 1);
    await backend.onChordPartReturn(chord.request('a', 0, { chord: body }), 'FAILURE', new Error('no'));
    deepStrictEqual(calls, [
      [
        { id: chord.bodyId, task: 'app.body', errbacks: [link], delivery_info: {} },
        "ChordError: Dependency a raised Error('no')",
      ],
    ]);
    deepStrictEqual((await metaOf(context, chord.bodyId)).children, [[['errback', null], null]]);
  });

  test('a body that is a group fails member by member, with the exception of the part', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend();
    const [one, two] = [newId(), newId()];
    const member = (id: string): object => ({ task: 'app.member', options: { task_id: id } });
    const body = { ...chord.body, task: 'celery.group', kwargs: { tasks: [member(one), member(two), 'rubbish'] } };
    await backend.setChordSize(chord.groupId, 1);
    await backend.onChordPartReturn(chord.request('a', 0, { chord: body }), 'FAILURE', new TypeError('no'));
    for (const id of [one, two, chord.bodyId]) {
      matches(await metaOf(context, id), {
        status: 'FAILURE',
        result: { exc_type: 'TypeError', exc_message: ['no'] },
      });
    }
  });

  test('a body that is a chain fails task by task, and in a group and a chord too', async (context) => {
    const task = (id: string): object => ({ task: 'app.step', options: { task_id: id } });
    const chain = (...ids: string[]): object => ({
      task: 'celery.chain',
      kwargs: { tasks: ids.map(task) },
      options: {},
    });
    const [a, b, c] = [newId(), newId(), newId()];
    const chordOf = (body: object): object => ({
      task: 'celery.chord',
      kwargs: { body },
      options: { task_id: newId() },
    });
    const group = { task: 'celery.group', kwargs: { tasks: [task(a), chain(b, c)] }, options: {} };
    for (const body of [chain(a, b, c), group, chordOf(chain(a, b, c))]) {
      const chord = new Chord(context);
      const backend = chord.backend();
      for (const id of [a, b, c]) await backend.forget(id);
      await backend.setChordSize(chord.groupId, 1);
      await backend.onChordPartReturn(chord.request('a', 0, { chord: body as Signature }), 'FAILURE', new Error('no'));
      for (const id of [a, b, c]) strictEqual((await metaOf(context, id)).status, 'FAILURE');
    }
  });

  test('a body that is a chain, whose last task is ready, is not sent again', async (context) => {
    const chord = await left(context);
    const [first, last] = [newId(), newId()];
    const tasks = [first, last].map((id) => ({ task: 'app.step', options: { task_id: id } }));
    const body = { task: 'celery.chain', kwargs: { tasks }, options: {} };
    await chord.backend().storeResult(first, 1, 'SUCCESS');
    await chord.backend().storeResult(last, 'ran', 'SUCCESS');
    const backend = chord.backend({ chordLease: 3600 });
    strictEqual(await backend.onChordPartReturn(chord.request('b', 1, { chord: body }), 'SUCCESS', 2), 'elsewhere');
    deepStrictEqual(chord.sent, []);
  });

  test('a body without an id cannot fail visibly, and hangs nobody', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend();
    await backend.setChordSize(chord.groupId, 1);
    const request = chord.request('a', 0, { chord: { task: 'app.body' } });
    strictEqual(await backend.onChordPartReturn(request, 'FAILURE', new Error('no')), 'failed');
  });

  test('a header with groups gives its results in its own shape', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend();
    const [a, b, c] = [newId(), newId(), newId()];
    await backend.applyChord([
      [chord.groupId, null],
      [
        [
          ['g', null],
          [
            [[a, null], null],
            [[b, null], null],
          ],
        ],
        [[c, null], null],
      ],
    ]);
    await backend.setChordSize(chord.groupId, 3);
    for (const [index, id] of [b, c, a].entries()) {
      await backend.markAsDone(id, index, { request: chord.request(id, index) });
    }
    deepStrictEqual(chord.sent, [[chord.body, [[[2, 0], 1]]]]);
    deepStrictEqual(await chord.keys(), {});
    notStrictEqual(await backend.restoreGroup(chord.groupId), null);
  });

  test('a header with groups whose results fail, or do not come in time, fails the body', async (context) => {
    for (const [missing, text] of [
      [false, "Join error: TypeError('no')"],
      [true, "Join error: TimeoutError('The operation timed out.')"],
    ] as const) {
      const chord = new Chord(context, { chordJoinTimeout: 0.05 });
      const backend = chord.backend();
      const [a, b] = [newId(), newId()];
      await backend.applyChord([
        [chord.groupId, null],
        [
          [['g', null], [[[missing ? newId() : a, null], null]]],
          [[b, null], null],
        ],
      ]);
      await backend.setChordSize(chord.groupId, 2);
      await backend.markAsDone(b, 1, { request: chord.request(b, 1) });
      await backend.markAsFailure(a, new TypeError('no'), { request: chord.request(a, 0) });
      deepStrictEqual((await metaOf(context, chord.bodyId)).result, chordError(text));
      deepStrictEqual(await chord.keys(), { j: 2, s: '2' });
    }
  });

  test('a part, a saved header or a size that cannot be read fails the body', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend();
    await backend.setChordSize(chord.groupId, 1);
    await context.raw.set(`celery-taskset-meta-${chord.groupId}`, 'rubbish');
    strictEqual(await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1), 'failed');
    match(String(await outcome(backend.waitFor(chord.bodyId))), /^ChordError: Join error: DecodeError\(/);

    const unsized = new Chord(context);
    await context.raw.set(unsized.key('.s'), 'many');
    strictEqual(await unsized.backend().onChordPartReturn(unsized.request('a', 0), 'SUCCESS', 1), 'failed');
    strictEqual((await metaOf(context, unsized.bodyId)).status, 'FAILURE');
    strictEqual(await unsized.backend().onChordPartReturn(unsized.request('b', 0), 'SUCCESS', 1), 'elsewhere');

    const foreign = new Chord(context);
    await foreign.backend({ serializer: 'msgpack' }).onChordPartReturn(foreign.request('a', 0), 'SUCCESS', 1);
    await backend.setChordSize(foreign.groupId, 2);
    strictEqual(await foreign.backend().onChordPartReturn(foreign.request('b', 1), 'SUCCESS', 1), 'failed');
  });
}
