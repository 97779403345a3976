/** Runs the tasks of a worker, and stores what comes of them. */
import { hostname } from 'node:os';
import type { BaseBackend } from '../../backend.ts';
import type { Canvas } from '../../canvas/canvas.ts';
import { DecodeError } from '../../errors.ts';
import { isId } from '../../keys.ts';
import type { TaskRequest } from '../../meta.ts';
import type { Serializer } from '../../ports.ts';
import { requestFromMessage } from '../../request.ts';
import { describe } from '../../serializers/excerpt.ts';
import { parseDatetime } from '../../serializers/iso.ts';
import { createJsonSerializer } from '../../serializers/json.ts';
import { codeOf } from '../failure-info.ts';
import type { Swallower } from '../swallowed.ts';
import { asProtocol2 } from './protocol.ts';
import type { CeleryNodeDelivery } from './types.ts';

/** What a runner is made of. */
export interface RunnerParts {
  readonly backend: BaseBackend;
  readonly canvas: Canvas;
  readonly swallower: Swallower;
  /** The tasks, by name. */
  readonly handlers: object;
  /** `'celery@host'`. @default `celery.node@<host>` */
  readonly hostname: string | undefined;
  /** Whether to store STARTED. */
  readonly trackStarted: boolean;
  /** Where the tasks come from. */
  readonly queue: string;
}

/** What is thrown away is an error, or anything. */
type Handler = (...args: unknown[]) => Promise<unknown>;

/** A task to run. */
interface Job {
  readonly id: string;
  readonly request: TaskRequest;
  readonly args: readonly unknown[];
  readonly kwargs: unknown;
  /** When to begin, and when it is too late; milliseconds since 1970. */
  readonly eta: number | undefined;
  readonly expires: number | undefined;
}

/**
 * Runs each message once. Nothing that happens on the way rejects: what cannot be stored is told to the swallower.
 *
 * received -> (held until its eta) -> revoked | unknown | running -> succeeded | failed
 */
export class Runner {
  readonly #parts: RunnerParts;
  readonly #hostname: string;
  readonly #serializer: Serializer = createJsonSerializer();

  constructor(parts: RunnerParts) {
    this.#parts = parts;
    this.#hostname = parts.hostname ?? `celery.node@${hostname()}`;
  }

  /** Resolves when the task has ended and its result is stored. Never rejects. */
  async run(message: CeleryNodeDelivery): Promise<void> {
    let job: Job;
    try {
      job = this.#read(message);
    } catch (error) {
      await this.#unreadable(message, error);
      return;
    }
    await this.#parts.swallower.settle('run', job.id, this.#start(job), undefined);
  }

  async #start(job: Job): Promise<void> {
    const { backend, canvas, trackStarted } = this.#parts;
    const { id, request, eta, expires } = job;
    await this.#until(eta);
    if (expires !== undefined && backend.clock.wall() > expires) {
      await backend.markAsRevoked(id, 'expired', { request });
      return;
    }
    const handler = this.#handler(request.task);
    if (!handler) {
      const unknown = { exc_type: 'NotRegistered', exc_message: [request.task], exc_module: 'celery.exceptions' };
      await canvas.run(request, () => backend.markAsFailure(id, unknown, { request }));
      return;
    }
    // Not awaited: stores of one task keep their order.
    const started = trackStarted ? this.#started(job) : undefined;
    await canvas.run(request, () => this.#execute(job, handler));
    await started;
  }

  async #execute(job: Job, handler: Handler): Promise<void> {
    const { backend, canvas } = this.#parts;
    const { id, request, args, kwargs } = job;
    try {
      const value = await handler(...args, kwargs);
      const children = await canvas.sendNext(request, value);
      await this.#succeed(job, value, { ...request, children });
    } catch (error) {
      const children = canvas.children;
      await backend.markAsFailure(id, error, { request: { ...request, children } });
    }
  }

  /** A value that cannot be written is a failure; a store that did not succeed says nothing of the task. */
  async #succeed({ id }: Job, value: unknown, request: TaskRequest): Promise<void> {
    try {
      await this.#parts.backend.markAsDone(id, value, { request });
    } catch (error) {
      if (codeOf(error) === 'CELERY_ENCODE') throw error;
      this.#parts.swallower.tell('storeResult', id, error);
    }
  }

  #started({ id, request }: Job): Promise<unknown> {
    const { backend, swallower } = this.#parts;
    const meta = { pid: process.pid, hostname: this.#hostname };
    return swallower.settle('storeResult', id, backend.markAsStarted(id, meta, { request }), undefined);
  }

  #handler(task: string | null | undefined): Handler | undefined {
    const { handlers } = this.#parts;
    if (typeof task !== 'string' || !Object.hasOwn(handlers, task)) return undefined;
    const handler: unknown = Reflect.get(handlers, task);
    return typeof handler === 'function' ? (handler as Handler) : undefined;
  }

  #read(message: CeleryNodeDelivery): Job {
    const { headers, body } = asProtocol2(message.headers ?? {}, this.#serializer.decode(message.body));
    const delivery = { delivery_info: { exchange: '', routing_key: this.#parts.queue } };
    const properties = { ...delivery, ...message.properties };
    const request = requestFromMessage({ headers, properties, body }, { hostname: this.#hostname });
    const { id = '', args, kwargs } = request;
    const [eta, expires] = [instant('eta', headers['eta']), instant('expires', headers['expires'])];
    return { id, request, args: args as readonly unknown[], kwargs, eta, expires };
  }

  /** A message that cannot be read, for whoever waits for its task, if it says which. */
  async #unreadable(message: CeleryNodeDelivery, error: unknown): Promise<void> {
    const { backend, swallower } = this.#parts;
    const id: unknown = Reflect.get(message.headers ?? {}, 'id');
    swallower.tell('read', isId(id) ? id : undefined, error);
    if (isId(id)) await swallower.settle('storeResult', id, backend.markAsFailure(id, error), undefined);
  }

  #until(eta: number | undefined): Promise<void> {
    const { clock } = this.#parts.backend;
    const ms = eta === undefined ? 0 : eta - clock.wall();
    return ms <= 0 ? Promise.resolve() : new Promise((resolve) => void clock.after(ms, resolve));
  }
}

function instant(what: string, value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (value instanceof Date) return value.getTime();
  try {
    return parseDatetime(value as string).getTime();
  } catch (cause) {
    throw new DecodeError(`${what}: expected ISO 8601; got ${describe(value)}.`, { cause });
  }
}
