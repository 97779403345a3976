import { Redis } from 'ioredis';
import { describeBackend } from '../support/contract/index.ts';
import { RedisServer } from '../support/redis.ts';

describeBackend('the Redis driver', async () => {
  const server = await RedisServer.start();
  const [commands, subscriber] = [new Redis(server.url), new Redis(server.url)];
  return {
    options: { url: server.url },
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
    close: async () => {
      commands.disconnect();
      subscriber.disconnect();
      await server.stop();
    },
  };
});
