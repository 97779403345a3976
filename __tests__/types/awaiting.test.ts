/** Checked by the compiler (`npm run typecheck`); running it checks only that it loads. */
import { it } from '@jest/globals';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type } from 'arktype';
import { expectTypeOf } from 'expect-type';
import * as v from 'valibot';
import { z } from 'zod';
import type {
  AsyncResult,
  Failed,
  GroupResult,
  Invalid,
  RedisBackend,
  ResultInvalidError,
  SchemaOutput,
  Settled,
  StandardSchema,
  StoreOutcome,
  Succeeded,
  TaskError,
  TaskMeta,
  tasks as Tasks,
  TaskSource,
  TimedOut,
  TimeoutError,
  TypedTask,
} from '../../src/index.ts';

interface Price {
  readonly cents: number;
}

interface Shop {
  'orders.price': Price;
  'orders.ship': string;
}

it('has the types of waits that are promised', () => {
  const use = async (backend: RedisBackend, signal: AbortSignal): Promise<void> => {
    const settled = await backend.settle<Price>('a', { timeout: 1, signal });
    expectTypeOf(settled).toEqualTypeOf<Settled<Price> | TimedOut>();
    if (settled.status === 'SUCCESS') expectTypeOf(settled.result).toEqualTypeOf<Price>();
    else if (settled.status === 'TIMEOUT') expectTypeOf(settled.error).toEqualTypeOf<TimeoutError>();
    else expectTypeOf(settled).toEqualTypeOf<Failed>();
    // @ts-expect-error -- a failure has no result
    if (settled.status === 'FAILURE') expectTypeOf(settled.result).toBeUnknown();
    expectTypeOf((await backend.settle('a')).status).toEqualTypeOf<'SUCCESS' | 'FAILURE' | 'REVOKED' | 'TIMEOUT'>();

    for await (const meta of backend.watch('a', { timeout: 1, signal })) expectTypeOf(meta).toEqualTypeOf<TaskMeta>();
    // @ts-expect-error -- a watcher has its loop
    backend.watch('a', { onMessage: () => undefined });
    for await (const each of backend.asCompleted<Price>(['a'], { timeout: 1, signal })) {
      expectTypeOf(each).toEqualTypeOf<Settled<Price>>();
      expectTypeOf(each.meta).toEqualTypeOf<TaskMeta>();
    }
    expectTypeOf(backend.watch('a')).toExtend<AsyncDisposable>();

    expectTypeOf(await backend.waitForAll<Price>(['a'])).toEqualTypeOf<Price[]>();
    expectTypeOf(await backend.waitForAll<Price>(['a'], { propagate: true, signal })).toEqualTypeOf<Price[]>();
    expectTypeOf(await backend.waitForAll<Price>(['a'], { propagate: false })).toEqualTypeOf<(Price | Error)[]>();
    expectTypeOf(await backend.waitForAll(['a'])).toEqualTypeOf<unknown[]>();
    expectTypeOf(await backend.waitForAny<Price>(['a'])).toEqualTypeOf<Succeeded<Price>>();
    expectTypeOf(await backend.waitForAny<Price>(['a'], { propagate: false })).toEqualTypeOf<Settled<Price>>();
    // @ts-expect-error -- ids are many
    await backend.waitForAll('a');

    expectTypeOf(await backend.updateState('a', 'PROGRESS', { current: 1 })).toEqualTypeOf<StoreOutcome>();
    await backend.updateState('a', 'PROGRESS', null, { request: { id: 'a' } });
    // @ts-expect-error -- a state is needed
    await backend.updateState('a');
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<RedisBackend>().toExtend<TaskSource>();
});

it('has the types of typed tasks that are promised', () => {
  const use = async (tasks: typeof Tasks, backend: RedisBackend): Promise<void> => {
    const shop = tasks<Shop>(backend);
    const price = shop.task('orders.price');
    expectTypeOf(price).toEqualTypeOf<TypedTask<Price>>();
    expectTypeOf(await price.waitFor('a')).toEqualTypeOf<Price>();
    expectTypeOf(await price.waitFor('a', { propagate: false })).toEqualTypeOf<Price | Error>();
    expectTypeOf(await price.waitForAll(['a'])).toEqualTypeOf<Price[]>();
    expectTypeOf(await price.waitForAll(['a'], { propagate: false })).toEqualTypeOf<(Price | Error)[]>();
    expectTypeOf(await price.waitForAny(['a'])).toEqualTypeOf<Succeeded<Price>>();
    expectTypeOf(await price.settle('a')).toEqualTypeOf<Settled<Price> | TimedOut | Invalid>();
    for await (const each of price.asCompleted(['a'])) expectTypeOf(each).toEqualTypeOf<Settled<Price> | Invalid>();
    for await (const meta of price.watch('a')) expectTypeOf(meta).toEqualTypeOf<TaskMeta>();
    expectTypeOf(price.result('a')).toEqualTypeOf<AsyncResult<Price>>();
    expectTypeOf(price.group('g', ['a'])).toEqualTypeOf<GroupResult<Price>>();
    expectTypeOf(await price.group('g', ['a']).get()).toEqualTypeOf<Price[]>();
    expectTypeOf(await price.group('g', ['a']).results[0]?.get()).toEqualTypeOf<Price | undefined>();
    expectTypeOf(await price.restoreGroup('g')).toEqualTypeOf<GroupResult<Price> | null>();
    expectTypeOf(await shop.task('orders.ship').waitFor('a')).toBeString();
    // @ts-expect-error -- no such task
    shop.task('orders.prise');
    shop.task('orders.price', z.object({ cents: z.number() }));
    shop.task('orders.price', v.object({ cents: v.number() }));
    shop.task('orders.price', type({ cents: 'number' }));
    // @ts-expect-error -- a schema of something else
    shop.task('orders.price', z.object({ cents: z.string() }));

    const checked = tasks(backend, {
      'app.zod': z.object({ at: z.string() }).transform(({ at }) => new Date(at)),
      'app.valibot': v.pipe(v.string(), v.transform(Number)),
      'app.arktype': type({ cents: 'number' }),
    });
    expectTypeOf(await checked.task('app.zod').waitFor('a')).toEqualTypeOf<Date>();
    expectTypeOf(await checked.task('app.valibot').waitFor('a')).toBeNumber();
    expectTypeOf(await checked.task('app.arktype').waitFor('a')).toEqualTypeOf<{ cents: number }>();
    // @ts-expect-error -- no such task
    checked.task('app.other');
    // @ts-expect-error -- no schema
    tasks(backend, { 'app.zod': {} });
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<ResultInvalidError>().toExtend<TaskError>();
  expectTypeOf<Invalid['error']>().toEqualTypeOf<ResultInvalidError>();
});

it('takes schemas as the specification has them', () => {
  expectTypeOf<StandardSchemaV1<string, Date>>().toExtend<StandardSchema<Date>>();
  expectTypeOf<StandardSchemaV1<string, Date>>().not.toExtend<StandardSchema<string>>();
  expectTypeOf<SchemaOutput<StandardSchemaV1<string, Date>>>().toEqualTypeOf<Date>();
});
