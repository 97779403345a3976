import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import { matches } from './assert.ts';
import { Chord, chordError, LEASE, left, metaOf } from './chord-context.ts';
import { type Declare, deferred, newId, outcome } from './context.ts';

/** How the bodies of chords are sent: once, be it by another, whatever fails. */
export function sending(test: Declare): void {
  test('a body that could not be sent fails, and the next part that comes sends it', async (context) => {
    for (const value of [1, 'another']) {
      const chord = new Chord(context);
      const backend = chord.backend();
      chord.onSend = () => Promise.reject(new TypeError('no broker'));
      const request = chord.request(newId(), 0);
      await backend.setChordSize(chord.groupId, 1);
      matches(await outcome(backend.markAsDone(request.id, 1, { request })), {
        code: 'CELERY_CHORD_UNSENT',
        cause: { message: 'no broker' },
      });
      strictEqual(await backend.getStatus(request.id), 'SUCCESS');
      deepStrictEqual(
        (await metaOf(context, chord.bodyId)).result,
        chordError("Callback error: TypeError('no broker')"),
      );
      deepStrictEqual(await chord.keys(), { j: 1, s: '1', c: 'open' });
      chord.onSend = () => Promise.resolve();
      strictEqual(await chord.backend().onChordPartReturn(request, 'SUCCESS', value), 'sent');
      deepStrictEqual(chord.sent.at(-1), [chord.body, [[value]]]);
      deepStrictEqual(await chord.keys(), {});
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
    matches(await outcome(backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1)), {
      code: 'CELERY_CHORD_UNSENT',
    });
    strictEqual(await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1), 'elsewhere');
    strictEqual(chord.sent.length, 1);
    strictEqual(await backend.waitFor(chord.bodyId), 'ran');
    deepStrictEqual(await chord.keys(), {});
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
    strictEqual(outcomes.filter((found) => found === 'sent').length, 1);
    deepStrictEqual(chord.sent, [[chord.body, [Array.from({ length: 20 }, (_, place) => place)]]]);
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
    matches(await chord.keys(), { j: 1, s: '1' });
    const second = other.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1);
    const third = other.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 'another');
    // Stores of one task are made in their order: once the third is there, so is the second.
    const isThere = async (): Promise<boolean> => (await context.raw.members(chord.key('.j')))[0]?.[0].includes('another') === true; // prettier-ignore
    while (!(await isThere()));
    sent.resolve(undefined);
    deepStrictEqual(await Promise.all([first, second, third]), ['sent', 'elsewhere', 'elsewhere']);
    strictEqual(chord.sent.length, 1);
  });

  test('a complete chord that nobody completes is taken over after a lease, by one of many', async (context) => {
    const chord = await left(context);
    const calls = Array.from({ length: 8 }, () =>
      chord.backend().onChordPartReturn(chord.request('b', 1), 'SUCCESS', 2),
    );
    const outcomes = await Promise.all(calls);
    deepStrictEqual(outcomes.sort(), [...Array.from({ length: 7 }, () => 'elsewhere'), 'sent']);
    deepStrictEqual(chord.sent, [[chord.body, [[1, 2]]]]);
    deepStrictEqual(await chord.keys(), {});
  });

  test('a complete chord whose body is ready is left alone at once', async (context) => {
    const chord = await left(context);
    await chord.backend().storeResult(chord.bodyId, 'ran', 'SUCCESS');
    const backend = chord.backend({ chordLease: 3600 });
    strictEqual(await backend.onChordPartReturn(chord.request('b', 1), 'SUCCESS', 2), 'elsewhere');
    deepStrictEqual(chord.sent, []);
    deepStrictEqual(await chord.keys(), { j: 2, s: '2' });
  });

  test('close ends the wait for another worker, and waits for a body that is being sent', async (context) => {
    const chord = await left(context);
    const waiting = chord.backend({ chordLease: 3600 });
    const call = outcome(waiting.onChordPartReturn(chord.request('b', 1), 'SUCCESS', 2));
    await chord.backend().getStatus('x');
    await waiting.close();
    matches(await call, { code: 'CELERY_BACKEND_CLOSED' });

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
    strictEqual(await sender, 'sent');
    deepStrictEqual(await other.keys(), {});
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
    matches(await call, { code: 'CELERY_BACKEND_CLOSED' });
    deepStrictEqual(await chord.keys(), { j: 1, s: '1', c: 'open' });
    const next = chord.backend();
    await next.storeResult(missing, 'late', 'SUCCESS');
    strictEqual(await next.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1), 'sent');
    deepStrictEqual(chord.sent, [[chord.body, [[['late']]]]]);
  });
}
