/** Checked by the compiler (`npm run typecheck`); running it checks that every public name of every entry is in one of these files. */
import { expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import { readdirSync, readFileSync } from 'node:fs';
import type * as api from '../../src/index.ts';

type Api = typeof api;

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly import: { readonly types: string } }>>;
}

/** The entries of the package, each with the module it is made of. */
const doors = Object.entries((JSON.parse(readFileSync('package.json', 'utf8')) as Manifest).exports).flatMap(
  ([entry, target]) =>
    typeof target === 'string'
      ? []
      : [[entry, target.import.types.replace(/^\.\/dist\/esm\/(.*)\.d\.ts$/, 'src/$1.ts')]],
);
const tests = readdirSync('__tests__/types').map((file) => readFileSync(`__tests__/types/${file}`, 'utf8'));

/** The words of the tests that import a module, their titles apart: a type that is named has to be used, as eslint sees to. */
function wordsOfTests(module: string): ReadonlySet<string> {
  const about = tests.filter((text) => text.includes(`from '../../${module}'`));
  return new Set(
    about
      .join('\n')
      .replaceAll(/^ *(it|describe)\('.*?'/gm, '')
      .match(/\w+/g),
  );
}

it.each(doors)('names every public type and value of %s in a test in __tests__/types', (_entry, module = '') => {
  const door = readFileSync(module, 'utf8');
  const names = [...door.matchAll(/^export (?:type )?\{([^}]*)\}/gms)].flatMap(
    ([, list = '']) => list.match(/\w+/g) ?? [],
  );
  const named = wordsOfTests(module);
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => !named.has(name))).toEqual([]);
});

/** The members of each class in the report of the API, as `Class.member`. */
function membersOfClasses(): string[] {
  const found: string[] = [];
  let name: string | undefined;
  for (const line of readFileSync('etc/celery-redis-backend.api.md', 'utf8').split('\n')) {
    const [, opened] = /^(?:abstract )?class (\w+)/.exec(line) ?? [];
    const [, member] = /^ {4}(?:(?:static|readonly|get|set) )*(\w+)\??[(:<]/.exec(line) ?? [];
    if (opened !== undefined) name = opened;
    else if (line.startsWith('}')) name = undefined;
    else if (name !== undefined && member !== undefined && member !== 'constructor') found.push(`${name}.${member}`);
  }
  return [...new Set(found)];
}

it('names every public member of every class in a test in __tests__/types', () => {
  const named = new Set(tests.join('\n').match(/(?<=\.|\['|toHaveProperty\(')\w+/g));
  const members = membersOfClasses();
  expect(members.length).toBeGreaterThan(100);
  expect(members.filter((member) => !named.has(member.split('.')[1] ?? ''))).toEqual([]);
});

it('has the types of workers that are promised', () => {
  const use = async (backend: api.BaseBackend, request: api.TaskRequest): Promise<void> => {
    const store: api.StoreOptions = { request, traceback: null };
    const mark: api.MarkOptions = { ...store, storeResult: true, state: 'SUCCESS' };
    const failure: api.FailureOptions = { ...mark, callErrbacks: false };
    const started: api.StartedOptions = { request };
    expectTypeOf(await backend.storeResult('a', 1, 'SUCCESS', store)).toEqualTypeOf<api.StoreOutcome>();
    expectTypeOf(await backend.markAsStarted('a', { pid: 1 }, started)).toEqualTypeOf<api.MarkOutcome>();
    expectTypeOf(await backend.markAsDone('a', 1, mark)).toEqualTypeOf<api.StoreOutcome | 'ignored'>();
    expectTypeOf(await backend.markAsFailure('a', new Error('no'), failure)).toEqualTypeOf<api.MarkOutcome>();
    expectTypeOf(await backend.markAsRetry('a', null, mark)).toEqualTypeOf<api.MarkOutcome>();
    expectTypeOf(await backend.markAsRevoked('a', 'expired', mark)).toEqualTypeOf<api.MarkOutcome>();
    expectTypeOf(await backend.onChordPartReturn(request, 'SUCCESS', 1)).toEqualTypeOf<api.ChordOutcome>();
    expectTypeOf(await backend.addToChord('g')).toBeNumber();
    // @ts-expect-error -- STARTED tells of the worker in an object
    await backend.markAsStarted('a', 5);
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<Api['requestFromMessage']>().toEqualTypeOf<
    (message: api.TaskMessage, worker?: api.WorkerContext) => api.TaskRequest
  >();
  expectTypeOf<NonNullable<api.CeleryApp['applySignature']>>().parameter(0).toEqualTypeOf<api.Signature>();
  expectTypeOf<NonNullable<api.CeleryApp['callErrbacks']>>().parameter(0).toEqualTypeOf<api.ErrbackCall>();
  expectTypeOf<NonNullable<api.Signature['options']>>().toEqualTypeOf<api.SignatureOptions>();
});

it('has the types of waits and results that are promised', () => {
  const wait: api.WaitOptions = { timeout: null, propagate: false, onMessage: (meta: api.TaskMeta) => meta.status };
  expectTypeOf(wait).toExtend<api.MetaWaitOptions>();
  expectTypeOf<api.MetaWaitOptions['onMessage']>().toEqualTypeOf<api.MetaObserver | undefined>();
  expectTypeOf<keyof api.WatchOptions>().toEqualTypeOf<'timeout' | 'signal'>();
  expectTypeOf<api.Propagating['propagate']>().toEqualTypeOf<true | undefined>();
  expectTypeOf<api.GetOptions>().toExtend<api.WaitOptions>();
  expectTypeOf<keyof api.LookOptions>().toEqualTypeOf<'propagate' | 'callback'>();
  expectTypeOf<api.JoinOptions>().not.toHaveProperty('followParents');
  expectTypeOf<api.AsyncResult<number>>().toExtend<api.TaskResult<number>>();
  const use = async (task: api.AsyncResult<number>, source: api.ResultSource): Promise<void> => {
    const options: api.CollectOptions = { intermediate: true };
    for await (const [result, value] of task.collect(options)) {
      expectTypeOf(result).toEqualTypeOf<api.Result>();
      expectTypeOf(value).toBeUnknown();
    }
    for await (const dependency of task.iterdeps()) expectTypeOf(dependency).toEqualTypeOf<api.Dependency>();
    expectTypeOf(source.clock).toEqualTypeOf<api.Clock>();
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<ReturnType<api.Clock['after']>>().toEqualTypeOf<api.Timer>();
  const read = async (of: Api['resultFromTuple'], source: api.ResultSource): Promise<void> => {
    expectTypeOf(of([['a', null], null], source)).toEqualTypeOf<api.AsyncResult | api.GroupResult>();
    const typed = of<number>([['a', null], null], source);
    expectTypeOf(typed).toEqualTypeOf<api.AsyncResult<number> | api.GroupResult<number>>();
    expectTypeOf(await typed.get({ timeout: 10 })).toEqualTypeOf<number | number[]>();
  };
  expectTypeOf(read).toBeFunction();
  expectTypeOf<api.GroupTuple>().toExtend<api.ResultTuple>();
  expectTypeOf<api.ReadyState>().toEqualTypeOf<'SUCCESS' | 'FAILURE' | 'REVOKED'>();
  expectTypeOf<api.ReadyState>().toExtend<api.CeleryState>();
  expectTypeOf<api.CeleryState>().toExtend<api.TaskState>();
  expectTypeOf<Api['isReady']>().guards.toEqualTypeOf<api.ReadyState>();
  expectTypeOf<Api['READY_STATES' | 'UNREADY_STATES' | 'EXCEPTION_STATES' | 'PROPAGATE_STATES']>().toEqualTypeOf<
    ReadonlySet<string>
  >();
});

it('has the types of errors that are promised', () => {
  expectTypeOf<api.CeleryError>().toExtend<Error>();
  expectTypeOf<api.CeleryError['code']>().toEqualTypeOf<api.ErrorCode>();
  expectTypeOf<'CELERY_RESULT_INVALID'>().toExtend<api.ErrorCode>();
  expectTypeOf<
    api.ImproperlyConfigured | api.InvalidArgumentError | api.SecurityError | api.SendError
  >().toExtend<api.CeleryError>();
  expectTypeOf<api.EncodeError | api.DecodeError | api.ContentDisallowed>().toExtend<api.SerializationError>();
  expectTypeOf<api.BackendGetMetaError | api.BackendStoreError | api.BackendClosedError>().toExtend<api.BackendError>();
  expectTypeOf<api.IncompleteStream | api.RemoteError | api.TimeoutError>().toExtend<api.TaskError>();
  expectTypeOf<api.TaskRevokedError | api.ChordError>().toExtend<api.RemoteError>();
  expectTypeOf<api.RemoteError>().toExtend<api.RemoteErrorFields>();
  expectTypeOf<api.TimeoutError['lastLook']>().toEqualTypeOf<api.LastLook>();
  expectTypeOf<api.BackendErrorOptions>().toExtend<api.CeleryErrorOptions>();
  expectTypeOf<keyof api.ExceptionInfo>().toEqualTypeOf<'exc_type' | 'exc_message' | 'exc_module'>();
  class OutOfStock extends Error {}
  const use = (registry: api.ExceptionRegistry, register: Api['registerException']): void => {
    const mapping: api.ExceptionMapping<OutOfStock> = { encode: (error) => [error.message] };
    register(OutOfStock, mapping);
    registry.register(OutOfStock, mapping);
    // @ts-expect-error -- no class of errors
    register(Date);
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<typeof OutOfStock>().toExtend<api.ErrorClass<OutOfStock>>();
});

it('has the types of options and figures that are promised', () => {
  const credentials: api.CredentialsProvider = (): api.Credentials => ({ username: 'a', password: 'b' });
  const options: api.BackendOptions = { url: 'memory://', credentials, expires: null };
  expectTypeOf(options.sentinel).toEqualTypeOf<api.SentinelOptions | undefined>();
  expectTypeOf(options.client).toEqualTypeOf<api.GivenClient | undefined>();
  expectTypeOf<api.GivenRedis | api.GivenCluster>().toEqualTypeOf<api.GivenClient>();
  expectTypeOf<Api['DEFAULTS']>().toEqualTypeOf<Readonly<api.DefaultOptions>>();
  expectTypeOf<api.DefaultOptions>().toHaveProperty('retryPolicy').toEqualTypeOf<api.RetryPolicy>();
  expectTypeOf<api.AlwaysRetry['maxRetries']>().toBeNumber();
  expectTypeOf<api.ResolvedOptions['connectionDefaults']>().toEqualTypeOf<api.RedisDefaults>();
  expectTypeOf<api.Warnings['warn']>().parameter(0).toEqualTypeOf<api.WarningCode>();
  expectTypeOf<ReturnType<Api['configFromEnv']>>().toEqualTypeOf<api.BackendOptions>();
  expectTypeOf<ReturnType<api.RedisBackend['stats']>>().toEqualTypeOf<api.BackendStats>();
  type Wait = api.DiagnosticEvents['celery-redis-backend:wait'];
  expectTypeOf<Wait['outcome']>().toEqualTypeOf<api.WaitOutcome>();
  expectTypeOf<Wait['by']>().toEqualTypeOf<api.AnsweredBy | undefined>();
  expectTypeOf<api.DiagnosticEvents['celery-redis-backend:warning']['code']>().toEqualTypeOf<api.WarningCode>();
});

it('has the types of serializers and values that are promised', () => {
  const limits: Partial<api.JsonLimits> = { maxDepth: 10 };
  const json: api.JsonOptions = { limits };
  const superjson: api.SuperJsonOptions = json;
  expectTypeOf(superjson).toExtend<api.JsonOptions>();
  expectTypeOf<Api['createSuperJsonSerializer']>().parameter(0).toEqualTypeOf<api.SuperJsonOptions | undefined>();
  expectTypeOf<api.SuperJsonInstance>().toBeObject();
  expectTypeOf<
    ReturnType<Api['createJsonSerializer' | 'createMsgpackSerializer' | 'createYamlSerializer']>
  >().toEqualTypeOf<api.Serializer>();
  expectTypeOf<Api['registerSerializer']>().parameter(1).toEqualTypeOf<api.SerializerFactory>();
  class Money {
    readonly cents = 5;
  }
  const use = (types: api.TypeRegistry, register: Api['registerType']): void => {
    types.register(Money, 'money', ({ cents }) => cents);
    register(Money, 'money', (money) => {
      expectTypeOf(money).toEqualTypeOf<Money>();
      return money.cents;
    });
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<typeof Money>().toExtend<api.ValueClass<Money>>();
  expectTypeOf<api.TypeEncoder['marker']>().toEqualTypeOf<string | null>();
  expectTypeOf<(api.Decimal | api.PlainDate | api.PlainTime | api.Uuid)['text']>().toBeString();
});

it('has the types of schemas that are promised', () => {
  const accept: api.StandardSchema<number> = {
    '~standard': {
      version: 1,
      vendor: 'own',
      validate: (value): api.SchemaResult<number> => ({ value: Number(value) }),
    },
  };
  expectTypeOf(accept).toExtend<api.StandardSchema>();
  expectTypeOf<api.SchemaOutput<api.StandardSchema<number>>>().toBeNumber();
  expectTypeOf<api.ResultInvalidError['issues']>().toEqualTypeOf<readonly api.SchemaIssue[]>();
  const use = (shop: api.TypedTasks<{ 'app.add': number }>): void => {
    expectTypeOf(shop.task('app.add', accept)).toEqualTypeOf<api.TypedTask<number>>();
  };
  expectTypeOf(use).toBeFunction();
});
