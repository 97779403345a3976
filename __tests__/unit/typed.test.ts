import { describe, expect, it } from '@jest/globals';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import {
  InvalidArgumentError,
  ResultInvalidError,
  type StandardSchema,
  tasks,
  type TypedTask,
  type WatchOptions,
} from '../../src/index.ts';
import { outcome } from '../support/contract/context.ts';
import { Results } from '../support/results.ts';
import { settle } from '../support/virtual-clock.ts';

interface Price {
  cents: number;
  items: { sku: string }[];
}

interface Tasks {
  'orders.price': Price;
  'orders.ship': string;
}

const GOOD: Price = { cents: 1999, items: [{ sku: 'a' }] };
const BAD = { cents: 'many', items: [{ sku: 'a' }, { sku: 5 }] };

/** The same schema by each library. */
const SCHEMAS: readonly (readonly [string, StandardSchema<Price>])[] = [
  ['zod', z.object({ cents: z.number(), items: z.array(z.object({ sku: z.string() })) })],
  ['valibot', v.object({ cents: v.number(), items: v.array(v.object({ sku: v.string() })) })],
  ['arktype', type({ cents: 'number', items: type({ sku: 'string' }).array() })],
];

describe('the handle of a task', () => {
  it('waits as the backend does', async () => {
    await using results = new Results();
    const ship = tasks<Tasks>(results.backend).task('orders.ship');
    await results.succeed('a');
    await results.fail('b', 'boom');
    expect(ship.name).toBe('orders.ship');
    expect(await ship.waitFor('a', { timeout: 60 })).toBe('a');
    expect(await outcome(ship.waitFor('b'))).toMatchObject({ message: 'boom' });
    expect(await ship.waitFor('b', { propagate: false })).toMatchObject({ message: 'boom' });
    expect(await ship.settle('a')).toMatchObject({ status: 'SUCCESS', result: 'a' });
    expect(await ship.settle('x', { timeout: 0 })).toMatchObject({ status: 'TIMEOUT' });
    expect(await ship.waitForAll(['a', 'a'])).toEqual(['a', 'a']);
    expect(await ship.waitForAny(['x', 'a'])).toMatchObject({ taskId: 'a', result: 'a' });
    const seen: unknown[] = [];
    for await (const { taskId, status } of ship.asCompleted(['a', 'b'])) seen.push([taskId, status]);
    for await (const { status } of ship.watch('a')) seen.push(status);
    expect(seen).toEqual([['a', 'SUCCESS'], ['b', 'FAILURE'], 'SUCCESS']);
  });

  it('makes results and groups', async () => {
    await using results = new Results();
    const ship = tasks<Tasks>(results.backend).task('orders.ship');
    for (const id of ['a', 'b']) await results.succeed(id);
    expect(await ship.result('a').get()).toBe('a');
    const group = ship.group('g', ['a', 'b']);
    await group.save();
    expect(await group.get()).toEqual(['a', 'b']);
    expect(await (await ship.restoreGroup('g'))?.get()).toEqual(['a', 'b']);
    expect(await ship.restoreGroup('none')).toBeNull();
  });
});

describe.each([
  ['without a schema', undefined],
  ['with a schema', z.string()],
])('the handle of a task %s', (_, schema) => {
  type Ship = TypedTask<string>;
  type Limits = Pick<WatchOptions, 'timeout' | 'signal'>;
  const calls: Readonly<Record<string, (ship: Ship, limits: Limits) => Promise<unknown>>> = {
    waitFor: (ship, limits) => ship.waitFor('x', limits),
    watch: (ship, limits) => ship.watch('x', limits).next(),
    asCompleted: (ship, limits) => ship.asCompleted(['x', 'y'], limits).next(),
    waitForAll: (ship, limits) => ship.waitForAll(['x', 'y'], limits),
    waitForAny: (ship, limits) => ship.waitForAny(['x', 'y'], limits),
    get: (ship, limits) => ship.result('x').get(limits),
    'get of a group': (ship, limits) => ship.group('g', ['x', 'y']).get(limits),
  };

  it.each(Object.entries(calls))('has the limit and the signal of the call: %s', async (_name, call) => {
    await using results = new Results();
    const ship = tasks<Tasks>(results.backend).task('orders.ship', schema);
    expect(await outcome(call(ship, { timeout: 0 }))).toMatchObject({
      code: 'CELERY_TIMEOUT',
      taskId: 'x',
      timeout: 0,
    });
    const controller = new AbortController();
    const wait = outcome(call(ship, { signal: controller.signal }));
    while (results.backend.stats().channels === 0) await settle();
    controller.abort('enough');
    expect(await wait).toBe('enough');
    await results.waiting(0);
  });
});

describe.each(SCHEMAS)('a schema of %s', (_, schema) => {
  it('lets pass what it accepts', async () => {
    await using results = new Results();
    const price = tasks<Tasks>(results.backend).task('orders.price', schema);
    await results.succeed('a', GOOD);
    expect(await price.waitFor('a')).toEqual(GOOD);
    expect(await price.settle('a')).toMatchObject({ status: 'SUCCESS', result: GOOD });
    expect(await price.waitForAll(['a'])).toEqual([GOOD]);
    expect(await price.group('g', ['a']).get()).toEqual([GOOD]);
    expect(await price.result('a').result()).toEqual(GOOD);
  });

  it('refuses what it does not, with an error that names the places, the task and its id', async () => {
    await using results = new Results();
    const price = tasks<Tasks>(results.backend).task('orders.price', schema);
    await results.succeed('a', BAD);
    const error = await outcome(price.waitFor('a'));
    expect(error).toBeInstanceOf(ResultInvalidError);
    expect(error).toMatchObject({
      name: 'ResultInvalidError',
      code: 'CELERY_RESULT_INVALID',
      taskName: 'orders.price',
      taskId: 'a',
      issues: [expect.anything(), expect.anything()],
      message: expect.stringMatching(
        /^The result of orders\.price \(task a\) is not valid: \$\.cents: .+; \$\.items\[1\]\.sku: .+\.$/,
      ),
    });
  });
});

describe('a schema', () => {
  const schema = z.object({ cents: z.number(), items: z.array(z.object({ sku: z.string() })) });

  it('fails every call that reads a result which it refuses, and settle and asCompleted tell of it', async () => {
    await using results = new Results();
    const price = tasks<Tasks>(results.backend).task('orders.price', schema);
    await results.succeed('a', BAD);
    await results.succeed('b', GOOD);
    const group = price.group('g', ['b', 'a']);
    const calls = [
      () => price.waitFor('a', { propagate: false }),
      () => price.waitForAll(['b', 'a']),
      () => price.waitForAny(['a']),
      () => price.watch('a').next(),
      () => price.result('a').get(),
      () => price.result('a').state(),
      () => group.get({ propagate: false }),
      () => group.ready(),
    ];
    for (const call of calls) expect(await outcome(call())).toBeInstanceOf(ResultInvalidError);
    expect(await price.settle('a')).toMatchObject({
      taskId: 'a',
      status: 'INVALID',
      error: { code: 'CELERY_RESULT_INVALID' },
      meta: { result: BAD },
    });
    const seen: unknown[] = [];
    for await (const { taskId, status } of price.asCompleted(['a', 'b'])) seen.push([taskId, status]);
    expect(seen).toEqual([
      ['a', 'INVALID'],
      ['b', 'SUCCESS'],
    ]);
    await group.forget();
    expect(await results.backend.getStatus('a')).toBe('PENDING');
  });

  it('sees neither failures nor states on the way', async () => {
    await using results = new Results();
    const price = tasks<Tasks>(results.backend).task('orders.price', schema);
    const states: unknown[] = [];
    const follow = async (): Promise<void> => {
      for await (const { status } of price.watch('a')) states.push(status);
    };
    const followed = follow();
    await results.waiting(1);
    results.put('a', 'PROGRESS', { current: 1 });
    await results.fail('a', 'boom');
    await followed;
    expect(states).toEqual(['PROGRESS', 'FAILURE']);
    expect(await price.settle('a')).toMatchObject({ status: 'FAILURE', error: { message: 'boom' } });
    expect(await outcome(price.waitFor('a'))).toMatchObject({ message: 'boom' });
  });

  it('may make another value, in its own time, of what is kept as it came', async () => {
    await using results = new Results({ maxCachedResults: 10 });
    const when = z.object({ at: z.string() }).transform(async ({ at }) => Promise.resolve(new Date(at)));
    const dated = tasks(results.backend, { 'orders.date': when }).task('orders.date');
    await results.succeed('a', { at: '2026-01-01T00:00:00Z' });
    const [one, other] = [await dated.waitFor('a'), await dated.result('a').get()];
    expect([one, other]).toEqual([new Date(Date.UTC(2026, 0, 1)), new Date(Date.UTC(2026, 0, 1))]);
    expect(await results.backend.waitFor('a')).toEqual({ at: '2026-01-01T00:00:00Z' });
    await results.succeed('b', { at: 5 });
    expect(await outcome(dated.waitFor('b'))).toBeInstanceOf(ResultInvalidError);
  });

  it('is not for the tasks that a task sent', async () => {
    await using results = new Results();
    const price = tasks<Tasks>(results.backend).task('orders.price', schema);
    const children = [results.task('child').asTuple()];
    await results.succeed('child', 'of another kind');
    await results.writer.storeResult('a', GOOD, 'SUCCESS', { request: { children } });
    const seen: unknown[] = [];
    for await (const [{ id }, value] of price.result('a').collect()) seen.push([id, value]);
    expect(seen).toEqual([
      ['a', GOOD],
      ['child', 'of another kind'],
    ]);
  });

  it('is for the members of a restored group, not for what came before them', async () => {
    await using results = new Results();
    const price = tasks<Tasks>(results.backend).task('orders.price', schema);
    const parent = results.task('before');
    await results.succeed('before', 'of another kind');
    await results.succeed('a', GOOD);
    await results.succeed('b', BAD);
    await results.group('good', [results.task('a', parent)], parent).save();
    await results.group('bad', ['b']).save();
    const [good, bad] = [await price.restoreGroup('good'), await price.restoreGroup('bad')];
    expect(await good?.get()).toEqual([GOOD]);
    expect(await good?.parent?.get()).toBe('of another kind');
    expect(await outcome(bad?.get() ?? Promise.resolve())).toBeInstanceOf(ResultInvalidError);
  });

  it('that throws fails the call with what it throws, settle and asCompleted too', async () => {
    await using results = new Results();
    const broken = z.string().transform(() => {
      throw new RangeError('broken');
    });
    const handle = tasks(results.backend, { 'app.broken': broken }).task('app.broken');
    await results.succeed('a');
    const calls = [() => handle.waitFor('a'), () => handle.settle('a'), () => handle.asCompleted(['a']).next()];
    for (const call of calls) expect(await outcome(call())).toEqual(new RangeError('broken'));
  });

  it('comes from the map unless the task has its own; what an object inherits is none', async () => {
    await using results = new Results();
    const map = tasks(results.backend, { 'orders.ship': z.string() });
    await results.succeed('a', 5);
    expect(await outcome(map.task('orders.ship').waitFor('a'))).toBeInstanceOf(ResultInvalidError);
    const loose = z.custom<string>(() => true);
    expect(await map.task('orders.ship', loose).waitFor('a')).toBe(5);
    const inherited = tasks<{ toString: number }>(results.backend).task('toString');
    expect(await inherited.waitFor('a')).toBe(5);
  });

  it('that is none is refused', async () => {
    await using results = new Results();
    const map = tasks<Tasks>(results.backend);
    const task = map.task.bind(map) as (name: string, schema: unknown) => unknown;
    const none = [null, 5, 'a', {}, { '~standard': null }, { '~standard': { version: 2, validate: () => 5 } }];
    for (const each of none) expect(() => task('orders.ship', each)).toThrow(InvalidArgumentError);
  });

  it('has messages that stay short, whatever came', () => {
    const key = 'k'.repeat(10_000);
    const issues = Array.from({ length: 50 }, () => ({
      message: `bad \u001b[31m${'x'.repeat(10_000)}`,
      path: [{ key }, Symbol('s'), ...Array.from({ length: 100 }, () => 0)],
    }));
    const { message } = new ResultInvalidError('app.task', 'a', issues);
    expect(message.length).toBeLessThan(1_500);
    expect(message).toContain('and 47 more');
    expect(message).not.toContain('\u001b');
  });

  it('of the caller is named by the stack of its error', async () => {
    await using results = new Results();
    const price = tasks<Tasks>(results.backend).task('orders.price', schema);
    await results.succeed('a', BAD);
    const error = await outcome(
      (async function caller() {
        await price.waitFor('a');
      })(),
    );
    expect((error as Error).stack).toContain('caller');
  });
});
