"""The scripts that change shoppers' states in Redis, each at once; `RedisStateStore` says what lies where."""

from __future__ import annotations

RESERVE = """
local known = redis.call('HMGET', KEYS[1], 'incarnation', 'catalogue')
if known[1] ~= ARGV[1] then return redis.error_reply('AWAY') end
if tonumber(ARGV[6]) < tonumber(known[2] or 0) then return 0 end
if (redis.call('HGET', KEYS[2], 'v') or '0') ~= ARGV[2] then return redis.call('HGETALL', KEYS[2]) end
local cost = tonumber(ARGV[8])
if cost > 0 then
  local spent = tonumber(redis.call('HGET', KEYS[4], ARGV[7]) or 0)
  if ARGV[9] ~= '' and spent + cost > tonumber(ARGV[9]) then return 0 end
  redis.call('HINCRBY', KEYS[4], ARGV[7], cost)
  redis.call('HSET', KEYS[5], ARGV[5], cost .. ' ' .. ARGV[7])
end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('HINCRBY', KEYS[2], 'v', 1)
redis.call('ZADD', KEYS[3], redis.call('TIME')[1], ARGV[5])
return 1
"""
"""Takes a place, if the shopper's version is the one decided on and the day's budget pays for it."""

CLAIM = """
if redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[1] then return redis.error_reply('AWAY') end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('HINCRBY', KEYS[2], 'v', 1)
redis.call('ZADD', KEYS[3], redis.call('TIME')[1], ARGV[4])
return 1
"""
"""Withdraws consent ahead of the log."""

_REFUND = """
local function refund(claimed, spent, name)
  local entry = redis.call('HGET', claimed, name)
  if entry then
    local cost, day = string.match(entry, '^(%d+) (.*)$')
    redis.call('HINCRBY', spent, day, -tonumber(cost))
    redis.call('HDEL', claimed, name)
  end
end
"""

DROP = (
    _REFUND
    + """
redis.call('ZREM', KEYS[2], ARGV[2])
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], 'v', 1)
  refund(KEYS[4], KEYS[3], ARGV[2])
end
return 1
"""
)
"""Takes a claim back."""

APPLY = (
    _REFUND
    + """
if (redis.call('HGET', KEYS[1], 'position') or '0') ~= ARGV[1] then return 0 end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'catalogue', ARGV[3]) end
local at = 5
for _ = 1, tonumber(ARGV[4]) do
  redis.call('HINCRBY', KEYS[3], ARGV[at], ARGV[at + 1])
  at = at + 2
end
for k = 5, #KEYS do
  if ARGV[at] == '' then redis.call('HDEL', KEYS[k], 'b') else redis.call('HSET', KEYS[k], 'b', ARGV[at]) end
  redis.call('HINCRBY', KEYS[k], 'v', 1)
  local shopper, settled = ARGV[at + 1], tonumber(ARGV[at + 2])
  at = at + 3
  for _ = 1, settled do
    local claim = shopper .. ' ' .. ARGV[at]
    if redis.call('HDEL', KEYS[k], ARGV[at]) == 1 then refund(KEYS[4], KEYS[3], claim) end
    redis.call('ZREM', KEYS[2], claim)
    at = at + 1
  end
  if redis.call('HEXISTS', KEYS[k], 'b') == 0 and redis.call('HLEN', KEYS[k]) == 1 then redis.call('DEL', KEYS[k]) end
end
redis.call('HSET', KEYS[1], 'position', ARGV[2])
return 1
"""
)
"""Writes what a batch of rows makes of the store, if it follows the last one."""

# All at once: between looking whether rows are contained and forgetting everything, another keeper could apply some.
BEGIN = (
    _REFUND
    + """
local known = redis.call('HMGET', KEYS[1], 'incarnation', 'begun', 'position')
local server = string.match(ARGV[4], '^[^ ]+')
if ARGV[2] == '' then
  if known[2] and known[3] and string.match(known[2], '^[^ ]+') == server then return known[2] end
  if (known[1] or '') ~= ARGV[3] then return '' end
end
redis.call('HDEL', KEYS[1], 'incarnation')
if ARGV[2] ~= '' or not known[3] then
  local cursor = '0'
  repeat
    local found = redis.call('SCAN', cursor, 'MATCH', ARGV[1] .. '*', 'COUNT', 1000)
    cursor = found[1]
    if #found[2] > 0 then redis.call('UNLINK', unpack(found[2])) end
  until cursor == '0'
  redis.call('HSET', KEYS[1], 'position', 0)
end
for _, claim in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local shopper, field = string.match(claim, '^([^ ]+) (.*)$')
  local key = ARGV[1] .. 's:' .. shopper
  if redis.call('HDEL', key, field) == 1 then
    redis.call('HINCRBY', key, 'v', 1)
    refund(KEYS[4], KEYS[3], claim)
  end
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'begun', ARGV[4])
return ARGV[4]
"""
)
"""Begins a new incarnation: claims are void, and what may lack rows is forgotten."""

COMPLETE = """
if redis.call('HGET', KEYS[1], 'begun') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'begun')
redis.call('HSET', KEYS[1], 'incarnation', ARGV[2], 'run_id', ARGV[3])
return 1
"""
"""Declares the store caught up."""

SCRIPTS = (BEGIN, COMPLETE, RESERVE, CLAIM, DROP, APPLY)
"""All of them, to be loaded before they are called by their hash."""
