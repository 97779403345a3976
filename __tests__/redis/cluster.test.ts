/** A cluster, on real processes: slots that move, nodes that die or hang. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from 'ioredis';
import { RedisBackend } from '../../src/index.ts';
import type { BackendError, BackendOptions } from '../../src/index.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { ClusterDeployment, idOf } from '../support/cluster.ts';
import { DriverUnderTest, eventually, guard, meta } from '../support/driver.ts';
import { failure as failureOf } from '../support/failure.ts';
import { live } from '../support/live.ts';
import { RedisServer } from '../support/redis.ts';

const failure = failureOf<BackendError>;
const keyOf = (id: string): string => `celery-task-meta-${id}`;
const ids = (count: number, tag = ''): string[] => Array.from({ length: count }, () => `${tag}${randomUUID()}`);

let deployment: ClusterDeployment;
const backends: RedisBackend[] = [];

beforeAll(async () => {
  deployment = await ClusterDeployment.start(true);
});
afterAll(() => deployment.stop());

function open(options: BackendOptions = {}): RedisBackend {
  const backend = new RedisBackend(
    {},
    { url: deployment.url(), backstop: 0, heartbeat: 0.2, deadAfter: 1, ...options },
  );
  backends.push(backend);
  return backend;
}

/** Closes what the test opened. */
async function closeAll(): Promise<void> {
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
}

/** The master that has a key, by the slots they began with, and another. */
function sourceAndTarget(key: string): [RedisServer, RedisServer] {
  const from = deployment.masters[Math.floor((slotOf(key) * 3) / 16_384)];
  const to = deployment.masters.find((master) => master !== from);
  if (!from || !to) throw new Error('there are three');
  return [from, to];
}

/** The server that our subscriber is on. */
async function subscribedTo(servers: readonly RedisServer[]): Promise<RedisServer | undefined> {
  for (const server of servers) {
    const clients = await server.clients();
    if (clients.some(({ name, sub }) => name === 'celery-redis-backend:subscriber' && sub !== '0')) return server;
  }
  return undefined;
}

describe('a backend on a cluster', () => {
  it('takes a given Cluster, which stays unused', async () => {
    const nodes = deployment.masters.map(({ port }) => ({ host: '127.0.0.1', port }));
    const given = new Cluster(nodes, { lazyConnect: true, redisOptions: { connectionName: 'mine' } });
    {
      await using test = new DriverUnderTest({ client: given });
      await test.driver.store.write({ key: 'given', payload: meta('SUCCESS'), ttl: 60, guard });
      await expect(test.driver.source.subscribe(['a'])).resolves.toEqual([null]);
      expect(test.driver.uri(false)).toMatch(/^redis\+cluster:\/\/127\.0\.0\.1:\d+\/0;redis\+cluster:/);
    }
    expect(given.status).toBe('wait');
    await expect(given.get('given')).resolves.toBe(meta('SUCCESS'));
    given.disconnect();
  });

  it('reads keys of all slots at once, and fails only the reads that fail', async () => {
    await using test = new DriverUnderTest({ url: deployment.url() });
    const keys = Array.from({ length: 300 }, (_, index) => `many-${index}`);
    await Promise.all(keys.map((key) => test.driver.store.write({ key, payload: key, ttl: 60, guard: null })));
    const [holder] = sourceAndTarget('list');
    await holder.cli('LPUSH', 'list', 1);
    const reads = [...keys, 'absent', 'list'].map((key) => test.driver.store.read(key));
    const outcomes = await Promise.allSettled(reads);
    const texts = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? (outcome.value?.toString() ?? null) : 0));
    expect(texts).toEqual([...keys, null, 0]);
    expect(outcomes.at(-1)).toMatchObject({ status: 'rejected', reason: { reply: 'WRONGTYPE' } });
  });

  it('has awaited keys read again when a node is back, and when slots have moved', async () => {
    await using test = new DriverUnderTest({ url: deployment.url() });
    const key = `{again}${randomUUID()}`;
    await test.driver.store.write({ key, payload: 'x', ttl: 60, guard: null });
    const [from, to] = sourceAndTarget(key);
    // The map, and each node that was asked, for the first time.
    expect(test.readies).toBeGreaterThanOrEqual(2);
    expect(test.reconnects).toBe(0);
    await from.cli('CLIENT', 'KILL', 'TYPE', 'normal');
    await test.until(() => test.reconnects === 1);
    const slot = slotOf(key);
    await deployment.openSlot(slot, from, to);
    await deployment.moveSlot(slot, from, to);
    await expect(test.driver.store.read(key)).resolves.toEqual(Buffer.from('x'));
    await test.until(() => test.reconnects >= 2);
    await deployment.openSlot(slot, to, from);
    await deployment.moveSlot(slot, to, from);
  });

  it('loses no wait and no store while a slot moves', async () => {
    const [waiter, writer] = [open(), open()];
    const all = ids(150, '{move}');
    const slot = slotOf(keyOf(all[0] ?? ''));
    const [from, to] = sourceAndTarget(keyOf(all[0] ?? ''));
    const waits = await Promise.all(all.map((id) => live(waiter, id, 50)));
    const store = (some: readonly string[]): Promise<unknown> =>
      Promise.all(some.map((id) => writer.storeResult(id, id, 'SUCCESS')));
    await store(all.slice(0, 50));
    await deployment.openSlot(slot, from, to);
    // These are where they were; new ones go to the new node, to which each is sent.
    await store(all.slice(50, 100));
    const fresh = ids(20, '{move}');
    for (const id of fresh) await store([id]);
    await expect(Promise.all(fresh.map((id) => writer.getState(id)))).resolves.toEqual(fresh.map(() => 'SUCCESS'));
    expect(await to.cli('CLUSTER', 'COUNTKEYSINSLOT', slot)).toBe(20);
    const moved = deployment.moveSlot(slot, from, to);
    await store(all.slice(100));
    await moved;
    await expect(Promise.all(waits.map(({ result }) => result))).resolves.toEqual(all);
    await eventually(async () => (await to.cli('CLUSTER', 'COUNTKEYSINSLOT', slot)) === 170);
    await expect(Promise.all(all.map((id) => open().getResult(id)))).resolves.toEqual(all);
    expect(waiter.stats()).toMatchObject({ waits: 0, rescued: 0 });
    await closeAll();
  });

  it('subscribes on another node when its subscriber was cut off', async () => {
    await using test = new DriverUnderTest({ url: deployment.url() });
    await test.driver.source.subscribe(['a']);
    const before = await subscribedTo(deployment.masters);
    await before?.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await test.until(() => test.count('subscriber', 'ready') === 2);
    await test.driver.source.subscribe(['a']);
    const after = await subscribedTo(deployment.masters);
    expect(after).toBeDefined();
    expect(after).not.toBe(before);
  });

  it('moves its subscriber to another node when its own is hung, and misses nothing', async () => {
    const [waiter, writer] = [open(), open()];
    const before = await live(waiter, randomUUID(), 50);
    const node = await subscribedTo(deployment.masters);
    if (!node) throw new Error('it is on a master');
    // A key of another node.
    const other = ids(100).find((id) => {
      const owner = deployment.masters[Math.floor((slotOf(keyOf(id)) * 3) / 16_384)];
      return owner !== node;
    });
    const { result } = await live(waiter, other ?? '', 50);
    node.pause();
    try {
      await writer.storeResult(other ?? '', 'heard', 'SUCCESS');
      await expect(result).resolves.toBe('heard');
      expect(await subscribedTo(deployment.nodes.filter((each) => each !== node))).toBeDefined();
    } finally {
      node.resume();
    }
    before.result.catch(() => undefined);
    await closeAll();
    // Its replica may have taken over meanwhile: go on when the cluster is whole for it again.
    await eventually(async () => String(await node.cli('CLUSTER', 'INFO')).includes('cluster_state:ok'));
  });

  it('loses no wait and no acknowledged store to the death of a master, whose replica takes over', async () => {
    const [waiter, writer] = [open(), open()];
    const [early, late] = [ids(60), ids(60)];
    const waits = await Promise.all([...early, ...late].map((id) => live(waiter, id, 50)));
    await Promise.all(early.map((id) => writer.storeResult(id, id, 'SUCCESS')));
    const nodes = deployment.nodes;
    const roles = await Promise.all(nodes.map(async (node) => String(await node.cli('INFO', 'replication'))));
    const index = roles.findIndex((role) => role.includes('role:master') && role.includes('state=online'));
    const victim = nodes[index];
    if (!victim) throw new Error('there is a master with a replica');
    await victim.cli('SET', await keyOn(victim), 1);
    await expect(victim.cli('WAIT', 1, 10_000)).resolves.toBe(1);
    const id = await idOf(victim);
    const reader = open({ commandTimeout: 40, maxCachedResults: -1 });
    await reader.getMany(early);
    await victim.kill();
    const readMeanwhile = reader.getMany(early);
    const outcomes = await Promise.all(late.map((each) => writer.storeResult(each, each, 'SUCCESS')));
    expect(outcomes.every((outcome) => outcome === 'stored' || outcome === 'kept')).toBe(true);
    await expect(Promise.all(waits.map(({ result }) => result))).resolves.toEqual([...early, ...late]);
    // They waited for the new master, of which the map told before their deadline.
    const metas = [...(await readMeanwhile).values(), ...(await reader.getMany([...early, ...late])).values()];
    expect(metas.map(({ status }) => status)).toEqual([...early, ...early, ...late].map(() => 'SUCCESS'));
    const survivor = nodes.find((node) => node !== victim);
    const line = String(await survivor?.cli('CLUSTER', 'NODES'))
      .split('\n')
      .find((text) => text.startsWith(id));
    expect(line).toMatch(/fail/);
    expect(waiter.stats()).toMatchObject({ waits: 0, rescued: 0 });
    await closeAll();
  });

  it('fails in time when no node is left, and closes', async () => {
    await using test = new DriverUnderTest({ url: deployment.url(), commandTimeout: 1, deadAfter: 1 });
    await test.driver.connect(5);
    await Promise.all(deployment.nodes.map((node) => node.kill()));
    const error = await failure(test.driver.store.read('key'));
    expect(error.code).toBe('CELERY_BACKEND_UNAVAILABLE');
    await using late = new DriverUnderTest({ url: deployment.url(), commandTimeout: 1 });
    const message = (await failure(late.driver.store.read('key'))).message;
    expect(message).toMatch(/GET key could not be sent to the cluster 127.*ECONNREFUSED: is Redis running there\?/);
  });
});

/** A key that a node holds the slot of. */
async function keyOn(node: RedisServer): Promise<string> {
  for (let i = 0; ; i += 1) {
    const key = `probe-${i}`;
    const reply: unknown = await node.cli('GET', key).catch(() => 'elsewhere');
    if (reply === null) return key;
  }
}

describe('a URL of a cluster', () => {
  it('to a Redis that is none is refused with what it says', async () => {
    await using server = await RedisServer.start();
    await using test = new DriverUnderTest({ url: `redis+cluster://127.0.0.1:${server.port}` });
    const error = await failure(test.driver.store.read('key'));
    expect(error).toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: 'ERR' });
    expect(error.message).toMatch(/cluster support disabled/);
  });
});
