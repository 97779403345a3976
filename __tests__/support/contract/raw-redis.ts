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
    members: async (key) => {
      if ((await commands.type(key)) === 'list') return (await commands.lrange(key, 0, -1)).map((text) => [text]);
      const texts = await commands.zrange(key, 0, -1);
      const scores = await Promise.all(texts.map((text) => commands.zscore(key, text)));
      return texts.map((text, place) => [text, Number(String(scores[place]).replace('inf', 'Infinity'))]);
    },
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
