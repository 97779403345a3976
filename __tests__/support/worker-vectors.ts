/** Tells a backend what a worker of real Celery told its own. */
import { Codec } from '../../src/codec.ts';
import { defaultExceptions } from '../../src/exceptions.ts';
import {
  createJsonSerializer,
  Decimal,
  type RedisBackend,
  type Signature,
  type TaskMeta,
  type TaskRequest,
  Uuid,
} from '../../src/index.ts';
import type { Vector } from './vectors.ts';

/** A vector of a task that a worker ran. */
export type WorkerVector = Vector & { readonly payload: string; readonly all_published?: readonly string[] };

/** Reads the recorded payloads. */
export const codec: Codec = new Codec({
  serializer: createJsonSerializer(),
  exceptions: defaultExceptions,
  maxPayload: 2 ** 29,
});

/** The request that leads to a meta. */
function requestOf({
  children,
  group_id: group,
  parent_id,
  name,
  args,
  kwargs,
  worker,
  retries,
  queue,
  ...rest
}: TaskMeta): TaskRequest {
  return {
    ...(children && { children }),
    ...(group !== undefined && { group }),
    ...(parent_id !== undefined && { parent_id }),
    task: name ?? null,
    args,
    kwargs,
    hostname: worker ?? null,
    retries: retries ?? null,
    delivery_info: { routing_key: queue ?? null },
    ...(rest.stamped_headers && { stamped_headers: rest.stamped_headers }),
  };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A uuid is read as a string; what stands under `u` was one. */
function withUuids(value: unknown): unknown {
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    value instanceof Date ||
    value instanceof Decimal
  )
    return value;
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] =>
    key === 'u' && UUID.test(String(inner)) ? [key, new Uuid(String(inner))] : [key, withUuids(inner)],
  );
  return Object.fromEntries(entries);
}

/** Tells the backend what the worker told Celery's; the error of a failure is the one that a reader gets of it. */
export async function mark(
  backend: RedisBackend,
  taskId: string,
  text: string,
  chain: readonly Signature[] | null = null,
): Promise<void> {
  const read = codec.decodeMeta(Buffer.from(text), taskId);
  const stored = text.includes('"uuid"') ? (withUuids(read) as TaskMeta) : read;
  const { status, result, traceback } = codec.present(stored, taskId);
  const options = { request: { ...requestOf(stored), chain }, traceback: traceback ?? null };
  if (status === 'STARTED') await backend.markAsStarted(taskId, result as object, options);
  else if (status === 'SUCCESS') await backend.markAsDone(taskId, result, options);
  else if (status === 'RETRY') await backend.markAsRetry(taskId, result, options);
  else if (status === 'FAILURE') await backend.markAsFailure(taskId, result, options);
  else if (status === 'REVOKED') await backend.markAsRevoked(taskId, (result as Error).message, options);
  else await backend.storeResult(taskId, result, status, options);
}
