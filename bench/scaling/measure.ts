/** One pass over all loads. */
import type { Put } from './figures.ts';
import { cpuOf, delivered, messagesTo, runFlow } from './flow.ts';
import { Client, newRun } from './jobs.ts';
import { KNOTS, nameOf, TRIALS, type Way } from './loads.ts';
import { guarded, loadScript, PLAIN, saturate } from './saturate.ts';
import { empty, rest, type Servers, spent, startCluster, startOne, total, until } from './servers.ts';

const LOADS: readonly Way[] = [...Object.values(KNOTS), ...TRIALS];
/** Payload, stores, connections, stores of one write. */
const SATURATIONS = [
  [300, 20_000, 50, 1],
  [300, 40_000, 50, 16],
  [10_000, 4000, 50, 1],
  [100_000, 400, 8, 1],
  [1_000_000, 60, 4, 1],
] as const;
/** Results that come at once, by payload: what a process does when it is never idle. */
const BURSTS = [
  [300, 10_000],
  [10_000, 3000],
] as const;

/** The processes of a pass, as warm for one load as for another. */
interface Parties {
  readonly storers: readonly [Client, Client];
  readonly waiters: readonly [Client, Client];
}

export async function measureOne(put: Put): Promise<void> {
  const servers = await startOne();
  const parties = await partiesOf(servers);
  for (const [bytes, count] of BURSTS) put(`burst/${bytes}`, await burst(servers, parties, bytes, count));
  await flows(servers, parties, null, put);
  await stop(parties);
  const kinds = { guarded: guarded(await loadScript(servers)), plain: PLAIN };
  await saturate(servers, kinds.guarded, { bytes: 300, count: 5000, connections: 50, together: 1 });
  for (const [bytes, count, connections, together] of SATURATIONS) {
    for (const [name, kind] of Object.entries(kinds)) {
      put(`full/${name}/${bytes}x${together}`, await saturate(servers, kind, { bytes, count, connections, together }));
    }
  }
  await servers.stop();
}

export async function measureCluster(masters: number, put: Put): Promise<void> {
  const servers = await startCluster(masters);
  const parties = await partiesOf(servers);
  put(`bulk/${masters}`, await bulk(servers, parties.storers[0], 300, 5000));
  await flows(servers, parties, masters, put);
  await stop(parties);
  await servers.stop();
}

async function flows(servers: Servers, { storers, waiters }: Parties, masters: number | null, put: Put): Promise<void> {
  for (const way of LOADS.filter((each) => each.masters === masters)) {
    // Some seconds, and some hundred results.
    const seconds = way.perSecond < 200 ? 5 : way.perSecond > 1500 ? 2 : 3;
    const cost = await runFlow(servers, storers.slice(0, way.storers), waiters.slice(0, way.waiters), {
      ...way,
      seconds,
    });
    put(nameOf(way), cost);
  }
}

/** Starts them, and has the compiler of each see all that it is going to do. */
async function partiesOf(servers: Servers): Promise<Parties> {
  const start = (): Client => new Client(servers.url);
  const parties: Parties = { storers: [start(), start()], waiters: [start(), start()] };
  for (const index of [0, 1] as const) {
    const pair: Parties = {
      storers: [parties.storers[index], parties.storers[index]],
      waiters: [parties.waiters[index], parties.waiters[index]],
    };
    for (const [bytes, count] of BURSTS) await burst(servers, pair, bytes, count);
  }
  await runFlow(servers, parties.storers, parties.waiters, { bytes: 300, perSecond: 3000, seconds: 1 });
  await rest(servers);
  return parties;
}

async function stop({ storers, waiters }: Parties): Promise<void> {
  await Promise.all([...storers, ...waiters].map((client) => client.stop()));
}

/** Of one result: CPU of servers and storing process, and reads from sockets; results a second. */
interface BulkCost {
  readonly server: number;
  readonly storeClient: number;
  readonly reads: number;
  readonly perSecond: number;
}

/** Stores of which 64 are under way at any time. */
async function bulk(servers: Servers, storer: Client, bytes: number, count: number): Promise<BulkCost> {
  const used = await cpuOf([storer]);
  const received = await messagesTo(servers);
  const { cpu, reads, seconds } = await spent(servers, async () => {
    await storer.ask({ kind: 'store', run: newRun(), count, bytes, lanes: 64 });
    await delivered(servers, received + count * (servers.admins.length - 1));
  });
  const storeCpu = await used();
  await empty(servers);
  return { server: cpu / count, storeClient: storeCpu / count, reads: reads / count, perSecond: count / seconds };
}

/** Waits that are all begun at once, and whose results then come as fast as may be. */
async function burst(
  servers: Servers,
  { storers: [storer], waiters: [waiter] }: Parties,
  bytes: number,
  count: number,
): Promise<object> {
  const stored = await bulk(servers, storer, bytes, count);
  const run = newRun();
  const used = await cpuOf([waiter]);
  const misses = await total(servers, 'keyspace_misses');
  let wakes = 0;
  const both = await spent(servers, async () => {
    await waiter.ask({ kind: 'wait', run, count });
    await until(async () => (await total(servers, 'keyspace_misses')) >= misses + count);
    const start = performance.now();
    await storer.ask({ kind: 'store', run, count, bytes, lanes: 64 });
    await waiter.ask({ kind: 'settled' });
    wakes = count / ((performance.now() - start) / 1000);
    await until(async () => (await total(servers, 'pubsub_channels')) === 0);
  });
  const waitClient = (await used()) / count;
  await empty(servers);
  return {
    storeServer: stored.server,
    storeClient: stored.storeClient,
    stores: stored.perSecond,
    waitServer: both.cpu / count - stored.server,
    waitClient,
    wakes,
  };
}
