/**
 * Signatures as they travel in messages: what to call, with what, and how.
 *
 * Field names are those of the wire and are never renamed.
 *
 * @see celery.canvas.Signature
 */

/** Options of a signature, as far as anybody here looks at them. */
export interface SignatureOptions {
  readonly task_id?: string | null;
  readonly group_id?: string | null;
  readonly group_index?: number | null;
  readonly parent_id?: string | null;
  readonly root_id?: string | null;
  /** The body of the chord that the task is a part of. */
  readonly chord?: Signature | null;
  /** What follows, the next one last. */
  readonly chain?: readonly Signature[] | null;
  readonly [option: string]: unknown;
}

/** A serialised signature. */
export interface Signature {
  /** The task's name; `'celery.chain'`, `'celery.group'` and `'celery.chord'` for those. */
  readonly task: string;
  readonly args?: readonly unknown[] | null;
  readonly kwargs?: Readonly<Record<string, unknown>> | null;
  readonly options?: SignatureOptions | null;
  /** `'chain'`, `'group'` or `'chord'`; else null. */
  readonly subtask_type?: string | null;
  /** Whether it takes no arguments besides its own. */
  readonly immutable?: boolean | null;
  readonly [field: string]: unknown;
}
