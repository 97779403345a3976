import { describe, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type { Redis } from 'ioredis';
import type { Redis as Redis6 } from 'ioredis-v6';
import type { GivenClient, RedisClient } from '../../src/redis/client.ts';

describe('the interface of a client', () => {
  it('is satisfied by Redis of ioredis 5 and 6, whatever its reply mapping', () => {
    expectTypeOf<Redis>().toExtend<RedisClient>();
    expectTypeOf<Redis>().toExtend<GivenClient>();
    expectTypeOf<Redis6>().toExtend<RedisClient>();
    expectTypeOf<Redis6>().toExtend<GivenClient>();
    expectTypeOf<Redis6<'resp3'>>().toExtend<GivenClient>();
  });
});
