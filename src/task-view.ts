/** What the meta of a task tells. */
import { DecodeError } from './errors.ts';
import { checkId } from './keys.ts';
import type { TaskMeta } from './meta.ts';
import type { ResultSource } from './result-node.ts';
import { describe } from './serializers/excerpt.ts';
import { parseDatetime } from './serializers/iso.ts';
import { isReady, type TaskState } from './states.ts';

/**
 * A task as its meta shows it.
 *
 * unknown -> known
 *
 * Unknown, each question reads anew (GET). Once a ready meta was seen it is kept for the object's life.
 */
export class TaskView {
  readonly id: string;
  readonly #source: ResultSource;
  #known: TaskMeta | undefined;

  constructor(id: string, backend: ResultSource) {
    checkId(id);
    this.id = id;
    this.#source = backend;
  }

  /** As `id`. */
  get taskId(): string {
    return this.id;
  }

  /** The ready meta, once it was seen. */
  get known(): TaskMeta | undefined {
    return this.#known;
  }

  /** Keeps a meta if it is ready and none is kept; undefined drops what is kept. */
  take(meta: TaskMeta | undefined): void {
    if (!meta) this.#known = undefined;
    else if (isReady(meta.status)) this.#known ??= meta;
  }

  /** The meta as it is now. All that follows is taken from it. */
  async meta(): Promise<TaskMeta> {
    if (this.#known) return this.#known;
    const meta = await this.#source.getTaskMeta(this.id);
    this.take(meta);
    return meta;
  }

  /** Whether the state is SUCCESS, FAILURE or REVOKED. */
  async ready(): Promise<boolean> {
    return isReady(await this.state());
  }

  async successful(): Promise<boolean> {
    return (await this.state()) === 'SUCCESS';
  }

  /** Whether the state is FAILURE; REVOKED is neither failed nor successful. */
  async failed(): Promise<boolean> {
    return (await this.state()) === 'FAILURE';
  }

  async state(): Promise<TaskState> {
    return (await this.meta()).status;
  }

  /** As {@link state}. */
  status(): Promise<TaskState> {
    return this.state();
  }

  /** The value; the error of a failure or retry; what STARTED or a state of one's own tells; null when PENDING. */
  async result(): Promise<unknown> {
    return (await this.meta()).result;
  }

  /** As {@link result}. */
  info(): Promise<unknown> {
    return this.result();
  }

  async traceback(): Promise<string | null> {
    return (await this.meta()).traceback ?? null;
  }

  /** When the task became ready; null before that. @throws DecodeError when the text is no ISO 8601 */
  async dateDone(): Promise<Date | null> {
    const { date_done: text = null } = await this.meta();
    if (text === null) return null;
    try {
      return parseDatetime(text);
    } catch (cause) {
      throw new DecodeError(`date_done of task ${this.id}: expected ISO 8601; got ${describe(text)}.`, { cause });
    }
  }

  /** The task's name. This and the following: null unless the writer has `result_extended`. */
  async name(): Promise<string | null> {
    return (await this.meta()).name ?? null;
  }

  async args(): Promise<unknown> {
    return (await this.meta()).args ?? null;
  }

  async kwargs(): Promise<unknown> {
    return (await this.meta()).kwargs ?? null;
  }

  async worker(): Promise<string | null> {
    return (await this.meta()).worker ?? null;
  }

  async retries(): Promise<number | null> {
    return (await this.meta()).retries ?? null;
  }

  async queue(): Promise<string | null> {
    return (await this.meta()).queue ?? null;
  }
}
