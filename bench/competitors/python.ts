/** Python Celery, which python.py speaks for: it measures itself, so that no pipe is in a figure. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findCeleryPython } from '../../__tests__/support/require-celery.ts';
import { type Bench, callsOf, type Competitor, type Peer, type Program, type Round } from '../harness.ts';
import { register } from '../measure.ts';
import { quantiles } from '../report.ts';
import { newIds, type Sample } from '../sample.ts';
import { busy, WAITS } from '../questions/wake.ts';
import { pendingRound } from '../questions/pending.ts';
import { CACHED_IDS, CACHED_TURNS } from '../questions/cached.ts';
import { readable } from '../questions/reads.ts';
import { STORES } from '../questions/stores.ts';
import { WAITERS } from '../questions/waiters.ts';
import { FIRST } from './program.ts';

interface Woken {
  readonly latencies: readonly number[];
  readonly seconds: number;
  readonly cpu: number;
  readonly connections: number;
}

/** A Python process. Calls are answered in order. */
class PythonPeer implements Peer {
  readonly #child: ChildProcess;
  readonly #pending: ((line: string) => void)[] = [];

  constructor(port: number) {
    const file = fileURLToPath(new URL('python.py', import.meta.url));
    const args = [file, `redis://127.0.0.1:${port}/0`];
    this.#child = spawn(findCeleryPython().command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout) {
      createInterface(this.#child.stdout).on('line', (line) => this.#pending.shift()?.(line));
    }
  }

  async call(op: string, ...args: readonly unknown[]): Promise<unknown> {
    const answer = new Promise<string>((resolve) => this.#pending.push(resolve));
    this.#child.stdin?.write(`${JSON.stringify({ op, args })}\n`);
    const { value, error } = JSON.parse(await answer) as { value?: unknown; error?: string };
    if (error !== undefined) throw new Error(`Python: ${error}`);
    return value;
  }

  store(taskId: string, { value }: Sample): Promise<unknown> {
    return this.call('store', taskId, value);
  }

  read(): Promise<unknown> {
    return Promise.reject(new Error('python.py reads by itself'));
  }

  wait(taskId: string): Promise<unknown> {
    return this.call('wait_all', [taskId], 600);
  }

  /** While it waits it answers nothing. */
  async ping(): Promise<unknown> {
    return this.#pending.length > 0 ? undefined : this.call('ping');
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill();
    await once(this.#child, 'exit');
  }
}

function pythonOf(peer: Peer): PythonPeer {
  if (!(peer instanceof PythonPeer)) throw new Error('not the peer of Python');
  return peer;
}

/** Waits for all, has them stored, and says how that went. It reads before it subscribes, and what comes between it misses. */
async function waitAll(bench: Bench, ids: readonly string[]): Promise<readonly [Woken, number]> {
  await bench.assist(['ready', ...ids]);
  let woken: Promise<unknown> = Promise.resolve();
  const start = performance.now();
  await register(bench, [ids[0] ?? ''], () => {
    woken = pythonOf(bench.peer).call('wait_all', ids, 60);
  });
  while (((await bench.admin.pubsub('CHANNELS')) as string[]).length < ids.length) await sleep(1);
  const registeredMs = performance.now() - start;
  await bench.assist(['store', ...ids]);
  return [(await woken) as Woken, registeredMs];
}

const wake: Round = (bench) =>
  busy(bench, async () => {
    const [{ latencies }] = await waitAll(bench, newIds(Math.max(100, callsOf(bench, WAITS))));
    return quantiles(latencies);
  });

const waiters: (count: number) => Round = (count) => async (bench) => {
  const [{ seconds, cpu, connections }, registeredMs] = await waitAll(bench, newIds(count));
  return [registeredMs, count / seconds, cpu, NaN, connections];
};

const stores: (size: keyof typeof STORES) => Round = (size) => async (bench) => {
  const { calls, bytes } = STORES[size];
  return (await pythonOf(bench.peer).call('stores', newIds(callsOf(bench, calls)), bytes)) as number[];
};

/** Where an interpreter with Celery is looked for: as the tests do. */
function absent(): string | undefined {
  try {
    findCeleryPython();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function firstAnswer(): Program {
  const text = `
import time; start = time.perf_counter()
import sys; from celery import Celery; from celery.result import AsyncResult
url = f"redis://127.0.0.1:{sys.argv[1]}/0"
AsyncResult("${FIRST}", app=Celery("bench", broker=url, backend=url)).result
print((time.perf_counter() - start) * 1000)`;
  return { command: absent() === undefined ? findCeleryPython().command : 'python3', args: ['-c', text] };
}

/** One process, as `AsyncResult` and `ResultSet` are used in one. */
export const python: Competitor = {
  name: 'python celery',
  celery: true,
  share: 0.2,
  cannot: {
    hops: 'is not taken apart',
    memory: 'no figure that compares with a JavaScript heap',
    fan: 'keeps one result object an id',
    'waiters-100k': 'left out for its time: each SUBSCRIBE is a system call of its own',
  },
  get firstAnswer() {
    return firstAnswer();
  },
  absent,
  rounds: {
    wake,
    'waiters-1k': waiters(WAITERS['waiters-1k']),
    'waiters-10k': waiters(WAITERS['waiters-10k']),
    'stores-300b': stores('stores-300b'),
    'stores-10kb': stores('stores-10kb'),
    'stores-100kb': stores('stores-100kb'),
    'stores-1mb': stores('stores-1mb'),
    reads: async (bench) => [(await pythonOf(bench.peer).call('reads', readable(bench))) as number],
    cached: async ({ peer }) => [(await pythonOf(peer).call('cached', CACHED_IDS, CACHED_TURNS / 100)) as number],
    pending: pendingRound((bench, ids) => {
      void pythonOf(bench.peer)
        .call('wait_all', ids, 600)
        .catch(() => undefined);
    }),
  },
  assists: {
    wake: async (peer, [verb, ...ids]) => {
      if (verb === 'store') await pythonOf(peer).call('store_paced', ids, 0.001);
    },
  },
  open: (port) => Promise.resolve(new PythonPeer(port)),
};
