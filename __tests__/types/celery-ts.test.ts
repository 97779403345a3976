/** Checked by the compiler (`npm run typecheck`); running it checks only that it loads. */
import { it } from '@jest/globals';
import type { Client, ResultBackend, ResultMessage } from 'celery-ts';
import { expectTypeOf } from 'expect-type';
import type {
  CeleryTsBackend,
  CeleryTsBackendOptions,
  CeleryTsGetOptions,
  CeleryTsMessage,
  createCeleryTsBackend,
  Swallowed,
  SwallowedObserver,
} from '../../src/adapters/celery-ts/index.ts';
import type { BaseBackend } from '../../src/index.ts';

it('is a backend of celery-ts', () => {
  expectTypeOf<CeleryTsBackend>().toExtend<ResultBackend>();
  expectTypeOf<CeleryTsBackend>().toExtend<ConstructorParameters<typeof Client>[0]['backend']>();
  expectTypeOf<typeof createCeleryTsBackend>().toEqualTypeOf<
    (backend: BaseBackend, options?: CeleryTsBackendOptions) => CeleryTsBackend
  >();
});

it('takes and gives the messages of celery-ts', () => {
  const use = async (backend: CeleryTsBackend, ended: ResultMessage<number>): Promise<void> => {
    expectTypeOf((await backend.get<number>({ taskId: 'a', timeout: 1000 })).result).toBeNumber();
    expectTypeOf(await backend.put(ended)).toBeString();
    expectTypeOf(await backend.delete('a')).toBeString();
    expectTypeOf(backend.uri()).toBeString();
    // @ts-expect-error -- a state is needed
    await backend.put({ task_id: 'a', result: 1 });
    // @ts-expect-error -- an id is needed
    await backend.get({ timeout: 1000 });
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<CeleryTsBackend['get']>().parameters.toEqualTypeOf<[options: CeleryTsGetOptions]>();
  expectTypeOf<ResultMessage<number>>().toExtend<CeleryTsMessage<number>>();
  expectTypeOf<CeleryTsMessage['result']>().toBeUnknown();
});

it('tells of failures that nobody awaits', () => {
  expectTypeOf<CeleryTsBackendOptions['onError']>().toEqualTypeOf<SwallowedObserver | undefined>();
  expectTypeOf<SwallowedObserver>().parameters.toEqualTypeOf<[failure: Swallowed]>();
  expectTypeOf<CeleryTsBackendOptions['maxWait']>().toEqualTypeOf<number | null | undefined>();
});
