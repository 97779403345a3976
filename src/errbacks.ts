/** Error callbacks, which the application sends. */
import { Abandonable } from './abandonable.ts';
import type { CeleryApp, ErrbackCall } from './arguments.ts';
import type { Warnings } from './diagnostics.ts';
import type { ResultTuple } from './meta.ts';
import { parseTuple } from './tuples.ts';

/** Sends the error callbacks of tasks that failed. */
export class Errbacks {
  readonly #app: CeleryApp;
  readonly #warnings: Warnings;
  readonly #sending = new Abandonable();

  constructor(app: CeleryApp, warnings: Warnings) {
    this.#app = app;
    this.#warnings = warnings;
  }

  /**
   * The tuples of what was sent. Where the application cannot send any, a warning says so: the failure is what matters.
   *
   * @throws what the application throws; DecodeError when it returns no tuples; BackendClosedError when `abandon` comes first
   */
  async send(call: ErrbackCall): Promise<readonly ResultTuple[]> {
    const { id = '', errbacks } = call.request;
    if (!errbacks || errbacks.length === 0) return [];
    if (!this.#app.callErrbacks) {
      this.#warnings.warn(
        'CELERY_ERRBACKS_UNSENT',
        `Task ${id} failed and has error callbacks, which nobody sends: the application has no callErrbacks.`,
      );
      return [];
    }
    const sent = Promise.resolve(this.#app.callErrbacks(call));
    const tuples = (await this.#sending.wait(sent)) as readonly ResultTuple[] | undefined;
    return (tuples ?? []).map(parseTuple);
  }

  /** Waits no longer for error callbacks that are being sent. */
  abandon(): void {
    this.#sending.abandon();
  }
}
