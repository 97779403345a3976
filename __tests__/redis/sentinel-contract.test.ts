import { Redis } from 'ioredis';
import { describeBackend } from '../support/contract/index.ts';
import { rawRedis } from '../support/contract/raw-redis.ts';
import { SentinelDeployment } from '../support/sentinel.ts';

describeBackend('the Redis driver by Sentinel', async () => {
  const deployment = await SentinelDeployment.start();
  const { url } = deployment.servers[0];
  const options = { url: deployment.url(), sentinel: { masterName: 'mymaster' } };
  return rawRedis(options, new Redis(url), new Redis(url), () => deployment.stop());
});
