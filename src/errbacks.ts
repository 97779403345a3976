/** Error callbacks, which the application sends. */
import type { CeleryApp, ErrbackCall } from './arguments.ts';
import type { Warnings } from './diagnostics.ts';
import type { ResultTuple } from './meta.ts';
import { parseTuple } from './tuples.ts';

/** Sends the error callbacks of tasks that failed. */
export class Errbacks {
  readonly #app: CeleryApp;
  readonly #warnings: Warnings;

  constructor(app: CeleryApp, warnings: Warnings) {
    this.#app = app;
    this.#warnings = warnings;
  }

  /**
   * The tuples of what was sent. Where the application cannot send any, a warning says so: the failure is what matters.
   *
   * @throws what the application throws; DecodeError when it returns no tuples
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
    const tuples = (await this.#app.callErrbacks(call)) as readonly ResultTuple[] | undefined;
    return (tuples ?? []).map(parseTuple);
  }
}
