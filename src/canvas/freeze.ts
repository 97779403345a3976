/**
 * Gives the tasks of a signature their ids, and their places in groups and chords, before anything is sent.
 *
 * @see celery.canvas.Signature.freeze
 */
import type { ResultTuple } from '../meta.ts';
import {
  type ChainNode,
  type ChordNode,
  chordOf,
  type GroupNode,
  linkError,
  maybeList,
  type Node,
  type Options,
  serialise,
} from './node.ts';

/** A result in the making. */
export interface Outcome {
  readonly id: string;
  parent: Outcome | null;
  /** Null for a task. */
  readonly members: readonly Outcome[] | null;
}

/** `[[id, parent], members]` */
export function toTuple({ id, parent, members }: Outcome): ResultTuple {
  return [[id, parent && toTuple(parent)], members?.map(toTuple) ?? null];
}

/** Where a signature stands. */
export interface Place {
  /** For the last task of it, unless it has an id. */
  readonly id?: string | undefined;
  readonly groupId?: string | undefined;
  readonly groupIndex?: number | undefined;
  /** The body that counts it, as it travels. */
  readonly chord?: unknown;
  readonly rootId?: string | undefined;
  readonly parentId?: string | undefined;
}

/** What a chain is prepared with besides. */
export interface ChainPlace extends Place {
  /** For its first task. */
  readonly args?: readonly unknown[];
  /** For each of its tasks. */
  readonly errbacks?: unknown;
}

/** A chain taken apart: its tasks, and their results, the last one first, as chains travel. */
export interface PreparedChain {
  readonly tasks: Node[];
  readonly outcomes: Outcome[];
}

/** A text; undefined where there is none, or an empty one. */
export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Freezes signatures with new ids from one source. */
export class Freezer {
  readonly #newId: () => string;

  constructor(newId: () => string) {
    this.#newId = newId;
  }

  newId(): string {
    return this.#newId();
  }

  /** Freezes in place. Ids that are there stay. */
  freeze(node: Node, place: Place = {}): Outcome {
    switch (node.kind) {
      case 'task':
        return this.#freezeTask(node.options, place);
      case 'chain':
        return this.#freezeChain(node, place);
      case 'group':
        return this.freezeGroup(node, place);
      case 'chord':
        return this.#freezeChord(node, place);
    }
  }

  #freezeTask(options: Options, place: Place): Outcome {
    const id = textOption(options, 'task_id') ?? place.id ?? this.#newId();
    options['task_id'] = id;
    if (place.rootId) options['root_id'] = place.rootId;
    if (place.parentId) options['parent_id'] = place.parentId;
    if (place.groupId && !options['group_id']) options['group_id'] = place.groupId;
    if (place.chord) options['chord'] = place.chord;
    if (place.groupIndex !== undefined) options['group_index'] = place.groupIndex;
    return { id, parent: null, members: null };
  }

  #freezeChain(node: ChainNode, place: Place): Outcome {
    const { tasks, outcomes } = this.prepareChain(node, place);
    node.tasks = [...tasks].reverse();
    return outcomes[0] ?? { id: this.#newId(), parent: null, members: [] };
  }

  /**
   * The group's id is that of the chord whose part it is, where it ends a chain of a header: so its members count there.
   * Groups inside are dissolved.
   */
  freezeGroup(node: GroupNode, place: Place): Outcome & { readonly members: readonly Outcome[] } {
    const { options } = node;
    const id = textOption(options, 'task_id') ?? place.groupId ?? this.#newId();
    options['task_id'] = id;
    if (place.groupId) options['group_id'] = place.groupId;
    if (place.chord) options['chord'] = place.chord;
    if (place.groupIndex !== undefined) options['group_index'] = place.groupIndex;
    const rootId = textOption(options, 'root_id') ?? place.rootId;
    const parentId = textOption(options, 'parent_id') ?? place.parentId;
    if (rootId) options['root_id'] = rootId;
    if (parentId) options['parent_id'] = parentId;
    node.tasks = flatten(node.tasks);
    const { groupId, chord } = place;
    const members = node.tasks.map((member, groupIndex) =>
      this.freeze(member, { groupId, chord, rootId, parentId, groupIndex }),
    );
    return { id, parent: null, members };
  }

  #freezeChord(node: ChordNode, { id, groupId, groupIndex, chord, rootId, parentId }: Place): Outcome {
    // First, so that the members of the header carry the body with its id.
    const body = this.freeze(node.body, { id, rootId, chord, groupId, groupIndex });
    const header = this.freezeGroup(node.header, { rootId, parentId, chord: serialise(node.body) });
    firstOf(body).parent = header;
    node.options['task_id'] = header.id;
    return body;
  }

  /**
   * Takes a chain apart: chains inside are dissolved, and a group with something after it becomes a chord.
   *
   * @see celery.canvas._chain.prepare_steps
   */
  prepareChain(chain: ChainNode, place: ChainPlace): PreparedChain {
    const { rootId, args = [], errbacks } = place;
    const steps = [...chain.tasks];
    const tasks: Node[] = [];
    const outcomes: Outcome[] = [];
    let last = true;
    for (let step = steps.pop(); step; step = steps.pop()) {
      let task = unrolled(step);
      if (task.kind === 'chain') {
        steps.push(...task.tasks);
        continue;
      }
      if (steps.length === 0 && !task.immutable) task.args = [...args, ...task.args];
      if (task.kind === 'group' && tasks.length > 0) {
        outcomes.pop();
        task = chordOf(task, tasks.pop() ?? task, rootId ? { root_id: rootId } : {});
      }
      outcomes.push(this.freeze(task, last ? place : { rootId }));
      for (const errback of maybeList(errbacks)) linkError(task, errback);
      tasks.push(task);
      last = false;
    }
    outcomes.reduce((after, before) => ((firstOf(after).parent = before), before), { ...NOBODY });
    return { tasks, outcomes };
  }
}

/** Stands after the last. */
const NOBODY: Outcome = { id: '', parent: null, members: null };

/** The first of what came before a result. */
export function firstOf(outcome: Outcome): Outcome {
  let first = outcome;
  while (first.parent) first = first.parent;
  return first;
}

/** A group of one is its member. */
function unrolled(node: Node): Node {
  return node.kind === 'group' && node.tasks.length === 1 && node.tasks[0] ? unrolled(node.tasks[0]) : node;
}

/** The tasks of groups inside groups beside one another. */
export function flatten(tasks: readonly Node[]): Node[] {
  return tasks.flatMap((task) => (task.kind === 'group' ? flatten(task.tasks) : [task]));
}
