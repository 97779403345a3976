/** The body of a chord: what is sent, or fails, in the end. */
import type { CeleryApp } from '../arguments.ts';
import type { Codec } from '../codec.ts';
import type { Warnings } from '../diagnostics.ts';
import type { Errbacks } from '../errbacks.ts';
import { DecodeError } from '../errors.ts';
import { messageOf } from '../exception-text.ts';
import { isId } from '../keys.ts';
import type { ExceptionInfo, ResultTuple, TaskMeta } from '../meta.ts';
import type { Reader } from '../reader.ts';
import type { Signature } from '../signature.ts';
import { describe } from '../serializers/excerpt.ts';
import { isReady } from '../states.ts';
import type { Writer } from '../writer.ts';

/** How the message of a body begins that could not be sent. */
const UNSENT = 'Callback error: ';

/** Why a chord fails. */
export interface ChordFailure {
  /** The message of the ChordError. */
  readonly text: string;
  /** What the members of a body that is a group fail with: the exception of the part. @default the ChordError */
  readonly cause?: ExceptionInfo | undefined;
}

/** What bodies are handled with. */
export interface BodyParts {
  readonly app: CeleryApp;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly codec: Codec;
  readonly errbacks: Errbacks;
  readonly warnings: Warnings;
}

/** Bodies of chords. */
export class ChordBodies {
  readonly #parts: BodyParts;

  constructor(parts: BodyParts) {
    this.#parts = parts;
  }

  /** Sends the body, with the results as its one argument. @throws what the application throws */
  async send(body: Signature, results: readonly unknown[]): Promise<void> {
    await this.#parts.app.applySignature?.(body, [results]);
  }

  /**
   * Whether the chord has come to its end: the body was sent and is ready, or failed with the chord. A body that could
   * not be sent can still be. Sends MGET.
   */
  async isSettled(body: Signature): Promise<boolean> {
    const ids = idsOf(body);
    if (ids.length === 0) return false;
    try {
      const metas = await this.#parts.reader.readMany(ids);
      return [...metas.values()].some((meta) => isReady(meta.status) && !isUnsent(meta));
    } catch (error) {
      // What cannot be read is no result of the body.
      if (error instanceof DecodeError) return false;
      throw error;
    }
  }

  /**
   * Fails the body: stores a ChordError for it, then sends its error callbacks, whose results become its children. A body that is a group fails member by
   * member, with the exception of the part; one that is a chain task by task. What has no id has nothing to store the
   * failure under.
   *
   * @throws BackendStoreError
   * @see celery.backends.base.Backend.chord_error_from_stack
   */
  async fail(body: Signature, { text, cause }: ChordFailure): Promise<void> {
    const chordError = { exc_type: 'ChordError', exc_message: [text], exc_module: 'celery.exceptions' };
    const info = isA('group', body) ? (cause ?? chordError) : chordError;
    const tasks = tasksOf(body);
    for (const task of tasks) await this.#store(task, info, []);
    for (const task of tasks) {
      const children = await this.#sendErrbacks(task, info);
      if (children.length > 0) await this.#store(task, info, children);
    }
  }

  /** The message of a body that could not be sent. */
  static unsent(repr: string): ChordFailure {
    return { text: UNSENT + repr };
  }

  async #store({ options }: Signature, info: ExceptionInfo, children: readonly ResultTuple[]): Promise<void> {
    if (!isId(options?.task_id)) return;
    const traceback = `${lastLine(info)}\n`;
    const request = children.length > 0 ? { children } : undefined;
    await this.#parts.writer.write(options.task_id, info, 'FAILURE', { traceback, request });
  }

  /** Sends the error callbacks of one task of the body. */
  async #sendErrbacks({ task, options }: Signature, info: ExceptionInfo): Promise<readonly ResultTuple[]> {
    const id = isId(options?.task_id) ? options.task_id : undefined;
    const links = options?.['link_error'];
    const errbacks = (Array.isArray(links) ? links : [links]).filter(isSignature);
    const traceback = `${lastLine(info)}\n`;
    const { result: error } = this.#parts.codec.present({ status: 'FAILURE', result: info, traceback }, id ?? '');
    const request = { ...(id && { id }), task, errbacks, delivery_info: {} };
    try {
      return await this.#parts.errbacks.send({ request, error, traceback });
    } catch (reason) {
      // The failure itself is stored, whatever becomes of its callbacks.
      this.#parts.warnings.warn(
        'CELERY_ERRBACKS_UNSENT',
        `The error callbacks of the chord body ${describe(id)} were not sent: ${describe(String(reason))}`,
      );
      return [];
    }
  }
}

/** The ids that the end of a body is seen by: its own; of a chain that of its last task, of a group those of its members. */
function idsOf(body: Signature): readonly string[] {
  const inner = innerOf(body);
  const last = isA('chain', body) ? inner.slice(-1) : inner;
  const ids = [...last.flatMap(idsOf), ...(isA('chord', body) ? [] : [body.options?.task_id])];
  return [...new Set(ids.filter(isId))];
}

/** The tasks that never run when a body does not: of a chain, a group and the body of a chord all, and then the whole. */
function tasksOf(body: Signature): readonly Signature[] {
  const inner = innerOf(body).flatMap(tasksOf);
  return isA('chord', body) ? inner : [...inner, body];
}

/** What a signature is made of, in order. A chord ends with its body. */
function innerOf(body: Signature): readonly Signature[] {
  if (isA('chord', body)) return [body.kwargs?.['body']].filter(isSignature);
  const tasks = isA('group', body) || isA('chain', body) ? body.kwargs?.['tasks'] : [];
  return (Array.isArray(tasks) ? tasks : []).filter(isSignature);
}

function isA(kind: 'group' | 'chain' | 'chord', { task, subtask_type: type }: Signature): boolean {
  return task === `celery.${kind}` || type === kind;
}

function isSignature(value: unknown): value is Signature {
  return typeof value === 'object' && value !== null && 'task' in value && typeof value.task === 'string';
}

function isUnsent({ result }: TaskMeta): boolean {
  const info = result as Partial<ExceptionInfo> | null;
  const message: unknown = info?.exc_type === 'ChordError' ? info.exc_message?.[0] : undefined;
  return typeof message === 'string' && message.startsWith(UNSENT);
}

/** The last line of a Python traceback. */
function lastLine({ exc_module: module, exc_type: type, exc_message: args }: ExceptionInfo): string {
  const name = module === null || module === 'builtins' ? type : `${module}.${type}`;
  return args.length > 0 ? `${name}: ${messageOf(type, args)}` : name;
}
