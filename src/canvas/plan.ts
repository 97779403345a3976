/**
 * What to send for a signature, and in what order. Nothing is sent here.
 *
 * @see celery.canvas.Signature.apply_async
 */
import { InvalidArgumentError } from '../errors.ts';
import type { GroupTuple, ResultTuple } from '../meta.ts';
import { firstOf, flatten, Freezer, type Outcome, textOption, toTuple } from './freeze.ts';
import { type Lineage, makeMessage, type Sender, type CanvasMessage } from './message.ts';
import {
  addTo,
  type ChainNode,
  type ChordNode,
  type GroupNode,
  maybeList,
  mergeOptions,
  type Node,
  type Options,
  parseNode,
  serialise,
  type TaskNode,
  without,
} from './node.ts';

/** One step: a message, the size of a chord, or the header of a chord that is to be saved. */
export type Step =
  | { readonly kind: 'send'; readonly message: CanvasMessage }
  | { readonly kind: 'chord-size'; readonly groupId: string; readonly size: number }
  | { readonly kind: 'chord-header'; readonly header: GroupTuple };

/** What to do for a signature. */
export interface Plan {
  /** In order. */
  readonly steps: readonly Step[];
  /** What the caller gets: the last task of a chain, the body of a chord, with what comes before. */
  readonly result: ResultTuple | null;
  /** What becomes a child of the task that sends it: the first task of a chain, the header of a chord. */
  readonly children: readonly ResultTuple[];
}

/** What a plan is made with. */
export interface PlanContext extends Sender {
  /** Of the task that sends. */
  readonly lineage: Lineage;
  newId(): string;
}

/**
 * Plans a signature.
 *
 * @param args - before its own, unless it is immutable
 * @param options - over its own
 * @throws DecodeError when it is no signature
 * @throws InvalidArgumentError for a group with a callback
 */
export function plan(signature: unknown, args: readonly unknown[], options: Options, context: PlanContext): Plan {
  return new Planner(context).plan([parseNode(signature)], args, options);
}

/** Plans a group of signatures, as for the callbacks of a task. */
export function planGroup(
  signatures: readonly unknown[],
  args: readonly unknown[],
  options: Options,
  context: PlanContext,
): Plan {
  const tasks = signatures.map((signature) => parseNode(signature));
  const group: GroupNode = { kind: 'group', tasks, args: [], kwargs: {}, options: {}, immutable: false, rest: {} };
  return new Planner(context).plan([group], args, options);
}

/** Who counts the members of a group that is sent. */
type Counting = 'here' | 'elsewhere';

/** Writes the steps down. */
class Planner {
  readonly #context: PlanContext;
  readonly #freezer: Freezer;
  readonly #steps: Step[] = [];
  readonly #children: Outcome[] = [];

  constructor(context: PlanContext) {
    this.#context = context;
    this.#freezer = new Freezer(() => context.newId());
  }

  plan(nodes: readonly Node[], args: readonly unknown[], options: Options): Plan {
    const outcomes = nodes.map((node) => this.#apply(node, args, options, true));
    const [result = null] = outcomes;
    return { steps: this.#steps, result: result && toTuple(result), children: this.#children.map(toTuple) };
  }

  /** @param isChild - whether what is sent becomes a child of the sender */
  #apply(node: Node, args: readonly unknown[], options: Options, isChild: boolean): Outcome | null {
    switch (node.kind) {
      case 'task':
        return this.#applyTask(node, args, options, isChild);
      case 'chain':
        return this.#applyChain(node, args, options, isChild);
      case 'group':
        return this.#applyGroup(node, args, options, isChild, node.options['chord'] ? 'elsewhere' : 'here');
      case 'chord':
        return this.#applyChord(node, args, options, isChild);
    }
  }

  #applyTask(node: TaskNode, args: readonly unknown[], options: Options, isChild: boolean): Outcome {
    const merged = mergeOptions(node.options, options);
    const id = textOption(merged, 'task_id') ?? this.#context.newId();
    const call = {
      task: node.task,
      args: combined(node, args),
      kwargs: node.kwargs,
      options: { ...merged, task_id: id },
    };
    this.#steps.push({ kind: 'send', message: makeMessage(call, this.#context.lineage, this.#context) });
    return this.#child({ id, parent: null, members: null }, isChild);
  }

  #applyChain(node: ChainNode, args: readonly unknown[], given: Options, isChild: boolean): Outcome | null {
    const options = mergeOptions(node.options, given);
    const { link, link_error: errbacks, chord, group_index: groupIndex } = options;
    const [rootId, parentId] = [textOption(options, 'root_id'), textOption(options, 'parent_id')];
    const { tasks, outcomes } = this.#freezer.prepareChain(node, {
      id: textOption(options, 'task_id'),
      groupId: textOption(options, 'group_id'),
      groupIndex: typeof groupIndex === 'number' ? groupIndex : undefined,
      chord,
      rootId,
      args: combined(node, args),
      errbacks,
    });
    const last = tasks[0];
    if (last && link) addTo(last.options, 'link', maybeList(link));
    const first = tasks.pop();
    if (!first) return null;
    const rest = [...maybeList(options['chain']), ...tasks.map(serialise)];
    const others = { ...without(options, CONSUMED), root_id: rootId, parent_id: parentId, chain: rest };
    const applied = this.#apply(first, [], others, isChild);
    return tasks.length === 0 ? applied : (outcomes[0] ?? null);
  }

  #applyGroup(
    node: GroupNode,
    args: readonly unknown[],
    given: Options,
    isChild: boolean,
    counting: Counting,
  ): Outcome {
    const options = mergeOptions(node.options, given);
    if (maybeList(options['link']).length > 0) {
      throw new InvalidArgumentError('A group cannot have a callback: make it a chord.');
    }
    const groupId = textOption(options, 'task_id') ?? this.#context.newId();
    const { chord } = options;
    const rest = without(options, ['chord', 'group_index', 'task_id']);
    const tasks = flatten(node.tasks);
    const rootId = textOption(options, 'root_id');
    const members = tasks.map((member) => this.#freezer.freeze(member, { groupId, rootId }));
    let size = 0;
    for (const [index, member] of tasks.entries()) {
      const body = chord ?? member.options['chord'];
      size += leaves(member);
      if (body && counting === 'here' && index === tasks.length - 1) {
        this.#steps.push({ kind: 'chord-size', groupId, size });
      }
      this.#apply(member, combined(node, args), { ...rest, group_id: groupId, chord: body }, false);
    }
    const [only] = members;
    const isOneGroup = members.length === 1 && only?.members;
    const outcome = isOneGroup ? only : { id: groupId, parent: null, members };
    return this.#child(outcome, isChild && tasks.length > 0);
  }

  #applyChord(node: ChordNode, args: readonly unknown[], given: Options, isChild: boolean): Outcome | null {
    const { task_id: id, ...options } = mergeOptions(node.options, given);
    const { header, body } = node;
    const groupId = textOption(header.options, 'task_id') ?? this.#context.newId();
    body.options = mergeOptions(body.options, options);
    const rootId = textOption(body.options, 'root_id');
    const outcome = this.#freezer.freeze(body, { id: typeof id === 'string' ? id : undefined, rootId });
    if (header.tasks.length === 0) {
      this.#apply(body, [[]], {}, isChild);
      firstOf(outcome).parent = { id: groupId, parent: null, members: [] };
      return outcome;
    }
    const chord = serialise(body);
    const members = this.#freezer.freezeGroup(header, { groupId, chord, rootId });
    if (members.members.some((member) => member.members)) {
      this.#steps.push({ kind: 'chord-header', header: toTuple(members) as GroupTuple });
    }
    // What follows comes after the body, and a chord around this one counts the body.
    const others = without(options, ['chain', 'chord', 'group_id', 'group_index']);
    const headerOptions = { ...others, task_id: groupId, chord };
    firstOf(outcome).parent = this.#applyGroup(header, combined(node, args), headerOptions, isChild, 'here');
    return outcome;
  }

  #child(outcome: Outcome, isChild: boolean): Outcome {
    if (isChild) this.#children.push(outcome);
    return outcome;
  }
}

/** Options of a chain that its tasks are given one by one. */
const CONSUMED = ['task_id', 'group_id', 'group_index', 'chord', 'link', 'link_error', 'root_id', 'parent_id', 'chain'];

/** What is called first comes before a signature's own arguments. */
function combined(node: Node, args: readonly unknown[]): readonly unknown[] {
  return node.immutable ? node.args : [...args, ...node.args];
}

/**
 * How many tasks must end for a signature to be complete: the last of a chain, the body of a chord, every member of a
 * group.
 *
 * @see celery.canvas._chord._descend
 */
function leaves(node: Node): number {
  switch (node.kind) {
    case 'task':
      return 1;
    case 'group':
      return node.tasks.reduce((sum, member) => sum + leaves(member), 0);
    case 'chain':
      return node.tasks.reduceRight((size, task) => size || leaves(task), 0);
    case 'chord':
      return leaves(node.body);
  }
}
