import { Cluster, Redis } from 'ioredis';
import { ClusterDeployment } from '../support/cluster.ts';
import { describeBackend } from '../support/contract/index.ts';
import { rawRedis } from '../support/contract/raw-redis.ts';

describeBackend('the Redis driver on a cluster of three masters', async () => {
  const deployment = await ClusterDeployment.start();
  const nodes = deployment.masters.map(({ port }) => ({ host: '127.0.0.1', port }));
  const commands = new Cluster(nodes);
  const subscriber = new Redis(deployment.masters[0]?.url ?? '');
  return rawRedis({ url: deployment.url() }, commands, subscriber, () => deployment.stop());
});
