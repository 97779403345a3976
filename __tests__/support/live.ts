/** Waits that are well under way, and links of this process that are lost or back. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RedisBackend } from '../../src/index.ts';

/** A wait that is live: its subscription has brought it a state, and its read was answered. @param timeout - seconds */
export async function live(
  backend: RedisBackend,
  id: string,
  timeout?: number,
): Promise<{ readonly result: Promise<unknown> }> {
  let seen!: () => void;
  const shown = new Promise<void>((resolve) => {
    seen = resolve;
  });
  const result = backend.waitFor(id, { timeout, onMessage: seen });
  result.catch(() => undefined);
  await backend.storeResult(id, null, 'SEEN');
  await shown;
  // The read left before this.
  await backend.ping();
  return { result };
}

/** Resolves with the error when a connection of this process is lost next. @param connection - its name; any without */
export function lost(connection?: string): Promise<Error | undefined> {
  return next('lost', connection);
}

/** Resolves when a connection of this process is ready next. */
export async function back(connection?: string): Promise<void> {
  await next('ready', connection);
}

function next(state: string, wanted: string | undefined): Promise<Error | undefined> {
  const name = 'celery-redis-backend:connection';
  return new Promise((resolve) => {
    const look = (message: unknown): void => {
      const event = message as { readonly connection: string; readonly state: string; readonly error?: Error };
      if (event.state !== state || (wanted !== undefined && event.connection !== wanted)) return;
      unsubscribe(name, look);
      resolve(event.error);
    };
    subscribe(name, look);
  });
}
