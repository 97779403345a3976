/** The Lua of a store. Redis runs a script as one step, so nothing comes between its check, its write and its message. */
import type { RedisClient } from './client.ts';

/** A script with one key. */
export interface Script {
  /** Its name as an ioredis command. */
  readonly name: string;
  readonly lua: string;
}

/** What a write script returns. */
export const KEPT = 0;
/** Stored and published. */
export const STORED = 1;
/** Stored; publishing was refused. */
export const UNANNOUNCED = 2;
/** Not stored: the value is no longer the expected one. */
export const CHANGED = 3;
/** Not stored: the probe cannot tell what is there. */
export const UNKNOWN = 4;

/** KEYS: the key, and the channel of its name. ARGV: payload, seconds to live or '', and for the second script the value to replace. */
const STORE = `
if ARGV[2] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SETEX', KEYS[1], ARGV[2], ARGV[1])
end
local sent = redis.pcall('PUBLISH', KEYS[1], ARGV[1])
if type(sent) == 'table' and sent.err then
  return ${UNANNOUNCED}
end
return ${STORED}
`;

/** Stores and publishes, whatever is there. */
export const UNGUARDED_WRITE: Script = { name: 'celeryWriteUnguarded', lua: STORE };

/**
 * Stores and publishes if the probe says that there is no SUCCESS.
 *
 * @param probe - see {@link SuccessGuard.probe}
 */
export function probedWrite(probe: string, serial: number): Script {
  return {
    name: `celeryWrite${serial}`,
    lua: `
local function is_success(key)
${probe}
end
-- WRONGTYPE for a key that is no string, whatever the probe does: SETEX would replace it
local head = redis.pcall('GETRANGE', KEYS[1], 0, 0)
if type(head) == 'table' then
  return head
end
local kept = is_success(KEYS[1])
if kept then
  return ${KEPT}
end
if kept == nil then
  return ${UNKNOWN}
end
${STORE}`,
  };
}

/** Stores and publishes if the value is the expected one; without a third argument, if there is none. */
export const COMPARED_WRITE: Script = {
  name: 'celeryWriteCompared',
  lua: `
if redis.call('GET', KEYS[1]) ~= (ARGV[3] or false) then
  return ${CHANGED}
end
${STORE}`,
};

type ScriptCommand = (key: string, ...args: (string | Buffer)[]) => Promise<unknown>;

/** Runs a script: EVAL the first time on a connection, EVALSHA from then on, and EVAL again after NOSCRIPT. */
export async function runScript(
  client: RedisClient,
  script: Script,
  key: string,
  args: (string | Buffer)[],
): Promise<number> {
  const commands = client as RedisClient & Record<string, ScriptCommand | undefined>;
  if (!commands[script.name]) client.defineCommand(script.name, { lua: script.lua, numberOfKeys: 1 });
  return Number(await commands[script.name]?.(key, ...args));
}
