import { describe, expect, it } from '@jest/globals';
import { type BaseBackend, InvalidArgumentError, TimeoutError } from '../../src/index.ts';
import { outcome } from '../support/contract/context.ts';
import { Results } from '../support/results.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

describe('settle', () => {
  it('tells a value, an error and a revocation apart by the status, with the meta', async () => {
    await using results = new Results();
    await results.succeed('a', 1);
    await results.fail('b', 'boom');
    await results.writer.markAsRevoked('c', 'expired');
    const { backend } = results;
    expect(await backend.settle('a')).toMatchObject({ taskId: 'a', status: 'SUCCESS', result: 1, meta: { result: 1 } });
    const failed = await backend.settle('b');
    expect(failed).toMatchObject({ taskId: 'b', status: 'FAILURE', error: { message: 'boom', excType: 'RangeError' } });
    expect(failed).not.toHaveProperty('result');
    expect(await backend.settle('c')).toMatchObject({ status: 'REVOKED', error: { code: 'CELERY_TASK_REVOKED' } });
  });

  it('is TIMEOUT at the limit, by one read as well', async () => {
    const clock = new VirtualClock();
    await using results = new Results({ clock });
    const late = results.backend.settle('t', { timeout: 3 });
    await clock.advance(3_000);
    expect(await late).toEqual({ taskId: 't', status: 'TIMEOUT', error: expect.any(TimeoutError) });
    expect(await results.backend.settle('t', { timeout: 0 })).toMatchObject({
      status: 'TIMEOUT',
      error: { timeout: 0 },
    });
  });

  it('throws what says nothing of the task', async () => {
    await using results = new Results();
    const { backend } = results;
    results.space.set('celery-task-meta-t', Buffer.from('rubbish'), null);
    expect(await outcome(backend.settle('t'))).toMatchObject({ code: 'CELERY_DECODE' });
    const signal = AbortSignal.abort(new Error('enough'));
    expect(await outcome(backend.settle('u', { signal }))).toEqual(new Error('enough'));
    expect(await outcome(backend.settle(''))).toMatchObject({ code: 'CELERY_INVALID_ID' });
    results.put('v', 'STARTED', null);
    const other = new TimeoutError('another', 1, 'unready');
    const onMessage = (): never => {
      throw other;
    };
    expect(await outcome(backend.settle('v', { onMessage }))).toBe(other);
    await backend.close();
    expect(await outcome(backend.settle('t'))).toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
  });
});

describe('asCompleted', () => {
  it('is over at once when it is left while a next is pending, also during its first read', async () => {
    await using results = new Results();
    for (const begun of [false, true]) {
      const many = results.backend.asCompleted(['a', 'b']);
      const pending = many.next();
      if (begun) await results.waiting(2);
      await many.return();
      expect(await pending).toEqual({ done: true, value: undefined });
      expect(results.backend.stats().waits).toBe(0);
    }
    await results.waiting(0);
  });
});

describe('waitForAll', () => {
  it('gives values in the order of the ids, one that is named twice in both places', async () => {
    await using results = new Results();
    const ids = ['a', 'b', 'a'];
    const all = results.backend.waitForAll<string>(ids, { timeout: 60 });
    ids.push('later');
    await results.waiting(2);
    await results.succeed('b');
    await results.succeed('a');
    expect(await all).toEqual(['a', 'b', 'a']);
    expect(await results.backend.waitForAll([])).toEqual([]);
  });

  it('ends with the first error, and leaves nothing', async () => {
    await using results = new Results();
    const all = outcome(results.backend.waitForAll(['a', 'b', 'c']));
    await results.waiting(3);
    await results.fail('b', 'boom');
    expect(await all).toMatchObject({ message: 'boom', taskId: 'b' });
    expect(results.backend.stats().waits).toBe(0);
    await results.waiting(0);
  });

  it('with propagate false has errors in their places', async () => {
    await using results = new Results();
    await results.fail('b', 'boom');
    await results.succeed('a');
    const values = await results.backend.waitForAll(['a', 'b'], { propagate: false });
    expect(values).toEqual(['a', expect.objectContaining({ message: 'boom' })]);
  });

  it('is bounded as a whole by its timeout and its signal', async () => {
    const clock = new VirtualClock();
    await using results = new Results({ clock });
    await results.succeed('a');
    const late = outcome(results.backend.waitForAll(['a', 'b', 'c'], { timeout: 1 }));
    await clock.advance(1_000);
    expect(await late).toMatchObject({ code: 'CELERY_TIMEOUT', taskId: 'b' });
    const controller = new AbortController();
    const aborted = outcome(results.backend.waitForAll(['b', 'c'], { signal: controller.signal }));
    await settle();
    controller.abort('enough');
    expect(await aborted).toBe('enough');
  });

  it('refuses what are no ids', async () => {
    await using results = new Results();
    const wait = results.backend.waitForAll.bind(results.backend) as (ids: unknown) => Promise<unknown>;
    for (const ids of [undefined, 'a', [5], ['']]) {
      expect(await outcome(wait(ids))).toBeInstanceOf(InvalidArgumentError);
    }
  });
});

describe('waitForAny', () => {
  it('gives the first that is ready, and ends the other waits', async () => {
    await using results = new Results();
    const any = results.backend.waitForAny<string>(['a', 'b', 'c']);
    await results.waiting(3);
    await results.succeed('b', 'value');
    expect(await any).toMatchObject({ taskId: 'b', status: 'SUCCESS', result: 'value' });
    expect(results.backend.stats().waits).toBe(0);
    await results.waiting(0);
  });

  it('of several that are ready gives the first in the order of the ids', async () => {
    await using results = new Results();
    for (const id of ['c', 'b']) await results.succeed(id);
    expect(await results.backend.waitForAny(['a', 'b', 'c'])).toMatchObject({ taskId: 'b' });
  });

  it('throws the error of one that fails first, or with propagate false tells of it', async () => {
    await using results = new Results();
    await results.fail('b', 'boom');
    const { backend } = results;
    expect(await outcome(backend.waitForAny(['a', 'b']))).toMatchObject({ message: 'boom', taskId: 'b' });
    expect(await backend.waitForAny(['a', 'b'], { propagate: false })).toMatchObject({
      taskId: 'b',
      status: 'FAILURE',
      error: { message: 'boom' },
    });
  });

  it('is bounded by its timeout, and refuses no ids at all', async () => {
    const clock = new VirtualClock();
    await using results = new Results({ clock });
    const late = outcome(results.backend.waitForAny(['a', 'b'], { timeout: 1 }));
    await clock.advance(1_000);
    expect(await late).toMatchObject({ code: 'CELERY_TIMEOUT', taskId: 'a' });
    expect(await outcome(results.backend.waitForAny([]))).toBeInstanceOf(InvalidArgumentError);
  });
});

describe('every way to wait', () => {
  const calls: Readonly<Record<string, (backend: BaseBackend, signal: AbortSignal) => Promise<unknown>>> = {
    waitFor: (backend, signal) => backend.waitFor('a', { signal }),
    waitForMeta: (backend, signal) => backend.waitForMeta('a', { signal }),
    settle: (backend, signal) => backend.settle('a', { signal }),
    watch: (backend, signal) => backend.watch('a', { signal }).next(),
    asCompleted: (backend, signal) => backend.asCompleted(['a', 'b'], { signal }).next(),
    waitForAll: (backend, signal) => backend.waitForAll(['a', 'b'], { signal }),
    waitForAny: (backend, signal) => backend.waitForAny(['a', 'b'], { signal }),
  };

  it.each(Object.entries(calls))('ends by its signal, before it begins and while it waits: %s', async (_, call) => {
    await using results = new Results();
    const reason = new Error('enough');
    expect(await outcome(call(results.backend, AbortSignal.abort(reason)))).toBe(reason);
    expect(results.backend.stats()).toMatchObject({ waits: 0, channels: 0 });
    const controller = new AbortController();
    const wait = outcome(call(results.backend, controller.signal));
    while (results.backend.stats().channels === 0) await settle();
    controller.abort(reason);
    expect(await wait).toBe(reason);
    await results.waiting(0);
    expect(results.backend.stats().waits).toBe(0);
  });
});

describe('updateState', () => {
  it('stores its meta as the result, ignored or not, and never over a SUCCESS', async () => {
    await using results = new Results({ ignoreResult: true });
    const { backend } = results;
    const request = { id: 't', ignore_result: true, group: 'g' };
    expect(await backend.updateState('t', 'PROGRESS', { current: 3, total: 10 }, { request })).toBe('stored');
    expect(await results.writer.getTaskMeta('t')).toMatchObject({
      status: 'PROGRESS',
      result: { current: 3, total: 10 },
      group_id: 'g',
      children: [],
      date_done: null,
    });
    expect(await backend.updateState('t', 'PROGRESS')).toBe('stored');
    expect((await results.writer.getTaskMeta('t')).result).toBeNull();
    await results.succeed('t');
    expect(await backend.updateState('t', 'PROGRESS', 1)).toBe('kept');
  });
});
