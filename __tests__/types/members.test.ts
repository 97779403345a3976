/** Checked by the compiler (`npm run typecheck`); running it checks only that it loads. */
import { it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type {
  AsyncResult,
  BackendError,
  CeleryApp,
  GroupResult,
  GroupTuple,
  RedisBackend,
  RemoteError,
  Result,
  ResultInvalidError,
  ResultSet,
  ResultTuple,
  StoreOutcome,
  TaskMeta,
  TaskState,
  TypedTask,
  TypeEncoder,
  TypeRegistry,
  Uuid,
} from '../../src/index.ts';
import type { CeleryTsBackend } from '../../src/adapters/celery-ts/index.ts';

it('has the types of reads and groups that are promised', () => {
  const use = async (backend: RedisBackend, group: GroupResult<number>): Promise<void> => {
    expectTypeOf(await backend.getState('a')).toEqualTypeOf<TaskState>();
    expectTypeOf(await backend.getResult('a')).toBeUnknown();
    expectTypeOf(await backend.getResult<number>('a')).toBeNumber();
    expectTypeOf(await backend.getTraceback('a')).toEqualTypeOf<string | null>();
    expectTypeOf(await backend.getChildren('a')).toEqualTypeOf<readonly ResultTuple[] | null>();
    expectTypeOf(await backend.reloadTaskResult('a')).toEqualTypeOf<TaskMeta>();
    expectTypeOf(await backend.waitForMeta('a', { timeout: 1 })).toEqualTypeOf<TaskMeta>();
    // @ts-expect-error -- a meta tells of a failure by itself
    await backend.waitForMeta('a', { propagate: false });
    expectTypeOf(backend.onTaskCall('a')).resolves.toBeVoid();
    expectTypeOf(backend.forget('a')).resolves.toBeVoid();
    expectTypeOf(await backend.saveGroup('g', group)).toEqualTypeOf<StoreOutcome>();
    expectTypeOf(await backend.saveGroup('g', group.asTuple())).toEqualTypeOf<StoreOutcome>();
    expectTypeOf(backend.deleteGroup('g')).resolves.toBeVoid();
    expectTypeOf(await backend.setChordSize('g', 2)).toEqualTypeOf<StoreOutcome>();
    expectTypeOf(await backend.applyChord(group)).toEqualTypeOf<StoreOutcome | 'simple'>();
    // @ts-expect-error -- a task is no group
    await backend.saveGroup('g', [['a', null], null]);
    expectTypeOf(await backend.ping()).toBeNumber();
  };
  expectTypeOf(use).toBeFunction();
});

it('has the types of what a backend is that are promised', () => {
  const use = (backend: RedisBackend): void => {
    expectTypeOf(backend.app).toEqualTypeOf<CeleryApp>();
    expectTypeOf(backend.url).toBeString();
    expectTypeOf(backend.asUri(true)).toBeString();
    expectTypeOf(backend.serializer).toBeString();
    expectTypeOf(backend.maxCachedResults).toBeNumber();
    expectTypeOf(backend.trackStarted).toBeBoolean();
    // @ts-expect-error -- it is what the options said
    backend.maxCachedResults = 5;
  };
  expectTypeOf(use).toBeFunction();
});

it('has the types of the questions of a task that are promised', () => {
  const use = async (task: AsyncResult<number>): Promise<void> => {
    expectTypeOf(await task.ready()).toBeBoolean();
    expectTypeOf(await task.successful()).toBeBoolean();
    expectTypeOf(await task.failed()).toBeBoolean();
    expectTypeOf(await task.info()).toBeUnknown();
    expectTypeOf(await task.name()).toEqualTypeOf<string | null>();
    expectTypeOf(await task.kwargs()).toBeUnknown();
    expectTypeOf(await task.retries()).toEqualTypeOf<number | null>();
    expectTypeOf(await task.dateDone()).toEqualTypeOf<Date | null>();
    expectTypeOf(await task.traceback()).toEqualTypeOf<string | null>();
    expectTypeOf(task.known).toEqualTypeOf<TaskMeta | undefined>();
    expectTypeOf<AsyncResult['take']>().toEqualTypeOf<(meta: TaskMeta | undefined) => void>();
    expectTypeOf(task.parent).toEqualTypeOf<Result | null>();
    expectTypeOf(task.asList()).toEqualTypeOf<string[]>();
    expectTypeOf(task.toJSON()).toEqualTypeOf<ResultTuple>();
    expectTypeOf(task.toString()).toBeString();
    expectTypeOf<AsyncResult['equals']>().toEqualTypeOf<(other: unknown) => boolean>();
    expectTypeOf(task.forget()).resolves.toBeVoid();
  };
  expectTypeOf(use).toBeFunction();
});

it('has the types of collections of results that are promised', () => {
  const use = async (set: ResultSet<number>, group: GroupResult<number>): Promise<void> => {
    expectTypeOf(set.results).toEqualTypeOf<readonly Result<number>[]>();
    for (const member of set) {
      expectTypeOf(await member.get({ timeout: 1 })).toBeNumber();
      expectTypeOf(await member.get({ propagate: false })).toEqualTypeOf<number | Error>();
    }
    expectTypeOf(await group.children()).toEqualTypeOf<readonly Result<number>[]>();
    expectTypeOf<ResultSet['results']>().toEqualTypeOf<readonly Result[]>();
    expectTypeOf(set.discard('a')).toBeBoolean();
    expectTypeOf<ResultSet['remove']>().toEqualTypeOf<(result: Result | string) => void>();
    expectTypeOf<ResultSet['update']>().toEqualTypeOf<(results: Iterable<Result>) => void>();
    expectTypeOf<ResultSet['clear']>().toEqualTypeOf<() => void>();
    expectTypeOf(await set.waiting()).toBeBoolean();
    expectTypeOf(await set.completedCount()).toBeNumber();
    expectTypeOf(group.toJSON()).toEqualTypeOf<GroupTuple>();
    expectTypeOf(await group.save()).toEqualTypeOf<StoreOutcome>();
  };
  expectTypeOf(use).toBeFunction();
});

it('has the types of restored groups that are promised', () => {
  const use = async (Group: typeof GroupResult, backend: RedisBackend): Promise<void> => {
    expectTypeOf(await Group.restore(backend, 'g')).toEqualTypeOf<GroupResult | null>();
    expectTypeOf(await Group.restore<number>(backend, 'g')).toEqualTypeOf<GroupResult<number> | null>();
  };
  expectTypeOf(use).toBeFunction();
});

it('has the types of errors, values and adapters that are promised', () => {
  const use = (error: RemoteError, invalid: ResultInvalidError, other: CeleryTsBackend): void => {
    expectTypeOf(error.excType).toBeString();
    expectTypeOf(error.excArgs).toEqualTypeOf<readonly unknown[]>();
    expectTypeOf(error.excModule).toEqualTypeOf<string | null>();
    expectTypeOf(invalid.taskName).toBeString();
    expectTypeOf(other.disconnect()).resolves.toBeVoid();
    expectTypeOf(other.end()).resolves.toBeVoid();
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<BackendError>().toHaveProperty('reply').toEqualTypeOf<string | undefined>();
  expectTypeOf<TypedTask<number>>().toHaveProperty('name').toBeString();
  expectTypeOf<Uuid>().toHaveProperty('hex').toBeString();
  expectTypeOf<Uuid>().toHaveProperty('kind').toEqualTypeOf<'uuid'>();
  expectTypeOf<TypeRegistry['knows']>().guards.toBeString();
  expectTypeOf<TypeRegistry['encoder']>().returns.toEqualTypeOf<TypeEncoder | undefined>();
  expectTypeOf<TypeRegistry['decode']>().toEqualTypeOf<(marker: string, value: unknown) => unknown>();
});
