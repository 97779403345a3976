/** The Lua of a store. Redis runs a script as one step, so nothing comes between its check, its write and its message. */
import type { RedisClient } from './client.ts';

/** A script of any number of keys. */
export interface Script {
  /** Its name as an ioredis command. */
  readonly name: string;
  readonly lua: string;
}

/** What a write script returns for a key, unless it is the text of an error. */
export const KEPT = 0;
/** Stored and published. */
export const STORED = 1;
/** Stored; publishing was refused. */
export const UNANNOUNCED = 2;
/** Not stored: the value is no longer the expected one. */
export const CHANGED = 3;
/** Not stored: the probe cannot tell what is there. */
export const UNKNOWN = 4;

/** Between the outcomes of a script; errors of Redis are one line. One text is cheaper to parse than an array. */
const SEPARATOR = ';;';

/** A key is the channel of its name too. The text of an error is returned, so that it concerns its own key only. */
const STORE = `
local function store(key, payload, ttl)
  local set
  if ttl == '' then
    set = redis.pcall('SET', key, payload)
  else
    set = redis.pcall('SETEX', key, ttl, payload)
  end
  if set.err then
    return set.err
  end
  local sent = redis.pcall('PUBLISH', key, payload)
  if type(sent) == 'table' and sent.err then
    return ${UNANNOUNCED}
  end
  return ${STORED}
end
`;

/** ARGV: payload and seconds to live, or '', of each key. */
const STORE_ALL = `
local outcomes = {}
for i, key in ipairs(KEYS) do
  outcomes[i] = write(key, ARGV[2 * i - 1], ARGV[2 * i])
end
return table.concat(outcomes, '${SEPARATOR}')
`;

/** Stores and publishes, whatever is there. */
export const UNGUARDED_WRITE: Script = {
  name: 'celeryWriteUnguarded',
  lua: `${STORE}
local write = store
${STORE_ALL}`,
};

/**
 * Stores and publishes each value for which the probe says that there is no SUCCESS.
 *
 * @param probe - see {@link SuccessGuard.probe}
 */
export function probedWrite(probe: string, serial: number): Script {
  return {
    name: `celeryWrite${serial}`,
    lua: `${STORE}
local function is_success(key)
${probe}
end
local function write(key, payload, ttl)
  -- WRONGTYPE for a key that is no string, whatever the probe does: SETEX would replace it
  local head = redis.pcall('GETRANGE', key, 0, 0)
  if type(head) == 'table' then
    return head.err
  end
  -- most often there is nothing, and nothing to ask the probe about
  if head ~= '' then
    local told, kept = pcall(is_success, key)
    if not told then
      return type(kept) == 'table' and kept.err or tostring(kept)
    end
    if kept then
      return ${KEPT}
    end
    if kept == nil then
      return ${UNKNOWN}
    end
  end
  return store(key, payload, ttl)
end
${STORE_ALL}`,
  };
}

/** Stores and publishes if the value is the expected one, ARGV[3]; without that, if there is none. */
export const COMPARED_WRITE: Script = {
  name: 'celeryWriteCompared',
  lua: `${STORE}
if redis.call('GET', KEYS[1]) ~= (ARGV[3] or false) then
  return '${CHANGED}'
end
return tostring(store(KEYS[1], ARGV[1], ARGV[2]))`,
};

type ScriptCommand = (...words: (string | Buffer)[]) => Promise<unknown>;

/**
 * What a script of writes replied, by its keys: one of the numbers, or the text of an error.
 *
 * @throws ReplyError for what concerns the connection, and so every key
 */
export function outcomesOf(reply: unknown): (number | string)[] {
  return String(reply)
    .split(SEPARATOR)
    .map((outcome) => {
      if (outcome.startsWith('READONLY')) throw replyError(outcome);
      return /^\d$/.test(outcome) ? Number(outcome) : outcome;
    });
}

/** The text of an error that a script returned, as the error it was. */
export function replyError(text: string): Error {
  return Object.assign(new Error(text), { name: 'ReplyError' });
}

/** Runs a script: EVALSHA, and EVAL after NOSCRIPT. Texts in its reply are strings. */
export function callScript(
  client: RedisClient,
  script: Script,
  keys: readonly string[],
  args: readonly (string | Buffer)[],
): Promise<unknown> {
  const name = `${script.name}For${keys.length}`;
  const commands = client as RedisClient & Record<string, ScriptCommand | undefined>;
  const command = commands[name] ?? define(client, name, { lua: script.lua, numberOfKeys: keys.length });
  return command.call(client, ...keys, ...args);
}

function define(client: RedisClient, name: string, definition: { lua: string; numberOfKeys: number }): ScriptCommand {
  client.defineCommand(name, definition);
  return Reflect.get(client, name) as ScriptCommand;
}

/** The longest payload, in units of UTF-16, that is sent as text. */
const MAX_TEXT = 64 * 1024;

/**
 * What ioredis is given. It joins a command of texts in one piece, which is cheap as long as they are short; a string of
 * 512 MiB would be too long once the command is put around it.
 */
export function toArgument(payload: string | Uint8Array): string | Buffer {
  if (typeof payload !== 'string') return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  return payload.length <= MAX_TEXT ? payload : Buffer.from(payload);
}
