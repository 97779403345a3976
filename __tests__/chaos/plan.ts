/** What will happen in a run, from its seed: who stores, who waits, what breaks. */
import { isReady } from '../../src/states.ts';
import { Random } from '../sim/random.ts';

export const TOPOLOGIES = ['standalone', 'sentinel', 'cluster'] as const;

export type Topology = (typeof TOPOLOGIES)[number];

/** What a run is about. In each, the layers that would hide the failure of the one it is for are off. */
export const PROFILES = ['storm', 'cuts', 'silence', 'backstop', 'deadline', 'calm'] as const;

export type Profile = (typeof PROFILES)[number];

/** How the backends of a run are set up, in seconds. */
export interface Layers {
  readonly heartbeat: number;
  readonly deadAfter: number;
  readonly backstop: number;
  readonly lastLook: number;
}

/** One store, by one of the two processes. */
export interface StorePlan {
  readonly at: number;
  readonly by: number;
  readonly task: string;
  readonly state: string;
  readonly token: string;
  /** Characters of its value. */
  readonly size: number;
}

export interface WaitPlan {
  readonly at: number;
  readonly by: number;
  /** One, or many for `asCompleted`. */
  readonly tasks: readonly string[];
  readonly many: boolean;
  /** Milliseconds. */
  readonly timeout: number;
  /** Infinity: there is a signal, which never aborts. */
  readonly abortAt: number | undefined;
  /** Whether it has an `onMessage`. */
  readonly watched: boolean;
}

/** A process is about to send a task. */
export interface CallPlan {
  readonly at: number;
  readonly by: number;
  readonly task: string;
}

/** What happens to the connections of one process through one proxy. */
export const LINK_FAULTS = [
  'cut',
  'reset',
  'partial',
  'silence',
  'handshake',
  'swallow',
  'refuse',
  'delay',
  'pieces',
] as const;

/** What happens to the one server. */
export const SERVER_FAULTS = [
  'killClients',
  'pauseClients',
  'flushScripts',
  'oom',
  'readonly',
  'stop',
  'restart',
  'wipe',
  'overflow',
  'acl',
] as const;

/** What happens to several servers. */
export const FAILOVERS = ['failover', 'killMaster', 'hangMaster', 'moveSlots'] as const;

export type FaultKind =
  'stall' | (typeof LINK_FAULTS)[number] | (typeof SERVER_FAULTS)[number] | (typeof FAILOVERS)[number];

/** Something breaks. What of it counts depends on the kind. */
export interface FaultPlan {
  readonly at: number;
  readonly kind: FaultKind;
  /** Milliseconds. */
  readonly length: number;
  readonly by: number;
  /** Which proxy of the process: that of commands or of messages, or that to a server. */
  readonly link: number;
  readonly way: readonly ('up' | 'down')[];
  /** How many bytes of what the server sends still pass. */
  readonly bytes: number;
  /** Which connections, or how many slots. */
  readonly pick: number;
}

export interface Plan {
  readonly seed: number;
  readonly topology: Topology;
  readonly profile: Profile;
  readonly layers: Layers;
  readonly tasks: readonly string[];
  readonly stores: readonly StorePlan[];
  readonly waits: readonly WaitPlan[];
  readonly calls: readonly CallPlan[];
  readonly faults: readonly FaultPlan[];
  /** When the last of it happens. */
  readonly length: number;
  /** Whether the channels may not be used at all. */
  readonly muted: boolean;
}

/** Two processes. */
export const PROCESSES = 2;

/** Seconds of a layer that is off. */
const OFF = 1e6;
const PUSH_ONLY: Layers = { heartbeat: OFF, deadAfter: OFF, backstop: 0, lastLook: 0 };
const WATCHED = { heartbeat: 1, deadAfter: 2 };
const LAYERS: Readonly<Record<Profile, Layers>> = {
  storm: { ...WATCHED, backstop: 2, lastLook: 0.25 },
  cuts: PUSH_ONLY,
  silence: { ...PUSH_ONLY, ...WATCHED },
  backstop: { ...PUSH_ONLY, backstop: 1 },
  deadline: { ...PUSH_ONLY, lastLook: 0.25 },
  calm: PUSH_ONLY,
};

const BREAKS: readonly FaultKind[] = ['cut', 'reset', 'partial', 'partial', 'refuse', 'delay', 'pieces', 'stall'];
const MOODS: readonly FaultKind[] = [
  'killClients',
  'pauseClients',
  'flushScripts',
  'oom',
  'readonly',
  'stop',
  'restart',
  'overflow',
];
const SILENCES: readonly FaultKind[] = ['silence', 'silence', 'handshake', 'swallow'];

/** Which faults a profile has with one server, and how many. */
const FAULTS: Readonly<Record<Profile, { readonly kinds: readonly FaultKind[]; readonly most: number }>> = {
  storm: { kinds: [...BREAKS, ...MOODS, ...SILENCES, 'acl'], most: 40 },
  cuts: { kinds: [...BREAKS, ...MOODS], most: 30 },
  silence: { kinds: [...SILENCES, ...SILENCES, ...BREAKS, 'restart'], most: 15 },
  backstop: { kinds: ['acl', 'cut', 'killClients', 'stall'], most: 8 },
  deadline: { kinds: [], most: 0 },
  calm: { kinds: [], most: 0 },
};

/** The slow faults of several servers; they need a heartbeat, and so the profiles that have one. */
const SLOW: Readonly<Record<Topology, readonly FaultKind[]>> = {
  standalone: [],
  sentinel: ['failover', 'killMaster', 'hangMaster'],
  cluster: ['killMaster', 'hangMaster', 'moveSlots', 'moveSlots'],
};
const QUICK: readonly FaultKind[] = ['cut', 'reset', 'partial', 'silence', 'delay', 'pieces', 'stall', 'killClients'];

/** Characters of values: some are more than a subscriber's buffer holds while that is small. */
const SIZES = [0, 0, 0, 0, 100, 100, 1000, 48_000] as const;

/** The plan of a seed. @param profile - instead of the seed's own */
export function planOf(seed: number, topology: Topology, profile?: Profile): Plan {
  return new Planner(seed, topology, profile).plan();
}

class Planner {
  readonly #seed: number;
  readonly #topology: Topology;
  readonly #profile: Profile;
  readonly #random: Random;
  readonly #length: number;
  readonly #stores: StorePlan[] = [];
  readonly #waits: WaitPlan[] = [];
  readonly #calls: CallPlan[] = [];
  #tokens = 0;

  constructor(seed: number, topology: Topology, profile: Profile | undefined) {
    this.#seed = seed;
    this.#topology = topology;
    this.#random = new Random(seed * TOPOLOGIES.length + TOPOLOGIES.indexOf(topology));
    const own = topology === 'standalone' ? PROFILES : (['storm', 'silence'] as const);
    this.#profile = profile ?? own[seed % own.length] ?? 'storm';
    this.#length = topology === 'standalone' ? 7000 : 9000;
  }

  plan(): Plan {
    const random = this.#random;
    const many = this.#topology === 'standalone' ? random.int(300, 1500) : random.int(200, 600);
    const tasks = Array.from({ length: many }, (_, i) => `t${this.#seed}-${i}`);
    for (const task of tasks) this.#task(task);
    for (let i = 0; i < many / 50; i += 1) this.#group(tasks);
    return {
      seed: this.#seed,
      topology: this.#topology,
      profile: this.#profile,
      layers: LAYERS[this.#profile],
      tasks,
      stores: this.#stores.sort((a, b) => a.at - b.at),
      waits: this.#waits,
      calls: this.#calls,
      faults: this.#faults(),
      length: this.#length,
      muted: this.#profile === 'deadline',
    };
  }

  #store(at: number, by: number, task: string, state: string): void {
    this.#tokens += 1;
    const size = this.#random.pick(SIZES);
    this.#stores.push({ at: Math.max(0, at), by, task, state, token: String(this.#tokens), size });
  }

  #task(task: string): void {
    const random = this.#random;
    const at = random.int(100, this.#length - 200);
    const by = random.int(0, PROCESSES - 1);
    const state = random.chance(0.1) ? 'FAILURE' : 'SUCCESS';
    const stored = random.chance(0.99);
    if (random.chance(0.3)) this.#store(at - random.int(0, 100), by, task, 'STARTED');
    if (stored) {
      this.#store(at, by, task, state);
      // A worker that was thought lost. What it stores after a FAILURE is ready too, so that a wait has an end.
      const others = state === 'SUCCESS' ? ['FAILURE', 'RETRY', 'SUCCESS'] : ['FAILURE', 'SUCCESS'];
      if (random.chance(0.35)) this.#store(at + random.int(-5, 5), 1 - by, task, random.pick(others));
    }
    for (let i = random.int(1, 2); i > 0; i -= 1) this.#wait(task, at, stored);
  }

  #wait(task: string, storedAt: number, stored: boolean): void {
    const random = this.#random;
    const at = Math.max(0, storedAt + random.pick([0, random.int(-30, 30), random.int(-2000, 500)]));
    const by = random.int(0, PROCESSES - 1);
    const short = !stored || this.#profile === 'deadline' || random.chance(0.1);
    const timeout = short ? random.int(100, 2500) : 60_000;
    const abortAt = random.chance(0.08) ? random.pick([at + random.int(0, 300), Infinity]) : undefined;
    if (random.chance(0.15)) this.#calls.push({ at: Math.max(0, at - random.int(0, 200)), by, task });
    this.#waits.push({ at, by, tasks: [task], many: false, timeout, abortAt, watched: random.chance(0.3) });
  }

  #group(tasks: readonly string[]): void {
    const random = this.#random;
    const stored = new Set(this.#stores.filter(({ state }) => isReady(state)).map(({ task }) => task));
    const from = random.int(0, tasks.length - 1);
    const members = tasks.slice(from, from + random.int(2, 20)).filter((task) => stored.has(task));
    if (members.length === 0) return;
    const by = random.int(0, PROCESSES - 1);
    const at = random.int(0, this.#length);
    const timeout = this.#profile === 'deadline' ? random.int(100, 2500) : 60_000;
    this.#waits.push({ at, by, tasks: members, many: true, timeout, abortAt: undefined, watched: false });
  }

  #faults(): FaultPlan[] {
    const random = this.#random;
    if (this.#topology !== 'standalone') return this.#failovers();
    const { kinds, most } = FAULTS[this.#profile];
    if (most === 0) return [];
    const faults = Array.from({ length: random.int(Math.ceil(most / 2), most) }, () =>
      this.#fault(random.pick(kinds), random.int(0, this.#length)),
    );
    // What was stored is gone with it, so that most runs do without.
    if (this.#profile !== 'backstop' && random.chance(0.1)) faults.push(this.#fault('wipe', random.int(2000, 5000)));
    return faults.sort((a, b) => a.at - b.at);
  }

  #failovers(): FaultPlan[] {
    const random = this.#random;
    if (!(this.#profile === 'storm' || this.#profile === 'silence')) return [];
    const slow = this.#fault(random.pick(SLOW[this.#topology]), random.int(1000, 2500));
    const quick = Array.from({ length: random.int(2, 8) }, () =>
      this.#fault(random.pick(QUICK), random.int(0, this.#length)),
    );
    return [slow, ...quick].sort((a, b) => a.at - b.at);
  }

  #fault(kind: FaultKind, at: number): FaultPlan {
    const random = this.#random;
    return {
      at,
      kind,
      length: random.int(150, random.pick([400, 1000])),
      by: random.int(0, PROCESSES - 1),
      link: random.int(0, 5),
      way: random.pick([['up'], ['down'], ['up', 'down']] as const),
      bytes: random.pick([random.int(0, 40), random.int(0, 3000)]),
      pick: random.int(0, 5),
    };
  }
}
