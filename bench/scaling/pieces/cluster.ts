/** What a cluster makes of a result: each PUBLISH goes to every node. */
import {
  cpuOf,
  type Deployment,
  empty,
  idleOf,
  least,
  median,
  round3,
  spent,
  startCluster,
  total,
  until,
} from '../deployment.ts';
import { Client } from '../jobs.ts';

/** Masters, payload, stores under way at once. Microseconds of CPU are of one result, of all nodes together. */
export interface ClusterFigure {
  readonly masters: number;
  readonly bytes: number;
  readonly together: number;
  readonly server: number;
  /** The node that took most. */
  readonly busiest: number;
  /** By CLUSTER INFO, messages of PUBLISH that were sent for one result. */
  readonly messages: number;
  readonly perSecond: number;
}

export interface ClusterFigures {
  readonly stores: readonly ClusterFigure[];
  /** 3 masters, a waiter for each result: microseconds of all nodes for the store and the wait. */
  readonly waited: number;
  readonly idle: Readonly<Record<string, number>>;
}

const WAYS = [
  { bytes: 300, together: 1, count: 500 },
  { bytes: 10_000, together: 1, count: 400 },
  { bytes: 300, together: 64, count: 2000 },
  { bytes: 10_000, together: 64, count: 600 },
] as const;
const ROUNDS = 5;

export async function measureCluster(): Promise<ClusterFigures> {
  const stores: ClusterFigure[] = [];
  const idles: Record<string, number> = {};
  let waited = NaN;
  for (const masters of [1, 3, 6]) {
    const cluster = await startCluster(masters);
    const client = new Client(cluster.url);
    try {
      await client.ask({ kind: 'store', run: 0, from: 0, count: 2000, bytes: 300, together: 64 });
      const idle = await idleOf(cluster, 2);
      idles[String(masters)] = round3(idle);
      for (const way of WAYS) stores.push(await storesOf(cluster, client, idle, { masters, ...way }));
      if (masters === 3) waited = await waitedOf(cluster, client, idle);
    } finally {
      await client.stop();
      await cluster.stop();
    }
  }
  return { stores, waited, idle: idles };
}

let run = 1;

async function storesOf(
  cluster: Deployment,
  client: Client,
  idle: number,
  {
    masters,
    bytes,
    together,
    count,
  }: Pick<ClusterFigure, 'masters' | 'bytes' | 'together'> & { readonly count: number },
): Promise<ClusterFigure> {
  const rounds: { server: number; busiest: number; messages: number; perSecond: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const sent = await total(cluster, 'cluster', 'cluster_stats_messages_publish_sent');
    const before = await Promise.all(cluster.admins.map((admin) => cpuOf({ ...cluster, admins: [admin] })));
    const { micros, seconds } = await spent(cluster, idle, async () => {
      await client.ask({ kind: 'store', run: run++, from: 0, count, bytes, together });
      await delivered(cluster, sent + count * (masters - 1));
    });
    const after = await Promise.all(cluster.admins.map((admin) => cpuOf({ ...cluster, admins: [admin] })));
    const messages = (await total(cluster, 'cluster', 'cluster_stats_messages_publish_sent')) - sent;
    const busiest = Math.max(...after.map((value, index) => value - (before[index] ?? 0)));
    rounds.push({
      server: micros / count,
      busiest: busiest / count,
      messages: messages / count,
      perSecond: count / seconds,
    });
    await empty(cluster);
  }
  const middle = (pick: (each: (typeof rounds)[number]) => number): number => round3(median(rounds.map(pick)));
  return {
    masters,
    bytes,
    together,
    server: least(rounds.map(({ server }) => server)),
    busiest: least(rounds.map(({ busiest }) => busiest)),
    messages: middle(({ messages }) => messages),
    perSecond: middle(({ perSecond }) => perSecond),
  };
}

/** Until so many messages were received from the bus, or no more come: a link that is not up yet has none. */
export async function delivered(cluster: Deployment, count: number): Promise<void> {
  let [last, looks] = [-1, 0];
  await until(async () => {
    const now = await total(cluster, 'cluster', 'cluster_stats_messages_publish_received');
    looks = now === last ? looks + 1 : 0;
    last = now;
    return now >= count || looks === 10;
  });
}

async function waitedOf(cluster: Deployment, storer: Client, idle: number): Promise<number> {
  const waiter = new Client(cluster.url);
  const count = 600;
  const pace = { from: 0, count, perSecond: 1000 };
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const ids = { run: run++, ...pace };
    const { micros } = await spent(cluster, idle, async () => {
      const misses = await total(cluster, 'stats', 'keyspace_misses');
      await waiter.ask({ kind: 'wait', ...ids });
      // Each is looked up once here, and once more by the store's own check.
      await until(async () => (await total(cluster, 'stats', 'keyspace_misses')) >= misses + count);
      await storer.ask({ kind: 'store', bytes: 300, together: 1, ...ids });
      await waiter.ask({ kind: 'settled' });
      await until(async () => (await total(cluster, 'stats', 'pubsub_channels')) === 0);
    });
    rounds.push(micros / count);
    await empty(cluster);
  }
  await waiter.stop();
  return least(rounds);
}
