/** What connects OpenTelemetry and the diagnostics channels. */
import { metrics, type Meter, trace, type Tracer } from '@opentelemetry/api';
import { observeFigures, type StatsSource } from './figures.ts';
import { recordEvents } from './measures.ts';
import { traceEvents } from './spans.ts';

const SCOPE = 'celery-redis-backend';

/** What {@link instrument} reports to, and of what. */
export interface InstrumentOptions {
  /** Makes the spans; false = none. @default `trace.getTracer('celery-redis-backend')` */
  readonly tracer?: Tracer | false | undefined;
  /** Makes the instruments; false = none. @default `metrics.getMeter('celery-redis-backend')` */
  readonly meter?: Meter | false | undefined;
  /**
   * The backends whose `stats()` are read whenever metrics are collected, summed up. What is no event, such as the waits
   * in flight, is measured of these only. @default none
   */
  readonly backends?: Iterable<StatsSource> | undefined;
}

/**
 * Reports the stores and waits of all backends of this process as spans, and what becomes of them as metrics, until the
 * function that it returns is called. What is reported has ids, names of tasks and states, never a payload, the text of an
 * error or a URL.
 *
 * To be called after the SDK is started: the meter of one that is not never measures. A failure in it, or in the SDK, goes
 * to `diag.error` of OpenTelemetry, and to no wait or store. Twice called it reports twice.
 *
 * Sends nothing to Redis.
 *
 * @returns takes away every subscription and callback; safe to call twice
 */
export function instrument(options: InstrumentOptions = {}): () => void {
  const { tracer = trace.getTracer(SCOPE), meter = metrics.getMeter(SCOPE), backends } = options;
  const removers = [
    ...(tracer ? traceEvents(tracer) : []),
    ...(meter ? recordEvents(meter) : []),
    ...(meter && backends ? [observeFigures(meter, backends)] : []),
  ];
  return () => {
    for (const remove of removers.splice(0)) remove();
  };
}
