/** Every reply that passes, one by one: a store that gets it is tried again, and stored once it has passed. */
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { DiagnosticEvents } from '../../src/diagnostics.ts';
import { BackendError, type BackendOptions, type BackendStoreError, RedisBackend } from '../../src/index.ts';
import { PASSING_REPLIES } from '../../src/retry.ts';
import { eventually } from '../support/driver.ts';
import { failure } from '../support/failure.ts';
import { freePort, RedisServer } from '../support/redis.ts';
import { bulk, ScriptedRedis } from '../support/scripted-redis.ts';

type Retry = DiagnosticEvents['celery-redis-backend:store-retry'];
const RETRY = 'celery-redis-backend:store-retry';
const OFTEN = { maxRetries: 2_000, intervalStart: 0, intervalStep: 0.02, intervalMax: 0.02 };

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function open(url: string, options: BackendOptions = {}): RedisBackend {
  const backend = new RedisBackend({}, { url, retryPolicy: OFTEN, backstop: 0, ...options });
  closing.push(() => backend.close());
  return backend;
}

/** The reply of each store that is tried again from now on, by its task. */
function retries(): {
  readonly replies: Map<string, string | undefined>;
  readonly all: (ids: string[]) => Promise<void>;
} {
  const replies = new Map<string, string | undefined>();
  let wake = (): void => undefined;
  const look = (message: unknown): void => {
    const { taskId, error } = message as Retry;
    if (!replies.has(taskId)) replies.set(taskId, error instanceof BackendError ? error.reply : undefined);
    wake();
  };
  subscribe(RETRY, look);
  closing.push(() => Promise.resolve(void unsubscribe(RETRY, look)));
  const all = (ids: readonly string[]): Promise<void> =>
    new Promise((resolve) => {
      wake = () => {
        if (ids.every((id) => replies.has(id))) resolve();
      };
      wake();
    });
  return { replies, all };
}

/** How a server is brought to give a reply. Resolves to what ends that. */
interface Fault {
  readonly reply: string;
  readonly args?: readonly string[];
  readonly begin: (server: RedisServer) => Promise<() => Promise<unknown>>;
}

/** By settings, and back by others. */
function setting(reply: string, name: string, value: string | number, back: string | number): Fault {
  return {
    reply,
    begin: async (server) => {
      await server.cli('CONFIG', 'SET', name, value);
      return () => server.cli('CONFIG', 'SET', name, back);
    },
  };
}

async function clusterIs(server: RedisServer, state: 'ok' | 'fail'): Promise<void> {
  await eventually(async () => String(await server.cli('CLUSTER', 'INFO')).includes(`cluster_state:${state}`));
}

const faults: readonly Fault[] = [
  {
    reply: 'BUSY',
    begin: async (server) => {
      await server.cli('CONFIG', 'SET', 'lua-time-limit', 1);
      const other = new Redis(server.port, '127.0.0.1');
      const ended = other.eval('while true do end', 0).catch(() => undefined);
      await eventually(() => server.cli('PING').then(() => false, (error: unknown) => String(error).includes('BUSY'))); // prettier-ignore
      return async () => {
        await server.cli('SCRIPT', 'KILL');
        await ended;
        other.disconnect();
      };
    },
  },
  {
    reply: 'CLUSTERDOWN',
    args: ['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
    begin: async (server) => {
      await server.cli('CLUSTER', 'DELSLOTS', 1);
      await clusterIs(server, 'fail');
      return async () => {
        await server.cli('CLUSTER', 'ADDSLOTS', 1);
        await clusterIs(server, 'ok');
      };
    },
  },
  {
    reply: 'LOADING',
    args: ['--loading-process-events-interval-bytes', '1024'],
    begin: async (server) => {
      for (let index = 0; index < 100; index += 1) await server.cli('SET', `key${index}`, 'x'.repeat(1_000));
      await server.cli('CONFIG', 'SET', 'key-load-delay', 20_000);
      const other = new Redis(server.port, '127.0.0.1', { enableReadyCheck: false });
      await once(other, 'ready');
      const loaded = other.debug('RELOAD').catch(() => undefined);
      await eventually(async () => String(await server.cli('INFO', 'persistence')).includes('\nloading:1'));
      return async () => {
        await loaded;
        other.disconnect();
      };
    },
  },
  {
    reply: 'MASTERDOWN',
    begin: async (server) => {
      await server.cli('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
      await server.cli('REPLICAOF', '127.0.0.1', await freePort());
      return () => server.cli('REPLICAOF', 'NO', 'ONE');
    },
  },
  {
    reply: 'MISCONF',
    args: ['--dbfilename', 'taken'],
    begin: async (server) => {
      // A file cannot take the place of a folder with something in it.
      mkdirSync(join(server.folder, 'taken'));
      writeFileSync(join(server.folder, 'taken', 'x'), '');
      await server.cli('CONFIG', 'SET', 'save', '3600 1');
      await server.cli('BGSAVE');
      await eventually(async () => String(await server.cli('INFO', 'persistence')).includes('bgsave_status:err'));
      return () => server.cli('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no');
    },
  },
  setting('NOREPLICAS', 'min-replicas-to-write', 1, 0),
  setting('OOM', 'maxmemory', 1, 0),
  {
    reply: 'READONLY',
    begin: async (server) => {
      await server.cli('REPLICAOF', '127.0.0.1', await freePort());
      return () => server.cli('REPLICAOF', 'NO', 'ONE');
    },
  },
];

async function start(args: readonly string[] = []): Promise<RedisServer> {
  const server = await RedisServer.start(args);
  closing.push(() => server.stop());
  if (args.includes('--cluster-enabled')) {
    await server.cli('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
    await clusterIs(server, 'ok');
  }
  return server;
}

/** Backends that are connected, so that the reply is that of a store. */
async function connected(url: string, ...options: BackendOptions[]): Promise<RedisBackend[]> {
  const backends = options.map((each) => open(url, each));
  await Promise.all(backends.map((backend) => backend.getStatus('warm')));
  return backends;
}

describe.each(faults)('a store that Redis answers with $reply', ({ reply, args = [], begin }) => {
  // The keys of one batch have one slot, where that counts.
  const ids = (): string[] => Array.from({ length: args.includes('--cluster-enabled') ? 1 : 3 }, () => randomUUID());

  it('is tried again, and stored when it has passed, alone and with others of its turn', async () => {
    const server = await start(args);
    const [backend] = (await connected(server.url, {})) as [RedisBackend];
    const { replies, all } = retries();
    const end = await begin(server);
    const some = ids();
    const stored = Promise.all(some.map((id) => backend.storeResult(id, id, 'SUCCESS')));
    await all(some);
    await end();
    expect(await stored).toEqual(some.map(() => 'stored'));
    expect(some.map((id) => replies.get(id))).toEqual(some.map(() => reply));
    expect(await Promise.all(some.map((id) => backend.getResult(id)))).toEqual(some);
  });

  it('is an error with that reply as its cause when its retries are used up', async () => {
    const server = await start(args);
    const [backend] = (await connected(server.url, { retryPolicy: { maxRetries: 0 } })) as [RedisBackend];
    const end = await begin(server);
    const id = randomUUID();
    const error = await failure<BackendStoreError>(backend.storeResult(id, 1, 'SUCCESS'));
    await end();
    expect(error).toMatchObject({ code: 'CELERY_BACKEND_STORE', taskId: id, state: 'SUCCESS' });
    expect(error.cause).toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply });
    expect(error.message).toMatch(new RegExp(`^Could not store SUCCESS of task ${id}: Redis refused .*: ${reply} `));
    expect(await backend.getStatus(id)).toBe('PENDING');
  });
});

/** No single command, and no script of one slot, is answered so by a redis-server; TRYAGAIN is of several keys. */
const unprovoked = ['TRYAGAIN', 'UNKILLABLE'];

describe.each([...PASSING_REPLIES])('a store that a scripted server answers with %s', (reply) => {
  it.each(['as the reply of its script', 'as the outcome of its key'])('%s is tried again', async (how) => {
    await using redis = await ScriptedRedis.start();
    const backend = open(redis.url);
    const id = randomUUID();
    const { replies, all } = retries();
    let passed = false;
    redis.answer = ([name = '', , count, ...words]) => {
      if (!/^eval(sha)?$/i.test(name)) return undefined;
      const keys = words.slice(0, Number(count));
      if (passed) return bulk(keys.map(() => '1').join(';;'));
      if (how.includes('script')) return `-${reply} said so`;
      return bulk(keys.map((key) => (key.endsWith('other') ? '1' : `${reply} said so`)).join(';;'));
    };
    const stores = [backend.storeResult(id, 1, 'SUCCESS'), backend.storeResult('other', 1, 'SUCCESS')];
    await all([id]);
    passed = true;
    expect(await Promise.all(stores)).toEqual(['stored', 'stored']);
    // A replica concerns every key.
    expect(replies.has('other')).toBe(how.includes('script') || reply === 'READONLY');
    expect(replies.get(id)).toBe(reply);
  });
});

describe('a store that the nodes of a cluster send on and on', () => {
  it.each(['MOVED', 'ASK'])('by %s is tried again when its time is over, and stored once they agree', async (kind) => {
    await using redis = await ScriptedRedis.start();
    const node = `*3\r\n${bulk('127.0.0.1')}\r\n:${redis.port}\r\n${bulk('x'.repeat(40))}`;
    let agreed = false;
    redis.answer = ([name = '', what]) => {
      if (name.toUpperCase() === 'CLUSTER' && what === 'SLOTS') return `*1\r\n*3\r\n:0\r\n:16383\r\n${node}`;
      if (!/^eval(sha)?$/i.test(name)) return undefined;
      return agreed ? bulk('1') : `-${kind} 1 127.0.0.1:${redis.port}`;
    };
    const backend = open(`redis+cluster://127.0.0.1:${redis.port}`, { commandTimeout: 0.1 });
    await backend.connect();
    let often = (): void => undefined;
    const retried = new Promise<void>((resolve) => (often = resolve));
    const look = (): void => {
      // Its time may be over before or after a redirection.
      if (backend.stats().storeRetries >= 15) often();
    };
    subscribe(RETRY, look);
    closing.push(() => Promise.resolve(void unsubscribe(RETRY, look)));
    const stored = backend.storeResult(randomUUID(), 1, 'SUCCESS');
    await Promise.race([retried, stored]);
    agreed = true;
    expect(await stored).toBe('stored');
  });
});

it('every reply that passes is provoked on a redis-server, but those that it gives to no store', () => {
  expect([...faults.map(({ reply }) => reply), ...unprovoked].sort()).toEqual([...PASSING_REPLIES].sort());
});
