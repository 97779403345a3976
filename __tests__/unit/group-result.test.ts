import { readFileSync } from 'node:fs';
import { describe, expect, it, jest } from '@jest/globals';
import { AsyncResult, GroupResult, RemoteError, ResultSet, TimeoutError } from '../../src/index.ts';
import { outcome } from '../support/contract/context.ts';
import { Results } from '../support/results.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

describe('a join', () => {
  it('gives the values in the order of the members, whatever order they come in, of nested groups as lists', async () => {
    await using results = new Results();
    const inner = results.group('inner', ['b', results.group('innermost', ['c']), results.group('empty', [])]);
    const group = results.group('g', ['a', inner, 'd']);
    await results.succeed('c');
    const joined = group.joinNative({ timeout: 30 });
    await results.waiting(3);
    for (const id of ['d', 'b', 'a']) await results.succeed(id);
    expect(await joined).toEqual(['a', ['b', ['c'], []], 'd']);
    expect(await group.get()).toEqual(['a', ['b', ['c'], []], 'd']);
    expect(await group.join()).toEqual(['a', ['b', ['c'], []], 'd']);
  });

  it('of no members is an empty list', async () => {
    await using results = new Results();
    expect(await results.group('g', [results.group('h', [])]).joinNative()).toEqual([[]]);
    expect(await results.group('g', []).joinNative()).toEqual([]);
    expect(await results.group('g', []).join()).toEqual([]);
  });

  it('fills the place of each of several members for one task', async () => {
    await using results = new Results();
    await results.succeed('a');
    const group = results.group('g', ['a', 'a', results.group('h', ['a', 'a'])]);
    expect(await group.joinNative({ timeout: 5 })).toEqual(['a', 'a', ['a', 'a']]);
  });

  it('reads in one batch, subscribes to what was not ready, and asks for nothing that is known', async () => {
    await using results = new Results();
    const many = jest.spyOn(results.backend, 'asCompleted');
    const group = results.group('g', ['a', 'b', 'c']);
    await results.succeed('a');
    await group.results[0]?.get();
    await results.succeed('b');
    const joined = group.joinNative();
    await results.waiting(1);
    await results.succeed('c');
    await joined;
    await group.joinNative();
    expect(many.mock.calls.map(([ids]) => ids)).toEqual([['b', 'c']]);
  });

  it('makes every result of its tasks known', async () => {
    await using results = new Results();
    await results.succeed('a');
    const [one, other] = [results.task('a'), results.task('a')];
    await one.get();
    await new ResultSet([one, other], results.backend).get();
    expect([one.known, other.known]).toEqual([expect.objectContaining({ result: 'a' }), one.known]);
  });

  it('rejects with the failure that comes first, native in time, else in the order of the members', async () => {
    await using results = new Results();
    const group = (): GroupResult => results.group('g', ['a', results.group('h', ['b']), 'c']);
    const [native, ordered] = [outcome(group().joinNative()), outcome(group().join())];
    await results.waiting(3);
    await results.fail('c');
    expect(await native).toMatchObject({ message: 'c' });
    await results.fail('b');
    await results.succeed('a');
    expect(await ordered).toMatchObject({ message: 'b' });
  });

  it('rejects with a failure while other tasks of its nested group are under way', async () => {
    await using results = new Results();
    const joined = outcome(results.group('g', [results.group('h', ['a', 'b'])]).get());
    await results.waiting(2);
    await results.fail('b');
    expect(await joined).toBeInstanceOf(RemoteError);
  });

  it('gives errors as values without propagate', async () => {
    await using results = new Results();
    await results.fail('a');
    await results.succeed('b');
    expect(await results.group('g', ['a', 'b']).get({ propagate: false })).toEqual([expect.any(RemoteError), 'b']);
  });

  it('calls back instead of returning values: native as they come, else in the order of the members', async () => {
    await using results = new Results();
    const calls: unknown[] = [];
    const callback =
      (how: string) =>
      (id: string, value: unknown): unknown =>
        calls.push([how, id, value]);
    const group = results.group('g', ['a', results.group('h', ['b'])]);
    await results.succeed('b');
    const native = group.joinNative({ callback: callback('native') });
    await results.waiting(1);
    await results.succeed('a');
    expect(await native).toEqual([]);
    expect(await group.join({ callback: callback('ordered') })).toEqual([]);
    expect(calls).toEqual([
      ['native', 'h', ['b']],
      ['native', 'a', 'a'],
      ['ordered', 'a', 'a'],
      ['ordered', 'h', ['b']],
    ]);
  });

  it('has one timeout for all, and names the first task that is not ready', async () => {
    const clock = new VirtualClock();
    await using results = new Results({ clock });
    const joined = outcome(results.group('g', ['a', 'b', 'c']).get({ timeout: 10 }));
    for (const id of ['a', 'c']) {
      await clock.advance(4_000);
      await results.succeed(id);
    }
    await clock.advance(1_999);
    expect(results.backend.stats().waits).toBe(1);
    await clock.advance(2);
    const error = await joined;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ taskId: 'b', timeout: 10, lastLook: 'unready' });
    expect(clock.timers).toBe(1); // the backstop's
  });

  it('finds at its deadline what was stored and never published', async () => {
    const clock = new VirtualClock();
    await using results = new Results({ clock });
    const joined = results.group('g', ['a', 'b']).get({ timeout: 10 });
    await clock.advance(1_000);
    for (const id of ['a', 'b']) {
      await results.succeed('other', id);
      const text = `{"status": "SUCCESS", "result": "${id}", "task_id": "${id}"}`;
      results.space.set(`celery-task-meta-${id}`, Buffer.from(text), null);
    }
    await clock.advance(10_000);
    expect(await joined).toEqual(['a', 'b']);
  });

  it('with timeout 0 reads once and subscribes to nothing', async () => {
    await using results = new Results();
    await results.succeed('a');
    const wait = jest.spyOn(results.backend, 'waitForMeta');
    const group = results.group('g', ['a', 'b']);
    expect(await outcome(group.get({ timeout: 0 }))).toMatchObject({ taskId: 'b', timeout: 0 });
    await results.succeed('b');
    expect(await group.get({ timeout: 0 })).toEqual(['a', 'b']);
    expect(wait).not.toHaveBeenCalled();
  });

  it('ends by its signal, before it begins or while it waits', async () => {
    await using results = new Results();
    const controller = new AbortController();
    const group = results.group('g', ['a', 'b']);
    const { signal } = controller;
    const joins = [outcome(group.get({ signal })), outcome(group.join({ signal }))];
    await results.waiting(2);
    controller.abort('enough');
    expect(await Promise.all(joins)).toEqual(['enough', 'enough']);
    expect(await outcome(results.group('g', []).get({ signal }))).toBe('enough');
  });

  it('shows every state to onMessage, and ends with what it throws', async () => {
    await using results = new Results();
    const seen: unknown[] = [];
    const onMessage = ({ task_id: id, status }: { task_id?: string; status: string }): unknown =>
      seen.push([id, status]);
    await results.succeed('a');
    const joined = results.group('g', ['a', 'b']).get({ onMessage });
    await results.waiting(1);
    await results.writer.storeResult('b', 1, 'PROGRESS');
    await results.succeed('b');
    await joined;
    expect(seen).toEqual([
      ['a', 'SUCCESS'],
      ['b', 'PROGRESS'],
      ['b', 'SUCCESS'],
    ]);
    const angry = (): never => {
      throw new Error('observer');
    };
    expect(await outcome(results.group('g', ['a', 'x']).get({ onMessage: angry }))).toEqual(new Error('observer'));
    const late = (): Promise<never> => Promise.reject(new Error('observer'));
    expect(await outcome(results.group('g', ['a', 'x']).get({ onMessage: late }))).toEqual(new Error('observer'));
  });

  it('refuses wrong options before anything is sent', async () => {
    await using results = new Results();
    const many = jest.spyOn(results.backend, 'asCompleted');
    for (const options of [{ timeout: -1 }, { timeout: NaN }, { signal: {} as AbortSignal }]) {
      expect(await outcome(results.group('g', ['a']).get(options))).toMatchObject({ code: 'CELERY_INVALID_ARGUMENT' });
    }
    expect(many).not.toHaveBeenCalled();
  });

  it('ends when the backend closes', async () => {
    await using results = new Results();
    const joined = outcome(results.group('g', ['a', 'b']).get());
    await results.waiting(2);
    await results.backend.close();
    expect(await joined).toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
  });

  it('rejects when a result does not decode, and not before the others that are ready', async () => {
    await using results = new Results();
    results.space.set('celery-task-meta-bad', Buffer.from('rubbish'), null);
    await results.succeed('a');
    const calls: string[] = [];
    const joined = results.group('g', ['bad', 'a']).get({ callback: (id) => calls.push(id) });
    expect(await outcome(joined)).toMatchObject({ code: 'CELERY_DECODE' });
  });

  it('goes on with the members it had when one is added or removed', async () => {
    await using results = new Results();
    const group = results.group('g', ['a', 'b']);
    const joined = group.get();
    group.add(results.task('c'));
    group.remove('a');
    await results.waiting(2);
    await results.succeed('a');
    await results.succeed('b');
    expect(await joined).toEqual(['a', 'b']);
  });
});

describe('iteration', () => {
  it('gives members with their values as they are complete, a nested group as one', async () => {
    await using results = new Results();
    const group = results.group<string>('g', ['a', results.group('h', ['b', 'c']), 'd']);
    await results.succeed('b');
    await results.succeed('d');
    const seen: unknown[] = [];
    for await (const [result, value] of group) {
      seen.push([result.id, value]);
      if (result.id === 'd') await results.succeed('c');
      if (result.id === 'h') await results.succeed('a');
    }
    expect(seen).toEqual([
      ['d', 'd'],
      ['h', ['b', 'c']],
      ['a', 'a'],
    ]);
  });

  it('that is left early leaves nothing', async () => {
    await using results = new Results();
    await results.succeed('a');
    for await (const [result] of results.group('g', ['a', 'b', 'c'])) {
      expect(result.id).toBe('a');
      break;
    }
    expect(results.backend.stats().waits).toBe(0);
  });

  it('throws the first failure, or gives it as a value', async () => {
    await using results = new Results();
    await results.fail('a');
    await results.succeed('b');
    const group = (): GroupResult => results.group('g', ['a', 'b']);
    expect(await outcome(group().asCompleted({ timeout: 5 }).next())).toMatchObject({ message: 'a' });
    const seen: unknown[] = [];
    for await (const [, value] of group().asCompleted({ propagate: false })) seen.push(value);
    expect(seen).toEqual([expect.any(RemoteError), 'b']);
  });

  it('without await goes over the members', async () => {
    await using results = new Results();
    const group = results.group('g', ['a', 'b']);
    expect([...group].map(({ id }) => id)).toEqual(['a', 'b']);
    expect([group.length, group.results.length]).toEqual([2, 2]);
  });
});

describe('the questions of a group', () => {
  it('are answered by one batch of reads over all of its tasks', async () => {
    await using results = new Results();
    const group = results.group('g', ['a', results.group('h', ['b', 'c']), results.group('i', [])]);
    const answers = async (): Promise<unknown[]> => [
      await group.ready(), await group.waiting(), await group.successful(), await group.failed(), await group.completedCount(),
    ]; // prettier-ignore
    const many = jest.spyOn(results.backend, 'getMany');
    expect(await group.ready()).toBe(false);
    expect(many.mock.calls).toEqual([[['a', 'b', 'c']]]);
    expect(await answers()).toEqual([false, true, false, false, 1]);
    await results.succeed('a');
    await results.succeed('b');
    expect(await answers()).toEqual([false, true, false, false, 2]);
    await results.succeed('c');
    expect(await answers()).toEqual([true, false, true, false, 3]);
    many.mockClear();
    expect(await answers()).toEqual([true, false, true, false, 3]);
    expect(many).not.toHaveBeenCalled();
  });

  it('say that REVOKED is neither failed nor successful, and FAILURE failed', async () => {
    await using results = new Results();
    await results.writer.storeResult('a', null, 'REVOKED');
    const revoked = results.group('g', ['a']);
    expect([await revoked.ready(), await revoked.successful(), await revoked.failed()]).toEqual([true, false, false]);
    await results.fail('b');
    expect(await results.group('g', ['b', 'x']).failed()).toBe(true);
  });

  it('of no members are those of all and none', async () => {
    await using results = new Results();
    const empty = results.group('g', []);
    expect([await empty.ready(), await empty.waiting(), await empty.successful(), await empty.failed()]).toEqual([
      true, false, true, false,
    ]); // prettier-ignore
  });

  it('maybeThrow throws the first failure in order, without a wait, and calls back for the others', async () => {
    await using results = new Results();
    await results.succeed('a');
    await results.fail('c');
    const group = results.group('g', ['a', 'b', 'c']);
    const calls: unknown[] = [];
    const callback = (id: string, value: unknown): unknown => calls.push([id, value]);
    await expect(group.maybeThrow({ callback })).rejects.toThrow('c');
    expect(calls).toEqual([
      ['a', 'a'],
      ['b', null],
    ]);
    await group.maybeThrow({ propagate: false });
  });
});

describe('members', () => {
  it('are added once, removed by result or id, and cleared', async () => {
    await using results = new Results();
    const set = new ResultSet([results.task('a')], results.backend);
    const ids = (): string[] => set.results.map(({ id }) => id);
    set.add(results.task('a'));
    set.add(results.group('a', []));
    set.update([results.task('b'), results.task('c'), results.task('b')]);
    expect(ids()).toEqual(['a', 'a', 'b', 'c']);
    set.remove('b');
    set.remove(results.task('a'));
    expect(ids()).toEqual(['a', 'c']);
    expect(() => {
      set.remove('b');
    }).toThrow('expected a member; got b');
    expect([set.discard('b'), set.discard('c')]).toEqual([false, true]);
    set.add(results.task('c'));
    expect(ids()).toEqual(['a', 'c']);
    set.clear();
    set.add(results.task('c'));
    expect(ids()).toEqual(['c']);
  });

  it('make sets equal, in order', async () => {
    await using results = new Results();
    const set = (...ids: string[]): ResultSet =>
      new ResultSet(
        ids.map((id) => results.task(id)),
        results.backend,
      );
    expect([set('a', 'b').equals(set('a', 'b')), set('a').equals(set('a', 'b')), set('a', 'b').equals(set('b', 'a'))]).toEqual([
      true, false, false,
    ]); // prettier-ignore
  });

  it('10,000 are added, flattened and asked without a delay that grows by their square', async () => {
    await using results = new Results();
    const set = new ResultSet([], results.backend);
    const start = performance.now();
    for (let i = 0; i < 10_000; i += 1) set.add(results.task(`t${i}`));
    set.update([...set.results]);
    expect(await set.waiting()).toBe(true);
    expect(set.length).toBe(10_000);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it('are forgotten with their parents, each once', async () => {
    await using results = new Results();
    const parent = results.task('p');
    for (const id of ['p', 'a', 'b', 'c']) await results.succeed(id);
    const forget = jest.spyOn(results.backend, 'forget');
    const group = results.group('g', [results.task('a', parent), results.task('b', parent), results.group('h', ['c'])]);
    await group.get();
    await group.forget();
    expect(forget.mock.calls.map(([id]) => id).sort()).toEqual(['a', 'b', 'c', 'p']);
    expect(await group.waiting()).toBe(true);
  });
});

describe('a saved group', () => {
  it('is restored with its members, nested groups and parents, until it is deleted', async () => {
    await using results = new Results();
    const saved = results.group(
      'g',
      [results.task('a', results.task('p')), results.group('h', ['b'])],
      results.task('q'),
    );
    expect(await saved.save()).toBe('stored');
    const restored = await GroupResult.restore(results.backend, 'g');
    expect(restored).toBeInstanceOf(GroupResult);
    expect(restored?.equals(saved)).toBe(true);
    expect(restored?.results.map((member) => member.constructor)).toEqual([AsyncResult, GroupResult]);
    await saved.delete();
    expect(await GroupResult.restore(results.backend, 'g')).toBeNull();
  });

  interface Vector {
    readonly name: string;
    readonly task_id: string;
    readonly key: string;
    readonly payload: string | null;
  }
  const recorded = ['5.2', '5.6'].flatMap((version) => {
    const file = new URL(`../fixtures/celery/celery-${version}.json`, import.meta.url);
    const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: readonly Vector[] };
    return vectors.filter(({ name }) => name.startsWith('json/group/')).map((vector) => ({ version, ...vector }));
  });

  it.each(recorded)('of Celery $version is restored, and saved again byte for byte: $name', async (vector) => {
    await using results = new Results();
    results.space.set(vector.key, Buffer.from(vector.payload ?? ''), null);
    const group = await GroupResult.restore(results.backend, vector.task_id);
    expect(group?.length).toBeGreaterThan(-1);
    await results.backend.deleteGroup(vector.task_id);
    await group?.save();
    expect(String(results.space.get(vector.key))).toBe(vector.payload);
  });

  it('was recorded of Celery, at least three times a version', () => {
    expect(recorded.length).toBeGreaterThanOrEqual(6);
  });
});
