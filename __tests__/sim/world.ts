/** Virtual time: one queue of everything that will happen, and the processes it happens to. */
import type { Clock, Timer } from '../../src/clock.ts';
import { Random } from './random.ts';

/** As in a turn of Node's event loop: timers first, then what the network brings. */
const TIMERS = 0;
const NETWORK = 1;

interface Happening {
  at: number;
  readonly phase: number;
  /** Breaks ties: what was planned first happens first. */
  readonly serial: number;
  readonly process: Process | undefined;
  readonly run: () => void;
  cancelled: boolean;
}

/** One line of a history. */
export interface Entry {
  readonly at: number;
  readonly who: string;
  readonly what: string;
}

const ORIGIN = Date.UTC(2026, 0, 1);

/** A process with its clock. It may stall: then nothing happens to it until it goes on, late timers first. */
export class Process implements Clock {
  readonly name: string;
  readonly #world: World;
  stalledUntil = 0;
  /** What the wall clock was set forward or back by. */
  wallStep = 0;
  /** Armed timers. */
  timers = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
  }

  now = (): number => this.#world.now;

  wall(): number {
    return ORIGIN + Math.floor(this.#world.now) + this.wallStep;
  }

  after(ms: number, run: () => void): Timer {
    this.timers += 1;
    const happening = this.#world.plan(this.#world.now + ms, TIMERS, this, () => {
      this.timers -= 1;
      run();
    });
    return {
      cancel: () => {
        if (happening.cancelled) return;
        happening.cancelled = true;
        this.timers -= 1;
      },
    };
  }

  /** Something comes in from outside. */
  receive(at: number, run: () => void): void {
    this.#world.plan(at, NETWORK, this, run);
  }
}

const realSetImmediate = globalThis.setImmediate;

/** Lets every promise and tick that can go on do so. */
function settled(): Promise<void> {
  return new Promise((resolve) => realSetImmediate(resolve));
}

/** The time, chance and history of one run. */
export class World {
  readonly random: Random;
  readonly history: Entry[] = [];
  readonly #queue: Happening[] = [];
  readonly #immediates: (() => void)[] = [];
  #serial = 0;
  now = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  record(who: string, what: string): void {
    this.history.push({ at: this.now, who, what });
  }

  /** Something happens outside of all processes, at the server or on the way. */
  at(at: number, run: () => void): void {
    this.plan(at, NETWORK, undefined, run);
  }

  plan(at: number, phase: number, process: Process | undefined, run: () => void): Happening {
    this.#serial += 1;
    const happening = { at: Math.max(at, this.now), phase, serial: this.#serial, process, run, cancelled: false };
    this.#push(happening);
    return happening;
  }

  /** Lets time pass until `end`, or until `done`, which is asked after everything that happens. */
  async run(end: number, done: () => boolean = () => false): Promise<void> {
    await settled();
    for (;;) {
      const next = this.#peek();
      if (this.#immediates.length > 0 && (!next || next.at > this.now)) {
        await this.#runImmediates();
        continue;
      }
      if (done()) return;
      if (!next || next.at > end) break;
      this.#pop();
      this.now = Math.max(this.now, next.at);
      const { process } = next;
      if (process && process.stalledUntil > this.now) {
        next.at = process.stalledUntil;
        this.#push(next);
        continue;
      }
      next.cancelled = true;
      next.run();
      await settled();
    }
    this.now = Math.max(this.now, end);
  }

  /** Runs `body` with chance and immediates of this world in the place of the machine's. */
  async rule<T>(body: () => Promise<T>): Promise<T> {
    const { setImmediate } = globalThis;
    const random = Math.random;
    const emitWarning: unknown = Reflect.get(process, 'emitWarning');
    const { stackTraceLimit } = Error;
    globalThis.setImmediate = ((run: () => void) => {
      this.#immediates.push(run);
    }) as unknown as typeof setImmediate;
    Math.random = this.random.next;
    process.emitWarning = (): void => undefined;
    // Nobody reads the stacks, and they take a third of the time.
    Error.stackTraceLimit = 0;
    try {
      return await body();
    } finally {
      globalThis.setImmediate = setImmediate;
      Math.random = random;
      Reflect.set(process, 'emitWarning', emitWarning);
      Error.stackTraceLimit = stackTraceLimit;
    }
  }

  /** The next happening that was not cancelled. */
  #peek(): Happening | undefined {
    while (this.#queue[0]?.cancelled) this.#pop();
    return this.#queue[0];
  }

  #push(happening: Happening): void {
    const queue = this.#queue;
    let i = queue.length;
    for (let up = (i - 1) >> 1; up >= 0; up = (i - 1) >> 1) {
      const parent = queue[up];
      if (!parent || !isBefore(happening, parent)) break;
      queue[i] = parent;
      i = up;
    }
    queue[i] = happening;
  }

  /** Takes the first one off the heap. */
  #pop(): void {
    const queue = this.#queue;
    const last = queue.pop();
    if (!last || queue.length === 0) return;
    let i = 0;
    for (;;) {
      let down = 2 * i + 1;
      let child = queue[down];
      const right = queue[down + 1];
      if (child && right && isBefore(right, child)) {
        child = right;
        down += 1;
      }
      if (!child || !isBefore(child, last)) break;
      queue[i] = child;
      i = down;
    }
    queue[i] = last;
  }

  async #runImmediates(): Promise<void> {
    for (const run of this.#immediates.splice(0)) {
      run();
      await settled();
    }
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  if (a.at !== b.at) return a.at < b.at;
  return a.phase !== b.phase ? a.phase < b.phase : a.serial < b.serial;
}
