/** The keys and channels of a Redis, through plain clients. */
import type { Cluster, Redis } from 'ioredis';
import type { BackendOptions } from '../../../src/index.ts';
import type { RawStore } from './context.ts';

/** @param close - what is to be done after the two clients are disconnected */
export function rawRedis(
  options: BackendOptions,
  commands: Redis | Cluster,
  subscriber: Redis,
  close: () => Promise<void>,
): RawStore {
  return {
    options,
    get: (key) => commands.get(key),
    set: (key, text) => commands.set(key, text),
    del: (key) => commands.del(key),
    ttl: (key) => commands.ttl(key),
    publish: (channel, text) => commands.publish(channel, text),
    listen: async (channel, onMessage) => {
      subscriber.on('message', (from, text) => {
        if (from === channel) onMessage(text);
      });
      await subscriber.subscribe(channel);
    },
    close: () => {
      commands.disconnect();
      subscriber.disconnect();
      return close();
    },
  };
}
