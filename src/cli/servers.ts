/** Redis itself, for what results do not tell. */
import { Warnings } from '../diagnostics.ts';
import { openRedisDriver } from '../redis/backend.ts';
import type { Master } from '../redis/driver.ts';
import { type Config, resolveConfig } from './config.ts';

/**
 * Runs with a driver of its own, whose servers can be asked anything, and closes it. Nothing is sent by itself.
 *
 * @throws ImproperlyConfigured, BackendError, and what `use` throws
 */
export async function withServers<T>(
  config: Config,
  use: (servers: {
    readonly connect: () => Promise<void>;
    readonly ping: () => Promise<number>;
    readonly masters: () => Promise<readonly Master[]>;
  }) => Promise<T>,
): Promise<T> {
  const options = resolveConfig(config);
  const driver = openRedisDriver(options, new Warnings());
  try {
    return await use({
      connect: () => driver.connect(options.connectTimeout),
      ping: () => driver.ping(),
      masters: () => driver.masters(),
    });
  } finally {
    await driver.close();
  }
}
