/** Signatures made by hand. */
import type { Signature, SignatureOptions } from '../signature.ts';

/** What a signature may be given besides its task and arguments. */
export interface SignatureSettings {
  readonly kwargs?: Readonly<Record<string, unknown>>;
  /** Whether it takes no arguments besides its own. @default false */
  readonly immutable?: boolean;
  /** Celery's names: `queue`, `countdown` and `expires` in seconds, `link`, `link_error`, `task_id`, ... */
  readonly options?: SignatureOptions;
}

/**
 * The signature of a task.
 *
 * @example signature('tasks.add', [2, 2])
 * @see celery.canvas.signature
 */
export function signature(
  task: string,
  args: readonly unknown[] = [],
  { kwargs = {}, immutable = false, options = {} }: SignatureSettings = {},
): Signature {
  return { task, args, kwargs, options, subtask_type: null, immutable };
}

/** Tasks one after the other, each given the value of the one before. @see celery.canvas.chain */
export function chain(tasks: readonly Signature[], options: SignatureOptions = {}): Signature {
  return { task: 'celery.chain', args: [], kwargs: { tasks }, options, subtask_type: 'chain', immutable: false };
}

/** Tasks beside one another. @see celery.canvas.group */
export function group(tasks: readonly Signature[], options: SignatureOptions = {}): Signature {
  return { task: 'celery.group', args: [], kwargs: { tasks }, options, subtask_type: 'group', immutable: false };
}

/**
 * Tasks beside one another, and one that is given the list of their values.
 *
 * @see celery.canvas.chord
 */
export function chord(header: readonly Signature[], body: Signature, options: SignatureOptions = {}): Signature {
  const kwargs = { kwargs: {}, header, body };
  return { task: 'celery.chord', args: [], kwargs, options, subtask_type: 'chord', immutable: false };
}
