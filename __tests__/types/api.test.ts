/** Checked by the compiler (`npm run typecheck`); running it checks only that it loads. */
import { it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type {
  AsyncResult,
  BackendOptions,
  BaseBackend,
  GroupResult,
  RedisBackend,
  Result,
  ResultSet,
  ResultSource,
  ResultTuple,
  StoreOutcome,
  TaskMeta,
  TaskState,
} from '../../src/index.ts';

it('has the types that are promised', () => {
  type Backend = RedisBackend;
  const use = async (backend: Backend): Promise<void> => {
    expectTypeOf(await backend.waitFor('a')).toBeUnknown();
    expectTypeOf(await backend.waitFor<number>('a')).toBeNumber();
    expectTypeOf(await backend.waitFor<number>('a', { timeout: 1, signal: AbortSignal.timeout(1) })).toBeNumber();
    expectTypeOf(await backend.waitFor<number>('a', { propagate: true })).toBeNumber();
    expectTypeOf(await backend.waitFor<number>('a', { propagate: false })).toEqualTypeOf<number | Error>();
    expectTypeOf(await backend.storeResult('a', 1, 'SUCCESS')).toEqualTypeOf<StoreOutcome>();
    expectTypeOf(await backend.getTaskMeta('a')).toEqualTypeOf<TaskMeta>();
    expectTypeOf(await backend.getMany(['a'])).toEqualTypeOf<Map<string, TaskMeta>>();
    expectTypeOf(await backend.getStatus('a')).toEqualTypeOf<TaskState>();
    expectTypeOf(backend.isCached('a')).toBeBoolean();
    // @ts-expect-error -- a state is needed
    await backend.storeResult('a', 1);
    // @ts-expect-error -- an id is a string
    await backend.waitFor(5);
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<Backend>().toExtend<BaseBackend>();
  expectTypeOf<Backend>().toExtend<AsyncDisposable>();
  expectTypeOf<ConstructorParameters<typeof RedisBackend>[1]>().toEqualTypeOf<BackendOptions | undefined>();
});

it('has the types of results that are promised', () => {
  const use = async (task: AsyncResult<number>, group: GroupResult<number>): Promise<void> => {
    expectTypeOf(await task.get()).toBeNumber();
    expectTypeOf(await task.get({ timeout: 1, followParents: false })).toBeNumber();
    expectTypeOf(await task.get({ propagate: false })).toEqualTypeOf<number | Error>();
    expectTypeOf(await task.maybeThrow()).toBeNumber();
    expectTypeOf(await task.state()).toEqualTypeOf<TaskState>();
    expectTypeOf(await task.children()).toEqualTypeOf<readonly Result[] | null>();
    expectTypeOf(task.asTuple()).toEqualTypeOf<ResultTuple>();
    expectTypeOf(await group.get()).toEqualTypeOf<number[]>();
    expectTypeOf(await group.joinNative({ propagate: false })).toEqualTypeOf<(number | Error)[]>();
    for await (const [result, value] of group) {
      expectTypeOf(result).toEqualTypeOf<Result<number>>();
      expectTypeOf(value).toBeNumber();
    }
    for await (const [, value] of group.asCompleted({ propagate: false })) {
      expectTypeOf(value).toEqualTypeOf<number | Error>();
    }
    // @ts-expect-error -- a limit is in seconds
    await task.get({ timeout: '1' });
    // @ts-expect-error -- a group has no parents to follow while it is joined
    await group.get({ followParents: true });
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<RedisBackend>().toExtend<ResultSource>();
  expectTypeOf<AsyncResult<number>>().toExtend<Result<number>>();
  expectTypeOf<GroupResult<number>>().toExtend<Result>();
  expectTypeOf<GroupResult<number>>().toExtend<ResultSet<number>>();
  expectTypeOf<AsyncResult>().not.toExtend<PromiseLike<unknown>>();
});
