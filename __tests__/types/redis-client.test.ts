import { describe, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type { Cluster, Redis } from 'ioredis';
import type { Cluster as Cluster6, Redis as Redis6 } from 'ioredis-v6';
import type { GivenClient, GivenCluster, GivenRedis, RedisClient } from '../../src/redis/client.ts';

describe('the interface of a client', () => {
  it('is satisfied by Redis of ioredis 5 and 6, whatever its reply mapping', () => {
    expectTypeOf<Redis>().toExtend<RedisClient>();
    expectTypeOf<Redis>().toExtend<GivenClient>();
    expectTypeOf<Redis6>().toExtend<RedisClient>();
    expectTypeOf<Redis6>().toExtend<GivenClient>();
    expectTypeOf<Redis6<'resp3'>>().toExtend<GivenClient>();
    expectTypeOf<Redis>().toExtend<GivenRedis>();
  });

  it('is satisfied by Cluster of ioredis 5 and 6', () => {
    expectTypeOf<Cluster>().toExtend<GivenCluster>();
    expectTypeOf<Cluster6>().toExtend<GivenCluster>();
    expectTypeOf<Cluster6>().toExtend<GivenClient>();
  });
});
