import { describe, expect, it, jest } from '@jest/globals';
import { AsyncResult, GroupResult, RemoteError, resultFromTuple, TimeoutError } from '../../src/index.ts';
import { outcome } from '../support/contract/context.ts';
import { Results } from '../support/results.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

describe('AsyncResult.get', () => {
  it('resolves for each of several results of one task', async () => {
    await using results = new Results();
    const values = Promise.all([1, 2, 3].map(() => results.task('t').get()));
    await results.waiting(1);
    await results.succeed('t', 5);
    expect(await values).toEqual([5, 5, 5]);
  });

  it('rejects with the error of a failed task, its own for each wait, with the stack of the caller', async () => {
    await using results = new Results();
    const result = results.task('t');
    async function caller(): Promise<unknown> {
      return await result.get();
    }
    const waits = [outcome(caller()), outcome(caller())];
    await results.waiting(1);
    await results.fail('t', 'boom');
    const [first, second] = (await Promise.all(waits)) as [Error, Error];
    expect(first).toBeInstanceOf(RemoteError);
    expect(first).toMatchObject({ message: 'boom', taskId: 't' });
    expect(first.stack).toContain('caller');
    expect(second).not.toBe(first);
  });

  it('returns the error instead without propagate', async () => {
    await using results = new Results();
    await results.fail('t', 'boom');
    expect(await results.task('t').get({ propagate: false })).toMatchObject({ message: 'boom' });
  });

  it('goes on through STARTED, RETRY and PROGRESS, and shows them', async () => {
    await using results = new Results();
    const seen: string[] = [];
    const value = results.task('t').get({ onMessage: ({ status }) => seen.push(status) });
    await results.waiting(1);
    await results.writer.storeResult('t', { pid: 1 }, 'STARTED');
    await results.writer.storeResult('t', new Error('again'), 'RETRY');
    await results.writer.storeResult('t', 50, 'PROGRESS');
    await results.succeed('t');
    expect(await value).toBe('t');
    expect(seen).toEqual(['STARTED', 'RETRY', 'PROGRESS', 'SUCCESS']);
  });

  it('keeps what it saw once ready: a FAILURE that becomes SUCCESS stays one for this object, without a call', async () => {
    await using results = new Results();
    const result = results.task('t');
    await results.fail('t', 'boom');
    await expect(result.get()).rejects.toThrow('boom');
    await results.succeed('t', 'second run');
    const read = jest.spyOn(results.backend, 'getTaskMeta');
    await expect(result.get()).rejects.toThrow('boom');
    expect([await result.state(), await result.failed(), await result.ready()]).toEqual(['FAILURE', true, true]);
    expect(read).not.toHaveBeenCalled();
    result.take({ status: 'SUCCESS', result: 1 });
    expect(await result.state()).toBe('FAILURE');
    expect(await results.task('t').get()).toBe('second run');
  });

  it('gives the callback the id and the value, awaits it, and skips it when the task failed', async () => {
    await using results = new Results();
    await results.succeed('t', 5);
    await results.fail('bad');
    const calls: unknown[] = [];
    const callback = async (id: string, value: unknown): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      calls.push([id, value]);
    };
    expect(await results.task('t').get({ callback })).toBe(5);
    await outcome(results.task('bad').get({ callback }));
    expect(calls).toEqual([['t', 5]]);
    await results.task('bad').get({ callback, propagate: false });
    expect(calls[1]).toEqual(['bad', expect.any(RemoteError)]);
  });

  it('ends at its timeout or by its signal, and leaves nothing', async () => {
    await using results = new Results();
    const controller = new AbortController();
    const waits = [
      outcome(results.task('t').get({ timeout: 0.01 })),
      outcome(results.task('t').get({ signal: controller.signal })),
      outcome(results.task('t').get({ timeout: 0 })),
    ];
    await results.waiting(1);
    controller.abort('enough');
    expect(await Promise.all(waits)).toEqual([expect.any(TimeoutError), 'enough', expect.any(TimeoutError)]);
  });

  it('refuses wrong options and an aborted signal even when the result is known', async () => {
    await using results = new Results();
    await results.succeed('t');
    const result = results.task('t');
    await result.get();
    expect(await outcome(result.get({ timeout: -1 }))).toMatchObject({ code: 'CELERY_INVALID_ARGUMENT' });
    expect(await outcome(result.get({ signal: AbortSignal.abort('enough') }))).toBe('enough');
  });

  it('refuses an id that is none', async () => {
    await using results = new Results();
    expect(() => results.task('')).toThrow('expected a string of 1 to 512 bytes');
    expect(() => results.group('', [])).toThrow('group id');
  });
});

describe('a wait that follows parents', () => {
  it('ends the moment a parent fails, with its error', async () => {
    await using results = new Results();
    const value = outcome(results.task('c', results.task('b', results.task('a'))).get());
    await results.waiting(3);
    await results.succeed('a');
    await results.fail('b', 'in b');
    expect(await value).toMatchObject({ message: 'in b', taskId: 'b' });
  });

  it('ends when a task of a chord header fails', async () => {
    await using results = new Results();
    const header = results.group('g', ['h1', results.group('inner', ['h2'])]);
    const value = outcome(results.task('body', header).get());
    await results.waiting(3);
    await results.fail('h2', 'in h2');
    expect(await value).toMatchObject({ taskId: 'h2' });
  });

  it('ends with its own result while parents are unknown, and names itself at a timeout', async () => {
    await using results = new Results();
    const value = results.task('c', results.task('p')).get();
    const late = outcome(results.task('d', results.task('p')).get({ timeout: 0.01 }));
    await results.waiting(3);
    await results.succeed('c');
    expect(await value).toBe('c');
    expect(await late).toMatchObject({ code: 'CELERY_TIMEOUT', taskId: 'd', timeout: 0.01 });
  });

  it('looks at the parents first, the first of them before all, even when the result is ready or known', async () => {
    await using results = new Results();
    await results.fail('a', 'in a');
    await results.fail('b', 'in b');
    await results.succeed('c');
    const result = results.task('c', results.task('b', results.task('a')));
    await expect(result.get()).rejects.toThrow('in a');
    expect(await result.ready()).toBe(true);
    await expect(result.get()).rejects.toThrow('in a');
    const fresh = results.task('c', results.task('b', results.task('a')));
    expect(await fresh.ready()).toBe(true);
    await expect(fresh.get()).rejects.toThrow('in a');
  });

  it('waits for no parent that is known to have succeeded', async () => {
    await using results = new Results();
    const parent = results.task('p');
    await results.succeed('p');
    await parent.get();
    const many = jest.spyOn(results.backend, 'asCompleted');
    const value = results.task('c', parent).get();
    await results.waiting(1);
    await results.succeed('c');
    expect(await value).toBe('c');
    expect(many).not.toHaveBeenCalled();
  });

  it('looks at no parent without followParents or propagate', async () => {
    await using results = new Results();
    await results.fail('p');
    await results.succeed('c');
    expect(await results.task('c', results.task('p')).get({ followParents: false })).toBe('c');
    expect(await results.task('c', results.task('p')).get({ propagate: false })).toBe('c');
  });

  it('ends by its signal, and leaves no parent subscribed', async () => {
    await using results = new Results();
    const controller = new AbortController();
    const value = outcome(results.task('c', results.task('p')).get({ signal: controller.signal }));
    await results.waiting(2);
    controller.abort('enough');
    expect(await value).toBe('enough');
  });
});

describe('the questions of an AsyncResult', () => {
  it('are answered anew until it is ready', async () => {
    await using results = new Results();
    const result = results.task('t');
    expect([await result.state(), await result.result(), await result.ready()]).toEqual(['PENDING', null, false]);
    expect([await result.traceback(), await result.dateDone(), await result.name()]).toEqual([null, null, null]);
    await results.writer.storeResult('t', { done: 1 }, 'PROGRESS');
    expect([await result.status(), await result.info()]).toEqual(['PROGRESS', { done: 1 }]);
    expect(result.known).toBeUndefined();
    await results.writer.storeResult('t', null, 'REVOKED');
    expect([await result.ready(), await result.successful(), await result.failed()]).toEqual([true, false, false]);
    expect(result.known).toMatchObject({ status: 'REVOKED' });
  });

  it('tell the fields of an extended meta', async () => {
    await using results = new Results();
    results.put('t', 'SUCCESS', 1, { name: 'n', args: [1], kwargs: { k: 1 }, worker: 'w', retries: 2, queue: 'q' });
    const result = results.task('t');
    const answers = [result.name(), result.args(), result.kwargs(), result.worker(), result.retries(), result.queue()];
    expect(await Promise.all(answers)).toEqual(['n', [1], { k: 1 }, 'w', 2, 'q']);
    expect([result.id, result.taskId, String(result), await result.successful()]).toEqual(['t', 't', 't', true]);
  });

  it.each([
    ['2026-11-22T21:19:25.937064', '2026-11-22T21:19:25.937Z'],
    ['2026-11-22T21:19:25+00:00', '2026-11-22T21:19:25.000Z'],
    ['2026-11-22T22:18:09.832063+01:00', '2026-11-22T21:18:09.832Z'],
  ])('date_done %s is %s', async (text, iso) => {
    await using results = new Results();
    results.put('t', 'SUCCESS', 1, { date_done: text });
    expect((await results.task('t').dateDone())?.toISOString()).toBe(iso);
  });

  it.each([['yesterday'], [5]])('a date_done of %p fails dateDone alone', async (date) => {
    await using results = new Results();
    results.put('t', 'SUCCESS', 1, { date_done: date });
    const result = results.task('t');
    expect(await outcome(result.dateDone())).toMatchObject({ code: 'CELERY_DECODE' });
    expect(await result.get()).toBe(1);
  });

  it('maybeThrow does not wait: it throws a failure, and returns whatever else is there', async () => {
    await using results = new Results();
    expect(await results.task('t').maybeThrow()).toBeNull();
    await results.writer.storeResult('t', 5, 'PROGRESS');
    expect(await results.task('t').maybeThrow()).toBe(5);
    await results.fail('t', 'boom');
    await expect(results.task('t').maybeThrow()).rejects.toThrow('boom');
    expect(await results.task('t').maybeThrow({ propagate: false })).toBeInstanceOf(RemoteError);
  });

  it('forget deletes it and its parents, and what it kept', async () => {
    await using results = new Results();
    for (const id of ['a', 'h1', 'h2', 'c']) await results.succeed(id);
    const header = results.group('g', ['h1', results.task('h2', results.task('a'))]);
    const result = results.task('c', header);
    await result.get();
    await result.forget();
    expect(result.known).toBeUndefined();
    const states = [...(await results.writer.getMany(['a', 'h1', 'h2', 'c'])).values()].map(({ status }) => status);
    expect(states).toEqual(['PENDING', 'PENDING', 'PENDING', 'PENDING']);
  });
});

describe('children', () => {
  const children = [
    [['c1', null], null],
    [['g', [['p', null], null]], [[['c2', null], null]]],
  ];

  it('are results, of tasks and groups, the same ones each time once the task is ready', async () => {
    await using results = new Results();
    const result = results.task('t');
    expect(await result.children()).toBeNull();
    results.put('t', 'SUCCESS', 1, { children });
    const [child, group] = (await result.children()) as [AsyncResult, GroupResult];
    expect(child).toBeInstanceOf(AsyncResult);
    expect(group).toBeInstanceOf(GroupResult);
    expect([group.asTuple(), group.parent?.id]).toEqual([children[1], 'p']);
    expect((await result.children())?.[0]).toBe(child);
  });

  it.each([['c1'], [['c1']], [[['c1']]], [[[['c1'], null]]], [{}]])(
    'that are malformed (%j) fail children() alone',
    async (bad) => {
      await using results = new Results();
      results.put('t', 'SUCCESS', 1, { children: bad });
      expect(await outcome(results.task('t').children())).toMatchObject({ code: 'CELERY_DECODE' });
      expect(await results.task('t').get()).toBe(1);
    },
  );
});

describe('collect', () => {
  const task = (id: string): unknown => [[id, null], null];

  it('yields each result with its value, breadth first, and waits for each', async () => {
    await using results = new Results();
    const seen: unknown[] = [];
    const walk = async (): Promise<void> => {
      for await (const [result, value] of results.task('a').collect({ timeout: 30 })) seen.push([result.id, value]);
    };
    const walked = walk();
    await results.waiting(1);
    results.put('a', 'SUCCESS', 1, {
      children: [
        task('b'),
        [
          ['g', null],
          [task('c'), task('d')],
        ],
      ],
    });
    await results.succeed('b', 2);
    await results.succeed('d', 4);
    results.put('c', 'SUCCESS', 3, { children: [task('a'), task('e')] });
    await results.succeed('e', 5);
    await walked;
    expect(seen).toEqual([
      ['a', 1],
      ['b', 2],
      ['g', [3, 4]],
      ['c', 3],
      ['d', 4],
      ['e', 5],
    ]);
  });

  it('has one timeout for all', async () => {
    const clock = new VirtualClock();
    await using results = new Results({ clock });
    const walk = results.task('a').collect({ timeout: 10 });
    const first = walk.next();
    await clock.advance(6_000);
    results.put('a', 'SUCCESS', 1, { children: [task('b')] });
    await first;
    const second = outcome(walk.next());
    await clock.advance(3_900);
    expect(results.backend.stats().waits).toBe(1);
    await clock.advance(200);
    expect(await second).toBeInstanceOf(TimeoutError);
  });

  it('iterdeps does not wait: a result that is not ready is an IncompleteStream, unless intermediate', async () => {
    await using results = new Results();
    results.put('a', 'SUCCESS', 1, { children: [task('b'), task('c')] });
    results.put('c', 'SUCCESS', 1, { children: [task('d')] });
    const seen = async (intermediate: boolean): Promise<unknown[]> => {
      const ids: unknown[] = [];
      try {
        for await (const [parent, node] of results.task('a').iterdeps({ intermediate }))
          ids.push([parent?.id, node.id]);
      } catch (error) {
        ids.push((error as { code: string }).code, (error as { taskId: string }).taskId);
      }
      return ids;
    };
    expect(await seen(false)).toEqual([[undefined, 'a'], ['a', 'b'], 'CELERY_INCOMPLETE_STREAM', 'b']);
    expect(await seen(true)).toEqual([
      [undefined, 'a'],
      ['a', 'b'],
      ['a', 'c'],
      ['c', 'd'],
    ]);
  });
});

describe('tuples', () => {
  it('come from results, their parents included', async () => {
    await using results = new Results();
    const chain = results.task('c', results.task('b', results.group('g', ['a'])));
    const tuple = [['c', [['b', [['g', null], [[['a', null], null]]]], null]], null];
    expect(chain.asTuple()).toEqual(tuple);
    expect(chain.asList()).toEqual(['c', 'b', 'g']);
    const again = resultFromTuple(JSON.parse(JSON.stringify(chain)), results.backend);
    expect(again.asTuple()).toEqual(tuple);
    expect(resultFromTuple(chain, results.backend)).toBe(chain);
    await results.writer.storeResult('t', { chain, group: results.group('g', []) }, 'SUCCESS');
    expect(await results.task('t').get()).toEqual({ chain: tuple, group: [['g', null], []] });
  });

  it('a result that is stored as a value has the bytes of Celery', async () => {
    await using results = new Results();
    await results.succeed('t', results.task('c1', results.task('c0')));
    const text = String(results.space.get('celery-task-meta-t'));
    expect(text).toContain('"result": [["c1", [["c0", null], null]], null], ');
  });

  it.each([
    [
      ['a', null],
      [['a', null], null],
    ],
    [
      ['g', []],
      [['g', null], []],
    ],
    [
      [['a', false], null],
      [['a', null], null],
    ],
    [
      [['a', {}], null],
      [['a', null], null],
    ],
    [
      [['a', ['p', null]], null],
      [['a', [['p', null], null]], null],
    ],
  ])('%j is read as %j', async (tuple, form) => {
    await using results = new Results();
    expect(resultFromTuple(tuple, results.backend).asTuple()).toEqual(form);
  });

  it.each([
    [null], [5], ['c1'], [['c1']], [[['c1'], null]], [[['', null], null]], [[[5, null], null]], [['a', 'b']], [['a', {}]],
    [['a', null, null]], [[['a', 5], null]], [['g', ['a']]], [[['a\n', null], null]],
  ])('%j is refused', async (tuple) => {
    await using results = new Results();
    expect(() => resultFromTuple(tuple, results.backend)).toThrow('Expected the tuple of a result');
  }); // prettier-ignore

  it('of hostile depth are refused, up or down', async () => {
    await using results = new Results();
    let [up, down]: unknown[] = [
      ['a', null],
      ['a', null],
    ];
    for (let depth = 0; depth < 100_000; depth += 1) {
      up = [['a', up], null];
      down = ['g', [down]];
    }
    for (const deep of [up, down]) expect(() => resultFromTuple(deep, results.backend)).toThrow('deeper than 1000');
  });

  it('results are equal by what they stand for', async () => {
    await using results = new Results();
    const [task, group] = [results.task('a', results.task('p')), results.group('g', ['a'], results.task('p'))];
    expect([task.equals('a'), task.equals(results.task('a')), task.equals(results.task('b'))]).toEqual([
      true,
      true,
      false,
    ]);
    expect([task.equals(results.group('a', [])), task.equals(null)]).toEqual([false, false]);
    expect([group.equals('g'), group.equals(results.group('g', ['a'], results.task('p')))]).toEqual([true, true]);
    const others = [
      results.group('g', ['a']),
      results.group('g', ['b'], results.task('p')),
      results.group('h', ['a'], results.task('p')),
    ];
    expect(others.map((other) => group.equals(other))).toEqual([false, false, false]);
  });
});
