/** Metrics of how backends stand. */
import type { Meter, Observable } from '@opentelemetry/api';
import type { BackendStats } from '../diagnostics.ts';
import { guarded, type Remover } from './listen.ts';

/** A backend, as far as it tells its figures. */
export interface StatsSource {
  stats(): BackendStats;
}

interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  /** Whether it only grows. */
  readonly counts?: boolean;
}

/** Those of `stats()` that no event tells of. */
const FIGURES: Partial<Record<keyof BackendStats, Figure>> = {
  waits: { name: 'wait.active', unit: '{wait}', description: 'Waits that are not settled.' },
  channels: {
    name: 'channels',
    unit: '{channel}',
    description: 'Channels subscribed, being so, or not let go of yet.',
  },
  held: { name: 'held', unit: '{task}', description: 'Tasks called for, and not waited for yet.' },
  stores: { name: 'store.active', unit: '{store}', description: 'Stores that are not settled.' },
  storeBytes: { name: 'store.active.size', unit: 'By', description: 'Payload bytes of stores that are not settled.' },
  cached: { name: 'cache.entries', unit: '{result}', description: 'Results in the cache.' },
  cachedBytes: { name: 'cache.size', unit: 'By', description: 'Payload bytes in the cache.' },
  cacheHits: {
    name: 'cache.hits',
    unit: '{hit}',
    description: 'Reads and waits that the cache answered.',
    counts: true,
  },
  foundAtDeadline: {
    name: 'results.found_at_deadline',
    unit: '{result}',
    description: 'Results that the last read of a wait found. Should be 0.',
    counts: true,
  },
};

/** Reads the figures whenever metrics are collected; each metric is the sum over the backends. */
export function observeFigures(meter: Meter, backends: Iterable<StatsSource>): Remover {
  const observed = Object.entries(FIGURES).map(([field, { name, counts, ...options }]) => ({
    field: field as keyof BackendStats,
    instrument: counts
      ? meter.createObservableCounter(`celery.backend.${name}`, options)
      : meter.createObservableUpDownCounter(`celery.backend.${name}`, options),
  }));
  const instruments: Observable[] = observed.map(({ instrument }) => instrument);
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    guarded(() => {
      const all = [...backends].map((backend) => backend.stats());
      for (const { field, instrument } of observed) {
        result.observe(
          instrument,
          all.reduce((sum, stats) => sum + stats[field], 0),
        );
      }
    });
  };
  meter.addBatchObservableCallback(observe, instruments);
  return () => {
    meter.removeBatchObservableCallback(observe, instruments);
  };
}
