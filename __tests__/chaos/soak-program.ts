/** What a process of its own runs: results at a steady rate for a long time, while the server and the links break. */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { RedisBackend } from '../../src/index.ts';
import { Random } from '../sim/random.ts';
import { Breaker } from './break.ts';
import { dueAt } from './check.ts';
import { PATTERN } from './history.ts';
import { LoopLag } from './lag.ts';
import { type FaultKind, planOf } from './plan.ts';
import { Standalone } from './standalone.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    /** Results a second. */
    rate: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '0' },
  },
});

const KINDS: readonly FaultKind[] = [
  ...(['cut', 'reset', 'partial', 'silence', 'handshake', 'swallow', 'refuse', 'delay', 'pieces'] as const),
  ...(['killClients', 'pauseClients', 'flushScripts', 'oom', 'readonly', 'stop', 'restart', 'stall'] as const),
];
const LAYERS = { heartbeat: 1, deadAfter: 2, backstop: 0, lastLook: 0 };
/** Milliseconds. */
const TICK = 10;
const FAULT_EVERY = 3000;
const SAMPLE_EVERY = 10_000;
const MINUTE = 60_000;
/** The faults that may still keep a wait. */
const LAST_FAULTS = 40;
/** The process that waits, of the two that links are for. */
const WAITER = 1;
/** Milliseconds that a wait has: one that uses them up is lost. */
const PATIENCE = 60_000;
const MIB = 2 ** 20;

/** By so much the heap may differ between two times, for what the engine keeps. */
const TOLERANCE = { part: 0.1, bytes: 4 * MIB };

class Soak {
  readonly #random = new Random(Number(values.seed));
  readonly #start = performance.now();
  readonly #lag: LoopLag;
  readonly #breaker: Breaker;
  readonly #stage: Standalone;
  readonly #writer: RedisBackend;
  readonly #waiter: RedisBackend;
  /** Bytes of the heap after a collection. */
  readonly #heap: number[] = [];
  /** Tasks to begin, and those begun. */
  #due = 0;
  #begun = 0;
  #stored = 0;
  #awaited = 0;
  #lost = 0;
  #late = 0;
  #underWay = 0;
  #worst = 0;

  constructor(stage: Standalone) {
    this.#stage = stage;
    this.#lag = new LoopLag(this.#now);
    this.#breaker = new Breaker(stage, LAYERS, this.#now);
    const retryPolicy = { maxRetries: 1000, intervalStart: 0, intervalStep: 0.05, intervalMax: 0.2 };
    const open = (by: number): RedisBackend =>
      new RedisBackend({}, { ...LAYERS, client: stage.client(by), connectTimeout: 2, expires: 60, retryPolicy });
    this.#writer = open(0);
    this.#waiter = open(1);
  }

  /** Returns whether nothing was lost or late, nothing is left, and the heap did not grow. */
  async run(ms: number, rate: number): Promise<boolean> {
    await Promise.all([this.#writer.connect(), this.#waiter.connect()]);
    const timers = [
      setInterval(() => {
        this.#break();
      }, FAULT_EVERY),
      setInterval(() => {
        this.#sample();
      }, SAMPLE_EVERY),
      setInterval(() => void this.#report(), MINUTE),
    ];
    let last = this.#now();
    while (this.#now() < ms) {
      await delay(TICK);
      // What a loaded machine is too late for is left out: to make up for it would load it more.
      const passed = Math.min(this.#now() - last, 5 * TICK);
      last = this.#now();
      this.#due += (passed / 1000) * rate;
      for (; this.#due >= 1; this.#due -= 1) void this.#task();
    }
    for (const timer of timers) clearInterval(timer);
    await this.#breaker.done();
    const end = this.#now() + PATIENCE;
    while (this.#underWay > 0 && this.#now() < end) await delay(TICK);
    return this.#end();
  }

  #now = (): number => performance.now() - this.#start;

  #break(): void {
    const random = this.#random;
    const kind = random.pick(KINDS);
    const way = random.pick([['up'], ['down'], ['up', 'down']] as const);
    const length = kind === 'stop' ? 200 : random.int(100, 600);
    const [by, link, pick, bytes] = [random.int(0, 1), random.int(0, 1), random.int(0, 5), random.int(0, 3000)];
    void this.#breaker.break({ at: this.#now(), kind, length, by, link, way, bytes, pick });
  }

  async #task(): Promise<void> {
    this.#begun += 1;
    this.#underWay += 1;
    const id = `soak-${this.#begun}`;
    const value = `#${id}#`;
    let readyAt = Infinity;
    const store = async (): Promise<void> => {
      await delay(this.#random.int(0, 50));
      await this.#writer.storeResult(id, value, 'SUCCESS');
      this.#stored += 1;
      readyAt = this.#now();
    };
    const wait = async (): Promise<boolean> => {
      await delay(this.#random.int(0, 50));
      readyAt = Math.max(readyAt === Infinity ? 0 : readyAt, this.#now());
      return (await this.#waiter.waitFor(id, { timeout: PATIENCE / 1000 })) === value;
    };
    const [stored, right] = await Promise.allSettled([store(), wait()]);
    if (stored.status === 'rejected' || right.status === 'rejected' || !right.value) this.#lost += 1;
    else this.#note(readyAt);
    this.#underWay -= 1;
  }

  #note(readyAt: number): void {
    this.#awaited += 1;
    this.#worst = Math.max(this.#worst, this.#now() - readyAt);
    const felt = this.#breaker.records.slice(-LAST_FAULTS).filter(({ by }) => by === undefined || by === WAITER);
    if (this.#now() > dueAt(readyAt, felt, this.#lag)) this.#late += 1;
  }

  #sample(): void {
    globalThis.gc?.();
    this.#heap.push(process.memoryUsage().heapUsed);
    this.#lag.forget(this.#now() - 2 * PATIENCE);
  }

  async #report(): Promise<void> {
    const { heapUsed, rss } = process.memoryUsage();
    const channels = await this.#channels();
    console.log(
      `${(this.#now() / MINUTE).toFixed(1).padStart(5)} min: stored ${this.#stored}, awaited ${this.#awaited}, ` +
        `lost ${this.#lost}, late ${this.#late}, worst ${this.#worst.toFixed(0)} ms, ` +
        `faults ${this.#breaker.records.length}, rss ${mib(rss)}, heap ${mib(this.#heap.at(-1) ?? heapUsed)}, ` +
        `channels ${channels}`,
    );
  }

  async #channels(): Promise<number> {
    return ((await this.#stage.servers[0].cli('PUBSUB', 'CHANNELS', PATTERN)) as string[]).length;
  }

  async #end(): Promise<boolean> {
    await delay(500);
    this.#sample();
    await this.#report();
    const channels = await this.#channels();
    const { waits, stores } = this.#waiter.stats();
    await Promise.all([this.#writer.close(), this.#waiter.close()]);
    this.#lag.stop();
    const [before, after] = halves(this.#heap);
    const flat = after <= before + Math.max(before * TOLERANCE.part, TOLERANCE.bytes);
    console.log(`heap after collections: at least ${mib(before)} in the first half, ${mib(after)} in the second`);
    const left = channels + waits + stores + this.#underWay;
    console.log(
      `verdict: ${this.#lost} lost, ${this.#late} late, ${left} left behind, memory ${flat ? 'flat' : 'GROWS'}`,
    );
    return flat && this.#lost + this.#late + left === 0;
  }
}

/** The least of each half, after the first fifth: while everything warms up the heap grows. */
function halves(samples: readonly number[]): [before: number, after: number] {
  const from = Math.floor(samples.length / 5);
  const middle = Math.ceil((from + samples.length) / 2);
  return [Math.min(...samples.slice(from, middle)), Math.min(...samples.slice(middle))];
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

const stage = await Standalone.start(planOf(Number(values.seed), 'standalone'));
try {
  const right = await new Soak(stage).run(Number(values.minutes) * MINUTE, Number(values.rate));
  process.exitCode = right ? 0 : 1;
} finally {
  await stage[Symbol.asyncDispose]();
}
