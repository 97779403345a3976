/** One run: a plan carried out by backends on real servers. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type BackendOptions, type DiagnosticEvents, RedisBackend, type TaskMeta } from '../../src/index.ts';
import { Breaker } from './break.ts';
import {
  type CallRecord,
  PATTERN,
  type Run,
  type Sight,
  sightOf,
  type StoreRecord,
  taskOf,
  tokenOf,
  valueOf,
  type WaitRecord,
} from './history.ts';
import { LoopLag } from './lag.ts';
import { Observer } from './observer.ts';
import { type CallPlan, type FaultKind, type Plan, PROCESSES, type StorePlan, type WaitPlan } from './plan.ts';
import type { Stage } from './stage.ts';

/** How long after everything is whole again a wait or a store that should have ended is waited for. */
const PATIENCE_MS = 12_000;
/** How long what was left is given to go. */
const GOING_MS = 3000;
/** Faults of which servers do not answer; what they add to a bound is counted already. */
const DOWN: ReadonlySet<FaultKind> = new Set([
  ...(['pauseClients', 'stop', 'restart', 'wipe', 'failover', 'killMaster', 'hangMaster'] as const),
]);
const CONNECTIONS = 'celery-redis-backend:connection';
const RETRIES = 'celery-redis-backend:store-retry';
/** In Node's terms, what may be left behind by a run. */
const RESOURCES = ['Timeout', 'TCPSocketWrap', 'TCPServerWrap', 'ProcessWrap', 'Immediate'];

/** Carries out a plan. @param start - makes its stage */
export async function carryOut(plan: Plan, start: (plan: Plan) => Promise<Stage>): Promise<Run> {
  const before = resources();
  const leaks: string[] = [];
  const rejected = (error: unknown): void => {
    leaks.push(`an unhandled rejection: ${String(error)}`);
  };
  const warned = ({ name, message }: Error): void => {
    if (name === 'MaxListenersExceededWarning') leaks.push(message);
  };
  process.on('unhandledRejection', rejected);
  process.on('warning', warned);
  try {
    const run = await perform(plan, await start(plan), leaks);
    const gone = await eventually(() => left(before).length === 0);
    if (!gone) leaks.push(`${left(before).join(', ')} left after everything was closed`);
    return run;
  } finally {
    process.off('unhandledRejection', rejected);
    process.off('warning', warned);
  }
}

async function perform(plan: Plan, stage: Stage, leaks: string[]): Promise<Run> {
  try {
    return await new Player(plan, stage, leaks).play();
  } finally {
    await stage[Symbol.asyncDispose]();
  }
}

function resources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function left(before: ReadonlyMap<string, number>): string[] {
  const now = resources();
  return RESOURCES.flatMap((name) => {
    const more = (now.get(name) ?? 0) - (before.get(name) ?? 0);
    return more > 0 ? [`${more} ${name}`] : [];
  });
}

/** Whether it comes to hold. */
async function eventually(holds: () => boolean | Promise<boolean>, ms = GOING_MS): Promise<boolean> {
  const end = performance.now() + ms;
  for (;;) {
    if (await holds()) return true;
    if (performance.now() > end) return false;
    await delay(20);
  }
}

/** Does each at its time from now on, in this order however late the loop is. */
async function inOrder(acts: readonly { readonly at: number; readonly act: () => void }[]): Promise<void> {
  const start = performance.now();
  for (const { at, act } of acts) {
    const early = start + at - performance.now();
    if (early > 0) await delay(early);
    act();
  }
}

/** Plays a plan, and writes down what comes of it. */
class Player {
  readonly #plan: Plan;
  readonly #stage: Stage;
  readonly #leaks: string[];
  readonly #lag: LoopLag;
  readonly #start = performance.now();
  readonly #backends: readonly RedisBackend[];
  readonly #breaker: Breaker;
  readonly #stores: StoreRecord[] = [];
  readonly #waits: WaitRecord[] = [];
  readonly #calls: CallRecord[] = [];
  readonly #retried = new Set<string>();
  readonly #connections: Run['connections'][number][] = [];
  #pending = 0;

  constructor(plan: Plan, stage: Stage, leaks: string[]) {
    this.#plan = plan;
    this.#stage = stage;
    this.#leaks = leaks;
    this.#lag = new LoopLag(this.#now);
    this.#breaker = new Breaker(stage, plan.layers, this.#now);
    this.#backends = Array.from({ length: PROCESSES }, (_, by) => new RedisBackend({}, this.#options(by)));
  }

  async play(): Promise<Run> {
    const observer = await Observer.start(this.#stage.servers, this.#now);
    await Promise.all(this.#backends.map((backend) => backend.connect()));
    subscribe(RETRIES, this.#onRetry);
    subscribe(CONNECTIONS, this.#onConnection);
    for (const server of this.#stage.servers) void this.#lag.watch(server, this.#now, this.#wasDown);
    await this.#perform();
    unsubscribe(RETRIES, this.#onRetry);
    unsubscribe(CONNECTIONS, this.#onConnection);
    const endedAt = this.#now();
    await this.#lookForLeaks();
    const keys = await this.#stage.keys();
    await this.#close();
    observer.stop();
    this.#lag.stop();
    return {
      plan: this.#plan,
      stores: this.#stores,
      waits: this.#waits,
      calls: this.#calls,
      faults: this.#breaker.records.sort((a, b) => a.at - b.at),
      published: observer.published,
      keys: new Map([...keys].map(([key, payload]): [string, Sight] => [taskOf(key), sightOf(key, payload, endedAt)])),
      retried: this.#retried,
      connections: this.#connections,
      leaks: this.#leaks,
      lag: this.#lag,
      endedAt,
    };
  }

  #now = (): number => performance.now() - this.#start;

  #onRetry = (message: unknown): void => {
    this.#retried.add((message as DiagnosticEvents[typeof RETRIES]).taskId);
  };

  /** Whether a fault kept the servers from answering. */
  #wasDown = (from: number, to: number): boolean =>
    this.#breaker.records.some((fault) => DOWN.has(fault.plan.kind) && fault.at <= to && fault.end >= from);

  #onConnection = (message: unknown): void => {
    const { connection, state, attempt, error } = message as DiagnosticEvents[typeof CONNECTIONS];
    const why = error ? ` (${error.message})` : '';
    this.#connections.push({ at: this.#now(), what: `${connection}: ${state} at attempt ${attempt}${why}` });
  };

  #options(by: number): BackendOptions {
    return {
      client: this.#stage.client(by),
      ...this.#plan.layers,
      connectTimeout: 2,
      maxCachedResults: 50,
      retryPolicy: { maxRetries: 1000, intervalStart: 0, intervalStep: 0.05, intervalMax: 0.2 },
    };
  }

  /** Does what is planned, and waits until it is over. */
  async #perform(): Promise<void> {
    const { stores, waits, calls, faults, length } = this.#plan;
    const acts = [
      ...calls.map((plan) => ({ at: plan.at, act: () => void this.#call(plan) })),
      ...waits.map((plan) => ({ at: plan.at, act: () => void this.#wait(plan) })),
      ...stores.map((plan) => ({ at: plan.at, act: () => void this.#store(plan) })),
      ...faults.map((plan) => ({
        at: plan.at,
        act: () => void this.#breaker.break(plan),
      })),
    ];
    await inOrder(acts.sort((a, b) => a.at - b.at));
    await delay(length + 500 - (acts.at(-1)?.at ?? 0));
    await this.#breaker.done();
    await eventually(() => this.#pending === 0, PATIENCE_MS);
  }

  #backend(by: number): RedisBackend {
    const backend = this.#backends[by];
    if (!backend) throw new Error(`there is no process ${by}`);
    return backend;
  }

  async #store(plan: StorePlan): Promise<void> {
    const failed = plan.state === 'FAILURE' || plan.state === 'RETRY';
    const value = valueOf(plan);
    const record: StoreRecord = {
      plan,
      calledAt: this.#now(),
      endedAt: undefined,
      outcome: undefined,
      error: undefined,
    };
    this.#stores.push(record);
    this.#pending += 1;
    try {
      record.outcome = await this.#backend(plan.by).storeResult(
        plan.task,
        failed ? new Error(value) : value,
        plan.state,
        // Errors come with their stack otherwise, which says the value once more.
        failed ? { traceback: null } : {},
      );
    } catch (error) {
      record.error = error as Error;
    }
    record.endedAt = this.#now();
    this.#pending -= 1;
  }

  async #call(plan: CallPlan): Promise<void> {
    const record: CallRecord = { plan, calledAt: this.#now(), endedAt: undefined, error: undefined };
    this.#calls.push(record);
    try {
      await this.#backend(plan.by).onTaskCall(plan.task);
    } catch (error) {
      record.error = error as Error;
    }
    record.endedAt = this.#now();
  }

  async #wait(plan: WaitPlan): Promise<void> {
    const controller = plan.abortAt === undefined ? undefined : new AbortController();
    const record: WaitRecord = {
      plan,
      joinedAt: this.#now(),
      endedAt: undefined,
      ends: 0,
      results: [],
      shown: [],
      error: undefined,
      signal: controller?.signal,
    };
    this.#waits.push(record);
    this.#pending += 1;
    const { abortAt = Infinity } = plan;
    const abort = (): void => controller?.abort(new Error('aborted by plan'));
    const timer = abortAt < Infinity ? setTimeout(abort, abortAt - plan.at) : undefined;
    try {
      await this.#follow(record);
    } catch (error) {
      record.error = error as Error;
    }
    clearTimeout(timer);
    record.ends += 1;
    record.endedAt = this.#now();
    this.#pending -= 1;
  }

  async #follow({ plan, results, shown, signal }: WaitRecord): Promise<void> {
    const { tasks, many, timeout, watched, by } = plan;
    const see = (task: string, { status, result }: TaskMeta): Sight => {
      return { at: this.#now(), task, status, token: tokenOf(String(result)) };
    };
    const onMessage = (meta: TaskMeta): void => {
      if (meta.task_id !== undefined) shown.push(see(meta.task_id, meta));
    };
    const options = { timeout: timeout / 1000, ...(signal && { signal }), ...(watched && { onMessage }) };
    const backend = this.#backend(by);
    if (many) {
      for await (const { taskId, meta } of backend.asCompleted(tasks, options)) results.push(see(taskId, meta));
    } else {
      const [task = ''] = tasks;
      results.push(see(task, await backend.waitForMeta(task, options)));
    }
  }

  /** What is left though every wait is over. */
  async #lookForLeaks(): Promise<void> {
    // Those of late waits are late, not leaked.
    if (this.#pending > 0) return;
    const busy = (): string[] =>
      this.#backends.flatMap((backend, by) => {
        const { waits, channels, held, stores } = backend.stats();
        if (waits + channels + held + stores === 0) return [];
        return [`p${by} has ${waits} waits, ${channels} channels, ${held} holds and ${stores} stores left`];
      });
    if (!(await eventually(() => busy().length === 0))) this.#leaks.push(...busy());
    const subscribed = async (): Promise<string[]> =>
      (
        await Promise.all(this.#stage.servers.map((server) => server.cli('PUBSUB', 'CHANNELS', PATTERN)))
      ).flat() as string[];
    if (!(await eventually(async () => (await subscribed()).length === 0)))
      this.#leaks.push(`the server has channels left: ${(await subscribed()).slice(0, 3).join(', ')} ...`);
    for (const { signal, plan } of this.#waits) {
      if (signal && getEventListeners(signal, 'abort').length > 0)
        this.#leaks.push(`the wait for ${plan.tasks.join(' ')} left a listener on its signal`);
    }
  }

  async #close(): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.close()));
    const open = (): number => this.#stage.links.flat().reduce((sum, link) => sum + link.open, 0);
    if (!(await eventually(() => open() === 0))) this.#leaks.push(`${open()} connections are open after close`);
    const clients = async (): Promise<number> =>
      (await Promise.all(this.#stage.servers.map((server) => server.clients())))
        .flat()
        .filter(({ name }) => name.startsWith('celery-redis-backend')).length;
    if (!(await eventually(async () => (await clients()) === 0)))
      this.#leaks.push(`the server has ${await clients()} connections of ours after close`);
  }
}
