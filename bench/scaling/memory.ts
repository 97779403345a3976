/** What needs one pass: memory of a server, the end of results, and bytes on the bus of a cluster. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Put } from './figures.ts';
import { delivered } from './flow.ts';
import { Client, idOf, newRun } from './jobs.ts';
import { busMessages, empty, rest, type Servers, spent, startCluster, startOne, total, until } from './servers.ts';

/** Payloads, and how many results of them. */
export const KEPT = [
  [300, 100_000],
  [1000, 50_000],
  [3000, 50_000],
  [10_000, 30_000],
  [300, 200_000],
] as const;
export const CHANNELS = [10_000, 100_000] as const;
/** Masters, payload. */
export const BUS = [
  [3, 300],
  [3, 10_000],
  [6, 300],
  [6, 10_000],
] as const;

const CHUNK = 1000;
const keyOf = (index: number): string => `celery-task-meta-${idOf(0, index)}`;

export async function measureMemory(put: Put): Promise<void> {
  const servers = await startOne();
  const [admin] = servers.admins;
  if (!admin) throw new Error('there is one');
  for (const [bytes, count] of KEPT) {
    const before = await used(servers);
    await fill(admin, count, 'x'.repeat(bytes), 86_400_000);
    put(`kept/${bytes}x${count}`, { bytes: ((await used(servers)) - before) / count });
    await empty(servers);
  }
  for (const count of CHANNELS) put(`channels/${count}`, { bytes: await channelsOf(servers, count) });
  put('expiry', { server: await expiryOf(servers, admin, 100_000) });
  await servers.stop();
}

async function used(servers: Servers): Promise<number> {
  // Buffers of the commands before shrink within a second.
  await sleep(1500);
  return await total(servers, 'used_memory');
}

async function fill(admin: Redis, count: number, payload: string, ttlMs: number): Promise<void> {
  for (let from = 0; from < count; from += CHUNK) {
    const pipeline = admin.pipeline();
    for (let index = from; index < from + CHUNK; index += 1) pipeline.psetex(keyOf(index), ttlMs, payload);
    await pipeline.exec();
  }
}

/** Bytes of a channel with one subscriber, all of one connection. */
async function channelsOf(servers: Servers, count: number): Promise<number> {
  const subscriber = new Redis(servers.url);
  await subscriber.ping();
  const before = await used(servers);
  for (let from = 0; from < count; from += CHUNK) {
    const pipeline = subscriber.pipeline();
    for (let index = from; index < from + CHUNK; index += 1) pipeline.subscribe(keyOf(index));
    await pipeline.exec();
  }
  const bytes = ((await used(servers)) - before) / count;
  subscriber.disconnect();
  await until(async () => (await total(servers, 'pubsub_channels')) === 0);
  return bytes;
}

/** Microseconds of CPU to drop a result whose time is over. */
async function expiryOf(servers: Servers, admin: Redis, count: number): Promise<number> {
  await rest(servers);
  const ttlMs = 5000;
  await fill(admin, count, 'x'.repeat(300), ttlMs);
  const before = await total(servers, 'expired_keys');
  const { cpu } = await spent(servers, async () => {
    await sleep(ttlMs);
    await until(async () => (await total(servers, 'expired_keys')) >= before + count);
  });
  return cpu / count;
}

/** Bytes on the bus of one result, and messages, by relays between the nodes. */
export async function measureBus(put: Put): Promise<void> {
  for (const masters of new Set(BUS.map(([each]) => each))) {
    const servers = await startCluster(masters, true);
    const client = new Client(servers.url);
    await client.ask({ kind: 'store', run: newRun(), count: 500, bytes: 300, lanes: 64 });
    const gossip = await busRate(servers);
    put(`bus/${masters}`, { gossip });
    for (const [, bytes] of BUS.filter(([each]) => each === masters)) {
      const count = 1000;
      const start = { bytes: servers.busBytes(), at: performance.now(), sent: await busMessages(servers, 'sent') };
      const received = await busMessages(servers, 'received');
      await client.ask({ kind: 'store', run: newRun(), count, bytes, lanes: 64 });
      await delivered(servers, received + count * (masters - 1));
      const seconds = (performance.now() - start.at) / 1000;
      const messages = ((await busMessages(servers, 'sent')) - start.sent) / count;
      put(`bus/${masters}/${bytes}`, {
        bytes: (servers.busBytes() - start.bytes - gossip * seconds) / count,
        messages,
      });
    }
    await client.stop();
    await servers.stop();
  }
}

/** Bytes a second that the nodes tell each other while nothing happens. */
async function busRate(servers: Servers): Promise<number> {
  await sleep(500);
  const [before, start] = [servers.busBytes(), performance.now()];
  await sleep(5000);
  return ((servers.busBytes() - before) / (performance.now() - start)) * 1000;
}
