/**
 * Three masters with a replica each. Each process has a proxy to each node, which the addresses that nodes tell of are
 * translated to; the bus between the nodes is broken by signals only.
 */
import { Cluster } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import type { BackendOptions } from '../../src/index.ts';
import { ClusterDeployment } from '../support/cluster.ts';
import type { RedisServer } from '../support/redis.ts';
import { PATTERN } from './history.ts';
import { Link } from './link.ts';
import { type FaultPlan, type Plan, PROCESSES } from './plan.ts';
import { natMap, roleOf, type Stage, Turns, valuesOf } from './stage.ts';

/** Milliseconds that a hung node stays so after another took its slots. */
const HUNG_MS = 500;
const LOOK_MS = 20;
/** Milliseconds that a command may take. */
const QUICK_MS = 100;
const SLOTS = 16_384;
/** Slots that move at a time. */
const MOVED = 200;

export class ClusterStage implements Stage {
  readonly links: readonly (readonly Link[])[];
  readonly servers: readonly RedisServer[];
  readonly #deployment: ClusterDeployment;
  readonly #turns = new Turns();

  private constructor(deployment: ClusterDeployment, links: readonly (readonly Link[])[]) {
    this.#deployment = deployment;
    this.servers = deployment.nodes;
    this.links = links;
  }

  static async start({ seed }: Plan): Promise<ClusterStage> {
    const deployment = await ClusterDeployment.start(true);
    const link = ({ port }: RedisServer, i: number): Promise<Link> => Link.start(port, seed + i);
    const links = Array.from({ length: PROCESSES }, () => Promise.all(deployment.nodes.map(link)));
    return new ClusterStage(deployment, await Promise.all(links));
  }

  client(by: number): NonNullable<BackendOptions['client']> {
    const links = this.links[by] ?? [];
    const seeds = links.slice(0, 3).map(({ port }) => ({ host: '127.0.0.1', port }));
    return new Cluster(seeds, { lazyConnect: true, natMap: natMap(this.servers, links) });
  }

  async act({ kind, pick }: FaultPlan): Promise<readonly number[]> {
    if (kind === 'moveSlots') await this.#turns.take(() => this.#moveSlots(pick));
    else if (kind !== 'killClients') return [await this.#turns.take(() => this.#failover(kind, pick))];
    else {
      const type = pick % 2 === 0 ? 'pubsub' : 'normal';
      const kills = this.servers.map((server) => server.cli('CLIENT', 'KILL', 'TYPE', type));
      // A node that is down does it when it is back.
      await Promise.race([Promise.all(kills), delay(QUICK_MS)]);
    }
    return [];
  }

  async keys(): Promise<Map<string, string>> {
    const all = new Map<string, string>();
    for (const server of this.servers) {
      if ((await roleOf(server)) !== 'master') continue;
      for (const [key, value] of await valuesOf(server, PATTERN)) all.set(key, value);
    }
    return all;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.done();
    await Promise.all(this.links.flat().map((link) => link.stop()));
    await this.#deployment.stop();
  }

  /** From one master to the next, one by one, while they are used. */
  async #moveSlots(pick: number): Promise<void> {
    const from = pick % 3;
    const [source, target] = [this.#deployment.masters[from], this.#deployment.masters[(from + 1) % 3]];
    if (!source || !target) throw new Error('there are three masters');
    const first = Math.ceil((from * SLOTS) / 3);
    for (let slot = first; slot < first + MOVED; slot += 1) {
      await this.#deployment.openSlot(slot, source, target);
      await this.#deployment.moveSlot(slot, source, target);
    }
  }

  /**
   * It is over when all other nodes see the slots with the replica, whose place is returned, and, where the master only hung, when
   * that knows it too.
   */
  async #failover(kind: string, pick: number): Promise<number> {
    const [master, replica] = [this.#deployment.masters[pick % 3], this.#deployment.replicas[pick % 3]];
    if (!master || !replica) throw new Error('there are three masters, and a replica of each');
    if (kind === 'killMaster') await master.kill();
    else master.pause();
    const others = this.servers.filter((server) => server !== master);
    const isOver = async (): Promise<boolean> => {
      const seen = (await Promise.all(others.map((server) => server.cli('CLUSTER', 'SLOTS')))).map(ownersOf);
      return seen.every((owners) => owners.includes(replica.port) && !owners.includes(master.port));
    };
    while (!(await isOver())) await delay(LOOK_MS);
    if (kind === 'killMaster') await master.restart();
    else {
      await delay(HUNG_MS);
      master.resume();
      while ((await roleOf(master)) === 'master') await delay(LOOK_MS);
    }
    return this.servers.indexOf(replica);
  }
}

/** The ports of the masters of all ranges. */
function ownersOf(ranges: unknown): number[] {
  return (ranges as [number, number, [string, number, ...unknown[]]][]).map(([, , [, port]]) => port);
}
