import { Redis } from 'ioredis';
import type { RawStore } from '../support/contract/context.ts';
import { describeBackend } from '../support/contract/index.ts';

const SLOW_LUA = 'it starts a Lua interpreter for every call of a script, about 10 ms';
const NO_CJSON = 'its Lua has no cjson, by which the script reads what does not start with the status';

const exceptions = {
  'in 2,000 races of a SUCCESS and a FAILURE the SUCCESS stands': SLOW_LUA,
  'of 2,000 results stored at random moments around their wait, none is missed': SLOW_LUA,
  '10,000 waits live on one backend, and leave nothing': SLOW_LUA,
  'an undecodable present value is overwritten': NO_CJSON,
  'the SUCCESS of a writer with other spaces or field order is kept': NO_CJSON,
};

function open(): Promise<RawStore> {
  const [commands, subscriber] = [new Redis(), new Redis()];
  return Promise.resolve({
    options: { url: 'redis://localhost:6379/0' },
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
      return Promise.resolve();
    },
  });
}

describeBackend('the Redis driver on ioredis-mock', open, exceptions);
