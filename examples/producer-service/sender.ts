/** Sends tasks, groups and chords, each subscribed to before it is sent. */
import type { BaseBackend } from 'celery-redis-backend';
import { Canvas, type CanvasOptions, chord, group, signature } from 'celery-redis-backend/canvas';
import { type Call, type Known, queueOf } from './catalogue.ts';

const signatureOf = ({ task, taskId, args = [] }: Known & Partial<Call>): ReturnType<typeof signature> =>
  signature(task, args, { options: { queue: queueOf(task), task_id: taskId } });

/** What the service sends. */
export class Sender {
  readonly #backend: BaseBackend;
  readonly #canvas: Canvas;

  /** @param send - gives a message to the broker; rejects with SendError */
  constructor(backend: BaseBackend, send: CanvasOptions['send']) {
    this.#backend = backend;
    this.#canvas = new Canvas({ backend, send });
  }

  async task(call: Call): Promise<void> {
    await this.#prepare([call]);
    await this.#canvas.apply(signatureOf(call));
  }

  /** Which tasks are the group's is stored as well, so that its values can be asked for by its id, here or elsewhere. */
  async group(groupId: string, calls: readonly Call[]): Promise<void> {
    await this.#prepare(calls);
    await this.#backend.saveGroup(groupId, [[groupId, null], calls.map(({ taskId }) => [[taskId, null], null])]);
    await this.#canvas.apply(group(calls.map(signatureOf), { task_id: groupId }));
  }

  /** The last task of the header, in whichever worker, has the body sent with the list of their values. */
  async chord(header: readonly Call[], body: Known): Promise<void> {
    await this.#prepare([...header, body]);
    await this.#canvas.apply(chord(header.map(signatureOf), signatureOf(body)));
  }

  async #prepare(calls: readonly Known[]): Promise<void> {
    await Promise.all(calls.map(({ taskId }) => this.#backend.onTaskCall(taskId)));
  }
}
