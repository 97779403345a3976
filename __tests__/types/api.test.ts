/** Checked by the compiler (`npm run typecheck`); running it checks only that it loads. */
import { it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type { BackendOptions, BaseBackend, RedisBackend, StoreOutcome, TaskMeta, TaskState } from '../../src/index.ts';

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
