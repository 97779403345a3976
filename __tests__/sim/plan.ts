/** What will happen in a run, from its seed: who stores, who waits, what breaks. */
import type { Silence } from './network.ts';
import { Random } from './random.ts';

/** What a run is about. In each, the layers that would hide the failure of the one it is for are off. */
export const PROFILES = [
  'calm',
  'cuts',
  'silence',
  'outage',
  'failover',
  'backstop',
  'deadline',
  'expiry',
  'storm',
] as const;

export type Profile = (typeof PROFILES)[number];

/** Milliseconds of a call, a read and a few steps of a connection over the slowest path. */
export const SLACK = 700;

/** How the backends of a run are set up, in seconds. */
export interface Layers {
  readonly heartbeat: number;
  readonly deadAfter: number;
  readonly backstop: number;
  readonly lastLook: number;
  readonly expires: number;
}

export interface StorePlan {
  readonly at: number;
  readonly by: number;
  readonly task: string;
  readonly state: string;
  readonly token: string;
}

export interface WaitPlan {
  readonly at: number;
  readonly by: number;
  /** One, or many for `asCompleted`. */
  readonly tasks: readonly string[];
  readonly many: boolean;
  /** Milliseconds; 0 = one read; undefined = no limit. */
  readonly timeout: number | undefined;
  /** Infinity: there is a signal, which never aborts. */
  readonly abortAt: number | undefined;
  /** What its observer does with each meta: takes it, takes its time over it, or throws. */
  readonly watch: 'takes' | 'ponders' | 'throws' | undefined;
}

/** A process is about to send a task, or says so. */
export interface CallPlan {
  readonly at: number;
  readonly by: number;
  readonly task: string;
}

export interface ForgetPlan {
  readonly at: number;
  readonly by: number;
  readonly task: string;
}

/** Something breaks. `process` undefined: for all of them. */
export type FaultPlan = { readonly at: number; readonly recoverBy: number } & (
  | { readonly kind: 'cut'; readonly process: number; readonly role: Role; readonly serverAt: number }
  | { readonly kind: 'silence'; readonly process: number; readonly role: Role; readonly way: Silence }
  | { readonly kind: 'hang'; readonly process: number; readonly role: Role }
  | { readonly kind: 'black' | 'refuse' | 'slow'; readonly process: number; readonly end: number }
  | { readonly kind: 'stall' | 'deaf'; readonly process: number; readonly end: number }
  | {
      readonly kind: 'restart';
      readonly process: undefined;
      readonly end: number;
      readonly loaded: number;
      readonly wipe: boolean;
    }
  | { readonly kind: 'full' | 'pause' | 'busy'; readonly process: undefined; readonly end: number }
  | { readonly kind: 'failover'; readonly process: undefined; readonly kills: readonly number[] }
);

/** Milliseconds each way: at least, how much more, and what messages take besides; below 0 what replies take. */
export type PathPlan = readonly [latency: number, jitter: number, lag: number];

export type Role = 'commands' | 'subscriber';

export interface Plan {
  readonly seed: number;
  readonly profile: Profile;
  readonly layers: Layers;
  /** From each process to the server. */
  readonly paths: readonly PathPlan[];
  readonly stores: readonly StorePlan[];
  readonly waits: readonly WaitPlan[];
  readonly calls: readonly CallPlan[];
  readonly forgets: readonly ForgetPlan[];
  readonly closes: readonly { readonly at: number; readonly by: number }[];
  readonly clockSteps: readonly { readonly at: number; readonly by: number; readonly ms: number }[];
  readonly faults: readonly FaultPlan[];
  /** Bytes of results that each process keeps. */
  readonly keptBytes: number;
  /** Processes that may store but not publish. */
  readonly muted: readonly number[];
}

/** A layer that is off. */
const OFF = 1e6;
const PUSH_ONLY: Layers = { heartbeat: OFF, deadAfter: OFF, backstop: 0, lastLook: 0, expires: 86_400 };
const LAYERS: Readonly<Record<Profile, Layers>> = {
  calm: PUSH_ONLY,
  cuts: PUSH_ONLY,
  outage: PUSH_ONLY,
  failover: PUSH_ONLY,
  silence: { ...PUSH_ONLY, heartbeat: 1, deadAfter: 2 },
  backstop: { ...PUSH_ONLY, backstop: 1 },
  deadline: { ...PUSH_ONLY, lastLook: 0.25 },
  expiry: { ...PUSH_ONLY, expires: 1 },
  storm: { heartbeat: 1, deadAfter: 2, backstop: 2, lastLook: 0.25, expires: 86_400 },
};

/** Bytes of one result or so, and of more than there are. */
const KEPT_BYTES = [150, 1_000_000, 1_000_000] as const;

/** Milliseconds after which a first connection attempt is given up. */
export const CONNECT_TIMEOUT = 2000;

/** The plan of a seed. */
export function planOf(seed: number): Plan {
  return new Planner(seed).plan();
}

class Planner {
  readonly #seed: number;
  readonly #random: Random;
  readonly #profile: Profile;
  readonly #layers: Layers;
  readonly #processes: number;
  readonly #stores: StorePlan[] = [];
  readonly #waits: WaitPlan[] = [];
  readonly #calls: CallPlan[] = [];
  readonly #forgets: ForgetPlan[] = [];
  readonly #faults: FaultPlan[] = [];
  /** Times around which something happens. */
  readonly #moments: number[] = [];
  #tokens = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#profile = PROFILES[seed % PROFILES.length] ?? 'calm';
    this.#layers = LAYERS[this.#profile];
    this.#processes = this.#random.int(2, 3);
  }

  plan(): Plan {
    const random = this.#random;
    const tasks = Array.from({ length: random.int(3, 7) }, (_, i) => `t${i}`);
    for (const task of tasks) this.#task(task);
    if (random.chance(0.3)) this.#many(tasks);
    if (random.chance(0.15)) this.#forgets.push({ at: this.#moment(400), by: 0, task: random.pick(tasks) });
    const closes = random.chance(0.15) ? [{ at: this.#moment(200), by: random.int(0, this.#processes - 1) }] : [];
    this.#breakThings();
    const mutes = this.#profile === 'deadline' || (this.#profile === 'backstop' && random.chance(0.7));
    const everyone = Array.from({ length: this.#processes }, (_, i) => i);
    return {
      seed: this.#seed,
      profile: this.#profile,
      layers: this.#layers,
      paths: everyone.map(() => [random.int(0, 15), random.int(0, 10), random.pick([0, 0, 50, -50])]),
      stores: this.#stores,
      waits: this.#waits,
      calls: this.#calls,
      forgets: this.#forgets,
      closes,
      clockSteps: random.chance(0.2) ? [{ at: this.#moment(500), by: 0, ms: random.int(-2, 2) * 36e5 }] : [],
      faults: this.#faults,
      keptBytes: random.pick(KEPT_BYTES),
      muted: mutes ? everyone : [],
    };
  }

  /** A moment at which something happens, or one near it. */
  #moment(spread: number): number {
    return Math.max(0, this.#random.pick(this.#moments) + this.#random.int(-spread, spread));
  }

  #process(): number {
    return this.#random.int(0, this.#processes - 1);
  }

  #store(at: number, by: number, task: string, state: string): void {
    this.#tokens += 1;
    this.#stores.push({ at, by, task, state, token: String(this.#tokens) });
  }

  #task(task: string): void {
    const random = this.#random;
    // Some are stored in one turn, by one script.
    const beside = random.chance(0.4) ? this.#stores.at(-1) : undefined;
    const { at, by } = beside ?? { at: random.int(100, 2500), by: this.#process() };
    this.#moments.push(at);
    if (random.chance(0.35)) this.#store(at - random.int(0, 60), by, task, 'STARTED');
    if (random.chance(0.2))
      for (let i = random.int(1, 3); i > 0; i -= 1) this.#store(at - random.int(0, i * 10), by, task, 'PROGRESS');
    if (random.chance(0.08)) this.#store(at, by, task, 'RETRY');
    if (random.chance(0.93)) this.#store(at, by, task, random.chance(0.75) ? 'SUCCESS' : 'FAILURE');
    // A worker that was thought lost.
    if (random.chance(0.35)) {
      const other = (by + 1) % this.#processes;
      this.#store(at + random.int(-30, 30), other, task, random.pick(['SUCCESS', 'FAILURE', 'STARTED', 'RETRY']));
    }
    // Stores of one process leave in the order of their calls.
    this.#stores.sort((a, b) => a.at - b.at);
    for (let i = random.int(1, 3); i > 0; i -= 1) this.#wait(task, at);
    if (random.chance(0.1)) this.#call(task, at);
    if (random.chance(0.08)) this.#forgetCalled(task, at);
  }

  /** Before some moment, long before or just so. */
  #call(task: string, before: number, by: number = this.#process()): void {
    const random = this.#random;
    const at = Math.max(0, before - random.pick([random.int(0, 40), random.int(0, 1500)]));
    this.#moments.push(at);
    this.#calls.push({ at, by, task });
  }

  /** What is held is forgotten before anybody comes for it. */
  #forgetCalled(task: string, storedAt: number): void {
    const by = this.#process();
    const forgottenAt = storedAt + this.#random.int(50, 1500);
    const at = forgottenAt + this.#random.int(20, 600);
    this.#call(task, storedAt, by);
    this.#forgets.push({ at: forgottenAt, by, task });
    this.#waits.push({ at, by, tasks: [task], many: false, timeout: 600, abortAt: undefined, watch: undefined });
  }

  #wait(task: string, storedAt: number): void {
    const random = this.#random;
    const at = Math.max(
      0,
      storedAt + random.pick([0, random.int(-40, 40), random.int(-40, 40), random.int(-1500, 800)]),
    );
    const limited = this.#profile === 'deadline' ? 0.9 : 0.35;
    const timeout = random.chance(limited)
      ? random.pick([0, random.int(1, 100), random.int(100, 1500), random.int(500, 6000)])
      : undefined;
    const abortAt = random.chance(0.12) ? at + random.pick([random.int(0, 400), Infinity]) : undefined;
    this.#moments.push(at);
    const by = this.#process();
    if (random.chance(0.3)) this.#call(task, Math.min(at, storedAt), by);
    this.#waits.push({
      at,
      by,
      tasks: [task],
      many: false,
      timeout,
      abortAt,
      watch: this.#watch(),
    });
  }

  #watch(): WaitPlan['watch'] {
    return this.#random.pick([
      undefined,
      undefined,
      undefined,
      'takes',
      'takes',
      this.#random.pick(['takes', 'ponders', 'throws']),
    ]);
  }

  #many(tasks: readonly string[]): void {
    const random = this.#random;
    const some = tasks.filter(() => random.chance(0.6));
    if (some.length === 0) return;
    const timeout = random.chance(0.5) ? random.int(200, 5000) : undefined;
    const abortAt = random.chance(0.1) ? this.#moment(500) : undefined;
    this.#waits.push({
      at: this.#moment(300),
      by: this.#process(),
      tasks: some,
      many: true,
      timeout,
      abortAt,
      watch: this.#watch(),
    });
  }

  #breakThings(): void {
    const random = this.#random;
    const kinds: Partial<Record<Profile, readonly FaultPlan['kind'][]>> = {
      cuts: ['cut', 'cut', 'cut', 'stall', 'slow'],
      silence: ['silence', 'silence', 'silence', 'hang', 'cut', 'stall'],
      outage: ['restart', 'refuse', 'full', 'busy', 'cut', 'pause', 'stall'],
      failover: ['failover'],
      backstop: ['deaf', 'cut'],
      storm: [
        'cut',
        'cut',
        'silence',
        'hang',
        'black',
        'refuse',
        'slow',
        'stall',
        'restart',
        'full',
        'busy',
        'pause',
        'deaf',
      ],
    };
    const possible = kinds[this.#profile];
    if (!possible) return;
    const count = this.#profile === 'failover' ? 1 : random.int(1, this.#profile === 'storm' ? 7 : 4);
    for (let i = 0; i < count; i += 1) this.#faults.push(this.#fault(random.pick(possible)));
    this.#faults.sort((a, b) => a.at - b.at);
  }

  #fault(kind: FaultPlan['kind']): FaultPlan {
    const random = this.#random;
    const at = this.#moment(random.pick([5, 40, 300]));
    const process = this.#process();
    const role = random.pick<Role>(['commands', 'subscriber']);
    const { heartbeat, deadAfter } = this.#layers;
    const length = random.int(50, 2500);
    const end = at + length;
    // The pause before an attempt is up to 5 s after some attempts, however short those before it were.
    const retried = end + 5000 + SLACK;
    switch (kind) {
      case 'cut':
        return { kind, at, process, role, serverAt: at + random.int(-20, 20), recoverBy: at + SLACK };
      case 'silence':
        return {
          kind,
          at,
          process,
          role,
          way: random.pick<Silence>(['both', 'to server', 'to client']),
          recoverBy: at + (heartbeat + deadAfter) * 1000 + SLACK,
        };
      case 'hang':
        return { kind, at, process, role, recoverBy: at + 1000 + deadAfter * 1000 + SLACK };
      case 'black':
        return { kind, at, process, end, recoverBy: end + CONNECT_TIMEOUT + 1000 + SLACK };
      case 'refuse':
        return { kind, at, process, end, recoverBy: retried };
      case 'slow':
        return { kind, at, process, end, recoverBy: end + 1000 + SLACK };
      case 'stall':
        return { kind, at, process, end, recoverBy: end + SLACK };
      case 'deaf':
        return { kind, at, process, end, recoverBy: at };
      case 'restart': {
        const loaded = end + random.int(0, 500);
        return {
          kind,
          at,
          process: undefined,
          end,
          loaded,
          wipe: random.chance(0.15),
          recoverBy: retried + loaded - end + 400,
        };
      }
      case 'full':
        return { kind, at, process: undefined, end, recoverBy: at };
      case 'busy':
        return { kind, at, process: undefined, end, recoverBy: retried };
      case 'pause':
        return { kind, at, process: undefined, end, recoverBy: end + 500 + SLACK };
      case 'failover':
        return {
          kind,
          at,
          process: undefined,
          kills: Array.from({ length: 2 * this.#processes }, () => at + random.int(0, 1000)),
          recoverBy: at + 1000 + SLACK,
        };
    }
  }
}
