/** The bus of a cluster: its bytes, and what channels that stay on their node would save. */
import { Cluster } from 'ioredis';
import { type Deployment, empty, idleOf, least, round3, spent, startCluster, total } from '../deployment.ts';
import { Client, idOf } from '../jobs.ts';
import { delivered } from './cluster.ts';

/** Bytes on the bus for one result, and of gossip in a second. */
export interface BusFigure {
  readonly masters: number;
  readonly bytes: number;
  readonly busBytes: number;
  readonly gossip: number;
}

/** SET with PUBLISH, or with SPUBLISH, of bare ioredis: what the choice of channels is worth. */
export interface ShardedFigure {
  readonly masters: number;
  readonly publish: number;
  readonly spublish: number;
}

export interface BusFigures {
  readonly bus: readonly BusFigure[];
  readonly sharded: readonly ShardedFigure[];
}

const ROUNDS = 3;

export async function measureBus(): Promise<BusFigures> {
  const bus: BusFigure[] = [];
  const sharded: ShardedFigure[] = [];
  for (const masters of [3, 6]) {
    bus.push(...(await busOf(masters)));
    const cluster = await startCluster(masters);
    try {
      sharded.push(await shardedOf(cluster, await idleOf(cluster), masters));
    } finally {
      await cluster.stop();
    }
  }
  return { bus, sharded };
}

let run = 1;

async function shardedOf(cluster: Deployment, idle: number, masters: number): Promise<ShardedFigure> {
  const nodes = cluster.admins.map(({ options: { port = 0 } }) => ({ host: '127.0.0.1', port }));
  const client = new Cluster(nodes, { enableAutoPipelining: true });
  await client.ping();
  const text = 'x'.repeat(300);
  const cost = async (command: 'publish' | 'spublish'): Promise<number> => {
    const [count, width] = [2000, 64];
    const sent = await total(cluster, 'cluster', 'cluster_stats_messages_publish_sent');
    const { micros } = await spent(cluster, idle, async () => {
      for (let from = 0; from < count; from += width) {
        const ids = Array.from({ length: Math.min(width, count - from) }, (_, index) => idOf(9, from + index));
        await Promise.all(ids.flatMap((id) => [client.setex(id, 86_400, text), client[command](id, text)]));
      }
      if (command === 'publish') await delivered(cluster, sent + count * (masters - 1));
    });
    await empty(cluster);
    return micros / count;
  };
  const [publish, spublish]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    publish.push(await cost('publish'));
    spublish.push(await cost('spublish'));
  }
  client.disconnect();
  return { masters, publish: least(publish), spublish: least(spublish) };
}

async function busOf(masters: number): Promise<BusFigure[]> {
  const cluster = await startCluster(masters, true);
  const client = new Client(cluster.url);
  try {
    const start = performance.now();
    const before = cluster.busBytes();
    await idleOf(cluster, 5);
    const gossip = ((cluster.busBytes() - before) / (performance.now() - start)) * 1000;
    const figures: BusFigure[] = [];
    for (const bytes of [300, 10_000]) {
      const count = 1000;
      const [from, began] = [cluster.busBytes(), performance.now()];
      const sent = await total(cluster, 'cluster', 'cluster_stats_messages_publish_sent');
      await client.ask({ kind: 'store', run: run++, from: 0, count, bytes, together: 64 });
      await delivered(cluster, sent + count * (masters - 1));
      const gossiped = (gossip * (performance.now() - began)) / 1000;
      const busBytes = (cluster.busBytes() - from - gossiped) / count;
      figures.push({ masters, bytes, busBytes: round3(busBytes), gossip: round3(gossip) });
    }
    return figures;
  } finally {
    await client.stop();
    await cluster.stop();
  }
}
