/** Tells of waits as they settle, on the diagnostics channels of waits and timeouts. */
import { failureOf, type WaitEnd, WaitFailure, type WaitLimits, type WaitTrace } from './channel.ts';
import type { Clock } from '../clock.ts';
import { type AnsweredBy, watched } from '../diagnostics.ts';
import { TimeoutError } from '../errors.ts';

/** Is told what became of the wait for a task, and of one that is ready how it was answered. */
export type WaitReporter = (taskId: string, end: WaitEnd, by?: AnsweredBy) => void;

/** The report of waits that begin at one time. */
export class WaitReport {
  readonly #clock: Clock;
  readonly #startMs: number;

  private constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.now();
  }

  /** Of waits that begin now; undefined when nobody listens, so that they cost nothing more. */
  static begin(clock: Clock): WaitReport | undefined {
    const isWatched = watched('celery-redis-backend:wait') ?? watched('celery-redis-backend:timeout');
    return isWatched && new WaitReport(clock);
  }

  /** Makes one wait and tells of it. In the context of the caller, as whatever an async function does. */
  async follow(
    taskId: string,
    limits: WaitLimits,
    wait: (traced: WaitLimits) => WaitEnd | Promise<WaitEnd>,
  ): Promise<WaitEnd> {
    const trace: WaitTrace = { by: undefined };
    let end: WaitEnd;
    try {
      end = await wait({ ...limits, trace });
    } catch (error) {
      end = failureOf(error, limits.signal);
    }
    return this.tell(taskId, end, trace.by);
  }

  /** Tells of one wait. Returns its end, with the error, where there is one, that was told. */
  tell(taskId: string, end: WaitEnd, by: AnsweredBy | undefined): WaitEnd {
    const duration = (this.#clock.now() - this.#startMs) / 1000;
    const told = watched('celery-redis-backend:wait');
    if (!(end instanceof WaitFailure)) {
      const { status, date_done: done } = end;
      told?.publish({ taskId, outcome: 'ready', status, by, dateDone: done ?? undefined, duration });
      return end;
    }
    const { outcome } = end;
    const error = end.error();
    if (outcome === 'timeout' && error instanceof TimeoutError) {
      const { timeout, lastLook } = error;
      watched('celery-redis-backend:timeout')?.publish({ taskId, timeout, duration, lastLook });
    }
    told?.publish({ taskId, outcome, duration, error });
    return new WaitFailure(outcome, () => error);
  }
}
