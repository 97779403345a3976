import { Redis } from 'ioredis';
import type { RawStore } from '../support/contract/context.ts';
import { describeBackend } from '../support/contract/index.ts';
import { rawRedis } from '../support/contract/raw-redis.ts';

const SLOW_LUA = 'it starts a Lua interpreter for every call of a script, about 10 ms';
const NO_BYTES =
  'its Lua has no cjson, so that the store compares with a value it has read, which its Lua takes for another';
const EMPTY = 'its Lua takes an empty value, the size of a chord whose body is being sent, for none';

const exceptions = {
  'in 2,000 races of a SUCCESS and a FAILURE the SUCCESS stands': SLOW_LUA,
  'of 2,000 results stored at random moments around their wait, none is missed': SLOW_LUA,
  'of 2,000 results of tasks called for and sent, awaited at random moments, none is missed': SLOW_LUA,
  '10,000 waits live on one backend, and leave nothing': SLOW_LUA,
  'an undecodable present value is overwritten': NO_BYTES,
  'a SUCCESS that Python can read and the script cannot is kept': NO_BYTES,
  'a group of 10,000 that is ready is joined in one batch, without a subscription': SLOW_LUA,
  'a group of 10,000 is joined while its results come': SLOW_LUA,
  '10,000 tasks are awaited in one call as they are completed, and leave nothing': SLOW_LUA,
  '10,000 tasks are awaited in one call in the order of their ids, and leave nothing': SLOW_LUA,
  'a part has the bytes of Celery and the score of its place; the keys live as long as results':
    'it has no infinite scores',
  'parts travel and are replaced in msgpack as well': 'its sorted sets hold no bytes',
  'a part that failed or was revoked fails the body once all are there, and the keys are left to expire': EMPTY,
  'a header with groups whose results fail, or do not come in time, fails the body': EMPTY,
  'a body that could not be sent fails, and the next part that comes sends it': EMPTY,
  'a body that was sent although sending failed is not sent again once it is ready': EMPTY,
  'parts that all come twice at the same time send one body': EMPTY,
  'a part that finds the chord being sent waits until it is gone': EMPTY,
  'a complete chord that nobody completes is taken over after a lease, by one of many': EMPTY,
  'close while the results of a header are awaited leaves the chord to the next part': EMPTY,
};

function open(): Promise<RawStore> {
  const url = 'redis://localhost:6379/0';
  return Promise.resolve(rawRedis({ url }, new Redis(), new Redis(), () => Promise.resolve()));
}

describeBackend('the Redis driver on ioredis-mock', open, exceptions);
