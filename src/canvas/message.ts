/**
 * Task messages of protocol 2, as Celery's producers make them.
 *
 * @see celery.app.amqp.AMQP.as_task_v2
 */
import { randomUUID } from 'node:crypto';
import { createJsonSerializer } from '../serializers/json.ts';
import type { Serializer } from '../ports.ts';
import { pythonRepr } from '../python-repr.ts';
import type { Signature } from '../signature.ts';
import { maybeList, type Options } from './node.ts';

/** What stands beside the arguments in a message. */
export interface Embed {
  readonly callbacks: readonly unknown[] | null;
  readonly errbacks: readonly unknown[] | null;
  /** What follows, the next one last. */
  readonly chain: readonly unknown[] | null;
  readonly chord: unknown;
}

/** A task message, before a broker has it. Names are those of the wire. */
export interface CanvasMessage {
  readonly headers: Readonly<Record<string, unknown>> & {
    readonly task: string;
    readonly id: string;
    readonly root_id: string;
    readonly parent_id: string | null;
  };
  readonly properties: {
    readonly correlation_id: string;
    readonly reply_to: string;
    readonly priority: number;
  };
  readonly body: readonly [args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>, embed: Embed];
  /** The queue it is for. */
  readonly queue: string;
}

/** Whose child a message is. */
export interface Lineage {
  readonly rootId: string | undefined;
  readonly parentId: string | undefined;
}

/** What all messages of a sender have in common. */
export interface Sender {
  /** For tasks whose signature names none. */
  readonly queue: string;
  /** Who sends, for people: `'gen123@host'`. */
  readonly origin: string;
  /** Milliseconds since 1970. */
  wall(): number;
}

/** A task to send, with all that its signature says. */
export interface Call {
  readonly task: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly options: Options;
}

/** Makes the message of a task. Its options have an id. */
export function makeMessage({ task, args, kwargs, options }: Call, lineage: Lineage, sender: Sender): CanvasMessage {
  const id = options['task_id'] as string;
  const { priority, chain, chord, link, link_error: errbacks } = options;
  return {
    headers: {
      ...headersOf({ task, args, kwargs, options }, sender),
      root_id: text(options['root_id']) ?? lineage.rootId ?? id,
      parent_id: text(options['parent_id']) ?? lineage.parentId ?? null,
      task,
      id,
    },
    properties: {
      correlation_id: id,
      reply_to: text(options['reply_to']) ?? '',
      priority: typeof priority === 'number' ? priority : 0,
    },
    body: [
      args,
      kwargs,
      {
        callbacks: listOrNull(link),
        errbacks: listOrNull(errbacks),
        chain: (chain as Signature[] | null | undefined) ?? null,
        chord: chord ?? null,
      },
    ],
    queue: queueOf(options) ?? sender.queue,
  };
}

function headersOf({ task, args, kwargs, options }: Call, sender: Sender): Record<string, unknown> {
  const { countdown, time_limit: hard, soft_time_limit: soft, headers } = options;
  const now = sender.wall();
  return {
    lang: 'js',
    task,
    id: options['task_id'],
    shadow: options['shadow'] ?? null,
    eta: typeof countdown === 'number' && countdown > 0 ? iso(now + countdown * 1000) : instant(options['eta'], now),
    expires: instant(options['expires'], now),
    group: options['group_id'] ?? null,
    group_index: options['group_index'] ?? null,
    retries: options['retries'] ?? 0,
    timelimit: [hard ?? null, soft ?? null],
    root_id: null,
    parent_id: null,
    argsrepr: options['argsrepr'] ?? shown(tupleRepr(args)),
    kwargsrepr: options['kwargsrepr'] ?? shown(pythonRepr(kwargs)),
    origin: options['origin'] ?? sender.origin,
    ignore_result: options['ignore_result'] ?? false,
    ...stampsOf(options),
    ...(typeof headers === 'object' ? headers : {}),
  };
}

/** `(1, 'a')` */
function tupleRepr(args: readonly unknown[]): string {
  const items = pythonRepr(args).slice(1, -1);
  return `(${items}${args.length === 1 ? ',' : ''})`;
}

/** As much of it as monitors are given. @see celery.app.amqp.AMQP.argsrepr_maxsize */
function shown(repr: string): string {
  return repr.length > 1024 ? `${repr.slice(0, 1021).toWellFormed()}...` : repr;
}

/** What a canvas was stamped with: each stamp is an option of its own. @see celery.canvas.Signature.stamp */
function stampsOf(options: Options): Record<string, unknown> {
  const names = maybeList(options['stamped_headers']).filter((name) => typeof name === 'string');
  if (names.length === 0) return {};
  const stamps = names.filter((name) => Object.hasOwn(options, name)).map((name) => [name, options[name]] as const);
  return { stamped_headers: names, stamps: Object.fromEntries(stamps) };
}

/** The queue that a signature names; a routing key of the default exchange is one. */
function queueOf(options: Options): string | undefined {
  const { queue, exchange, routing_key: key } = options;
  return text(queue) ?? (text(exchange) === undefined ? text(key) : undefined);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function listOrNull(value: unknown): readonly unknown[] | null {
  return value === undefined || value === null ? null : maybeList(value);
}

/** A point in time, from seconds to come, a Date or a text, as Celery writes it. */
function instant(value: unknown, now: number): string | null {
  if (typeof value === 'number') return iso(now + value * 1000);
  if (value instanceof Date) return iso(value.getTime());
  return text(value) ?? null;
}

function iso(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000+00:00`;
}

const json: Serializer = createJsonSerializer();

/**
 * The body of a message as JSON, as kombu writes it: typed values in envelopes, bigints and NaN included.
 *
 * @throws EncodeError
 */
export function encodeBody({ body }: CanvasMessage): string {
  return String(json.encode(body));
}

/**
 * The whole message as an element of the list that is a queue of kombu's Redis transport: LPUSH it to `message.queue`.
 *
 * @throws EncodeError
 * @see kombu.transport.virtual.Channel.prepare_message
 */
export function redisEnvelope(message: CanvasMessage): string {
  return String(
    json.encode({
      body: Buffer.from(encodeBody(message)).toString('base64'),
      'content-encoding': 'utf-8',
      'content-type': 'application/json',
      headers: message.headers,
      properties: {
        ...message.properties,
        delivery_mode: 2,
        delivery_info: { exchange: '', routing_key: message.queue },
        body_encoding: 'base64',
        delivery_tag: randomUUID(),
      },
    }),
  );
}
