/** What a wait costs the server and the process that waits: to register, and to wake. */
import {
  type Deployment,
  empty,
  idleOf,
  least,
  median,
  netOf,
  round3,
  type Spent,
  spent,
  startPlain,
  total,
  until,
} from '../deployment.ts';
import { Client } from '../jobs.ts';

/** One way to wait. Microseconds of CPU are of one result. */
export interface WaitFigure {
  readonly bytes: number;
  /** Waits and stores a second; `null`: all at once. */
  readonly perSecond: number | null;
  readonly waits: number;
  /** SUBSCRIBE and GET. */
  readonly registerServer: number;
  readonly registerClient: number;
  /** The message, and UNSUBSCRIBE; what the store costs without a waiter is taken off. */
  readonly wakeServer: number;
  readonly wakeClient: number;
  /** A store without a waiter, at the same pace. */
  readonly storeServer: number;
  readonly storeClient: number;
  readonly netIn: number;
  readonly netOut: number;
  readonly heap: number;
  /** The longest turn of the event loop while all woke, milliseconds. */
  readonly stall: number;
}

export interface WaitFigures {
  readonly waits: readonly WaitFigure[];
}

interface Way {
  readonly bytes: number;
  readonly perSecond: number | null;
  readonly count: number;
}

const WAYS: readonly Way[] = [
  { bytes: 300, perSecond: 1000, count: 1000 },
  { bytes: 10_000, perSecond: 1000, count: 1000 },
  { bytes: 300, perSecond: null, count: 10_000 },
  { bytes: 10_000, perSecond: null, count: 3000 },
];
const ROUNDS = 4;

export async function measureWaits(): Promise<WaitFigures> {
  const plain = await startPlain();
  const parties = { waiter: new Client(plain.url), storer: new Client(plain.url) };
  try {
    await round(plain, parties, 0, { bytes: 300, perSecond: null, count: 3000 });
    const idle = await idleOf(plain);
    const waits: WaitFigure[] = [];
    for (const way of WAYS) {
      const rounds: WaitFigure[] = [];
      for (let index = 0; index < ROUNDS; index += 1) rounds.push(await round(plain, parties, idle, way));
      waits.push(sumUp(rounds));
    }
    return { waits };
  } finally {
    await Promise.all([parties.waiter.stop(), parties.storer.stop()]);
    await plain.stop();
  }
}

/** The least of each figure of CPU time, the median of each other. */
function sumUp(rounds: readonly WaitFigure[]): WaitFigure {
  const [first] = rounds;
  if (!first) throw new Error('there is one');
  const of = (name: Exclude<keyof WaitFigure, 'perSecond'>): number[] => rounds.map((each) => each[name]);
  const storeServer = least(of('storeServer'));
  return {
    ...first,
    registerServer: least(of('registerServer')),
    registerClient: least(of('registerClient')),
    wakeServer: round3(Math.max(0, least(of('wakeServer')) - storeServer)),
    wakeClient: least(of('wakeClient')),
    storeServer,
    storeClient: least(of('storeClient')),
    netIn: round3(median(of('netIn'))),
    netOut: round3(median(of('netOut'))),
    heap: round3(median(of('heap'))),
    stall: least(of('stall')),
  };
}

let run = 1;

interface Parties {
  readonly waiter: Client;
  readonly storer: Client;
}

async function round(plain: Deployment, parties: Parties, idle: number, way: Way): Promise<WaitFigure> {
  const { bytes, perSecond, count } = way;
  const { waiter, storer } = parties;
  const pace = perSecond === null ? {} : { perSecond };
  const store = { kind: 'store', from: 0, count, bytes, together: 64, lanes: 4, ...pace } as const;
  const keepingPace = perSecond === null ? 0 : await storer.cpuOf({ kind: 'rest', count, perSecond });
  let storeClient = 0;
  const alone = await spent(plain, idle, async () => {
    storeClient = (await storer.cpuOf({ ...store, run: run++ })) - keepingPace;
  });
  await empty(plain);
  const ids = { run: run++, from: 0, count };
  const { heap } = await waiter.ask({ kind: 'heap' });
  await plain.admins[0]?.config('RESETSTAT');
  const before = await netOf(plain);
  const registered = await taken(plain, waiter, idle, async () => {
    await waiter.ask({ kind: 'wait', ...ids, ...pace });
    await until(async () => (await total(plain, 'stats', 'keyspace_misses')) >= count);
  });
  const held = (await waiter.ask({ kind: 'heap' })).heap - heap;
  let stall = 0;
  const woken = await taken(plain, waiter, idle, async () => {
    await storer.ask({ ...store, ...ids });
    stall = (await waiter.ask({ kind: 'settled' })).stall;
    await until(async () => (await total(plain, 'stats', 'pubsub_channels')) === 0);
  });
  const after = await netOf(plain);
  await empty(plain);
  const resting = await waiter.cpuOf({ kind: 'rest', count: 0, seconds: woken.seconds });
  return {
    bytes,
    perSecond,
    waits: count,
    registerServer: registered.micros / count,
    registerClient: (registered.client - keepingPace) / count,
    // With the store in it, until the rounds are summed up.
    wakeServer: woken.micros / count,
    wakeClient: (woken.client - resting) / count,
    storeServer: alone.micros / count,
    storeClient: storeClient / count,
    netIn: (after.in - before.in) / count,
    netOut: (after.out - before.out) / count,
    heap: held / count,
    stall,
  };
}

/** What the servers and a client took. */
async function taken(
  plain: Deployment,
  client: Client,
  idle: number,
  work: () => Promise<unknown>,
): Promise<Spent & { readonly client: number }> {
  let used = 0;
  const servers = await spent(plain, idle, async () => {
    const { cpu } = await client.ask({ kind: 'usage' });
    await work();
    used = (await client.ask({ kind: 'usage' })).cpu - cpu;
  });
  return { ...servers, client: used };
}
