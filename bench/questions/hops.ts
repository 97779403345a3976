/** Where does the time of one wake go? */
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, callsOf, type Peer, type Question } from '../harness.ts';
import { register } from '../measure.ts';
import { quantiles } from '../report.ts';
import { newIds, sample } from '../sample.ts';

const WAITS = 400;
const PAUSE_MS = 1;

/** Microseconds of CLOCK_MONOTONIC, which is the same in every process of a machine. */
const now = (): number => Number(process.hrtime.bigint()) / 1000;

type Method = (this: Socket, ...chunk: unknown[]) => boolean;

/** When this process reads from its sockets and writes to them, whoever does it. */
class SocketTimes {
  read = NaN;
  /** The first write since `forget`. */
  writeBegan = NaN;
  writeEnded = NaN;

  constructor() {
    const { push, write } = Socket.prototype as unknown as Record<'push' | 'write', Method>;
    const onRead = (): void => {
      this.read = now();
    };
    const onWrite = (began: number): void => {
      if (!Number.isNaN(this.writeBegan)) return;
      this.writeBegan = began;
      this.writeEnded = now();
    };
    Socket.prototype.push = function (...chunk: unknown[]): boolean {
      onRead();
      return push.apply(this, chunk);
    };
    Socket.prototype.write = function (...chunk: unknown[]): boolean {
      const began = now();
      const more = write.apply(this, chunk);
      onWrite(began);
      return more;
    };
  }

  forget(): void {
    this.writeBegan = NaN;
    this.writeEnded = NaN;
  }
}

let sockets: SocketTimes | undefined;

/** Waits for all, which are stored meanwhile. Returns the four parts of each wake. */
async function wakes(bench: Bench, times: SocketTimes): Promise<number[][]> {
  const ids = newIds(callsOf(bench, WAITS));
  const woken: Promise<readonly [read: number, on: number]>[] = [];
  const wait = async (id: string): Promise<readonly [read: number, on: number]> => {
    await bench.peer.wait(id, 60);
    return [times.read, now()];
  };
  await register(bench, ids, (id) => woken.push(wait(id)));
  const stored = await bench.assist(ids);
  const received = await Promise.all(woken);
  return received.map(([read, on], index) => {
    const [asked = NaN, began = NaN, ended = NaN] = stored.slice(3 * index, 3 * index + 3);
    return [began - asked, ended - began, read - ended, on - read];
  });
}

/** Stores one after another. Returns when each was asked for, and when its write began and ended. */
async function store(peer: Peer, ids: readonly string[], times: SocketTimes): Promise<number[]> {
  const all: number[] = [];
  for (const id of ids) {
    times.forget();
    const asked = now();
    await peer.store(id, sample());
    all.push(asked, times.writeBegan, times.writeEnded);
    await sleep(PAUSE_MS);
  }
  return all;
}

const PARTS = [
  'the storing process, until it writes',
  'that write',
  'Redis, until the message is read',
  'the waiting process',
];

/** As `wake` without a load, by parts. */
export const hops: Question = {
  name: 'hops',
  idle: true,
  figures: PARTS.map((part) => ({ name: `of a wake: ${part}`, unit: 'µs', better: 'lower' })),

  async round(bench) {
    const all = await wakes(bench, (sockets ??= new SocketTimes()));
    return PARTS.map((_, part) => quantiles(all.map((parts) => parts[part] ?? NaN))[0] ?? NaN);
  },

  assist: (peer, ids) => store(peer, ids, (sockets ??= new SocketTimes())),
};
