/** What the tests of chords share. */
import type { BackendOptions, BaseBackend, Signature, TaskMeta, TaskRequest } from '../../index.ts';
import { type Context, keyOf, newId } from './context.ts';

/** The key of a chord: `.j`, `.t`, `.s` or `.c`. */
export const chordKey = (groupId: string, suffix: string): string => `celery-taskset-meta-${groupId}${suffix}`;

/** One chord under test, and the applications of those who return its parts. */
export class Chord {
  readonly groupId: string = newId();
  readonly bodyId: string = newId();
  readonly body: Signature = { task: 'app.body', options: { task_id: this.bodyId } };
  /** The bodies that were sent, each with its arguments. */
  readonly sent: (readonly [body: Signature, args: readonly unknown[]])[] = [];
  readonly app = {
    applySignature: (body: Signature, args: readonly unknown[]): Promise<void> => {
      this.sent.push([body, args]);
      return this.onSend();
    },
  };
  readonly #context: Context;
  readonly #options: BackendOptions;
  /** What sending comes to. */
  onSend: () => Promise<void> = () => Promise.resolve();

  constructor(context: Context, options: BackendOptions = {}) {
    this.#context = context;
    this.#options = options;
  }

  /** One worker more. */
  backend(options: BackendOptions = {}): BaseBackend {
    return this.#context.backend({ ...this.#options, ...options }, this.app);
  }

  /** The request of a header's task. */
  request(id: string, index: number | null = null, more: TaskRequest = {}): TaskRequest & { readonly id: string } {
    return { id, group: this.groupId, group_index: index, chord: this.body, ...more };
  }

  key(suffix: string): string {
    return chordKey(this.groupId, suffix);
  }

  /** Its keys, by their suffixes: what is there of them. */
  async keys(): Promise<Readonly<Record<string, unknown>>> {
    const { raw } = this.#context;
    const parts = await raw.members(this.key('.j'));
    const found: Record<string, unknown> = parts.length > 0 ? { j: parts.length } : {};
    for (const suffix of ['t', 's', 'c']) {
      const text = await raw.get(this.key(`.${suffix}`));
      if (text !== null) found[suffix] = text;
    }
    return found;
  }
}

/** The meta of a task as it is stored. */
export async function metaOf(context: Context, taskId: string): Promise<TaskMeta> {
  return JSON.parse((await context.raw.get(keyOf(taskId))) ?? 'null') as TaskMeta;
}

/** The `result` of a body whose chord failed. */
export const chordError = (text: string): object => ({
  exc_type: 'ChordError',
  exc_message: [text],
  exc_module: 'celery.exceptions',
});

/** Seconds: short, so that a test can wait for it. */
export const LEASE = 0.2;

/** A chord whose two parts are there, as one left it who vanished. */
export async function left(context: Context): Promise<Chord> {
  const chord = new Chord(context, { chordLease: LEASE });
  const backend = chord.backend();
  await backend.setChordSize(chord.groupId, 3);
  await backend.onChordPartReturn(chord.request('a', 0), 'SUCCESS', 1);
  await backend.onChordPartReturn(chord.request('b', 1), 'SUCCESS', 2);
  await context.raw.set(chord.key('.s'), '2');
  return chord;
}
