/** Which of the workers that share an app sends what follows a task. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { CeleryApp } from '../../arguments.ts';
import type { Canvas, CanvasHooks } from '../../canvas/canvas.ts';
import { ImproperlyConfigured } from '../../errors.ts';

/** By the app of a backend: it has one pair of hooks, however many workers are attached. */
const senders = new WeakMap<CeleryApp, Senders>();

/** The senders of an app. */
export function sendersOf(app: CeleryApp): Senders {
  const known = senders.get(app) ?? new Senders();
  senders.set(app, known);
  return known;
}

/**
 * What follows a task goes to the broker of the worker that runs it. What is sent outside of any task goes by the worker
 * that was attached last.
 *
 * A worker: absent -- add --> attached -- remove --> absent
 */
export class Senders {
  /** In the order in which they were attached. */
  readonly #canvases = new Map<object, Canvas>();
  readonly #current = new AsyncLocalStorage<Canvas>();
  readonly #hooks: CanvasHooks = {
    // Async, so that without a worker they reject.
    applySignature: async (signature, args) => this.#canvas().hooks.applySignature(signature, args),
    callErrbacks: async (call) => this.#canvas().hooks.callErrbacks(call),
  };

  /**
   * Attaches a worker, in the place of what was attached for it before, and gives the app the hooks that it has not.
   *
   * @throws ImproperlyConfigured when the app cannot be given them
   */
  add(app: CeleryApp, worker: object, canvas: Canvas): void {
    const missing = Object.entries(this.#hooks).filter(([name]) => Reflect.get(app, name) === undefined);
    if (!missing.every(([name, hook]) => Reflect.set(app, name, hook))) {
      throw new ImproperlyConfigured(
        'app: expected an object that can be given applySignature and callErrbacks; got a frozen one. Make the backend ' +
          'with an app that is not, or that has both.',
      );
    }
    this.#canvases.delete(worker);
    this.#canvases.set(worker, canvas);
  }

  /** Detaches a worker, unless another canvas is attached for it by now. Idempotent. */
  remove(worker: object, canvas: Canvas): void {
    if (this.#canvases.get(worker) === canvas) this.#canvases.delete(worker);
  }

  /** Has all that is sent meanwhile sent by this canvas. */
  run<T>(canvas: Canvas, work: () => T): T {
    return this.#current.run(canvas, work);
  }

  /** Within a task its own worker's, even a disconnected one: another may have another broker. */
  #canvas(): Canvas {
    const canvas = this.#current.getStore() ?? [...this.#canvases.values()].at(-1);
    if (canvas) return canvas;
    throw new ImproperlyConfigured(
      'app.applySignature, app.callErrbacks: expected a worker that is attached, to send by; got none, since all were ' +
        'disconnected. Attach one with attachWorker first.',
    );
  }
}
