/** What is published on the diagnostics channels. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { DiagnosticEvents } from '../../src/index.ts';

/** Each channel there is: the compiler misses none. */
const NAMES: Readonly<Record<keyof DiagnosticEvents, true>> = {
  'celery-redis-backend:connection': true,
  'celery-redis-backend:wait': true,
  'celery-redis-backend:timeout': true,
  'celery-redis-backend:healed': true,
  'celery-redis-backend:rescued': true,
  'celery-redis-backend:rejected': true,
  'celery-redis-backend:store': true,
  'celery-redis-backend:store-retry': true,
  'celery-redis-backend:swallowed': true,
  'celery-redis-backend:chord': true,
  'celery-redis-backend:warning': true,
};

export const CHANNELS: readonly (keyof DiagnosticEvents)[] = Object.keys(NAMES) as (keyof DiagnosticEvents)[];

/** What was made of the messages of some channels, until its block ends. */
export interface Listening<T> extends Disposable {
  readonly told: T[];
}

/** Keeps what `listener` makes of each message. */
export function listening<T>(
  names: readonly (keyof DiagnosticEvents)[],
  listener: (message: unknown, name: string | symbol) => T,
): Listening<T> {
  const told: T[] = [];
  const listen = (message: unknown, name: string | symbol): void => {
    told.push(listener(message, name));
  };
  for (const name of names) subscribe(name, listen);
  return {
    told,
    [Symbol.dispose]: () => {
      for (const name of names) unsubscribe(name, listen);
    },
  };
}

/** Keeps the messages of one channel. */
export function recording<N extends keyof DiagnosticEvents>(name: N): Listening<DiagnosticEvents[N]> {
  return listening([name], (message) => message as DiagnosticEvents[N]);
}
