/** The public door. */
export type {
  CeleryApp,
  ErrbackCall,
  FailureOptions,
  MarkOptions,
  MetaWaitOptions,
  Propagating,
  StartedOptions,
  StoreOptions,
  WaitOptions,
  WatchOptions,
} from './arguments.ts';
export { BaseBackend } from './backend.ts';
export type { TaskSource } from './checked-source.ts';
export type { ChordOutcome } from './chords/chords.ts';
export type { Clock, Timer } from './clock.ts';
export type { MetaObserver } from './consumer/channel.ts';
export type { CollectOptions, Dependency } from './dependencies.ts';
export { configFromEnv } from './env.ts';
export type {
  AnsweredBy,
  BackendStats,
  DiagnosticEvents,
  LateResult,
  WaitOutcome,
  WarningCode,
  Warnings,
} from './diagnostics.ts';
export type { BackendErrorOptions, CeleryErrorOptions, ErrorCode, LastLook, RemoteErrorFields } from './errors.ts';
export {
  BackendClosedError,
  BackendError,
  BackendGetMetaError,
  BackendStoreError,
  CeleryError,
  ChordError,
  ContentDisallowed,
  DecodeError,
  EncodeError,
  ImproperlyConfigured,
  IncompleteStream,
  InvalidArgumentError,
  RemoteError,
  SecurityError,
  SendError,
  SerializationError,
  TaskError,
  TaskRevokedError,
  TimeoutError,
} from './errors.ts';
export type { ErrorClass, ExceptionMapping } from './exceptions.ts';
export { ExceptionRegistry, registerException } from './exceptions.ts';
export { ResultInvalidError } from './invalid-result.ts';
export type { ExceptionInfo, GroupTuple, ResultTuple, TaskMeta, TaskRequest } from './meta.ts';
export type { BackendOptions, DefaultOptions, ResolvedOptions } from './options.ts';
export { DEFAULTS, resolveOptions } from './options.ts';
export type {
  ChannelListener,
  ChannelSource,
  ChordClaim,
  ChordKeys,
  ChordPart,
  ChordStore,
  Driver,
  Recorded,
  ResultStore,
  Serializer,
  StoreOutcome,
  SuccessGuard,
  TakeOver,
  Write,
} from './ports.ts';
export { RedisBackend } from './redis/backend.ts';
export type { GivenClient, GivenCluster, GivenRedis } from './redis/client.ts';
export type { Credentials, CredentialsProvider } from './redis/credentials.ts';
export type { RedisDefaults } from './redis/options.ts';
export type { SentinelOptions } from './redis/topology.ts';
export type { TaskMessage, WorkerContext } from './request.ts';
export { requestFromMessage } from './request.ts';
export { AsyncResult, GroupResult, resultFromTuple } from './result.ts';
export type { GetOptions, Result, ResultSource, TaskResult } from './result-node.ts';
export type { JoinOptions, LookOptions } from './result-set.ts';
export { ResultSet } from './result-set.ts';
export type { AlwaysRetry, RetryPolicy } from './retry.ts';
export type { SerializerFactory } from './serializers/index.ts';
export { registerSerializer } from './serializers/index.ts';
export type { JsonLimits, JsonOptions } from './serializers/json.ts';
export { createJsonSerializer } from './serializers/json.ts';
export { createMsgpackSerializer } from './serializers/msgpack.ts';
export type { SuperJsonInstance, SuperJsonOptions } from './serializers/superjson.ts';
export { createSuperJsonSerializer } from './serializers/superjson.ts';
export type { TypeEncoder, ValueClass } from './serializers/types.ts';
export { registerType, TypeRegistry } from './serializers/types.ts';
export { Decimal, PlainDate, PlainTime, Uuid } from './serializers/values.ts';
export { createYamlSerializer } from './serializers/yaml.ts';
export type { SchemaIssue, SchemaOutput, SchemaResult, StandardSchema } from './schema.ts';
export type { Failed, Settled, Succeeded, TimedOut } from './settled.ts';
export type { Signature, SignatureOptions } from './signature.ts';
export type { CeleryState, ReadyState, TaskState } from './states.ts';
export { EXCEPTION_STATES, isReady, PROPAGATE_STATES, READY_STATES, UNREADY_STATES } from './states.ts';
export type { Invalid, TypedTasks } from './typed.ts';
export { tasks, TypedTask } from './typed.ts';
export type { MarkOutcome } from './worker.ts';
