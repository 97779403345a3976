/** Subscribers that never throw. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { diag } from '@opentelemetry/api';
import type { DiagnosticEvents } from '../diagnostics.ts';

/** Takes away what was added. */
export type Remover = () => void;

/** Calls `handle` with each event of a channel. */
export function listen<N extends keyof DiagnosticEvents>(
  name: N,
  handle: (event: DiagnosticEvents[N]) => void,
): Remover {
  const listener = (message: unknown): void => {
    guarded(() => {
      handle(message as DiagnosticEvents[N]);
    });
  };
  subscribe(name, listener);
  return () => {
    unsubscribe(name, listener);
  };
}

/** Node would make an uncaught exception of what a subscriber throws. */
export function guarded(report: () => void): void {
  try {
    report();
  } catch (error) {
    diag.error('celery-redis-backend: something was not reported', error);
  }
}
