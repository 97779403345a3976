/** What `markAs*` write of the tasks that a worker of real Celery ran: the same bytes, state by state. */
import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/clock.ts';
import { Codec } from '../../src/codec.ts';
import { defaultExceptions } from '../../src/exceptions.ts';
import { createJsonSerializer, Decimal, RedisBackend, type TaskMeta, type TaskRequest, Uuid } from '../../src/index.ts';
import { openSpace } from '../../src/memory/space.ts';
import { recordings, type Vector } from '../support/vectors.ts';

type WorkerVector = Vector & { readonly payload: string; readonly all_published?: readonly string[] };

const codec = new Codec({ serializer: createJsonSerializer(), exceptions: defaultExceptions, maxPayload: 2 ** 29 });

const DATE = /"date_done": "[^"]*"/;

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
async function mark(backend: RedisBackend, taskId: string, stored: TaskMeta): Promise<void> {
  const { status, result, traceback } = codec.present(stored, taskId);
  const options = { request: requestOf(stored), traceback: traceback ?? null };
  if (status === 'STARTED') await backend.markAsStarted(taskId, result as object, options);
  else if (status === 'SUCCESS') await backend.markAsDone(taskId, result, options);
  else if (status === 'RETRY') await backend.markAsRetry(taskId, result, options);
  else if (status === 'FAILURE') await backend.markAsFailure(taskId, result, options);
  else if (status === 'REVOKED') await backend.markAsRevoked(taskId, (result as Error).message, options);
  else await backend.storeResult(taskId, result, status, options);
}

describe.each(recordings)('what a worker of Celery $version wrote', ({ vectors }) => {
  const url = `memory://${randomUUID()}`;
  const space = openSpace(url, systemClock);
  const backends = { plain: new RedisBackend({}, { url }), extended: new RedisBackend({}, { url, extended: true }) };
  afterAll(() => Promise.all(Object.values(backends).map((backend) => backend.close())));

  const ran = (vectors as readonly WorkerVector[]).filter(({ name }) => name.startsWith('worker'));

  it('is compared in all states', () => {
    expect(ran.length).toBeGreaterThan(40);
    const states = new Set(
      ran
        .flatMap(({ payload, all_published: all = [] }) => [payload, ...all])
        .map((text) => /"status": "(\w+)"/.exec(text)?.[1]),
    );
    expect([...states].sort()).toEqual(['FAILURE', 'PROGRESS', 'RETRY', 'REVOKED', 'STARTED', 'SUCCESS']);
  });

  it.each(ran)('$name is what we write', async ({ task_id: taskId, payload, all_published: all = [payload] }) => {
    expect(all.at(-1)).toBe(payload);
    for (const text of all) {
      const read = codec.decodeMeta(Buffer.from(text), taskId);
      const stored = text.includes('"uuid"') ? (withUuids(read) as TaskMeta) : read;
      await mark(Object.hasOwn(stored, 'name') ? backends.extended : backends.plain, taskId, stored);
      const written = space.get(`celery-task-meta-${taskId}`)?.toString() ?? '';
      expect(written).toBe(text.replace(DATE, DATE.exec(written)?.[0] ?? '"date_done": null'));
    }
  });
});
