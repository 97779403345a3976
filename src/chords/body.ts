/** The body of a chord: what is sent, or fails, in the end. */
import type { CeleryApp } from '../arguments.ts';
import type { Codec } from '../codec.ts';
import type { Warnings } from '../diagnostics.ts';
import type { Errbacks } from '../errbacks.ts';
import { DecodeError } from '../errors.ts';
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

/** One task that the failure of a chord is stored for. */
interface Doomed {
  readonly id: string;
  readonly info: ExceptionInfo;
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
   * Fails the body: sends its error callbacks, then stores a ChordError for it. A body that is a group fails member by
   * member, with the exception of the part. A body without an id has nothing to store the failure under.
   *
   * @throws BackendStoreError
   * @see celery.backends.base.Backend.chord_error_from_stack
   */
  async fail(body: Signature, { text, cause }: ChordFailure): Promise<void> {
    const chordError = { exc_type: 'ChordError', exc_message: [text], exc_module: 'celery.exceptions' };
    const info = isGroup(body) ? (cause ?? chordError) : chordError;
    const ids = idsOf(body);
    if (ids.length === 0) await this.#sendErrbacks(body, { id: '', info });
    for (const id of ids) {
      const doomed = { id, info };
      const children = await this.#sendErrbacks(body, doomed);
      await this.#parts.writer.write(id, info, 'FAILURE', {
        traceback: `${lastLine(info)}\n`,
        ...(children.length > 0 && { request: { children } }),
      });
    }
  }

  /** The message of a body that could not be sent. */
  static unsent(repr: string): ChordFailure {
    return { text: UNSENT + repr };
  }

  async #sendErrbacks(body: Signature, { id, info }: Doomed): Promise<readonly ResultTuple[]> {
    const links = body.options?.['link_error'];
    const errbacks = (Array.isArray(links) ? links : [links]).filter(isSignature);
    const traceback = `${lastLine(info)}\n`;
    const { result: error } = this.#parts.codec.present({ status: 'FAILURE', result: info, traceback }, id);
    const request = { ...(id && { id }), task: body.task, errbacks, delivery_info: {} };
    try {
      return await this.#parts.errbacks.send({ request, error, traceback });
    } catch (reason) {
      // The failure itself must be stored, whatever becomes of its callbacks.
      this.#parts.warnings.warn(
        'CELERY_ERRBACKS_UNSENT',
        `The error callbacks of the chord body ${describe(id)} were not sent: ${describe(String(reason))}`,
      );
      return [];
    }
  }
}

/** The ids that the end of a body is seen by: its own; of a group those of its members, and its own. */
function idsOf(body: Signature): readonly string[] {
  const tasks = isGroup(body) ? body.kwargs?.['tasks'] : [];
  const members = (Array.isArray(tasks) ? tasks : []).filter(isSignature);
  const ids = [...members, body].map(({ options }) => options?.task_id);
  return [...new Set(ids.filter(isId))];
}

function isGroup(body: Signature): boolean {
  return body.task === 'celery.group' || body.subtask_type === 'group';
}

function isSignature(value: unknown): value is Signature {
  return typeof value === 'object' && value !== null && 'task' in value && typeof value.task === 'string';
}

function isUnsent({ result }: TaskMeta): boolean {
  const info = result as Partial<ExceptionInfo> | null;
  return info?.exc_type === 'ChordError' && String(info.exc_message?.[0]).startsWith(UNSENT);
}

/** The last line of a Python traceback. */
function lastLine({ exc_module: module, exc_type: type, exc_message: args }: ExceptionInfo): string {
  const name = module === null || module === 'builtins' ? type : `${module}.${type}`;
  return args.length > 0 ? `${name}: ${args.map(String).join(', ')}` : name;
}
