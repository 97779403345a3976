/** Checked by the compiler (`npm run typecheck`); running it checks only that it loads. */
import { type afterAll, type describe, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type * as node from 'node:test';
import type {
  BackendOptions,
  BaseBackend,
  CeleryApp,
  ExceptionInfo,
  RedisBackend,
  StoreOptions,
  StoreOutcome,
} from '../../src/index.ts';
import type {
  awaited,
  AwaitedOptions,
  contract,
  ContractRunner,
  ContractSubject,
  fail,
  memoryBackend,
  progress,
  pythonError,
  RawStore,
  retry,
  revoke,
  start,
  Storing,
  succeed,
} from '../../src/testing/index.ts';

it('has the types of backends in memory that are promised', () => {
  expectTypeOf<typeof memoryBackend>().toEqualTypeOf<(options?: BackendOptions, app?: CeleryApp) => RedisBackend>();
  expectTypeOf<typeof awaited>().returns.toEqualTypeOf<Promise<void>>();
  expectTypeOf<typeof awaited>().toBeCallableWith({ url: 'memory://' }, 'a');
  expectTypeOf<typeof awaited>().parameter(2).toEqualTypeOf<AwaitedOptions | undefined>();
  expectTypeOf<keyof AwaitedOptions>().toEqualTypeOf<'globalKeyprefix'>();
});

it('has the types of workers that are promised', () => {
  type Ending = typeof fail | typeof retry;
  expectTypeOf<ReturnType<Ending | typeof start | typeof progress | typeof succeed | typeof revoke>>().toEqualTypeOf<
    Promise<StoreOutcome>
  >();
  expectTypeOf<typeof fail>().toEqualTypeOf<typeof retry>();
  expectTypeOf<typeof fail>().parameter(2).toEqualTypeOf<Error | ExceptionInfo>();
  expectTypeOf<typeof fail>().parameter(3).toEqualTypeOf<StoreOptions | undefined>();
  expectTypeOf<typeof progress>().parameter(3).toEqualTypeOf<string | undefined>();
  expectTypeOf<typeof revoke>().parameter(2).toEqualTypeOf<string | undefined>();
  expectTypeOf<typeof pythonError>().toEqualTypeOf<(type: string, ...args: readonly unknown[]) => ExceptionInfo>();
  expectTypeOf<BaseBackend>().toExtend<Storing>();
  const use = async (backend: Storing, end: typeof succeed, begin: typeof start): Promise<void> => {
    await end(backend, 'a');
    await begin(backend, 'a', { pid: 1 }, { request: { id: 'a' } });
    // @ts-expect-error -- STARTED tells of the worker in an object
    await begin(backend, 'a', 5);
  };
  expectTypeOf(use).toBeFunction();
});

it('has the types of the contract that are promised', () => {
  expectTypeOf<typeof contract>().toEqualTypeOf<(runner: ContractRunner, subject: ContractSubject) => void>();
  expectTypeOf<ContractSubject['open']>().returns.toEqualTypeOf<Promise<RawStore>>();
  expectTypeOf<NonNullable<RawStore['backend']>>().parameters.toEqualTypeOf<
    [app: CeleryApp, options: BackendOptions]
  >();
  expectTypeOf<RawStore['get']>().returns.resolves.toEqualTypeOf<string | null>();
  const use = (run: typeof contract, runner: ContractRunner, open: ContractSubject['open']): void => {
    run(runner, { name: 'mine', open, exceptions: { 'a title': 'a reason' } });
    // @ts-expect-error -- who opens no store has nothing to test
    run(runner, { name: 'mine' });
  };
  expectTypeOf(use).toBeFunction();
});

it('takes the functions of test runners', () => {
  type Of<D, I, A> = Record<'describe', D> & Record<'it', I> & Record<'afterAll', A>;
  expectTypeOf<Of<typeof describe, typeof it, typeof afterAll>>().toExtend<ContractRunner>();
  expectTypeOf<Of<typeof node.describe, typeof node.it, typeof node.after>>().toExtend<ContractRunner>();
});
