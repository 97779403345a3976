/**
 * Signatures in the making: copies of what came from the wire or from the user, which may be changed while they are
 * prepared.
 *
 * @see celery.canvas.Signature.from_dict
 */
import { DecodeError } from '../errors.ts';
import { describe } from '../serializers/excerpt.ts';
import type { Signature } from '../signature.ts';

/** Options that may be added to. */
export type Options = Record<string, unknown>;

interface Common {
  args: readonly unknown[];
  kwargs: Readonly<Record<string, unknown>>;
  options: Options;
  immutable: boolean;
  /** Fields that nobody here knows, by their names. */
  readonly rest: Readonly<Record<string, unknown>>;
}

/** One task. */
export interface TaskNode extends Common {
  readonly kind: 'task';
  readonly task: string;
  readonly subtaskType: string | null;
}

/** Tasks one after the other. */
export interface ChainNode extends Common {
  readonly kind: 'chain';
  tasks: Node[];
}

/** Tasks beside one another. */
export interface GroupNode extends Common {
  readonly kind: 'group';
  tasks: Node[];
}

/** A group, and what is called with its values. */
export interface ChordNode extends Common {
  readonly kind: 'chord';
  header: GroupNode;
  body: Node;
}

export type Node = TaskNode | ChainNode | GroupNode | ChordNode;

/** Signatures inside one another. */
const MAX_DEPTH = 1000;

/** A copy of a signature. @throws DecodeError when it is none, or goes deeper than 1,000 */
export function parseNode(signature: unknown): Node {
  return parse(signature, 0);
}

/** A group of these tasks. */
export function groupOf(tasks: readonly Node[], options: Options = {}): GroupNode {
  return { kind: 'group', tasks: [...tasks], args: [], kwargs: {}, options, immutable: false, rest: {} };
}

/** A chord of its two halves. */
export function chordOf(header: GroupNode, body: Node, options: Options): ChordNode {
  return { kind: 'chord', header, body, args: [], kwargs: {}, options, immutable: false, rest: {} };
}

function parse(value: unknown, depth: number): Node {
  if (depth > MAX_DEPTH) throw new DecodeError(`Expected a signature; got one deeper than ${MAX_DEPTH}.`);
  const { task, args, kwargs, options, subtask_type: type, immutable, ...rest } = bagOf(value, 'a signature');
  const common = {
    args: listOf(args, 'its args'),
    kwargs: { ...bagOf(kwargs ?? {}, "a signature's kwargs") },
    options: { ...bagOf(options ?? {}, "a signature's options") },
    immutable: immutable === true,
    rest,
  };
  const many = (tasks: unknown): Node[] => listOf(tasks, 'its tasks').map((member) => parse(member, depth + 1));
  if (type === 'chain' || type === 'group') {
    const { tasks, ...others } = common.kwargs;
    return { ...common, kind: type, kwargs: others, tasks: many(tasks) };
  }
  if (type === 'chord') {
    const { header, body, ...others } = common.kwargs;
    return { ...common, kind: type, kwargs: others, header: headerOf(header, depth), body: parse(body, depth + 1) };
  }
  if (typeof task !== 'string' || task === '') {
    throw new DecodeError(`Expected a signature with the name of its task; got ${describe(task)}.`);
  }
  return { ...common, kind: 'task', task, subtaskType: typeof type === 'string' ? type : null };
}

/** A header is a list of tasks, or a group. */
function headerOf(header: unknown, depth: number): GroupNode {
  if (Array.isArray(header)) return groupOf(header.map((member) => parse(member, depth + 1)));
  const node = parse(header, depth + 1);
  if (node.kind === 'group') return node;
  return groupOf(node.kind === 'chain' ? node.tasks : [node]);
}

function bagOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new DecodeError(`Expected ${what}; got ${describe(value)}.`);
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value as readonly unknown[];
  throw new DecodeError(`Expected a signature and a list for ${what}; got ${describe(value)}.`);
}

/** The signature as it travels, with its fields in Celery's order. */
export function serialise(node: Node): Signature {
  return {
    ...node.rest,
    task: node.kind === 'task' ? node.task : `celery.${node.kind}`,
    args: node.args,
    kwargs: kwargsOf(node),
    options: node.options,
    subtask_type: node.kind === 'task' ? node.subtaskType : node.kind,
    immutable: node.immutable,
  };
}

function kwargsOf(node: Node): Readonly<Record<string, unknown>> {
  switch (node.kind) {
    case 'task':
      return node.kwargs;
    case 'chain':
    case 'group':
      return { ...node.kwargs, tasks: node.tasks.map(serialise) };
    case 'chord':
      return { kwargs: {}, ...node.kwargs, header: serialise(node.header), body: serialise(node.body) };
  }
}

/** Options of the second win, but for the id of the group that the task was put into, and for what is not set. */
export function mergeOptions(own: Options, given: Options): Options {
  const merged = { ...own };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || (name === 'group_id' && merged[name])) continue;
    merged[name] = value;
  }
  return merged;
}

/** A list of what may be one, or nothing. @see celery.utils.functional.maybe_list */
export function maybeList(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? (value as readonly unknown[]) : [value];
}

/** Options but for some. */
export function without(options: Options, names: readonly string[]): Options {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
}

/** Adds what is to be called when it fails. @see celery.canvas.Signature.link_error */
export function linkError(node: Node, errback: unknown): void {
  if (node.kind === 'group') for (const member of node.tasks) linkError(member, errback);
  else if (node.kind === 'chord') linkError(node.body, errback);
  else addTo(node.options, 'link_error', [errback]);
}

/** Adds to an option that is a list, without doubles. */
export function addTo(options: Options, name: string, items: readonly unknown[]): void {
  const list = [...maybeList(options[name])];
  const known = new Set(list.map((item) => JSON.stringify(item, plain)));
  for (const item of items) if (!known.has(JSON.stringify(item, plain))) list.push(item);
  options[name] = list;
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
