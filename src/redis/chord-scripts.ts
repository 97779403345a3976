/**
 * The Lua of chords. On one server a part is recorded, counted and its chord claimed in one step; where the keys of a
 * chord lie on several nodes, the scripts of one key are used, one after another.
 *
 * Each key has the same place in all scripts of several: KEYS[1] the parts, KEYS[2] what was added, KEYS[3] the size,
 * KEYS[4] the lock.
 */
import { OPEN } from '../chords/state.ts';
import type { Script } from './scripts.ts';

/** A number as Python's `int()` reads it; nil for anything else. */
const INT = `
local function int(text)
  return text and string.match(text, '^%s*[+-]?%d+%s*$') and tonumber(text) or nil
end
`;

/** Sets a key and leaves its time to live as it is. */
const PUT = `
local function put(key, value)
  local left = redis.call('PTTL', key)
  if left > 0 then
    redis.call('SET', key, value, 'PX', left)
  else
    redis.call('SET', key, value)
  end
end
`;

/**
 * A claim, as workers of Celery see it: they add `.t` to `.s`, and act when that is the count of parts. For the time of
 * the lease `.t` has an addend that is out of their reach, and what it was itself is in `.s` as well. When nobody keeps
 * the claim alive `.t` expires, and the chord is complete for them again.
 */
const CLAIM = `
local HELD = 1000000000
local function sizes(added_key, size_key)
  local size = redis.call('GET', size_key)
  if not size or size == '' then
    return nil
  end
  local total, more = int(size), int(redis.call('GET', added_key) or '0')
  if not total or not more then
    return false
  end
  if more >= HELD then
    return total, more - HELD, true
  end
  return total + more, more, false
end
local function claim(token, lease, total, more)
  redis.call('SET', KEYS[4], token, 'PX', lease)
  redis.call('SET', KEYS[2], string.format('%d', HELD + more), 'PX', lease)
  put(KEYS[3], string.format('%d', total))
end
`;

/** How many parts there are. */
const COUNT = `
local function count_of(key, ordered)
  return redis.call(ordered and 'ZCARD' or 'LLEN', key)
end
`;

/**
 * Adds a part, in the place of a former one of the same task: one that begins with the prefix. In a sorted set that is
 * looked for at its own score only, which is the same whenever a message is delivered again; a list is read whole.
 * Returns how many parts there are, and whether they have become more.
 */
const RECORD_PART = `
local function record(key, member, prefix, score, ttl)
  local ordered = score ~= ''
  local function is_former(other)
    return other ~= member and prefix ~= '' and string.sub(other, 1, #prefix) == prefix
  end
  local before = count_of(key, ordered)
  if ordered then
    if prefix ~= '' then
      for _, other in ipairs(redis.call('ZRANGEBYSCORE', key, score, score)) do
        if is_former(other) then
          redis.call('ZREM', key, other)
        end
      end
    end
    redis.call('ZADD', key, score, member)
  else
    local there = false
    for place, other in ipairs(redis.call('LRANGE', key, 0, -1)) do
      if other == member and prefix ~= '' then
        there = true
      elseif is_former(other) then
        redis.call('LSET', key, place - 1, member)
        there = true
      end
    end
    if not there then
      redis.call('RPUSH', key, member)
    end
  end
  if ttl ~= '' then
    redis.call('EXPIRE', key, ttl)
  end
  local count = count_of(key, ordered)
  return count, count > before
end
`;

/** ARGV: member, prefix or '', score or '' for a list, seconds to live or '', token, lease in milliseconds. */
export const RECORD: Script = {
  name: 'celeryChordRecord',
  lua: `${INT}${PUT}${CLAIM}${COUNT}${RECORD_PART}
local token, lease = ARGV[5], ARGV[6]
local count, raised = record(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
local total, more, held = sizes(KEYS[2], KEYS[3])
if ARGV[4] ~= '' then
  if not held then
    redis.call('EXPIRE', KEYS[2], ARGV[4])
  end
  redis.call('EXPIRE', KEYS[3], ARGV[4])
end
if total == nil then
  return 'counting'
end
if total == false then
  return 'malformed'
end
if count ~= total then
  return 'counting'
end
local lock = redis.call('GET', KEYS[4])
local outcome = 'complete'
if lock == token then
  outcome = 'claimed'
elseif lock == '${OPEN}' then
  outcome = 'reclaimed'
elseif raised and not lock then
  outcome = 'claimed'
end
if outcome ~= 'complete' then
  claim(token, lease, total, more)
end
return outcome
`,
};

/** ARGV: token, lease in milliseconds, '1' for a sorted set, '1' to claim. */
export const TAKE_OVER: Script = {
  name: 'celeryChordTakeOver',
  lua: `${INT}${PUT}${CLAIM}${COUNT}
local total, more = sizes(KEYS[2], KEYS[3])
if total == nil then
  return 'gone'
end
local lock = redis.call('GET', KEYS[4])
if lock and lock ~= ARGV[1] and lock ~= '${OPEN}' then
  return 'busy'
end
if count_of(KEYS[1], ARGV[3] == '1') ~= total then
  return 'counting'
end
if ARGV[4] ~= '1' then
  return 'free'
end
claim(ARGV[1], ARGV[2], total, more)
return 'claimed'
`,
};

/** Gives a lock up: it is gone, or open for whoever comes next. */
const LEAVE = `
local function leave(lock, open, ttl)
  if not open then
    redis.call('DEL', lock)
  elseif ttl == '' then
    redis.call('SET', lock, '${OPEN}')
  else
    redis.call('SETEX', lock, ttl, '${OPEN}')
  end
end
`;

/** ARGV: token, '1' to leave it open, seconds to live or ''. */
export const RELEASE: Script = {
  name: 'celeryChordRelease',
  lua: `${INT}${PUT}${CLAIM}${LEAVE}
if redis.call('GET', KEYS[4]) ~= ARGV[1] then
  return 0
end
local total, more, held = sizes(KEYS[2], KEYS[3])
if held then
  put(KEYS[3], string.format('%d', total - more))
  if more == 0 then
    redis.call('DEL', KEYS[2])
  elseif ARGV[3] == '' then
    redis.call('SET', KEYS[2], string.format('%d', more))
  else
    redis.call('SETEX', KEYS[2], ARGV[3], string.format('%d', more))
  end
end
leave(KEYS[4], ARGV[2] == '1', ARGV[3])
return 1
`,
};

/** Of the parts alone. ARGV: member, prefix or '', score or '', seconds to live or ''. Returns the count, and 1 if it rose. */
export const RECORD_STEP: Script = {
  name: 'celeryChordRecordStep',
  lua: `${COUNT}${RECORD_PART}
local count, raised = record(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
return {count, raised and 1 or 0}
`,
};

/** How many parts there are. ARGV: '1' for a sorted set. */
export const COUNT_STEP: Script = {
  name: 'celeryChordCountStep',
  lua: `${COUNT}
return count_of(KEYS[1], ARGV[1] == '1')
`,
};

/** Of the lock alone: takes it, unless another one has it. ARGV: token, lease in milliseconds. */
export const LOCK_STEP: Script = {
  name: 'celeryChordLockStep',
  lua: `
local lock = redis.call('GET', KEYS[1])
if lock and lock ~= ARGV[1] and lock ~= '${OPEN}' then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`,
};

/** Of the lock alone, if it is ours: gives it up. ARGV: token, '1' to leave it open, seconds to live or ''. */
export const UNLOCK_STEP: Script = {
  name: 'celeryChordUnlockStep',
  lua: `${LEAVE}
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
leave(KEYS[1], ARGV[2] == '1', ARGV[3])
return 1
`,
};

/** A sign of life, if the lock is still ours. KEYS: the lock, what was added. ARGV: token, lease in milliseconds. */
export const RENEW: Script = {
  name: 'celeryChordRenew',
  lua: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`,
};

/** Of the lock alone: a sign of life, if it is still ours. ARGV: token, lease in milliseconds. */
export const RENEW_STEP: Script = {
  name: 'celeryChordRenewStep',
  lua: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`,
};
