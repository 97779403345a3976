/** `close()` in the middle of everything: it ends, everything ends with it, and nothing is left. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BackendOptions, RedisBackend } from '../../src/index.ts';
import { eventually } from '../support/driver.ts';
import { live, lost } from '../support/live.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

/** How many sockets and timers keep this process alive. */
function resources(): number {
  const kinds = /^(TCPSocketWrap|TCPConnectWrap|TLSWrap|Timeout|GetAddrInfoReqWrap)$/;
  return process.getActiveResourcesInfo().filter((kind) => kinds.test(kind)).length;
}

/** What a case is given. */
interface Given {
  readonly proxy: Proxy;
  readonly backend: RedisBackend;
  readonly id: string;
}

/** Promises that are pending when it is closed. */
type Pending = Promise<unknown>[];

const asked = (proxy: Proxy, accepted: number): Promise<void> =>
  eventually(async () => {
    await server.cli('PING');
    return proxy.accepted >= accepted;
  });

const CASES: readonly [string, BackendOptions, (given: Given) => Promise<Pending> | Pending][] = [
  ['before anything was asked', {}, () => []],
  ['in the turn of the first calls', {}, ({ backend, id }) => [backend.waitFor(id), backend.connect(), backend.ping()]],
  [
    'while it connects',
    {},
    async ({ proxy, backend, id }) => {
      const pending = [backend.waitFor(id), backend.storeResult(id, 1, 'STARTED')];
      await asked(proxy, 1);
      return pending;
    },
  ],
  [
    'in a handshake that is never answered',
    {},
    async ({ proxy, backend, id }) => {
      proxy.hold('down');
      const pending = [backend.waitFor(id), backend.getStatus(id), backend.storeResult(id, 1, 'STARTED')];
      await asked(proxy, 2);
      return pending;
    },
  ],
  [
    'in the pause before it connects again',
    {},
    async ({ proxy, backend, id }) => {
      const { result } = await live(backend, id);
      const gone = lost();
      proxy.refuse(true);
      proxy.cut();
      await gone;
      return [result, backend.waitFor(`${id}-2`), backend.getStatus(id), backend.storeResult(id, 1, 'STARTED')];
    },
  ],
  [
    'while a subscription is not confirmed',
    {},
    async ({ proxy, backend, id }) => {
      const { result } = await live(backend, id);
      proxy.hold('down');
      const other = backend.waitFor(`${id}-2`);
      await eventually(async () => {
        const [, count] = (await server.cli('PUBSUB', 'NUMSUB', `celery-task-meta-${id}-2`)) as [string, number];
        return count === 1;
      });
      return [result, other];
    },
  ],
  [
    'while a key is read',
    {},
    async ({ proxy, backend, id }) => {
      await live(backend, id);
      proxy.freeze(0, 'down');
      const other = backend.waitFor(`${id}-2`);
      await eventually(async () => {
        const [, count] = (await server.cli('PUBSUB', 'NUMSUB', `celery-task-meta-${id}-2`)) as [string, number];
        return count === 1;
      });
      return [other, backend.getStatus(id), backend.getMany([id])];
    },
  ],
  [
    'in a last look',
    { lastLook: 60 },
    async ({ proxy, backend, id }) => {
      await live(backend, id);
      proxy.hold('down');
      const short = backend.waitFor(id, { timeout: 0.01 });
      await backend.waitFor(randomUUID(), { timeout: 0 }).catch(() => undefined);
      return [short];
    },
  ],
  [
    'in an outage, with waits with and without a deadline, for one, many and a hold',
    {},
    async ({ proxy, backend, id }) => {
      await live(backend, id);
      proxy.refuse(true);
      const gone = lost();
      proxy.cut();
      await gone;
      const many = backend.asCompleted([`${id}-2`, `${id}-3`])[Symbol.asyncIterator]();
      return [backend.waitFor(id), backend.waitFor(id, { timeout: 3600 }), many.next(), backend.onTaskCall(id)];
    },
  ],
  [
    'while stores are tried again',
    {},
    async ({ proxy, backend, id }) => {
      await backend.connect();
      proxy.refuse(true);
      const gone = lost();
      proxy.cut();
      await gone;
      return [backend.storeResult(id, 1, 'SUCCESS'), backend.storeResult(id, 2, 'FAILURE'), backend.forget(`${id}-2`)];
    },
  ],
  [
    'where nothing listens',
    {},
    async ({ proxy, backend, id }) => {
      const gone = lost();
      await proxy[Symbol.asyncDispose]();
      const pending = [backend.waitFor(id), backend.connect({ timeout: 60 })];
      await gone;
      return pending;
    },
  ],
];

const TYPED = /^CELERY_/;

describe('close', () => {
  it.each(CASES)(
    '%s ends in time, settles every promise with an error of ours, and leaves nothing',
    async (_title, options, begin) => {
      const before = resources();
      const proxy = await Proxy.start(server.port);
      const backend = new RedisBackend({}, { url: proxy.url, commandTimeout: 0.5, closeTimeout: 1, ...options });
      const pending = (await begin({ proxy, backend, id: randomUUID() })).map((promise) =>
        promise.then(
          () => 'done',
          (error: unknown) => String((error as { readonly code?: unknown }).code),
        ),
      );
      const start = performance.now();
      await backend.close();
      for (const outcome of await Promise.all(pending)) if (outcome !== 'done') expect(outcome).toMatch(TYPED);
      // A second and a call's own time, and a machine that is busy.
      expect(performance.now() - start).toBeLessThan(20_000);
      expect(backend.stats()).toMatchObject({ waits: 0, channels: 0, held: 0, stores: 0 });
      await expect(backend.waitFor('late')).rejects.toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
      await proxy[Symbol.asyncDispose]().catch(() => undefined);
      await eventually(async () => {
        await server.cli('PING');
        return resources() <= before;
      });
    },
  );
});
