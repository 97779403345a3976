/** What is measured: one server, or a cluster of so many masters, and what it takes for a piece of work. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { freePort, RedisServer } from '../../__tests__/support/redis.ts';

const SLOTS = 16_384;

/** Servers that are one result backend. */
export interface Servers {
  readonly url: string;
  /** A client to each, which counts and is no part of what is measured. */
  readonly admins: readonly Redis[];
  /** Microseconds of CPU a second that they take while nothing is asked of them; 0 until it was measured. */
  idle: number;
  /** Bytes that crossed the bus of a cluster, where a relay counts them. */
  readonly busBytes: () => number;
  readonly stop: () => Promise<void>;
}

// They are gone when this process is.
const running = new Set<RedisServer>();
process.once('exit', () => {
  for (const node of running) void node.kill();
});

/** One server. */
export async function startOne(): Promise<Servers> {
  const node = await startNode([]);
  return serversOf(node.url, [node], []);
}

/**
 * A cluster of masters without replicas.
 *
 * @param counted - whether the bus goes through relays that count its bytes, and cost time
 */
export async function startCluster(masters: number, counted = false): Promise<Servers> {
  const buses = await Promise.all(Array.from({ length: masters }, () => freePort()));
  const relays = counted ? await Promise.all(buses.map((bus) => startRelay(bus))) : [];
  const announced = counted ? relays.map(({ port }) => port) : buses;
  const nodes = await Promise.all(
    buses.map((bus, index) => {
      const ports = ['--cluster-port', String(bus), '--cluster-announce-bus-port', String(announced[index])];
      return startNode(['--cluster-enabled', 'yes', ...ports]);
    }),
  );
  for (const [index, node] of nodes.entries()) {
    const from = Math.ceil((index * SLOTS) / masters);
    await node.cli('CLUSTER', 'ADDSLOTSRANGE', from, Math.ceil(((index + 1) * SLOTS) / masters) - 1);
    await node.cli('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    if (index > 0) await node.cli('CLUSTER', 'MEET', '127.0.0.1', nodes[0]?.port ?? 0, announced[0] ?? 0);
  }
  for (const node of nodes) {
    for (const text of [`cluster_known_nodes:${masters}`, 'cluster_state:ok', 'cluster_slots_ok:16384']) {
      await until(async () => String(await node.cli('CLUSTER', 'INFO')).includes(text));
    }
  }
  // Until the links in both directions are up.
  await sleep(2000);
  return serversOf(`redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(';')}`, nodes, relays);
}

async function startNode(args: readonly string[]): Promise<RedisServer> {
  const node = await RedisServer.start(args);
  running.add(node);
  return node;
}

function serversOf(url: string, nodes: readonly RedisServer[], relays: readonly Relay[]): Servers {
  return {
    url,
    admins: nodes.map((node) => node.admin()),
    idle: 0,
    busBytes: () => relays.reduce((sum, { bytes }) => sum + bytes(), 0),
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
      for (const node of nodes) running.delete(node);
      for (const relay of relays) relay.stop();
    },
  };
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
    const ways = [
      [near, far],
      [far, near],
    ] as const;
    for (const [from, to] of ways) {
      from.on('data', (chunk: Buffer) => (bytes += chunk.length));
      from.pipe(to);
      from.once('error', () => to.destroy());
      from.once('close', () => to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, bytes: () => bytes, stop: () => server.close() };
}

/** The sum over all servers of a line of INFO. */
export async function total({ admins }: Servers, name: string): Promise<number> {
  const texts = await Promise.all(admins.map((admin) => admin.info()));
  return texts.reduce((sum, text) => sum + lineOf(text, name), 0);
}

/** 0 for a line that is not there, such as CLUSTER INFO has none for messages that there were none of. */
function lineOf(text: string, name: string): number {
  return Number(new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(text)?.[1] ?? 0);
}

/** What the servers took for a piece of work, or so far. */
export interface Spent {
  /** Microseconds of CPU, user and system, of all servers; for work without what they take idle. */
  readonly cpu: number;
  /** Times that a server read from a socket of a client. */
  readonly reads: number;
  /** Bytes to and from the servers, without those of the clients that count. */
  readonly netIn: number;
  readonly netOut: number;
  readonly seconds: number;
}

async function readingOf({ admins }: Servers): Promise<Spent> {
  const texts = await Promise.all(admins.map((admin) => admin.info()));
  const sum = (name: string): number => texts.reduce((all, text) => all + lineOf(text, name), 0);
  const own = (name: 'bytesRead' | 'bytesWritten'): number => admins.reduce((all, { stream }) => all + stream[name], 0);
  return {
    cpu: (sum('used_cpu_user') + sum('used_cpu_sys')) * 1e6,
    reads: sum('total_reads_processed'),
    netIn: sum('total_net_input_bytes') - own('bytesWritten'),
    netOut: sum('total_net_output_bytes') - own('bytesRead'),
    seconds: performance.now() / 1000,
  };
}

/** Runs `work` and tells what the servers took for it, by INFO before and after. */
export async function spent(servers: Servers, work: () => Promise<unknown>): Promise<Spent> {
  const before = await readingOf(servers);
  await work();
  const after = await readingOf(servers);
  const seconds = after.seconds - before.seconds;
  return {
    cpu: after.cpu - before.cpu - servers.idle * seconds,
    reads: after.reads - before.reads,
    netIn: after.netIn - before.netIn,
    netOut: after.netOut - before.netOut,
    seconds,
  };
}

/** Finds out what the servers take while nothing is asked of them, which `spent` takes off from then on. */
export async function rest(servers: Servers, seconds = 2): Promise<void> {
  servers.idle = 0;
  const { cpu, seconds: elapsed } = await spent(servers, () => sleep(seconds * 1000));
  servers.idle = cpu / elapsed;
}

/** Resolves when it holds. Asks seldom, because each question costs the server. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}

/** Messages of PUBLISH between the nodes of a cluster. Command: CLUSTER INFO. */
export async function busMessages({ admins }: Servers, way: 'sent' | 'received'): Promise<number> {
  const texts = await Promise.all(admins.map((admin) => admin.cluster('INFO')));
  return texts.reduce((sum, text) => sum + lineOf(text, `cluster_stats_messages_publish_${way}`), 0);
}

/** Empties the servers. Command: FLUSHALL. */
export async function empty({ admins }: Servers): Promise<void> {
  await Promise.all(admins.map((admin) => admin.flushall('SYNC')));
}
