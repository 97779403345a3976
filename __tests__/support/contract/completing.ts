import { expect } from '@jest/globals';
import { RemoteError, type Signature, type TaskMeta } from '../../../src/index.ts';
import { Chord } from './chord-context.ts';
import { type Context, type Declare, deferred, keyOf, newId, outcome } from './context.ts';

/** Seconds: short, so that a test can wait for it. */
const LEASE = 0.2;

/** A chord whose two parts are there, as one left it who vanished. */
async function left(context: Context): Promise<Chord> {
  const chord = new Chord(context, { chordLease: LEASE });
  const backend = chord.backend();
  await backend.setChordSize(chord.groupId, 3);
  await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1);
  await backend.onChordPartReturn(chord.request('b', 1), 'SUCCESS', 2);
  await context.raw.set(chord.key('.s'), '2');
  return chord;
}

async function metaOf(context: Context, taskId: string): Promise<TaskMeta> {
  return JSON.parse((await context.raw.get(keyOf(taskId))) ?? 'null') as TaskMeta;
}

const chordError = (text: string): object => ({
  exc_type: 'ChordError',
  exc_message: [text],
  exc_module: 'celery.exceptions',
});

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
      expect(await metaOf(context, chord.bodyId)).toBeNull();
      expect(await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1)).toBe('failed');
      expect(await metaOf(context, chord.bodyId)).toMatchObject({
        status: 'FAILURE',
        result: chordError(`Dependency b raised Inner("it's", 2, None)`),
        children: null,
      });
      expect(await chord.keys()).toEqual({ j: 3, s: '3' });
      expect(chord.sent).toEqual([]);
      // Not even when it comes again.
      expect(await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1)).toBe('elsewhere');
      await expect(backend.waitFor(chord.bodyId, { timeout: 5 })).rejects.toMatchObject({ code: 'CELERY_CHORD' });
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
    expect(calls).toEqual([
      [
        { id: chord.bodyId, task: 'app.body', errbacks: [link], delivery_info: {} },
        "ChordError: Dependency a raised Error('no')",
      ],
    ]);
    expect((await metaOf(context, chord.bodyId)).children).toEqual([[['errback', null], null]]);
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
      expect(await metaOf(context, id)).toMatchObject({
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
      for (const id of [a, b, c]) expect((await metaOf(context, id)).status).toBe('FAILURE');
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
    expect(await backend.onChordPartReturn(chord.request('b', 1, { chord: body }), 'SUCCESS', 2)).toBe('elsewhere');
    expect(chord.sent).toEqual([]);
  });

  test('a body without an id cannot fail visibly, and hangs nobody', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend();
    await backend.setChordSize(chord.groupId, 1);
    const request = chord.request('a', 0, { chord: { task: 'app.body' } });
    expect(await backend.onChordPartReturn(request, 'FAILURE', new Error('no'))).toBe('failed');
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
    expect(chord.sent).toEqual([[chord.body, [[[2, 0], 1]]]]);
    expect(await chord.keys()).toEqual({});
    expect(await backend.restoreGroup(chord.groupId)).not.toBeNull();
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
      expect((await metaOf(context, chord.bodyId)).result).toEqual(chordError(text));
      expect(await chord.keys()).toEqual({ j: 2, s: '2' });
    }
  });

  test('a part, a saved header or a size that cannot be read fails the body', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend();
    await backend.setChordSize(chord.groupId, 1);
    await context.raw.set(`celery-taskset-meta-${chord.groupId}`, 'rubbish');
    expect(await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1)).toBe('failed');
    expect(await outcome(backend.waitFor(chord.bodyId))).toMatchObject({
      message: expect.stringMatching(/^Join error: DecodeError\(/),
    });

    const unsized = new Chord(context);
    await context.raw.set(unsized.key('.s'), 'many');
    expect(await unsized.backend().onChordPartReturn(unsized.request('a', 0), 'SUCCESS', 1)).toBe('failed');
    expect((await metaOf(context, unsized.bodyId)).status).toBe('FAILURE');
    expect(await unsized.backend().onChordPartReturn(unsized.request('b', 0), 'SUCCESS', 1)).toBe('elsewhere');

    const foreign = new Chord(context);
    await foreign.backend({ serializer: 'msgpack' }).onChordPartReturn(foreign.request('a', 0), 'SUCCESS', 1);
    await backend.setChordSize(foreign.groupId, 2);
    expect(await foreign.backend().onChordPartReturn(foreign.request('b', 1), 'SUCCESS', 1)).toBe('failed');
  });

  test('a body that could not be sent fails, and the next part that comes sends it', async (context) => {
    for (const value of [1, 'another']) {
      const chord = new Chord(context);
      const backend = chord.backend();
      chord.onSend = () => Promise.reject(new TypeError('no broker'));
      const request = chord.request(newId(), 0);
      await backend.setChordSize(chord.groupId, 1);
      expect(await outcome(backend.markAsDone(request.id, 1, { request }))).toMatchObject({
        code: 'CELERY_CHORD_UNSENT',
        cause: { message: 'no broker' },
      });
      expect(await backend.getStatus(request.id)).toBe('SUCCESS');
      expect((await metaOf(context, chord.bodyId)).result).toEqual(
        chordError("Callback error: TypeError('no broker')"),
      );
      expect(await chord.keys()).toEqual({ j: 1, s: '1', c: 'open' });
      chord.onSend = () => Promise.resolve();
      expect(await chord.backend().onChordPartReturn(request, 'SUCCESS', value)).toBe('sent');
      expect(chord.sent.at(-1)).toEqual([chord.body, [[value]]]);
      expect(await chord.keys()).toEqual({});
    }
  });

  test('a body that was sent although sending failed is not sent again once it is ready', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend();
    chord.onSend = async () => {
      await backend.storeResult(chord.bodyId, 'ran', 'SUCCESS');
      throw new Error('no answer from the broker');
    };
    await backend.setChordSize(chord.groupId, 1);
    expect(await outcome(backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1))).toMatchObject({
      code: 'CELERY_CHORD_UNSENT',
    });
    expect(await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1)).toBe('elsewhere');
    expect(chord.sent.length).toBe(1);
    expect(await backend.waitFor(chord.bodyId)).toBe('ran');
    expect(await chord.keys()).toEqual({});
  });

  test('parts that all come twice at the same time send one body', async (context) => {
    const chord = new Chord(context, { chordLease: LEASE });
    const workers = Array.from({ length: 5 }, () => chord.backend());
    await chord.backend().setChordSize(chord.groupId, 20);
    const calls = Array.from({ length: 40 }, (_, i) => {
      const place = i % 20;
      const worker = workers[i % 5] ?? chord.backend();
      return worker.onChordPartReturn(chord.request(`task-${place}`, place), 'SUCCESS', place);
    });
    const outcomes = await Promise.all(calls);
    expect(outcomes.filter((found) => found === 'sent').length).toBe(1);
    expect(chord.sent).toEqual([[chord.body, [Array.from({ length: 20 }, (_, place) => place)]]]);
  });

  test('a part that finds the chord being sent waits until it is gone', async (context) => {
    const chord = new Chord(context, { chordLease: LEASE });
    const [one, other] = [chord.backend(), chord.backend()];
    const [sending, sent] = [deferred<undefined>(), deferred<undefined>()];
    chord.onSend = () => {
      sending.resolve(undefined);
      return sent.promise;
    };
    await one.setChordSize(chord.groupId, 1);
    const first = one.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1);
    await sending.promise;
    expect(await chord.keys()).toMatchObject({ j: 1, s: '1' });
    const second = other.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1);
    const third = other.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 'another');
    // Stores of one task are made in their order: once the third is there, so is the second.
    const isThere = async (): Promise<boolean> => (await context.raw.members(chord.key('.j')))[0]?.[0].includes('another') === true; // prettier-ignore
    while (!(await isThere()));
    sent.resolve(undefined);
    expect(await Promise.all([first, second, third])).toEqual(['sent', 'elsewhere', 'elsewhere']);
    expect(chord.sent.length).toBe(1);
  });

  test('a complete chord that nobody completes is taken over after a lease, by one of many', async (context) => {
    const chord = await left(context);
    const calls = Array.from({ length: 8 }, () =>
      chord.backend().onChordPartReturn(chord.request('b', 1), 'SUCCESS', 2),
    );
    const outcomes = await Promise.all(calls);
    expect(outcomes.sort()).toEqual([...Array.from({ length: 7 }, () => 'elsewhere'), 'sent']);
    expect(chord.sent).toEqual([[chord.body, [[1, 2]]]]);
    expect(await chord.keys()).toEqual({});
  });

  test('a complete chord whose body is ready is left alone at once', async (context) => {
    const chord = await left(context);
    await chord.backend().storeResult(chord.bodyId, 'ran', 'SUCCESS');
    const backend = chord.backend({ chordLease: 3600 });
    expect(await backend.onChordPartReturn(chord.request('b', 1), 'SUCCESS', 2)).toBe('elsewhere');
    expect(chord.sent).toEqual([]);
    expect(await chord.keys()).toEqual({ j: 2, s: '2' });
  });

  test('close ends the wait for another worker, and waits for a body that is being sent', async (context) => {
    const chord = await left(context);
    const waiting = chord.backend({ chordLease: 3600 });
    const call = outcome(waiting.onChordPartReturn(chord.request('b', 1), 'SUCCESS', 2));
    await chord.backend().getStatus('x');
    await waiting.close();
    expect(await call).toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });

    const other = new Chord(context);
    const [sending, sent] = [deferred<undefined>(), deferred<undefined>()];
    other.onSend = () => {
      sending.resolve(undefined);
      return sent.promise;
    };
    const backend = other.backend();
    await backend.setChordSize(other.groupId, 1);
    const sender = backend.onChordPartReturn(other.request('a', 0), 'SUCCESS', 1);
    await sending.promise;
    const closed = backend.close();
    sent.resolve(undefined);
    await closed;
    expect(await sender).toBe('sent');
    expect(await other.keys()).toEqual({});
  });

  test('close while the results of a header are awaited leaves the chord to the next part', async (context) => {
    const chord = new Chord(context, { chordJoinTimeout: 3600 });
    const backend = chord.backend();
    const missing = newId();
    await backend.applyChord([[chord.groupId, null], [[['g', null], [[[missing, null], null]]]]]);
    await backend.setChordSize(chord.groupId, 1);
    const call = outcome(backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1));
    while (backend.stats().waits === 0) await chord.backend().getStatus('x');
    await backend.close();
    expect(await call).toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
    expect(await chord.keys()).toEqual({ j: 1, s: '1', c: 'open' });
    const next = chord.backend();
    await next.storeResult(missing, 'late', 'SUCCESS');
    expect(await next.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1)).toBe('sent');
    expect(chord.sent).toEqual([[chord.body, [[['late']]]]]);
  });
}
