import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import { matches } from './assert.ts';
import { GroupResult, AsyncResult, type GroupTuple } from '../../index.ts';
import { Chord, chordKey } from './chord-context.ts';
import { type Declare, keyOf, newId, outcome } from './context.ts';

/** Counting the parts of chords. */
export function chords(test: Declare): void {
  test('the size of a chord is a number in text, for a day, in the place of a former one', async (context) => {
    const backend = context.backend();
    const id = newId();
    strictEqual(await backend.setChordSize(id, 3), 'stored');
    strictEqual(await context.raw.get(chordKey(id, '.s')), '3');
    strictEqual(await context.raw.ttl(chordKey(id, '.s')), 86_400);
    await backend.setChordSize(id, 0);
    strictEqual(await context.raw.get(chordKey(id, '.s')), '0');
    strictEqual(await backend.addToChord(id), 1);
    strictEqual(await backend.addToChord(id), 2);
    strictEqual(await context.raw.get(chordKey(id, '.t')), '2');
  });

  test('nothing is sent for a wrong size, header or id, or after close', async (context) => {
    const backend = context.backend();
    const id = newId();
    for (const size of [-1, 1.5, Number.NaN, '2' as never]) {
      matches(await outcome(backend.setChordSize(id, size)), { code: 'CELERY_INVALID_ARGUMENT' });
    }
    matches(await outcome(backend.applyChord(5 as never)), { code: 'CELERY_INVALID_ARGUMENT' });
    matches(await outcome(backend.setChordSize('', 1)), { code: 'CELERY_INVALID_ID' });
    matches(await outcome(backend.addToChord('')), { code: 'CELERY_INVALID_ID' });
    strictEqual(await context.raw.get(chordKey(id, '.s')), null);
    await backend.close();
    const late = [
      () => backend.setChordSize(id, 1),
      () => backend.addToChord(id),
      () => backend.applyChord([[id, null], []]),
      () => backend.onChordPartReturn(new Chord(context).request(newId()), 'SUCCESS', 1),
      () => backend.markAsDone(id, 1),
    ];
    for (const call of late) matches(await outcome(call()), { code: 'CELERY_BACKEND_CLOSED' });
  });

  test('the header of a chord is saved only when there is a group in it', async (context) => {
    const backend = context.backend();
    const id = newId();
    const task = (name: string): AsyncResult => new AsyncResult(name, backend);
    strictEqual(await backend.applyChord(new GroupResult(id, [task('a'), task('b')], backend)), 'simple');
    strictEqual(await backend.restoreGroup(id), null);
    const nested: GroupTuple = [
      [id, null],
      [
        [['g', null], [[['a', null], null]]],
        [['b', null], null],
      ],
    ];
    strictEqual(await backend.applyChord(nested), 'stored');
    deepStrictEqual(await backend.restoreGroup(id), nested);
  });

  test('a part has the bytes of Celery and the score of its place; the keys live as long as results', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend({ expires: 600 });
    await context.backend().setChordSize(chord.groupId, 3);
    await context.backend().addToChord(chord.groupId);
    strictEqual(await backend.onChordPartReturn(chord.request('t2', 2), 'SUCCESS', { b: 1n }), 'counting');
    strictEqual(await backend.onChordPartReturn(chord.request('t0'), 'FAILURE', new TypeError('no')), 'counting');
    deepStrictEqual(await context.raw.members(chord.key('.j')), [
      ['[1, "t2", "SUCCESS", {"b": 1}]', 2],
      ['[1, "t0", "FAILURE", {"exc_type": "TypeError", "exc_message": ["no"], "exc_module": "builtins"}]', Infinity],
    ]);
    for (const suffix of ['.j', '.t', '.s']) strictEqual(await context.raw.ttl(chord.key(suffix)), 600);
    deepStrictEqual(await chord.keys(), { j: 2, t: '1', s: '3' });
  });

  test('without an order the parts are a list; without expiry they stay', async (context) => {
    const chord = new Chord(context, { chordOrdered: false, expires: null });
    const backend = chord.backend();
    await backend.setChordSize(chord.groupId, 3);
    await backend.onChordPartReturn(chord.request('t1', 1), 'SUCCESS', 1);
    await backend.onChordPartReturn(chord.request('t0', 0), 'SUCCESS', 0);
    deepStrictEqual(await context.raw.members(chord.key('.j')), [
      ['[1, "t1", "SUCCESS", 1]'],
      ['[1, "t0", "SUCCESS", 0]'],
    ]);
    strictEqual(await context.raw.ttl(chord.key('.j')), -1);
    await backend.onChordPartReturn(chord.request('t2', 2), 'SUCCESS', 2);
    deepStrictEqual(chord.sent, [[chord.body, [[1, 0, 2]]]]);
  });

  test('the last part sends the body with the results in the order of the places, and the keys are gone', async (context) => {
    const chord = new Chord(context);
    const [one, other] = [chord.backend(), chord.backend()];
    await one.setChordSize(chord.groupId, 3);
    strictEqual(await one.onChordPartReturn(chord.request('a', 2), 'SUCCESS', 'second'), 'counting');
    strictEqual(await other.onChordPartReturn(chord.request('b', 10), 'SUCCESS', null), 'counting');
    deepStrictEqual(chord.sent, []);
    strictEqual(await other.onChordPartReturn(chord.request('c', 0), 'SUCCESS', [1, { x: new Date(0) }]), 'sent');
    deepStrictEqual(chord.sent, [[chord.body, [[[1, { x: new Date(0) }], 'second', null]]]]);
    deepStrictEqual(await chord.keys(), {});
    strictEqual((await one.getTaskMeta(chord.bodyId)).status, 'PENDING');
  });

  test('a chord of unknown size, and one that was completed before, only records', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend();
    strictEqual(await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1), 'counting');
    await backend.setChordSize(chord.groupId, 2);
    strictEqual(await backend.onChordPartReturn(chord.request('b', 1), 'SUCCESS', 2), 'sent');
    strictEqual(await backend.onChordPartReturn(chord.request('b', 1), 'SUCCESS', 2), 'counting');
    strictEqual(chord.sent.length, 1);
  });

  test('a task that joined a header is waited for', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend();
    await backend.setChordSize(chord.groupId, 2);
    await backend.addToChord(chord.groupId);
    await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1);
    strictEqual(await backend.onChordPartReturn(chord.request('b', 1), 'SUCCESS', 2), 'counting');
    strictEqual(await backend.onChordPartReturn(chord.request('grown', 0), 'SUCCESS', 3), 'sent');
    deepStrictEqual(chord.sent[0]?.[1], [[1, 3, 2]]);
  });

  for (const chordOrdered of [true, false])
    test(`a part that comes again counts once, in the place of the former (${chordOrdered ? 'ordered' : 'a list'})`, async (context) => {
      const chord = new Chord(context, { chordOrdered });
      const backend = chord.backend();
      await backend.setChordSize(chord.groupId, 3);
      await backend.onChordPartReturn(chord.request('a', 0), 'FAILURE', new Error('first'));
      // Its id begins as the other's does.
      await backend.onChordPartReturn(chord.request('ab', 0), 'SUCCESS', 2);
      for (const value of [1, 1, 3]) {
        strictEqual(await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', value), 'counting');
      }
      deepStrictEqual(
        (await context.raw.members(chord.key('.j'))).map(([text]) => text),
        ['[1, "a", "SUCCESS", 3]', '[1, "ab", "SUCCESS", 2]'],
      );
      strictEqual(await backend.onChordPartReturn(chord.request('c', 1), 'SUCCESS', 4), 'sent');
      deepStrictEqual(chord.sent, [[chord.body, [[3, 2, 4]]]]);
    });

  for (const serializer of ['yaml', 'msgpack', 'superjson'])
    test(`parts travel and are replaced in ${serializer} as well`, async (context) => {
      const chord = new Chord(context, { serializer });
      const backend = chord.backend();
      await backend.setChordSize(chord.groupId, 2);
      const value = serializer === 'superjson' ? { set: new Set([1]) } : { list: [1, 'a', null] };
      await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 'former');
      await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', value);
      strictEqual(await backend.onChordPartReturn(chord.request('b', 1), 'SUCCESS', 2), 'sent');
      deepStrictEqual(chord.sent, [[chord.body, [[value, 2]]]]);
    });

  test('a task outside of a chord has no part', async (context) => {
    const chord = new Chord(context);
    const { id, ...nameless } = chord.request('a', 0);
    const backend = chord.backend();
    for (const request of [nameless, { ...nameless, id, group: null }, { ...nameless, id, chord: null }, { id }, {}]) {
      strictEqual(await backend.onChordPartReturn(request, 'SUCCESS', 1), 'none');
    }
    deepStrictEqual(await chord.keys(), {});
  });

  test('without a way to send the body nothing is recorded, but the result is stored', async (context) => {
    const chord = new Chord(context);
    const backend = context.backend();
    await backend.setChordSize(chord.groupId, 1);
    const request = chord.request(newId(), 0);
    matches(await outcome(backend.markAsDone(request.id, 1, { request })), {
      code: 'CELERY_IMPROPERLY_CONFIGURED',
    });
    deepStrictEqual(await chord.keys(), { s: '1' });
    strictEqual(await backend.getStatus(request.id), 'SUCCESS');
  });

  test('a value that cannot be encoded is refused before anything is stored', async (context) => {
    const chord = new Chord(context);
    const backend = chord.backend();
    const request = chord.request(newId(), 0);
    const call = backend.markAsDone(request.id, () => 1, { request });
    matches(await outcome(call), { code: 'CELERY_ENCODE' });
    strictEqual(await context.raw.get(keyOf(request.id)), null);
    deepStrictEqual(await chord.keys(), {});
  });
}
