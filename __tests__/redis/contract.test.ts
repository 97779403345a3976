import { Redis } from 'ioredis';
import { describeBackend } from '../support/contract/index.ts';
import { rawRedis } from '../support/contract/raw-redis.ts';
import { RedisServer } from '../support/redis.ts';

describeBackend('the Redis driver', async () => {
  const server = await RedisServer.start();
  const { url } = server;
  return rawRedis({ url }, new Redis(url), new Redis(url), () => server.stop());
});
