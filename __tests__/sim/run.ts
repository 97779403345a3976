/** One run: a plan carried out by whole backends, unmodified, over the model server and network. */
import { getEventListeners } from 'node:events';
import { defaultExceptions } from '../../src/exceptions.ts';
import type { TaskMeta } from '../../src/meta.ts';
import { RedisBackend } from '../../src/redis/backend.ts';
import { isReady } from '../../src/states.ts';
import { type Address, givenClient } from './client.ts';
import { type Connection, Path } from './network.ts';
import {
  type CallPlan,
  CONNECT_TIMEOUT,
  type FaultPlan,
  type ForgetPlan,
  type PathPlan,
  type Plan,
  SLACK,
  type StorePlan,
  type WaitPlan,
} from './plan.ts';
import { type KeyEvent, Node } from './server.ts';
import { type Entry, Process, World } from './world.ts';

/** A meta as it was shown, or ended a wait. */
export interface Sight {
  readonly at: number;
  readonly task: string;
  readonly status: string;
  readonly token: string;
}

/** What came of a store. */
export interface StoreRecord {
  readonly plan: StorePlan;
  readonly calledAt: number;
  endedAt: number | undefined;
  outcome: string | undefined;
  error: Error | undefined;
}

/** What came of a wait. */
export interface WaitRecord {
  readonly plan: WaitPlan;
  readonly joinedAt: number;
  endedAt: number | undefined;
  /** How often it was settled. */
  ends: number;
  readonly results: Sight[];
  readonly shown: Sight[];
  error: Error | undefined;
  readonly signal: AbortSignal | undefined;
}

/** What came of a call of `onTaskCall`, or of `forget`. */
export interface Errand<P> {
  readonly plan: P;
  readonly calledAt: number;
  endedAt: number | undefined;
  error: Error | undefined;
}

/** Everything that is known of a run that is over. */
export interface Run {
  readonly plan: Plan;
  readonly history: readonly Entry[];
  readonly keys: ReadonlyMap<string, readonly KeyEvent[]>;
  readonly stores: readonly StoreRecord[];
  readonly waits: readonly WaitRecord[];
  readonly calls: readonly Errand<CallPlan>[];
  readonly forgets: readonly Errand<ForgetPlan>[];
  /** As planned, but for what only the run can tell. */
  readonly faults: readonly FaultPlan[];
  /** Found wrong while it ran. */
  readonly leaks: readonly string[];
  readonly closedAt: ReadonlyMap<number, number>;
  /** When the backends were closed, unless they were before. */
  readonly endedAt: number;
}

/** The key of a task. */
export const keyOf = (task: string): string => `celery-task-meta-${task}`;

/** How long after everything is over a wait that should have ended is waited for. */
const PATIENCE = 12_000;

/** Milliseconds that a channel or a result is held. */
const HELD_FOR = 60_000;

/** Milliseconds that an observer takes its time. */
const PONDERING = 5;

/** Milliseconds that a server goes on sending without any acknowledgement. */
const UNACKNOWLEDGED = 300;

/** Carries out a plan. */
export async function carryOut(plan: Plan): Promise<Run> {
  const world = new World(plan.seed + 1_000_003);
  return world.rule(() => new Stage(world, plan).play());
}

interface Actor {
  readonly process: Process;
  readonly path: Path;
  readonly backend: RedisBackend;
}

class Stage {
  readonly #world: World;
  readonly #plan: Plan;
  readonly #keys = new Map<string, KeyEvent[]>();
  readonly #address: Address;
  readonly #actors: readonly Actor[];
  readonly #deafened = new Set<string>();
  readonly #stores: StoreRecord[] = [];
  readonly #waits: WaitRecord[] = [];
  readonly #calls: Errand<CallPlan>[] = [];
  readonly #forgets: Errand<ForgetPlan>[] = [];
  readonly #leaks: string[] = [];
  readonly #faults: FaultPlan[] = [];
  readonly #closedAt = new Map<number, number>();
  /** Tasks that a wait without a limit may wait for in vain. */
  readonly #hopeless: ReadonlySet<string>;
  #pendingStores = 0;
  #pendingWaits = 0;

  constructor(world: World, plan: Plan) {
    this.#world = world;
    this.#plan = plan;
    const muted = new Set(plan.muted.map((i) => `p${i}`));
    this.#address = { master: new Node(world, this.#keys, muted, this.#deafened), downUntil: 0 };
    this.#actors = plan.paths.map((path, i) => this.#actor(i, path));
    const stored = new Set(plan.stores.filter(({ state }) => isReady(state)).map(({ task }) => task));
    this.#hopeless = new Set(plan.waits.flatMap(({ tasks }) => tasks).filter((task) => !stored.has(task)));
  }

  async play(): Promise<Run> {
    const rejected = (error: unknown): void => {
      this.#leaks.push(`an unhandled rejection: ${String(error)}`);
    };
    process.on('unhandledRejection', rejected);
    try {
      this.#schedule();
      await this.#settleDown();
      this.#lookForLeaks();
      const endedAt = this.#world.now;
      await this.#closeAll();
      return {
        plan: this.#plan,
        history: this.#world.history,
        keys: this.#keys,
        stores: this.#stores,
        waits: this.#waits,
        calls: this.#calls,
        forgets: this.#forgets,
        faults: this.#faults.sort((a, b) => a.at - b.at),
        leaks: this.#leaks,
        closedAt: this.#closedAt,
        endedAt,
      };
    } finally {
      process.off('unhandledRejection', rejected);
    }
  }

  #actor(i: number, plan: PathPlan): Actor {
    const process = new Process(this.#world, `p${i}`);
    const path = new Path(this.#world, plan);
    const { heartbeat, deadAfter, backstop, lastLook, expires } = this.#plan.layers;
    const backend = new RedisBackend(
      {},
      {
        client: givenClient(this.#world, process, path, this.#address),
        clock: process,
        connectTimeout: CONNECT_TIMEOUT / 1000,
        exceptions: defaultExceptions,
        heartbeat,
        deadAfter,
        backstop,
        lastLook,
        expires,
        // Small, since a cache of 1,000 costs more to make than a run.
        maxCachedResults: 8,
        maxCachedBytes: this.#plan.keptBytes,
      },
    );
    return { process, path, backend };
  }

  #actorAt(i: number): Actor {
    const actor = this.#actors[i];
    if (!actor) throw new Error(`there is no process ${i}`);
    return actor;
  }

  #schedule(): void {
    const { stores, waits, calls, forgets, closes, clockSteps, faults } = this.#plan;
    for (const turn of turnsOf(stores)) {
      this.#does(turn[0], () => {
        for (const store of turn) void this.#store(store);
      });
    }
    for (const call of calls) this.#does(call, (actor) => void this.#call(actor, call));
    for (const wait of waits) this.#does(wait, () => void this.#wait(wait));
    for (const forget of forgets) this.#does(forget, (actor) => void this.#forget(actor, forget));
    for (const close of closes) this.#does(close, () => void this.#close(close.by));
    for (const step of clockSteps) {
      this.#does(step, ({ process }) => {
        process.wallStep += step.ms;
        this.#world.record(process.name, `the wall clock steps by ${step.ms} ms`);
      });
    }
    for (const fault of faults) {
      this.#world.at(fault.at, () => {
        this.#world.record('fault', JSON.stringify(fault));
        if (fault.kind !== 'silence') this.#faults.push(fault);
        this.#break(fault);
      });
    }
  }

  /** Something that a process does by itself, unless it is closed. */
  #does({ at, by }: { readonly at: number; readonly by: number }, act: (actor: Actor) => void): void {
    const actor = this.#actorAt(by);
    actor.process.receive(at, () => {
      if (!this.#closedAt.has(by)) act(actor);
    });
  }

  async #store(plan: StorePlan): Promise<void> {
    const { backend, process } = this.#actorAt(plan.by);
    const value = `#${plan.token}#`;
    const failed = plan.state === 'FAILURE' || plan.state === 'RETRY';
    const record: StoreRecord = {
      plan,
      calledAt: this.#world.now,
      endedAt: undefined,
      outcome: undefined,
      error: undefined,
    };
    this.#stores.push(record);
    this.#pendingStores += 1;
    this.#world.record(process.name, `store ${plan.task} ${plan.state} #${plan.token}`);
    try {
      record.outcome = await backend.storeResult(plan.task, failed ? new Error(value) : value, plan.state);
    } catch (error) {
      record.error = error as Error;
    }
    this.#pendingStores -= 1;
    record.endedAt = this.#world.now;
    this.#world.record(process.name, `store #${plan.token}: ${record.outcome ?? String(record.error)}`);
  }

  async #wait(plan: WaitPlan): Promise<void> {
    const { process } = this.#actorAt(plan.by);
    const name = `wait ${this.#waits.length} for ${plan.tasks.join(' ')}`;
    const controller = plan.abortAt === undefined ? undefined : new AbortController();
    const record: WaitRecord = {
      plan,
      joinedAt: this.#world.now,
      endedAt: undefined,
      ends: 0,
      results: [],
      shown: [],
      error: undefined,
      signal: controller?.signal,
    };
    this.#waits.push(record);
    const ends =
      plan.timeout !== undefined ||
      (plan.abortAt ?? Infinity) < Infinity ||
      !plan.tasks.some((task) => this.#hopeless.has(task));
    if (ends) this.#pendingWaits += 1;
    this.#world.record(process.name, `${name}${plan.timeout === undefined ? '' : `, ${plan.timeout} ms`}`);
    if (plan.abortAt !== undefined && plan.abortAt < Infinity) {
      process.receive(plan.abortAt, () => {
        controller?.abort(new Error('aborted by plan'));
      });
    }
    try {
      await this.#follow(record);
    } catch (error) {
      record.error = error as Error;
    }
    if (ends) this.#pendingWaits -= 1;
    record.ends += 1;
    record.endedAt = this.#world.now;
    const last = record.results.at(-1);
    this.#world.record(
      process.name,
      `${name}: ${record.error ? String(record.error) : `${last?.status ?? ''} #${last?.token ?? ''}`}`,
    );
  }

  async #follow(record: WaitRecord): Promise<void> {
    const { tasks, many, timeout, watch, by } = record.plan;
    const { backend, process } = this.#actorAt(by);
    const see = (task: string, { status, result }: TaskMeta): Sight => {
      return { at: this.#world.now, task, status, token: /#(\d+)#/.exec(String(result))?.[1] ?? '' };
    };
    const onMessage = (meta: TaskMeta): unknown => {
      if (meta.task_id === undefined) return undefined;
      const sight = see(meta.task_id, meta);
      record.shown.push(sight);
      this.#world.record(process.name, `${sight.task} shown ${sight.status} #${sight.token}`);
      if (watch === 'throws') throw new Error('thrown by plan');
      return watch === 'ponders' ? new Promise<void>((resolve) => process.after(PONDERING, resolve)) : undefined;
    };
    const options = {
      ...(timeout !== undefined && { timeout: timeout / 1000 }),
      ...(record.signal && { signal: record.signal }),
      ...(watch && { onMessage }),
    };
    if (many) {
      for await (const { taskId, meta } of backend.asCompleted(tasks, options)) record.results.push(see(taskId, meta));
    } else {
      const [task = ''] = tasks;
      record.results.push(see(task, await backend.waitForMeta(task, options)));
    }
  }

  async #call({ backend, process }: Actor, plan: CallPlan): Promise<void> {
    const errand = this.#errand(plan);
    this.#calls.push(errand);
    this.#world.record(process.name, `call ${plan.task}`);
    await this.#run(errand, backend.onTaskCall(plan.task));
    this.#world.record(process.name, `call ${plan.task}: ${errand.error ? String(errand.error) : 'go on'}`);
  }

  async #forget({ backend, process }: Actor, plan: ForgetPlan): Promise<void> {
    const errand = this.#errand(plan);
    this.#forgets.push(errand);
    this.#world.record(process.name, `forget ${plan.task}`);
    await this.#run(errand, backend.forget(plan.task));
    this.#world.record(process.name, `forget ${plan.task}: ${errand.error ? String(errand.error) : 'forgotten'}`);
  }

  #errand<P>(plan: P): Errand<P> {
    return { plan, calledAt: this.#world.now, endedAt: undefined, error: undefined };
  }

  async #run(errand: Errand<unknown>, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      errand.error = error as Error;
    }
    errand.endedAt = this.#world.now;
  }

  async #close(by: number): Promise<void> {
    const { backend, process } = this.#actorAt(by);
    this.#closedAt.set(by, this.#world.now);
    this.#world.record(process.name, 'close');
    await backend.close();
    this.#world.record(process.name, 'closed');
    const { waits, channels, held, stores } = backend.stats();
    if (waits + channels + held + stores > 0) {
      this.#leaks.push(
        `${process.name} has ${waits} waits, ${channels} channels, ${held} holds, ${stores} stores after close`,
      );
    }
  }

  #break(fault: FaultPlan): void {
    const world = this.#world;
    const path = fault.process === undefined ? undefined : this.#actors[fault.process]?.path;
    const every = this.#actors.flatMap(({ path: each }) => each.connections.filter(({ open }) => open));
    switch (fault.kind) {
      case 'cut':
      case 'hang':
      case 'silence':
        if (path) this.#breakConnection(fault, path);
        break;
      case 'black':
      case 'refuse':
      case 'slow':
        if (path) this.#breakPath(fault, path);
        break;
      case 'stall': {
        const { process } = this.#actorAt(fault.process);
        process.stalledUntil = Math.max(process.stalledUntil, fault.end);
        break;
      }
      case 'deaf':
        this.#deafened.add(`p${fault.process}`);
        world.at(fault.end, () => this.#deafened.delete(`p${fault.process}`));
        break;
      case 'restart':
        this.#restart(fault);
        break;
      case 'full': {
        const { master } = this.#address;
        master.full = true;
        world.at(fault.end, () => (master.full = false));
        break;
      }
      case 'busy':
        this.#address.master.busyUntil = Math.max(this.#address.master.busyUntil, fault.end);
        break;
      case 'pause':
        this.#address.master.pause(fault.end);
        break;
      case 'failover':
        this.#address.master = this.#address.master.promote();
        every.forEach((connection, i) => {
          const at = fault.kills[i % fault.kills.length] ?? world.now;
          connection.cut(at, at);
        });
    }
  }

  #breakConnection(fault: FaultPlan & { readonly kind: 'cut' | 'hang' | 'silence' }, path: Path): void {
    const world = this.#world;
    const connection = path.connections.findLast(({ open, role }) => open && role === fault.role);
    if (fault.kind === 'silence') {
      connection?.silence(fault.way);
      this.#noteSilence(fault, connection);
      return;
    }
    connection?.cut(fault.at, fault.kind === 'cut' ? fault.serverAt : fault.at);
    if (fault.kind !== 'hang') return;
    path.hanging = true;
    world.at(world.now + 1000, () => (path.hanging = false));
  }

  /** What still comes in while the way out is silent is a sign of life to the watchdog, and silence begins after it. */
  #noteSilence(fault: FaultPlan & { readonly kind: 'silence' }, connection: Connection | undefined): void {
    this.#world.at(fault.at + UNACKNOWLEDGED, () => {
      // What the client sends for it, TCP's acknowledgements too, gets through no more.
      if (connection?.silent) connection.silence('both');
      const { deadAfter } = this.#plan.layers;
      const silentFrom = connection?.heardAt ?? -Infinity;
      const recoverBy = Math.max(fault.recoverBy, silentFrom + deadAfter * 1100 + SLACK);
      this.#faults.push({ ...fault, recoverBy });
    });
  }

  #breakPath(fault: FaultPlan & { readonly kind: 'black' | 'refuse' | 'slow' }, path: Path): void {
    const world = this.#world;
    const open = path.connections.filter((connection) => connection.open);
    switch (fault.kind) {
      case 'black':
        path.black = true;
        for (const connection of open) connection.silence('both');
        world.at(fault.end, () => {
          path.black = false;
          for (const connection of open) connection.heal();
        });
        break;
      case 'refuse':
        path.refusing = true;
        for (const connection of open) connection.cut(world.now, world.now);
        world.at(fault.end, () => (path.refusing = false));
        break;
      case 'slow':
        path.slowness = 150;
        world.at(fault.end, () => (path.slowness = 0));
    }
  }

  #restart(fault: FaultPlan & { readonly kind: 'restart' }): void {
    const { master } = this.#address;
    this.#address.downUntil = Math.max(this.#address.downUntil, fault.end);
    master.loadingUntil = Math.max(master.loadingUntil, fault.loaded);
    if (fault.wipe) master.wipe();
    for (const connection of [...master.connections]) connection.cut(this.#world.now, this.#world.now);
  }

  /** Lets everything come to its end, or not. */
  async #settleDown(): Promise<void> {
    const { stores, waits, calls, forgets, faults } = this.#plan;
    const quietAt =
      Math.max(
        ...[...stores, ...waits, ...calls, ...forgets].map(({ at }) => at),
        ...faults.flatMap((fault) => [fault.recoverBy, 'end' in fault ? fault.end : 0]),
      ) + SLACK;
    const closing = (): boolean => this.#plan.closes.some(({ at }) => at > this.#world.now);
    await this.#world.run(quietAt + PATIENCE, () => {
      return this.#world.now >= quietAt && this.#pendingWaits === 0 && this.#pendingStores === 0 && !closing();
    });
    // What the last of them leaves behind is cleared away.
    await this.#world.run(this.#world.now + SLACK);
    // Nobody has come for what is held still.
    const holding = this.#actors.some(({ backend }) => backend.stats().held > 0);
    if (holding) await this.#world.run(Math.max(...this.#calls.map(({ calledAt }) => calledAt)) + HELD_FOR + SLACK);
  }

  #lookForLeaks(): void {
    this.#actors.forEach(({ backend, process, path }, by) => {
      if (this.#closedAt.has(by)) return;
      const pending = this.#waits.filter(({ plan, endedAt }) => plan.by === by && endedAt === undefined);
      const wanted = new Set(
        pending.flatMap(({ plan, results }) =>
          plan.tasks.filter((task) => !results.some((sight) => sight.task === task)),
        ),
      );
      const stats = backend.stats();
      if (stats.channels !== wanted.size)
        this.#leaks.push(`${process.name} keeps ${stats.channels} channels for ${wanted.size} tasks`);
      if (stats.held > 0) this.#leaks.push(`${process.name} holds ${stats.held} too long`);
      if (stats.stores !== this.#pendingStoresOf(by)) this.#leaks.push(`${process.name} keeps ${stats.stores} stores`);
      const subscribed = path.connections
        .filter(({ open, silent }) => open && !silent)
        .flatMap((each) => each.channels());
      const surplus = subscribed.filter((channel) => ![...wanted].some((task) => keyOf(task) === channel));
      if (surplus.length > 0) this.#leaks.push(`${process.name} is still subscribed to ${surplus.join(' ')}`);
    });
  }

  #pendingStoresOf(by: number): number {
    return new Set(
      this.#stores.filter(({ plan, endedAt }) => plan.by === by && endedAt === undefined).map(({ plan }) => plan.task),
    ).size;
  }

  async #closeAll(): Promise<void> {
    const open = this.#actors.flatMap((_, by) => (this.#closedAt.has(by) ? [] : [by]));
    let closing = open.length;
    for (const by of open) void this.#close(by).then(() => (closing -= 1));
    await this.#world.run(this.#world.now + 30_000, () => closing === 0);
    if (closing > 0) this.#leaks.push('close did not end');
    await this.#world.run(this.#world.now);
    for (const { process } of this.#actors) {
      if (process.timers !== 0) this.#leaks.push(`${process.name} has ${process.timers} timers after close`);
    }
    for (const { signal, plan } of this.#waits) {
      if (signal && getEventListeners(signal, 'abort').length > 0)
        this.#leaks.push(`the signal of a wait for ${plan.tasks.join(' ')} has a listener`);
    }
  }
}

/** Those that a process asks for in one turn, together. */
function turnsOf(stores: readonly StorePlan[]): [StorePlan, ...StorePlan[]][] {
  const turns = new Map<string, [StorePlan, ...StorePlan[]]>();
  for (const store of stores) {
    const key = `${store.by} ${store.at}`;
    const turn = turns.get(key);
    if (turn) turn.push(store);
    else turns.set(key, [store]);
  }
  return [...turns.values()];
}
