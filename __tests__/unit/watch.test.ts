import { describe, expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { BackendClosedError, RemoteError, type TaskMeta, TimeoutError } from '../../src/index.ts';
import { outcome } from '../support/contract/context.ts';
import { Results } from '../support/results.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

type States = AsyncGenerator<TaskMeta, void, undefined>;

/** What is seen, as it comes. */
function read(states: States): { readonly seen: unknown[]; readonly over: Promise<unknown> } {
  const seen: unknown[] = [];
  const follow = async (): Promise<void> => {
    for await (const { status, result } of states) seen.push([status, result]);
  };
  return { seen, over: outcome(follow()) };
}

describe('watch', () => {
  it('sees every state with its data, the present one first, and ends with the ready one', async () => {
    await using results = new Results();
    results.put('t', 'STARTED', { pid: 1 });
    const { seen, over } = read(results.backend.watch('t'));
    await results.waiting(1);
    for (const done of [1, 2, 2]) results.put('t', 'PROGRESS', { done });
    await settle();
    await results.succeed('t', 'value');
    await over;
    expect(seen).toEqual([
      ['STARTED', { pid: 1 }],
      ['PROGRESS', { done: 1 }],
      ['PROGRESS', { done: 2 }],
      ['PROGRESS', { done: 2 }],
      ['SUCCESS', 'value'],
    ]);
  });

  it('shows a reader who joins a live channel the present state first', async () => {
    await using results = new Results();
    const first = read(results.backend.watch('t'));
    await results.waiting(1);
    results.put('t', 'PROGRESS', 1);
    const second = read(results.backend.watch('t'));
    await settle();
    expect(second.seen).toEqual([['PROGRESS', 1]]);
    await results.succeed('t');
    await Promise.all([first.over, second.over]);
    expect(second.seen).toEqual([
      ['PROGRESS', 1],
      ['SUCCESS', 't'],
    ]);
  });

  it('ends with a failure as a state, its error made for its reader', async () => {
    await using results = new Results();
    const states = [results.backend.watch('t'), results.backend.watch('t')];
    const lasts = states.map(async (each) => {
      for await (const meta of each) if (meta.status === 'FAILURE') return meta.result;
      return undefined;
    });
    await results.waiting(1);
    await results.fail('t', 'boom');
    const [one, other] = await Promise.all(lasts);
    expect([one, other]).toEqual([expect.any(RemoteError), expect.any(RemoteError)]);
    expect(one).not.toBe(other);
  });

  it('answers from the cache', async () => {
    await using results = new Results({ maxCachedResults: 10 });
    await results.succeed('t');
    await results.backend.waitFor('t');
    const { seen, over } = read(results.backend.watch('t'));
    await over;
    expect(seen).toEqual([['SUCCESS', 't']]);
  });

  it('keeps nobody with a slow reader, who loses the oldest unready states beyond 100, and the subscription is gone', async () => {
    await using results = new Results();
    const slow = results.backend.watch('t');
    const first = slow.next();
    const quick = read(results.backend.watch('t'));
    await results.waiting(1);
    results.put('t', 'PROGRESS', 0);
    await first;
    for (let done = 1; done <= 300; done += 1) {
      results.put('t', 'PROGRESS', done);
      await settle();
    }
    await results.succeed('t', 'value');
    await quick.over;
    expect(quick.seen).toHaveLength(302);
    expect(results.backend.stats().waits).toBe(0);
    await results.waiting(0);
    const { seen, over } = read(slow);
    await over;
    expect(seen).toHaveLength(100);
    expect(seen[0]).toEqual(['PROGRESS', 202]);
    expect(seen.slice(-2)).toEqual([
      ['PROGRESS', 300],
      ['SUCCESS', 'value'],
    ]);
  });

  it('does nothing before the first next', async () => {
    await using results = new Results();
    results.backend.watch('t');
    await settle();
    expect(results.backend.stats()).toMatchObject({ waits: 0, channels: 0 });
  });

  it('is over when its loop is left, with its wait, and others go on', async () => {
    await using results = new Results();
    const other = results.backend.waitFor('t');
    results.put('t', 'PROGRESS', 1);
    for await (const { result } of results.backend.watch('t')) {
      expect(results.backend.stats().waits).toBe(2);
      if (result === 1) break;
    }
    expect(results.backend.stats()).toMatchObject({ waits: 1, channels: 1 });
    await results.succeed('t');
    await other;
  });

  it('is over at once when it is left while a next is pending, by return or by a Readable that is destroyed', async () => {
    await using results = new Results();
    const states = results.backend.watch('t');
    const pending = states.next();
    const readable = Readable.from(results.backend.watch('u'));
    readable.resume();
    await results.waiting(2);
    await states.return();
    expect(await pending).toEqual({ done: true, value: undefined });
    const closed = new Promise((resolve) => readable.once('close', resolve));
    readable.destroy();
    await closed;
    await results.waiting(0);
    expect(results.backend.stats().waits).toBe(0);
  });

  it('has one limit from its first next on, however many states come, and leaves no timer', async () => {
    const clock = new VirtualClock();
    await using results = new Results({ clock });
    const before = clock.timers;
    const { seen, over } = read(results.backend.watch('t', { timeout: 2 }));
    await settle();
    for (let second = 0; second < 2; second += 1) {
      results.put('t', 'PROGRESS', second);
      await clock.advance(999);
    }
    expect(seen).toHaveLength(2);
    await clock.advance(2);
    expect(await over).toMatchObject({ code: 'CELERY_TIMEOUT', timeout: 2, lastLook: 'unready' });
    // What goes over the channels in turn rests as long as one is there.
    await results.waiting(0);
    expect(clock.timers - before).toBeLessThanOrEqual(1);
  });

  it('tells what was seen before the limit first', async () => {
    const clock = new VirtualClock();
    await using results = new Results({ clock });
    const states = results.backend.watch('t', { timeout: 1 });
    const first = states.next();
    await settle();
    for (const done of [1, 2]) results.put('t', 'PROGRESS', done);
    await first;
    await clock.advance(1_000);
    expect(await states.next()).toMatchObject({ value: { result: 2 } });
    expect(await outcome(states.next())).toBeInstanceOf(TimeoutError);
  });

  it('with a timeout of 0 shows what one read finds, without a subscription', async () => {
    await using results = new Results();
    results.put('t', 'PROGRESS', 1);
    const { seen, over } = read(results.backend.watch('t', { timeout: 0 }));
    expect(await over).toMatchObject({ code: 'CELERY_TIMEOUT', timeout: 0 });
    expect(seen).toEqual([['PROGRESS', 1]]);
  });

  it('with a timeout of 0 shows nothing of a task of which nothing is stored, nor is an observer shown it', async () => {
    await using results = new Results();
    const { seen, over } = read(results.backend.watch('t', { timeout: 0 }));
    expect(await over).toMatchObject({ code: 'CELERY_TIMEOUT', timeout: 0 });
    const onMessage = (meta: TaskMeta): unknown => seen.push(meta);
    expect(await outcome(results.backend.waitFor('t', { timeout: 0, onMessage }))).toBeInstanceOf(TimeoutError);
    expect(seen).toEqual([]);
    results.put('t', 'PENDING', null);
    expect(await outcome(results.backend.waitFor('t', { timeout: 0, onMessage }))).toBeInstanceOf(TimeoutError);
    expect(seen).toMatchObject([{ status: 'PENDING', task_id: 't' }]);
  });

  it('ends by its signal at once, before what is unread, also if that is the ready state', async () => {
    await using results = new Results();
    const controller = new AbortController();
    const { signal } = controller;
    const [waiting, unread] = [results.backend.watch('t', { signal }), results.backend.watch('u', { signal })];
    const pending = outcome(waiting.next());
    const first = unread.next();
    await results.waiting(2);
    results.put('u', 'PROGRESS', 1);
    await first;
    await results.succeed('u');
    controller.abort(new Error('enough'));
    expect(await pending).toEqual(new Error('enough'));
    expect(await outcome(unread.next())).toEqual(new Error('enough'));
    expect(await unread.next()).toEqual({ done: true, value: undefined });
  });

  it('ends with the backend', async () => {
    await using results = new Results();
    const { over } = read(results.backend.watch('t'));
    await results.waiting(1);
    await results.backend.close();
    expect(await over).toBeInstanceOf(BackendClosedError);
    expect(await outcome(results.backend.watch('t').next())).toBeInstanceOf(BackendClosedError);
  });

  it('throws what it cannot decode, with its own stack', async () => {
    await using results = new Results();
    results.space.set('celery-task-meta-t', Buffer.from('rubbish'), null);
    const error = await outcome(
      (async function caller() {
        for await (const meta of results.backend.watch('t')) expect(meta).toBeUndefined();
      })(),
    );
    expect(error).toMatchObject({ code: 'CELERY_DECODE' });
  });

  it('refuses wrong arguments at the first next', async () => {
    await using results = new Results();
    expect(await outcome(results.backend.watch('').next())).toMatchObject({ code: 'CELERY_INVALID_ID' });
    expect(await outcome(results.backend.watch('t', { timeout: -1 }).next())).toMatchObject({
      code: 'CELERY_INVALID_ARGUMENT',
    });
  });
});
