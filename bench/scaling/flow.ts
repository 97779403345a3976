/** A steady load: results that are awaited, and come a second later. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, type Ids, newRun } from './jobs.ts';
import { busMessages, empty, type Servers, spent, total, until } from './servers.ts';

/** How it is put on. */
export interface Flow {
  readonly bytes: number;
  readonly perSecond: number;
  readonly seconds: number;
  /** Which part of the results is awaited: a whole one of two, of three. @default 1 when there are waiters */
  readonly waited?: number;
}

/** What it took: CPU in microseconds, of one result; `waitClient` of one that is awaited. */
export interface FlowCost {
  readonly server: number;
  readonly reads: number;
  readonly netIn: number;
  readonly netOut: number;
  readonly storeClient: number;
  readonly waitClient: number;
}

/** From a wait to its result. */
const LEAD_MS = 1000;

/** A process with its part of the results. */
interface Part {
  readonly client: Client;
  readonly ids: Ids;
}

/** Of all results in their order each second one, third one, and so on. */
function partsOf(clients: readonly Client[], share: number, run: number, { perSecond, seconds }: Flow): Part[] {
  const step = Math.round(clients.length / share);
  const count = Math.floor((perSecond * seconds) / step);
  return clients.map((client, from) => ({ client, ids: { run, from, step, count, perSecond: perSecond / step } }));
}

/** Runs it. @param waiters - none: nothing is awaited */
export async function runFlow(
  servers: Servers,
  storers: readonly Client[],
  waiters: readonly Client[],
  flow: Flow,
): Promise<FlowCost> {
  const { bytes, waited = 1 } = flow;
  const count = flow.perSecond * flow.seconds;
  const run = newRun();
  const stores = partsOf(storers, 1, run, flow);
  const waits = partsOf(waiters, waited, run, flow);
  const used = await cpuOf(storers);
  const usedWaiting = await cpuOf(waiters);
  const received = await messagesTo(servers);
  const { cpu, reads, netIn, netOut } = await spent(servers, async () => {
    const begun = waits.map(({ client, ids }) => client.ask({ kind: 'wait', ...ids }));
    if (waits.length > 0) await sleep(LEAD_MS);
    await Promise.all(stores.map(({ client, ids }) => client.ask({ kind: 'store', bytes, ...ids })));
    await Promise.all(begun);
    await Promise.all(waiters.map((client) => client.ask({ kind: 'settled' })));
    await until(async () => (await total(servers, 'pubsub_channels')) === 0);
    await delivered(servers, received + count * (servers.admins.length - 1));
  });
  const [storeCpu, waitCpu] = [await used(), await usedWaiting()];
  await empty(servers);
  return {
    server: cpu / count,
    reads: reads / count,
    netIn: netIn / count,
    netOut: netOut / count,
    storeClient: storeCpu / count,
    waitClient: waitCpu / count / waited,
  };
}

/** Begins to count the CPU of processes, without the garbage of what they did before. Resolves to what ends it. */
export async function cpuOf(clients: readonly Client[]): Promise<() => Promise<number>> {
  const sum = async (kind: 'collect' | 'usage'): Promise<number> => {
    const answers = await Promise.all(clients.map((client) => client.ask({ kind })));
    return answers.reduce((all, { cpu }) => all + cpu, 0);
  };
  const before = await sum('collect');
  return async () => (await sum('usage')) - before;
}

/** Messages that nodes have had over the bus. */
export async function messagesTo(servers: Servers): Promise<number> {
  return servers.admins.length === 1 ? 0 : await busMessages(servers, 'received');
}

/** Until so many messages have come over the bus, or no more come: a link that is not up has none. */
export async function delivered(servers: Servers, count: number): Promise<void> {
  if (servers.admins.length === 1) return;
  let [last, looks] = [-1, 0];
  await until(async () => {
    const now = await busMessages(servers, 'received');
    looks = now === last ? looks + 1 : 0;
    last = now;
    return now >= count || looks === 10;
  });
}
