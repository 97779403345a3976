/** Metrics of what happens. */
import type { Counter, Histogram, Meter } from '@opentelemetry/api';
import { parseDatetime } from '../serializers/iso.ts';
import { storeAttributes, waitAttributes, type WaitEvent } from './attributes.ts';
import { listen, type Remover } from './listen.ts';

/** Seconds: from a store on a fast link to a wait of minutes. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Measures events from now on. */
export function recordEvents(meter: Meter): Remover[] {
  const duration = seconds(meter, 'messaging.client.operation.duration', 'How long stores and waits took.');
  const latency = seconds(meter, 'celery.backend.wake.latency', 'From date_done of a result until its wait has it.');
  return [
    listen('celery-redis-backend:store', (event) => {
      duration.record(event.duration, storeAttributes(event));
    }),
    listen('celery-redis-backend:wait', (event) => {
      duration.record(event.duration, waitAttributes(event));
      const wake = wakeOf(event);
      if (wake !== undefined) latency.record(wake, { 'celery.result.by': event.by });
    }),
    ...countEvents(meter),
  ];
}

function countEvents(meter: Meter): Remover[] {
  const retries = counter(
    meter,
    'celery.backend.store.retries',
    '{retry}',
    'Tries of a store that were not the first.',
  );
  const reconnects = counter(meter, 'celery.backend.reconnects', '{connection}', 'Connections made anew.');
  const results = (name: string, what: string): Counter =>
    counter(meter, `celery.backend.results.${name}`, '{result}', what);
  const healed = results('healed', 'Results published while a connection was down, and read when it was back.');
  const rescued = results('rescued', 'Results that the slow re-read found. Should be 0.');
  const rejected = results('rejected', 'Messages and stored values that were no answer.');
  const timeouts = counter(meter, 'celery.backend.wait.timeouts', '{wait}', 'Waits that came to their limit.');
  return [
    listen('celery-redis-backend:store-retry', () => {
      retries.add(1);
    }),
    listen('celery-redis-backend:connection', ({ connection, state, first }) => {
      if (state === 'ready' && !first) reconnects.add(1, { 'celery.backend.connection': connection });
    }),
    listen('celery-redis-backend:healed', () => {
      healed.add(1);
    }),
    listen('celery-redis-backend:rescued', () => {
      rescued.add(1);
    }),
    listen('celery-redis-backend:rejected', () => {
      rejected.add(1);
    }),
    listen('celery-redis-backend:timeout', () => {
      timeouts.add(1);
    }),
  ];
}

/**
 * Seconds from the end of the task until now, by two machines' clocks; undefined where the result was there before the
 * wait looked for it. Never negative.
 */
function wakeOf({ by, dateDone }: WaitEvent): number | undefined {
  const woken = by === 'message' || by === 'backstop' || by === 'last look';
  if (!woken || typeof dateDone !== 'string') return undefined;
  return Math.max(0, Date.now() - parseDatetime(dateDone).getTime()) / 1000;
}

function seconds(meter: Meter, name: string, description: string): Histogram {
  return meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: BUCKETS } });
}

function counter(meter: Meter, name: string, unit: string, description: string): Counter {
  return meter.createCounter(name, { description, unit });
}
