/** What a store costs the server, by payload, and how many it takes. */
import {
  cpuOf,
  type Deployment,
  empty,
  least,
  median,
  netOf,
  round3,
  spent,
  startPlain,
  idleOf,
} from '../deployment.ts';
import { Client, idOf } from '../jobs.ts';

/** Payloads, stores of one turn, and how many of them. */
const SIZES = [
  { bytes: 300, together: 1, count: 1000 },
  { bytes: 300, together: 8, count: 2000 },
  { bytes: 300, together: 64, count: 6000 },
  { bytes: 2000, together: 1, count: 1000 },
  { bytes: 10_000, together: 1, count: 600 },
  { bytes: 10_000, together: 6, count: 1200 },
  { bytes: 100_000, together: 1, count: 200 },
  { bytes: 1_000_000, together: 1, count: 30 },
] as const;
const ROUNDS = 5;

/** One payload and one number of stores a script. Microseconds of CPU are of one store. */
export interface StoreFigure {
  readonly bytes: number;
  readonly together: number;
  readonly server: number;
  readonly client: number;
  /** By INFO commandstats: the script of one store; within it SETEX and PUBLISH. */
  readonly script: number;
  readonly setex: number;
  readonly publish: number;
  readonly netIn: number;
  readonly netOut: number;
}

/** How many stores a second, and how busy the server was. */
export interface ThroughputFigure {
  readonly bytes: number;
  readonly processes: number;
  readonly perSecond: number;
  readonly server: number;
  /** CPU of the server by elapsed time. */
  readonly busy: number;
}

/** Reads of results that are there. Microseconds of CPU are of one result. */
export interface ReadFigure {
  readonly bytes: number;
  readonly together: number;
  readonly server: number;
  readonly client: number;
}

/** What a payload costs as an argument of a script, by INFO commandstats; microseconds of one call. */
export interface ArgumentFigure {
  readonly bytes: number;
  /** A script that returns at once. */
  readonly idleScript: number;
  /** SETEX and PUBLISH, of no script. */
  readonly commands: number;
}

export interface StoreFigures {
  readonly scriptArguments: readonly ArgumentFigure[];
  readonly reads: readonly ReadFigure[];
  readonly stores: readonly StoreFigure[];
  readonly throughput: readonly ThroughputFigure[];
  readonly idle: number;
}

export async function measureStores(): Promise<StoreFigures> {
  const plain = await startPlain();
  const clients = Array.from({ length: 4 }, () => new Client(plain.url));
  try {
    const [first] = clients;
    if (!first) throw new Error('there is one');
    await warmUp(plain, clients);
    const idle = await idleOf(plain);
    const stores: StoreFigure[] = [];
    for (const size of SIZES) stores.push(await storesOf(plain, first, idle, size));
    const reads: ReadFigure[] = [];
    for (const bytes of [300, 10_000]) {
      for (const together of [1, 100]) reads.push(await readsOf(plain, first, idle, { bytes, together }));
    }
    const scriptArguments = await argumentsOf(plain);
    const throughput: ThroughputFigure[] = [];
    for (const [bytes, count] of [
      [300, 2500],
      [10_000, 400],
      [1_000_000, 10],
    ] as const) {
      for (const processes of [1, 2, 4]) {
        throughput.push(await throughputOf(plain, clients.slice(0, processes), { bytes, count, idle }));
      }
    }
    return { stores, scriptArguments, reads, throughput, idle: round3(idle) };
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
    await plain.stop();
  }
}

let run = 1;

async function warmUp(plain: Deployment, clients: readonly Client[]): Promise<void> {
  for (const [index, client] of clients.entries()) {
    await client.ask({ kind: 'store', run: 0, from: index * 2000, count: 2000, bytes: 300, together: 4 });
  }
  const length = await plain.admins[0]?.strlen(`celery-task-meta-${idOf(0, 0)}`);
  if (length !== 300) throw new Error(`A payload has ${length} bytes instead of 300: mend ENVELOPE in client.ts.`);
  await empty(plain);
}

type Size = (typeof SIZES)[number];

async function storesOf(plain: Deployment, client: Client, idle: number, size: Size): Promise<StoreFigure> {
  const { bytes, together, count } = size;
  const rounds: Omit<StoreFigure, 'bytes' | 'together'>[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await plain.admins[0]?.config('RESETSTAT');
    const net = await netOf(plain);
    let used = 0;
    const { micros } = await spent(plain, idle, async () => {
      used = await client.cpuOf({ kind: 'store', run: run++, from: 0, count, bytes, together });
    });
    const after = await netOf(plain);
    const bytesOf = { netIn: (after.in - net.in) / count, netOut: (after.out - net.out) / count };
    rounds.push({ server: micros / count, client: used / count, ...bytesOf, ...(await statistics(plain, count)) });
    await empty(plain);
  }
  const middle = (pick: (figure: (typeof rounds)[number]) => number): number => round3(median(rounds.map(pick)));
  return {
    bytes,
    together,
    server: least(rounds.map(({ server }) => server)),
    client: least(rounds.map((each) => each.client)),
    script: least(rounds.map(({ script }) => script)),
    setex: least(rounds.map(({ setex }) => setex)),
    publish: least(rounds.map(({ publish }) => publish)),
    netIn: middle(({ netIn }) => netIn),
    netOut: middle(({ netOut }) => netOut),
  };
}

async function argumentsOf({ admins: [admin] }: Deployment): Promise<ArgumentFigure[]> {
  if (!admin) throw new Error('there is one');
  const figures: ArgumentFigure[] = [];
  for (const bytes of [300, 10_000, 100_000, 1_000_000]) {
    await admin.config('RESETSTAT');
    const calls = 30;
    for (let call = 0; call < calls; call += 1) {
      // Lua keeps one copy of equal strings, which results are not.
      const payload = String(call).padStart(bytes, 'x');
      await admin.eval('return 1', 0, payload);
      await admin.setex('key', 60, payload);
      await admin.publish('key', payload);
    }
    const text = await admin.info('commandstats');
    figures.push({
      bytes,
      idleScript: round3(microsOf(text, 'eval') / calls),
      commands: round3((microsOf(text, 'setex') + microsOf(text, 'publish')) / calls),
    });
  }
  return figures;
}

/** Of all calls, by INFO commandstats. */
function microsOf(text: string, name: string): number {
  return Number(new RegExp(`^cmdstat_${name}:calls=\\d+,usec=(\\d+)`, 'm').exec(text)?.[1] ?? 0);
}

async function readsOf(
  plain: Deployment,
  client: Client,
  idle: number,
  { bytes, together }: Pick<ReadFigure, 'bytes' | 'together'>,
): Promise<ReadFigure> {
  const rounds: { server: number; client: number }[] = [];
  const count = 1000;
  for (let round = 0; round < ROUNDS; round += 1) {
    const ids = { run: run++, from: 0, count };
    await client.ask({ kind: 'store', ...ids, bytes, together: 64 });
    let used = 0;
    const { micros } = await spent(plain, idle, async () => {
      used = await client.cpuOf({ kind: 'read', ...ids, together });
    });
    rounds.push({ server: micros / count, client: used / count });
    await empty(plain);
  }
  return {
    bytes,
    together,
    server: least(rounds.map(({ server }) => server)),
    client: least(rounds.map((each) => each.client)),
  };
}

/** Since the last CONFIG RESETSTAT, of one store. */
async function statistics(
  plain: Deployment,
  count: number,
): Promise<Pick<StoreFigure, 'script' | 'setex' | 'publish'>> {
  const admin = plain.admins[0];
  if (!admin) throw new Error('there is one');
  const text = await admin.info('commandstats');
  const micros = (name: string): number => microsOf(text, name) / count;
  return {
    script: micros('evalsha'),
    setex: micros('setex'),
    publish: micros('publish'),
  };
}

async function throughputOf(
  plain: Deployment,
  clients: readonly Client[],
  { bytes, count, idle }: { readonly bytes: number; readonly count: number; readonly idle: number },
): Promise<ThroughputFigure> {
  const together = bytes < 1000 ? 64 : bytes < 100_000 ? 6 : 1;
  const rounds: { perSecond: number; server: number; busy: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await cpuOf(plain);
    const { micros, seconds } = await spent(plain, idle, () =>
      Promise.all(
        clients.map((client) => client.ask({ kind: 'store', run: run++, from: 0, count, bytes, together, lanes: 4 })),
      ),
    );
    const busy = ((await cpuOf(plain)) - before) / 1e6 / seconds;
    const stores = count * clients.length;
    rounds.push({ perSecond: stores / seconds, server: micros / stores, busy });
    await empty(plain);
  }
  return {
    bytes,
    processes: clients.length,
    perSecond: round3(Math.max(...rounds.map(({ perSecond }) => perSecond))),
    server: least(rounds.map(({ server }) => server)),
    busy: round3(Math.max(...rounds.map(({ busy }) => busy))),
  };
}
