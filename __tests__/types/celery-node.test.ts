/** Checked by the compiler (`npm run typecheck`); running it checks only that it loads. */
import { it } from '@jest/globals';
import type { createClient, createWorker } from 'celery-node';
import { expectTypeOf } from 'expect-type';
import type {
  attachClient,
  AttachClientOptions,
  attachWorker,
  AttachWorkerOptions,
  CeleryNodeBase,
  CeleryNodeBroker,
  CeleryNodeClient,
  CeleryNodeDelivery,
  CeleryNodeMessage,
  CeleryNodeResult,
  CeleryNodeWorker,
  Swallowed,
  SwallowedObserver,
} from '../../src/adapters/celery-node/index.ts';
import type { BaseBackend, RedisBackend } from '../../src/index.ts';

type Client = ReturnType<typeof createClient>;
type Worker = ReturnType<typeof createWorker>;

it('takes the clients and workers of celery-node', () => {
  expectTypeOf<Client>().toExtend<CeleryNodeClient>();
  expectTypeOf<Worker>().toExtend<CeleryNodeWorker>();
  expectTypeOf<CeleryNodeClient>().toExtend<CeleryNodeBase>();
  expectTypeOf<CeleryNodeWorker>().toExtend<CeleryNodeBase>();
  expectTypeOf<Client['broker']>().toExtend<CeleryNodeBroker>();
  expectTypeOf<ReturnType<Client['asyncResult']>>().toExtend<CeleryNodeResult>();
  expectTypeOf<ReturnType<Client['createTaskMessage']>>().toExtend<CeleryNodeMessage>();
  expectTypeOf<CeleryNodeDelivery['body']>().toEqualTypeOf<Uint8Array>();
});

it('returns what it was given', () => {
  const use = (
    attach: { client: typeof attachClient; worker: typeof attachWorker },
    { client, worker, backend }: { client: Client; worker: Worker; backend: RedisBackend },
  ): void => {
    expectTypeOf(attach.client(client, backend)).toEqualTypeOf<Client>();
    expectTypeOf(attach.worker(worker, backend, { own: true, queue: 'a', trackStarted: true })).toEqualTypeOf<Worker>();
    // @ts-expect-error -- a worker sends nothing
    attach.client(worker, backend);
    // @ts-expect-error -- a client runs nothing
    attach.worker(client, backend);
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<typeof attachClient>().parameter(1).toEqualTypeOf<BaseBackend>();
  expectTypeOf<typeof attachClient>().parameter(2).toEqualTypeOf<AttachClientOptions | undefined>();
  expectTypeOf<typeof attachWorker>().parameter(2).toEqualTypeOf<AttachWorkerOptions | undefined>();
});

it('tells of failures that nobody awaits', () => {
  expectTypeOf<(AttachClientOptions & AttachWorkerOptions)['onError']>().toEqualTypeOf<SwallowedObserver | undefined>();
  expectTypeOf<SwallowedObserver>().parameters.toEqualTypeOf<[failure: Swallowed]>();
  expectTypeOf<Swallowed['error']>().toEqualTypeOf<Error>();
  expectTypeOf<Swallowed['taskId']>().toEqualTypeOf<string | undefined>();
});
