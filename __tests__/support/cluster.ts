/** A throw-away Redis Cluster: three masters, and replicas of them if asked for. */
import { freePort, RedisServer } from './redis.ts';

const SLOTS = 16_384;

/** The three masters, in the order of their slots, and a replica of each. */
export class ClusterDeployment implements AsyncDisposable {
  readonly masters: readonly RedisServer[];
  readonly replicas: readonly RedisServer[];
  readonly #late: RedisServer[] = [];

  private constructor(masters: readonly RedisServer[], replicas: readonly RedisServer[]) {
    this.masters = masters;
    this.replicas = replicas;
  }

  /**
   * Starts the nodes, and waits until each sees the whole cluster.
   *
   * @param replicated - whether each master has a replica
   * @param args - further arguments of every node
   */
  static async start(replicated = false, args: readonly string[] = []): Promise<ClusterDeployment> {
    const nodes = await Promise.all(Array.from({ length: replicated ? 6 : 3 }, () => startNode(args)));
    const deployment = new ClusterDeployment(nodes.slice(0, 3), nodes.slice(3));
    for (const [index, server] of deployment.masters.entries()) {
      const from = Math.ceil((index * SLOTS) / 3);
      const to = Math.ceil(((index + 1) * SLOTS) / 3) - 1;
      await server.cli('CLUSTER', 'ADDSLOTSRANGE', from, to);
    }
    for (const [index, node] of nodes.entries()) {
      await node.cli('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
      if (index > 0) await meet(node, nodes[0]);
    }
    await eachSees(nodes, `cluster_known_nodes:${nodes.length}`);
    for (const [index, replica] of deployment.replicas.entries()) {
      const master = deployment.masters[index];
      if (!master) throw new Error('there is one');
      const id = await idOf(master);
      await until(async () => (await replica.cli('CLUSTER', 'REPLICATE', id).catch(() => '')) === 'OK');
      await until(async () => String(await master.cli('INFO', 'replication')).includes('state=online'));
    }
    await eachSees(nodes, 'cluster_state:ok');
    for (const node of nodes)
      await until(async () => isComplete(await node.cli('CLUSTER', 'SLOTS'), replicated ? 2 : 1));
    return deployment;
  }

  /** `redis+cluster://`, with the login before the first host. */
  url(login = ''): string {
    return `redis+cluster://${login}${this.masters.map(({ port }) => `127.0.0.1:${port}`).join(';')}`;
  }

  get nodes(): readonly RedisServer[] {
    return [...this.masters, ...this.replicas, ...this.#late];
  }

  /** Starts one more master, without slots. */
  async grow(): Promise<RedisServer> {
    const [first] = this.masters;
    const node = await startNode([]);
    this.#late.push(node);
    await meet(node, first);
    await eachSees([node, ...this.masters], `cluster_known_nodes:${this.nodes.length}`);
    return node;
  }

  /** Opens a slot for migration: from here on its keys move one by one. */
  async openSlot(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
    await to.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(from));
    await from.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(to));
  }

  /** Moves the keys of an open slot, and closes it. */
  async moveSlot(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
    for (;;) {
      const keys = (await from.cli('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
      if (keys.length === 0) break;
      await from.cli('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys);
    }
    const id = await idOf(to);
    for (const node of [to, from]) await node.cli('CLUSTER', 'SETSLOT', slot, 'NODE', id);
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

const busPorts = new Map<RedisServer, number>();

async function startNode(args: readonly string[]): Promise<RedisServer> {
  // The usual one, 10,000 above, may not exist.
  const bus = await freePort();
  const own = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1500', '--cluster-port', String(bus)];
  const lenient = ['--cluster-require-full-coverage', 'no', '--repl-diskless-sync-delay', '0'];
  const server = await RedisServer.start([...own, ...lenient, ...args]);
  busPorts.set(server, bus);
  return server;
}

async function meet(node: RedisServer, other: RedisServer | undefined): Promise<void> {
  if (!other) throw new Error('there is one');
  await node.cli('CLUSTER', 'MEET', '127.0.0.1', other.port, busPorts.get(other) ?? 0);
}

/** The id of a node in its cluster. */
export async function idOf(node: RedisServer): Promise<string> {
  return String(await node.cli('CLUSTER', 'MYID'));
}

async function eachSees(nodes: readonly RedisServer[], text: string): Promise<void> {
  for (const node of nodes) await until(async () => String(await node.cli('CLUSTER', 'INFO')).includes(text));
}

/** Whether CLUSTER SLOTS has all three ranges, each with so many nodes. */
function isComplete(reply: unknown, size: number): boolean {
  return Array.isArray(reply) && reply.length === 3 && reply.every((range) => (range as unknown[]).length === 2 + size);
}

/** Looks again and again, at the pace of the answers, until it holds. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds()));
}
