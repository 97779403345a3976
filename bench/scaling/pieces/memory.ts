/** Bytes of the server: of a result, a channel, a connection, and behind a subscriber that does not read. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { cpuOf, idleOf, info, round3, startPlain, until } from '../deployment.ts';
import { idOf } from '../jobs.ts';

/** Results of one payload, `used_memory` before and after. */
export interface ResultMemory {
  readonly payload: number;
  readonly count: number;
  readonly expires: boolean;
  readonly bytes: number;
  /** MEMORY USAGE of one of them, which leaves out the tables. */
  readonly usage: number;
}

/** Channels of one connection. */
export interface ChannelMemory {
  readonly channels: number;
  readonly bytes: number;
  /** Of one more subscription to a channel that there is. */
  readonly again: number;
}

/** How far a subscriber that does not read may be behind before the server hangs up. */
export interface BufferFigure {
  readonly payload: number;
  readonly messages: number;
  /** The greatest output buffer seen. */
  readonly peak: number;
}

export interface MemoryFigures {
  readonly allocator: string;
  readonly results: readonly ResultMemory[];
  readonly channels: readonly ChannelMemory[];
  readonly connection: number;
  readonly buffers: readonly BufferFigure[];
  /** Microseconds of CPU to drop a result whose time is over. */
  readonly expiry: number;
}

const CHUNK = 1000;
const keyOf = (index: number): string => `celery-task-meta-${idOf(1, index)}`;

export async function measureMemory(): Promise<MemoryFigures> {
  const plain = await startPlain();
  const [admin] = plain.admins;
  if (!admin) throw new Error('there is one');
  const port = Number(new URL(plain.url).port);
  try {
    const results: ResultMemory[] = [];
    for (const [payload, count] of [
      [300, 100_000],
      [1000, 50_000],
      [3000, 50_000],
      [10_000, 30_000],
    ] as const) {
      results.push(await resultsOf(admin, payload, count, true));
    }
    results.push(await resultsOf(admin, 300, 100_000, false), await resultsOf(admin, 300, 200_000, true));
    const channels: ChannelMemory[] = [];
    for (const count of [10_000, 100_000]) channels.push(await channelsOf(admin, port, count));
    const connection = await connectionsOf(admin, port, 1000);
    const buffers: BufferFigure[] = [];
    for (const payload of [300, 10_000, 1_000_000]) buffers.push(await bufferOf(admin, port, payload));
    const expiry = await expiryOf(plain, 100_000);
    const allocator = /^mem_allocator:(.*?)\r?$/m.exec(await admin.info('memory'))?.[1] ?? 'unknown';
    return { allocator, results, channels, connection, buffers, expiry };
  } finally {
    await plain.stop();
  }
}

async function used(admin: Redis): Promise<number> {
  // Buffers of the commands before shrink within a second.
  await sleep(1000);
  return (await info(admin, 'memory'))('used_memory');
}

async function fill(admin: Redis, count: number, payload: string, ttl: number | null): Promise<void> {
  for (let from = 0; from < count; from += CHUNK) {
    const pipeline = admin.pipeline();
    for (let index = from; index < Math.min(from + CHUNK, count); index += 1) {
      if (ttl === null) pipeline.set(keyOf(index), payload);
      else pipeline.setex(keyOf(index), ttl, payload);
    }
    await pipeline.exec();
  }
}

async function resultsOf(admin: Redis, payload: number, count: number, expires: boolean): Promise<ResultMemory> {
  await admin.flushall('SYNC');
  const before = await used(admin);
  await fill(admin, count, 'x'.repeat(payload), expires ? 86_400 : null);
  const bytes = ((await used(admin)) - before) / count;
  const usage = Number(await admin.memory('USAGE', keyOf(0)));
  await admin.flushall('SYNC');
  return { payload, count, expires, bytes: round3(bytes), usage };
}

async function channelsOf(admin: Redis, port: number, channels: number): Promise<ChannelMemory> {
  const clients = [new Redis(port, '127.0.0.1'), new Redis(port, '127.0.0.1')];
  const marks: number[] = [];
  await Promise.all(clients.map((client) => client.ping()));
  marks.push(await used(admin));
  for (const client of clients) {
    for (let from = 0; from < channels; from += CHUNK) {
      const pipeline = client.pipeline();
      for (let index = from; index < from + CHUNK; index += 1) pipeline.subscribe(keyOf(index));
      await pipeline.exec();
    }
    marks.push(await used(admin));
  }
  for (const client of clients) client.disconnect();
  await until(async () => (await info(admin, 'stats'))('pubsub_channels') === 0);
  const [before = NaN, first = NaN, second = NaN] = marks;
  return { channels, bytes: round3((first - before) / channels), again: round3((second - first) / channels) };
}

async function connectionsOf(admin: Redis, port: number, count: number): Promise<number> {
  const before = await used(admin);
  const sockets: Socket[] = [];
  for (let index = 0; index < count; index += 1) {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('PING\r\n');
    await once(socket, 'data');
    sockets.push(socket);
  }
  const bytes = ((await used(admin)) - before) / count;
  for (const socket of sockets) socket.destroy();
  return round3(bytes);
}

/** Publishes to a subscriber that has stopped reading until the server hangs up on it. */
async function bufferOf(admin: Redis, port: number, payload: number): Promise<BufferFigure> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write('SUBSCRIBE channel\r\n');
  await once(socket, 'data');
  socket.pause();
  const text = 'x'.repeat(payload);
  const each = Math.max(1, Math.round(500_000 / payload));
  let messages = 0;
  let peak = 0;
  for (;;) {
    const pipeline = admin.pipeline();
    for (let index = 0; index < each; index += 1) pipeline.publish('channel', text);
    await pipeline.exec();
    const list = String(await admin.client('LIST', 'TYPE', 'PUBSUB'));
    const held = / tot-mem=(\d+)/.exec(list)?.[1];
    if (held === undefined) break;
    messages += each;
    peak = Math.max(peak, Number(held));
  }
  socket.destroy();
  return { payload, messages, peak };
}

async function expiryOf(plain: Awaited<ReturnType<typeof startPlain>>, count: number): Promise<number> {
  const [admin] = plain.admins;
  if (!admin) throw new Error('there is one');
  await used(admin);
  const idle = await idleOf(plain, 4);
  await fill(admin, count, 'x'.repeat(300), 15);
  const before = await cpuOf(plain);
  const start = performance.now();
  if ((await admin.dbsize()) < count) throw new Error('Results expired while they were stored.');
  await until(async () => (await admin.dbsize()) === 0);
  const seconds = (performance.now() - start) / 1000;
  return round3(((await cpuOf(plain)) - before - idle * seconds) / count);
}
