/**
 * The request of a task from its message, protocol 2.
 *
 * @see celery.worker.request.Request
 */
import { DecodeError } from './errors.ts';
import { isId } from './keys.ts';
import type { TaskRequest } from './meta.ts';
import { describe } from './serializers/excerpt.ts';

/** A message as its transport delivers it, with its body decoded. */
export interface TaskMessage {
  readonly headers: unknown;
  readonly properties?: unknown;
  /** `[args, kwargs, embed]` */
  readonly body: unknown;
}

/** Who runs the task. */
export interface WorkerContext {
  /** `'celery@host'` */
  readonly hostname?: string | undefined;
}

/** Levels of a message. Its signatures, inside one another, are walked where they fail or are called. */
const MAX_DEPTH = 1000;

type Bag = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isWhole: Check = (value) => Number.isSafeInteger(value);
const isFlag: Check = (value) => typeof value === 'boolean';
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText);
const isSignature: Check = (value) => isBag(value) && isText(own(value, 'task'));
const isSignatures: Check = (value) => Array.isArray(value) && value.every(isSignature);

/** Fields of the headers, which keep their names, and what they must be if they are there and not null. */
const HEADERS: readonly (readonly [field: keyof TaskRequest, expected: string, check: Check])[] = [
  ['retries', 'a whole number', isWhole],
  ['group', 'the id of a group', (value) => value === '' || isId(value)],
  ['group_index', 'a whole number', isWhole],
  ['parent_id', 'a string', isText],
  ['root_id', 'a string', isText],
  ['ignore_result', 'a boolean', isFlag],
  ['stamped_headers', 'a list of strings', isTexts],
  ['stamps', 'an object', isBag],
];

/** The same of the third part of the body. */
const EMBED: typeof HEADERS = [
  ['chord', 'a signature', isSignature],
  ['chain', 'a list of signatures', isSignatures],
  ['callbacks', 'a list of signatures', isSignatures],
  ['errbacks', 'a list of signatures', isSignatures],
];

/**
 * What a message says of its task, for `markAsDone` and its like. What the message does not have, the request has not
 * either.
 *
 * @param message - of protocol 2: Celery 4 and later
 * @param worker - who runs it
 * @throws DecodeError when it is no such message
 * @see celery.app.task.Context
 */
export function requestFromMessage(message: TaskMessage, worker: WorkerContext = {}): TaskRequest {
  const given: unknown = message;
  if (!isBag(given)) throw new DecodeError(`Expected a task's message; got ${describe(given)}.`);
  if (isDeeper(given, MAX_DEPTH)) throw new DecodeError(`Expected a task's message; got one deeper than ${MAX_DEPTH}.`);
  const headers = bagOf('headers', own(given, 'headers'));
  const properties = bagOf('properties', own(given, 'properties') ?? {});
  const { args, kwargs, embed } = bodyOf(own(given, 'body'));
  const id = own(headers, 'id');
  const task = own(headers, 'task');
  if (!isId(id)) throw wrong('headers.id', 'the id of a task', id);
  if (typeof task !== 'string' || task === '') throw wrong('headers.task', 'the name of a task', task);
  const delivery = deliveryOf(own(properties, 'delivery_info'));
  return {
    id,
    task,
    args,
    kwargs,
    ...(worker.hostname !== undefined && { hostname: worker.hostname }),
    ...pick('headers', headers, HEADERS),
    ...traceOf(headers),
    ...(delivery !== undefined && { delivery_info: delivery }),
    ...pick('body[2]', embed, EMBED),
  };
}

/** Whether a value has more levels of arrays and objects. Without recursion; what a level has twice is looked at once. */
function isDeeper(value: unknown, levels: number): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > levels) return true;
    const containers = new Set(level.filter(isContainer));
    level = [...containers].flatMap((container) => Object.values(container) as unknown[]);
  }
  return false;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
}

function bodyOf(body: unknown): { readonly args: unknown; readonly kwargs: unknown; readonly embed: Bag } {
  if (!Array.isArray(body) || body.length !== 3) throw wrong('body', '[args, kwargs, embed]', body);
  const [args, kwargs, embed] = body as readonly unknown[];
  if (!Array.isArray(args)) throw wrong('body[0]', 'a list of arguments', args);
  return { args, kwargs: bagOf('body[1]', kwargs), embed: bagOf('body[2]', embed ?? {}) };
}

function deliveryOf(delivery: unknown): TaskRequest['delivery_info'] | undefined {
  if (delivery === undefined || delivery === null) return delivery;
  const key = own(bagOf('properties.delivery_info', delivery), 'routing_key');
  if (key === undefined || key === null) return key === null ? { routing_key: null } : {};
  if (typeof key !== 'string') throw wrong('properties.delivery_info.routing_key', 'a string', key);
  return { routing_key: key };
}

/** What OpenTelemetry puts there. It is none of Celery's, so that no task is refused for it. */
function traceOf(headers: Bag): Pick<TaskRequest, 'traceparent' | 'tracestate'> {
  const traceparent = own(headers, 'traceparent');
  const tracestate = own(headers, 'tracestate');
  return {
    ...(typeof traceparent === 'string' && { traceparent }),
    ...(typeof tracestate === 'string' && { tracestate }),
  };
}

/** The fields that are there, checked. Their names are ours, so that none is `__proto__`. */
function pick(where: string, bag: Bag, fields: typeof HEADERS): Partial<TaskRequest> {
  const found: Record<string, unknown> = {};
  for (const [field, expected, check] of fields) {
    const value = own(bag, field);
    if (value === undefined) continue;
    if (value !== null && !check(value)) throw wrong(`${where}.${field}`, `${expected} or null`, value);
    found[field] = value;
  }
  return found;
}

function bagOf(where: string, value: unknown): Bag {
  if (isBag(value)) return value;
  throw wrong(where, 'an object', value);
}

function isBag(value: unknown): value is Bag {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Never what the prototype has. */
function own(bag: Bag, field: string): unknown {
  return Object.hasOwn(bag, field) ? bag[field] : undefined;
}

function wrong(where: string, expected: string, value: unknown): DecodeError {
  return new DecodeError(`The ${where} of a task's message: expected ${expected}; got ${describe(value)}.`);
}
