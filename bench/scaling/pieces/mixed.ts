/** Runs that no constant is taken from: what the model has to foretell. */
import { empty, idleOf, least, median, netOf, round3, spent, startPlain, total, until } from '../deployment.ts';
import { Client } from '../jobs.ts';

/** Several processes that store and several that wait, at a pace. Microseconds of CPU are of one result. */
export interface MixedFigure {
  readonly bytes: number;
  readonly storers: number;
  readonly waiters: number;
  /** Results a second of all. */
  readonly perSecond: number;
  /** Which part of the results is awaited. */
  readonly waited: number;
  readonly server: number;
  readonly storeClient: number;
  /** Of an awaited result. */
  readonly waitClient: number;
  readonly netIn: number;
  readonly netOut: number;
}

export interface MixedFigures {
  readonly mixed: readonly MixedFigure[];
}

type Way = Pick<MixedFigure, 'bytes' | 'storers' | 'waiters' | 'perSecond' | 'waited'>;

const WAYS: readonly Way[] = [
  { bytes: 300, storers: 1, waiters: 2, perSecond: 600, waited: 1 },
  { bytes: 1000, storers: 2, waiters: 2, perSecond: 1000, waited: 1 },
  { bytes: 3000, storers: 2, waiters: 1, perSecond: 800, waited: 0.5 },
];
const SECONDS = 1;
const ROUNDS = 3;

export async function measureMixed(): Promise<MixedFigures> {
  const mixed: MixedFigure[] = [];
  for (const way of WAYS) {
    const plain = await startPlain();
    const storers = Array.from({ length: way.storers }, () => new Client(plain.url));
    const waiters = Array.from({ length: way.waiters }, () => new Client(plain.url));
    try {
      await round(plain, storers, waiters, 0, way);
      const idle = await idleOf(plain);
      const rounds: MixedFigure[] = [];
      for (let index = 0; index < ROUNDS; index += 1) rounds.push(await round(plain, storers, waiters, idle, way));
      const middle = (name: keyof MixedFigure): number => round3(median(rounds.map((each) => each[name])));
      mixed.push({
        ...way,
        server: least(rounds.map(({ server }) => server)),
        storeClient: least(rounds.map(({ storeClient }) => storeClient)),
        waitClient: least(rounds.map(({ waitClient }) => waitClient)),
        netIn: middle('netIn'),
        netOut: middle('netOut'),
      });
    } finally {
      await Promise.all([...storers, ...waiters].map((client) => client.stop()));
      await plain.stop();
    }
  }
  return { mixed };
}

let run = 1;

async function round(
  plain: Awaited<ReturnType<typeof startPlain>>,
  storers: readonly Client[],
  waiters: readonly Client[],
  idle: number,
  way: Way,
): Promise<MixedFigure> {
  const { bytes, waited, perSecond } = way;
  const count = perSecond * SECONDS;
  const ids = run++;
  const [stores, waits] = [count / storers.length, (count * waited) / waiters.length];
  const [admin] = plain.admins;
  if (!admin) throw new Error('there is one');
  await admin.config('RESETSTAT');
  const net = await netOf(plain);
  const before = await usage([...storers, ...waiters]);
  const { micros } = await spent(plain, idle, async () => {
    await Promise.all(
      waiters.map((client, index) =>
        client.ask({
          kind: 'wait',
          run: ids,
          from: index * waits,
          count: waits,
          perSecond: (perSecond * waited) / waiters.length,
        }),
      ),
    );
    await until(async () => (await total(plain, 'stats', 'keyspace_misses')) >= count * waited);
    await Promise.all(
      storers.map((client, index) =>
        client.ask({
          kind: 'store',
          run: ids,
          from: index * stores,
          count: stores,
          bytes,
          together: 1,
          perSecond: perSecond / storers.length,
        }),
      ),
    );
    await Promise.all(waiters.map((client) => client.ask({ kind: 'settled' })));
    await until(async () => (await total(plain, 'stats', 'pubsub_channels')) === 0);
  });
  const after = await usage([...storers, ...waiters]);
  // What keeping the pace takes is the bench's own.
  const paces = await Promise.all([
    ...storers.map((client) => client.cpuOf({ kind: 'rest', count: stores, perSecond: perSecond / storers.length })),
    ...waiters.map((client) =>
      client.cpuOf({ kind: 'rest', count: waits, perSecond: (perSecond * waited) / waiters.length }),
    ),
  ]);
  const used = after.map((cpu, index) => cpu - (before[index] ?? 0) - (paces[index] ?? 0));
  const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
  const netAfter = await netOf(plain);
  await empty(plain);
  return {
    ...way,
    server: micros / count,
    storeClient: sum(used.slice(0, storers.length)) / count,
    waitClient: sum(used.slice(storers.length)) / (count * waited),
    netIn: (netAfter.in - net.in) / count,
    netOut: (netAfter.out - net.out) / count,
  };
}

async function usage(clients: readonly Client[]): Promise<number[]> {
  return Promise.all(clients.map(async (client) => (await client.ask({ kind: 'usage' })).cpu));
}
