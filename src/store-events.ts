/** The diagnostics channel of stores. */
import { channel, type Channel } from 'node:diagnostics_channel';

import type { Clock } from './clock.ts';
import type { DiagnosticEvents } from './diagnostics.ts';
import type { StoreOutcome } from './ports.ts';
import type { StoreJob } from './store-job.ts';

type StoreEvent = DiagnosticEvents['celery-redis-backend:store'];

/** Kept, so that to look for subscribers costs next to nothing. */
export const storeEvents: Channel = channel('celery-redis-backend:store');

/** Stores, and publishes what came of it. After its own `await`, so in the async context of its caller. */
export async function publishing(
  job: StoreJob,
  clock: Clock,
  store: (job: StoreJob) => Promise<StoreOutcome>,
): Promise<StoreOutcome> {
  const { taskId, state, bytes } = job;
  const acceptedMs = clock.now();
  let attempts = 0;
  const counted = (): Promise<StoreOutcome> => {
    attempts += 1;
    return job.write();
  };
  const publish = (settled: Pick<StoreEvent, 'outcome' | 'error'>): void => {
    const duration = (clock.now() - acceptedMs) / 1000;
    const event: StoreEvent = { taskId, state, bytes, attempts, duration, ...settled, ...taskOf(job) };
    storeEvents.publish(event);
  };
  try {
    const outcome = await store({ ...job, write: counted });
    publish({ outcome });
    return outcome;
  } catch (error) {
    publish({ outcome: 'failed', error: error as Error });
    throw error;
  }
}

function taskOf({ request }: StoreJob): Pick<StoreEvent, 'task' | 'traceparent' | 'tracestate'> {
  const { task, traceparent, tracestate } = request ?? {};
  return {
    ...(task && { task }),
    ...(traceparent && { traceparent }),
    ...(tracestate && { tracestate }),
  };
}
