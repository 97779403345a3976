/**
 * A master, its replica and three sentinels. Each process has a proxy to each server, which the address that sentinels
 * give is translated to; the sentinels themselves are asked directly.
 */
import { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import type { BackendOptions } from '../../src/index.ts';
import type { RedisServer } from '../support/redis.ts';
import { SentinelDeployment } from '../support/sentinel.ts';
import { PATTERN } from './history.ts';
import { Link } from './link.ts';
import { type FaultPlan, type Plan, PROCESSES } from './plan.ts';
import { natMap, roleOf, type Stage, Turns, valuesOf } from './stage.ts';

/** Milliseconds that a master stays away after another was promoted: two heartbeats. */
const AWAY_MS = 2000;
const LOOK_MS = 20;
/** Milliseconds that a command may take. */
const QUICK_MS = 100;

export class SentinelStage implements Stage {
  readonly links: readonly (readonly Link[])[];
  readonly servers: readonly RedisServer[];
  readonly #deployment: SentinelDeployment;
  /** Failovers happen one after another. */
  readonly #turns = new Turns();

  private constructor(deployment: SentinelDeployment, links: readonly (readonly Link[])[]) {
    this.#deployment = deployment;
    this.servers = deployment.servers;
    this.links = links;
  }

  static async start({ seed }: Plan): Promise<SentinelStage> {
    const deployment = await SentinelDeployment.start();
    const link = ({ port }: RedisServer, i: number): Promise<Link> => Link.start(port, seed + i);
    const links = Array.from({ length: PROCESSES }, () => Promise.all(deployment.servers.map(link)));
    return new SentinelStage(deployment, await Promise.all(links));
  }

  client(by: number): NonNullable<BackendOptions['client']> {
    return new Redis({
      sentinels: this.#deployment.sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
      name: 'mymaster',
      lazyConnect: true,
      natMap: natMap(this.servers, this.links[by] ?? []),
    });
  }

  async act({ kind, pick }: FaultPlan): Promise<readonly number[]> {
    if (kind !== 'killClients') return [await this.#turns.take(() => this.#failover(kind))];
    // One that hangs does it when it goes on.
    await Promise.race([this.#killClients(pick % 2 === 0 ? 'subscriber' : 'commands'), delay(QUICK_MS)]);
    return [];
  }

  async keys(): Promise<Map<string, string>> {
    return valuesOf(await this.#deployment.master(), PATTERN);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.done();
    await Promise.all(this.links.flat().map((link) => link.stop()));
    await this.#deployment.stop();
  }

  /**
   * Of backends only. Without the links of sentinels the master would count as down, and they would promote the old one,
   * which has seen nothing since.
   */
  async #killClients(role: string): Promise<void> {
    const master = await this.#deployment.master();
    const clients = (await master.clients()).filter(({ name }) => name.split(':')[1] === role);
    await Promise.all(clients.map(({ id }) => master.cli('CLIENT', 'KILL', 'ID', id)));
  }

  /**
   * It is over when all sentinels name the new master, and that is one. The place of that is returned. One that was killed or
   * hung comes back when everybody had time to ask a sentinel: until then it may be taken for the master.
   */
  async #failover(kind: string): Promise<number> {
    const before = await this.#deployment.master();
    if (kind === 'failover') await this.#deployment.sentinels[0]?.cli('SENTINEL', 'FAILOVER', 'mymaster');
    else if (kind === 'killMaster') await before.kill();
    else before.pause();
    let now: RedisServer | undefined;
    while (!now) now = await this.#successor(before);
    // It acknowledges what is lost until it is told.
    if (kind === 'failover') while ((await roleOf(before)) === 'master') await delay(LOOK_MS);
    else this.#comeBack(kind, before);
    return this.servers.indexOf(now);
  }

  #comeBack(kind: string, before: RedisServer): void {
    void this.#turns.take(async () => {
      await delay(AWAY_MS);
      if (kind === 'killMaster') await before.restart();
      else before.resume();
    });
  }

  async #successor(before: RedisServer): Promise<RedisServer | undefined> {
    await delay(LOOK_MS);
    const replies = await Promise.all(
      this.#deployment.sentinels.map((sentinel) => sentinel.cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster')),
    );
    const ports = new Set(replies.map((reply) => Number((reply as string[])[1])));
    const [port] = ports;
    const now = this.servers.find((server) => server.port === port);
    if (ports.size > 1 || !now || now === before) return undefined;
    return (await roleOf(now)) === 'master' ? now : undefined;
  }
}
