/** How soon are so many waiters ready, how fast do they wake when all results come at once, and what does it cost? */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Bench, Peer, Question } from '../harness.ts';
import { burst, cpuSince, register } from '../measure.ts';
import { newIds } from '../sample.ts';

/** How many, by question. */
export const WAITERS = { 'waiters-1k': 1000, 'waiters-10k': 10_000, 'waiters-100k': 100_000 } as const;
/** More waits than this are begun in slices, so that the loop's stalls are not those of the bench itself. */
const ONE_TICK = 10_000;
const SLICE = 1000;

let stores: Promise<() => Promise<unknown>> | undefined;

/** In the storing process: 'ready' encodes, 'store' sends. */
async function assist(peer: Peer, [verb, ...ids]: readonly string[], port: number): Promise<void> {
  if (verb === 'ready') {
    await peer.adopt?.(ids);
    stores = peer.announceAll ? Promise.resolve(() => peer.announceAll?.(ids) ?? Promise.resolve()) : burst(port, ids);
    await stores;
  } else {
    await (
      await stores
    )?.();
  }
}

/** Sockets of this process to the server, but that of the client that counts. */
function connections(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length - 1;
}

/** The longest delay of the loop so far, in ms. */
const longest = (delays: IntervalHistogram): number => delays.max / 1e6;

async function round(bench: Bench, count: number): Promise<readonly number[]> {
  const ids = newIds(count);
  await bench.assist(['ready', ...ids]);
  const woken: Promise<void>[] = [];
  let first = 0;
  let last = 0;
  const wait = async (id: string): Promise<void> => {
    await bench.peer.wait(id, 60);
    last = performance.now();
    first ||= last;
  };
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const used = process.cpuUsage();
  const slice = count > ONE_TICK ? SLICE : count;
  const registeredMs = await register(bench, ids, (id) => woken.push(wait(id)), slice);
  const open = connections();
  await bench.assist(['store']);
  await Promise.all(woken);
  delays.disable();
  const perSecond = (count / (last - first)) * 1000;
  return [registeredMs, perSecond, cpuSince(used) / count, longest(delays), open];
}

function question(name: string, count: number): Question {
  const label = count.toLocaleString('en-US');
  return {
    name,
    ...(count > ONE_TICK ? { rounds: 3, long: true } : {}),
    figures: [
      { name: `${label} waiters: register`, unit: 'ms', better: 'lower' },
      { name: `${label} waiters: wakes`, unit: '/s', better: 'higher' },
      { name: `${label} waiters: CPU a result`, unit: 'µs', better: 'lower' },
      { name: `${label} waiters: longest stall`, unit: 'ms', better: 'lower' },
      { name: `${label} waiters: connections`, unit: '', better: 'lower' },
    ],
    round: (bench) => round(bench, count),
    assist,
  };
}

/** 1,000, 10,000 and 100,000 of them. */
export const waiters: readonly Question[] = Object.entries(WAITERS).map(([name, count]) => question(name, count));
