/** What is measured: one server, or a cluster of so many masters, with the CPU time it takes. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort, RedisServer } from '../../__tests__/support/redis.ts';
import { startServer } from '../server.ts';

const SLOTS = 16_384;

/** Servers that are one result backend. */
export interface Deployment {
  readonly url: string;
  /** A client to each server, which counts and is no part of what is measured. */
  readonly admins: readonly Redis[];
  /** Bytes that crossed the bus of a cluster, where that is counted. */
  readonly busBytes: () => number;
  readonly stop: () => Promise<void>;
}

/** One server. */
export async function startPlain(): Promise<Deployment> {
  const { port, stop } = await startServer();
  const admin = new Redis(port, '127.0.0.1');
  return {
    url: `redis://127.0.0.1:${port}/0`,
    admins: [admin],
    busBytes: () => 0,
    async stop() {
      await admin.quit();
      stop();
    },
  };
}

/**
 * A cluster of masters without replicas.
 *
 * @param counted - whether the bus goes through a relay that counts its bytes, and costs time
 */
export async function startCluster(masters: number, counted = false): Promise<Deployment> {
  const buses = await Promise.all(Array.from({ length: masters }, () => freePort()));
  const relays = counted ? await Promise.all(buses.map((bus) => startRelay(bus))) : [];
  const announced = counted ? relays.map(({ port }) => port) : buses;
  const nodes = await Promise.all(buses.map((bus, index) => startNode(bus, announced[index] ?? bus)));
  for (const [index, node] of nodes.entries()) {
    const from = Math.ceil((index * SLOTS) / masters);
    await node.cli('CLUSTER', 'ADDSLOTSRANGE', from, Math.ceil(((index + 1) * SLOTS) / masters) - 1);
    await node.cli('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    if (index > 0) await node.cli('CLUSTER', 'MEET', '127.0.0.1', nodes[0]?.port ?? 0, announced[0] ?? 0);
  }
  for (const node of nodes) {
    for (const text of [`cluster_known_nodes:${masters}`, 'cluster_state:ok', 'cluster_slots_ok:16384']) {
      while (!String(await node.cli('CLUSTER', 'INFO')).includes(text)) await sleep(20);
    }
  }
  // Until the links in both directions are up.
  await sleep(2000);
  return {
    url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(';')}`,
    admins: nodes.map((node) => node.admin()),
    busBytes: () => relays.reduce((sum, { bytes }) => sum + bytes(), 0),
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
      for (const node of nodes) running.delete(node);
      for (const relay of relays) relay.stop();
    },
  };
}

// They are gone when this process is.
const running = new Set<RedisServer>();
process.once('exit', () => {
  for (const node of running) void node.kill();
});

async function startNode(bus: number, announced: number): Promise<RedisServer> {
  const ports = ['--cluster-port', String(bus), '--cluster-announce-bus-port', String(announced)];
  const node = await RedisServer.start(['--cluster-enabled', 'yes', ...ports]);
  running.add(node);
  return node;
}

interface Relay {
  readonly port: number;
  readonly bytes: () => number;
  readonly stop: () => void;
}

/** Passes what it gets on to a port of this machine, and counts it. */
async function startRelay(target: number): Promise<Relay> {
  let bytes = 0;
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk: Buffer) => (bytes += chunk.length));
      from.pipe(to);
      from.once('error', () => to.destroy());
      from.once('close', () => to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, bytes: () => bytes, stop: () => server.close() };
}

/** A section of INFO. */
export async function info(admin: Redis, section: string): Promise<(name: string) => number> {
  const text = section === 'cluster' ? await admin.cluster('INFO') : await admin.info(section);
  const fields = new Map(text.split('\r\n').map((line) => line.split(':', 2) as [string, string]));
  return (name) => Number(fields.get(name) ?? NaN);
}

/** The sum of a figure over all servers. CLUSTER INFO has no line for a kind of message that there was none of. */
export async function total({ admins }: Deployment, section: string, name: string): Promise<number> {
  const all = await Promise.all(admins.map(async (admin) => (await info(admin, section))(name)));
  return all.reduce((sum, value) => sum + (Number.isNaN(value) ? 0 : value), 0);
}

/** Bytes to and from the servers so far, without those of the clients that count. Differences are what it is for. */
export async function netOf(deployment: Deployment): Promise<{ readonly in: number; readonly out: number }> {
  const own = (name: 'bytesRead' | 'bytesWritten'): number =>
    deployment.admins.reduce((sum, { stream }) => sum + stream[name], 0);
  const [into, out] = [
    await total(deployment, 'stats', 'total_net_input_bytes'),
    await total(deployment, 'stats', 'total_net_output_bytes'),
  ];
  return { in: into - own('bytesWritten'), out: out - own('bytesRead') };
}

/** Microseconds of CPU, user and system, of all servers so far. Command: INFO cpu. */
export async function cpuOf(deployment: Deployment): Promise<number> {
  const [user, system] = [
    await total(deployment, 'cpu', 'used_cpu_user'),
    await total(deployment, 'cpu', 'used_cpu_sys'),
  ];
  return (user + system) * 1e6;
}

/** Microseconds of CPU a second that the servers take while nothing is asked of them. */
export async function idleOf(deployment: Deployment, seconds = 2): Promise<number> {
  const before = await cpuOf(deployment);
  await sleep(seconds * 1000);
  return ((await cpuOf(deployment)) - before) / seconds;
}

/** What the servers took for a piece of work, less what they take idle. */
export interface Spent {
  readonly micros: number;
  readonly seconds: number;
}

/** Runs `work` and tells what the servers took for it. */
export async function spent(deployment: Deployment, idle: number, work: () => Promise<unknown>): Promise<Spent> {
  const before = await cpuOf(deployment);
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  return { micros: Math.max(0, (await cpuOf(deployment)) - before - idle * seconds), seconds };
}

/** Resolves when INFO has it so. Asks seldom, because each question costs the server. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}

/** Empties the servers. Command: FLUSHALL. */
export async function empty({ admins }: Deployment): Promise<void> {
  await Promise.all(admins.map((admin) => admin.flushall('SYNC')));
}

/** Of CPU time: whatever else the machine does only ever adds to it. */
export function least(values: readonly number[]): number {
  return round3(Math.min(...values));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (
    ((sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN) + (sorted[Math.ceil((sorted.length - 1) / 2)] ?? NaN)) / 2
  );
}

/** To three digits, as far as figures of a shared machine go. */
export function round3(value: number): number {
  return Number(value.toPrecision(3));
}
