/** The backend on Redis. */
import type { CeleryApp } from '../arguments.ts';
import { BaseBackend } from '../backend.ts';
import type { Warnings } from '../diagnostics.ts';
import { ImproperlyConfigured } from '../errors.ts';
import { createMemoryDriver } from '../memory/driver.ts';
import { show } from '../option-checks.ts';
import { type BackendOptions, type ResolvedOptions, resolveOptions } from '../options.ts';
import type { Driver } from '../ports.ts';
import { createRedisDriver, type RedisDriver } from './driver.ts';

/**
 * A result backend on Redis, or, by the URL `memory://`, on a stand-in for it in this process.
 *
 * It makes two connections, at the first use and at the first wait, and keeps the process alive until `close`.
 *
 * @example
 * ```ts
 * await using backend = new RedisBackend({}, { url: 'redis://localhost:6379/0' });
 * const total = await backend.waitFor<number>(taskId, { timeout: 10 });
 * ```
 *
 * @see celery.backends.redis.RedisBackend
 */
export class RedisBackend extends BaseBackend {
  /**
   * @param app - the application; its `conf` gives what `options` does not
   * @throws ImproperlyConfigured, SecurityError, ContentDisallowed
   */
  constructor(app: CeleryApp, options: BackendOptions = {}) {
    const resolved = resolveOptions(options, confOf(app));
    super(app, resolved, (warnings) => openDriver(resolved, warnings));
  }
}

/** @throws ImproperlyConfigured for an app that is no object, such as a URL in its place */
function confOf(app: unknown): unknown {
  if (typeof app === 'object' && app !== null) return 'conf' in app ? app.conf : undefined;
  throw new ImproperlyConfigured(`app: expected an object, {} will do; got ${show(app)}.`);
}

function openDriver(options: ResolvedOptions, warnings: Warnings): Driver {
  const { client, url, clock } = options;
  if (!client && url?.startsWith('memory://')) return createMemoryDriver(url, clock);
  return openRedisDriver(options, warnings);
}

/** The driver of a backend with these options, for those who look at Redis itself. @throws ImproperlyConfigured */
export function openRedisDriver(options: ResolvedOptions, warnings: Warnings): RedisDriver {
  const { client, url, clock, sentinel, credentials, connectionDefaults: defaults } = options;
  const { commandTimeout, connectTimeout, heartbeat, deadAfter, connectionName } = options;
  return createRedisDriver({
    ...(client ? { client } : { url, defaults, sentinel }),
    credentials,
    commandTimeout,
    connectTimeout,
    heartbeat,
    deadAfter,
    connectionName,
    warnings,
    clock,
  });
}
