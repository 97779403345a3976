/** Sends signatures, and what follows the tasks of a worker. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { CeleryApp, ErrbackCall } from '../arguments.ts';
import { ImproperlyConfigured, InvalidArgumentError } from '../errors.ts';
import type { GroupTuple, ResultTuple, TaskRequest } from '../meta.ts';
import type { Signature, SignatureOptions } from '../signature.ts';
import type { Lineage, CanvasMessage } from './message.ts';
import type { Options } from './node.ts';
import { plan, type Plan, type PlanContext, planGroup } from './plan.ts';

/** A backend, as chords need it. `RedisBackend` is one. */
export interface CanvasBackend {
  readonly app?: CeleryApp;
  /** Says how many parts a chord has. */
  setChordSize(groupId: string, size: number): Promise<unknown>;
  /** Is told the header of a chord before it is sent, where a member of it is a group itself. */
  applyChord(header: GroupTuple): Promise<unknown>;
}

/** What a backend asks its app for. @see CeleryApp */
export interface CanvasHooks {
  readonly applySignature: (signature: Signature, args: readonly unknown[]) => Promise<ResultTuple | null>;
  readonly callErrbacks: (call: ErrbackCall) => Promise<readonly ResultTuple[]>;
}

/** What a {@link Canvas} is made of. */
export interface CanvasOptions {
  /** Gives a message to the broker; resolves when the broker has it. */
  readonly send: (message: CanvasMessage) => unknown;
  /** The queue of tasks whose signature names none. @default 'celery' */
  readonly queue?: string | undefined;
  /** Who sends, for monitors. @default `gen<pid>@<host>` */
  readonly origin?: string | undefined;
  /** Needed for chords. */
  readonly backend?: CanvasBackend | undefined;
}

/** A task under way, with what it sent so far. */
interface Running {
  readonly request: TaskRequest;
  readonly children: ResultTuple[];
}

/**
 * What a worker needs to take part in chains, groups and chords: it sends what follows a task, in the messages that
 * Celery itself would send. Knows no broker and no Redis: `send` is given each message, `backend` the sizes of chords.
 *
 * Idle or not, it has no state but the tasks that are under way in {@link run}.
 *
 * @see celery.canvas, celery.app.trace
 */
export class Canvas {
  readonly #options: CanvasOptions;
  readonly #sender: Omit<PlanContext, 'lineage'>;
  readonly #running = new AsyncLocalStorage<Running>();

  /** @throws InvalidArgumentError without `send` */
  constructor(options: CanvasOptions) {
    if (typeof (options as Partial<CanvasOptions>).send !== 'function') {
      throw new InvalidArgumentError('send: expected a function that takes a message.');
    }
    this.#options = options;
    this.#sender = {
      queue: options.queue ?? 'celery',
      origin: options.origin ?? `gen${process.pid}@${hostname()}`,
      wall: () => Date.now(),
      newId: () => randomUUID(),
    };
  }

  /**
   * The hooks of an app whose backend counts chords and stores failures: `new RedisBackend({ ...canvas.hooks }, ...)`.
   */
  get hooks(): CanvasHooks {
    return {
      applySignature: (signature, args) => this.apply(signature, args),
      callErrbacks: (call) => this.callErrbacks(call),
    };
  }

  /**
   * Sends a signature: a task, a chain, a group or a chord, nested as they may be. What it sends from within
   * {@link run} are children of the running task.
   *
   * @param args - before its own arguments, unless it is immutable
   * @param options - over its own, by Celery's names
   * @returns the tuple of its result, for `resultFromTuple`: a chain's last task, a group, a chord's body, with what comes
   * before as parents; null for an empty chain
   * @throws DecodeError when it is no signature; ImproperlyConfigured for a chord without a backend
   * @see celery.canvas.Signature.apply_async
   */
  async apply(
    signature: Signature,
    args: readonly unknown[] = [],
    options: SignatureOptions = {},
  ): Promise<ResultTuple | null> {
    return this.#execute(plan(signature, args, options, this.#context()));
  }

  /** Runs a task: what is sent meanwhile, by whatever it calls, are its children. */
  run<T>(request: TaskRequest, task: () => T): T {
    return this.#running.run({ request, children: [] }, task);
  }

  /** What the task that is running here sent so far. */
  get children(): readonly ResultTuple[] {
    return this.#running.getStore()?.children.slice() ?? [];
  }

  /**
   * Sends what follows a success: the callbacks, and the next task of the chain. Celery does so before the success is
   * stored, so that it is stored with its children.
   *
   * @returns the children of the task: in {@link run} with what it sent itself
   * @see celery.app.trace.build_tracer
   */
  async sendNext(request: TaskRequest, value: unknown): Promise<readonly ResultTuple[]> {
    const options = lineageOptions(request.id, request.root_id);
    const children: ResultTuple[] = [];
    const execute = async (next: Plan): Promise<void> => {
      await this.#execute(next);
      children.push(...next.children);
    };
    const context = this.#context();
    const callbacks = request.callbacks ?? [];
    const groups = callbacks.length > 1 ? callbacks.filter(isGroup) : [];
    const others = callbacks.filter((callback) => !groups.includes(callback));
    for (const group of groups) await execute(plan(group, [value], options, context));
    if (callbacks.length > 1 && others.length > 0) await execute(planGroup(others, [value], options, context));
    else if (others[0]) await execute(plan(others[0], [value], options, context));
    const next = request.chain?.at(-1);
    if (next) await execute(plan(next, [value], { ...options, chain: request.chain?.slice(0, -1) }, context));
    return this.#running.getStore()?.children.slice() ?? children;
  }

  /**
   * Sends the error callbacks of a task that failed, each with the task's id: what a worker does that does not know
   * their signatures.
   *
   * @returns the tuple of the group that they are
   * @see celery.backends.base.Backend._call_task_errbacks
   */
  async callErrbacks({ request }: ErrbackCall): Promise<readonly ResultTuple[]> {
    const errbacks = request.errbacks ?? [];
    if (errbacks.length === 0) return [];
    const options = lineageOptions(request.id, request.root_id);
    const next = planGroup(errbacks, [request.id ?? null], options, this.#context());
    await this.#execute(next);
    return next.children;
  }

  #context(): PlanContext {
    const request = this.#running.getStore()?.request;
    const lineage: Lineage = { rootId: request?.root_id ?? request?.id, parentId: request?.id };
    return { ...this.#sender, lineage };
  }

  async #execute({ steps, result, children }: Plan): Promise<ResultTuple | null> {
    const { send, backend } = this.#options;
    // Before anything is sent: half a chord would never end.
    if (!backend && steps.some(({ kind }) => kind !== 'send')) {
      throw new ImproperlyConfigured(
        'A chord was sent, but the canvas has no backend to count its parts: give it one.',
      );
    }
    for (const step of steps) {
      if (step.kind === 'send') await send(step.message);
      else if (step.kind === 'chord-size') await backend?.setChordSize(step.groupId, step.size);
      else await backend?.applyChord(step.header);
    }
    this.#running.getStore()?.children.push(...children);
    return result;
  }
}

function lineageOptions(id: string | undefined, rootId: string | null | undefined): Options {
  return { parent_id: id, root_id: rootId ?? id };
}

function isGroup(signature: Signature): boolean {
  return signature.subtask_type === 'group';
}
