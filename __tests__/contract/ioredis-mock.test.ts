import { Redis } from 'ioredis';
import type { RawStore } from '../support/contract/context.ts';
import { describeBackend } from '../support/contract/index.ts';
import { rawRedis } from '../support/contract/raw-redis.ts';

const SLOW_LUA = 'it starts a Lua interpreter for every call of a script, about 10 ms';
const NO_BYTES =
  'its Lua has no cjson, so that the store compares with a value it has read, which its Lua takes for another';

const exceptions = {
  'in 2,000 races of a SUCCESS and a FAILURE the SUCCESS stands': SLOW_LUA,
  'of 2,000 results stored at random moments around their wait, none is missed': SLOW_LUA,
  'of 2,000 results of tasks called for and sent, awaited at random moments, none is missed': SLOW_LUA,
  '10,000 waits live on one backend, and leave nothing': SLOW_LUA,
  'an undecodable present value is overwritten': NO_BYTES,
  'a SUCCESS that Python can read and the script cannot is kept': NO_BYTES,
  'a group of 10,000 that is ready is joined in one batch, without a subscription': SLOW_LUA,
  'a group of 10,000 is joined while its results come': SLOW_LUA,
};

function open(): Promise<RawStore> {
  const url = 'redis://localhost:6379/0';
  return Promise.resolve(rawRedis({ url }, new Redis(), new Redis(), () => Promise.resolve()));
}

describeBackend('the Redis driver on ioredis-mock', open, exceptions);
