-- Makes reservations in order. A send is reserved if the shopper's version is the one it was decided on and the day's
-- budget pays for it. A reservation changes the version, so a later one of the same shopper names the next version. The
-- later one is never reserved where the earlier one was not: somebody else may have changed the version to that number.
-- After the incarnation come nine arguments for each shopper: the last one counts the arguments that follow, the names
-- of the send's day under former names of the channel.
-- Returns for each 1 when it is reserved, 0 when it is no longer allowed, -1 when the version differs.
local meta, pending, spent, pending_costs = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local known = redis.call('HMGET', meta, 'incarnation', 'catalogue')
if known[1] ~= ARGV[1] then return redis.error_reply('AWAY') end
local catalogue_in_force, now = tonumber(known[2] or 0), redis.call('TIME')[1]

local refused = {}
local function reserve(shopper, at)
  local version, field, send, name = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local catalogue, day, cost, budget = tonumber(ARGV[at + 4]), ARGV[at + 5], tonumber(ARGV[at + 6]), tonumber(ARGV[at + 7])
  if catalogue < catalogue_in_force then return 0 end
  if (redis.call('HGET', shopper, 'v') or '0') ~= version then return -1 end
  if cost > 0 then
    local before = tonumber(redis.call('HGET', spent, day) or 0)
    for former = at + 9, at + 8 + tonumber(ARGV[at + 8]) do
      before = before + tonumber(redis.call('HGET', spent, ARGV[former]) or 0)
    end
    if budget and before + cost > budget then return 0 end
    redis.call('HINCRBY', spent, day, cost)
    redis.call('HSET', pending_costs, name, cost .. ' ' .. day)
  end
  redis.call('HSET', shopper, field, send)
  redis.call('HINCRBY', shopper, 'v', 1)
  redis.call('ZADD', pending, now, name)
  return 1
end

local results, at = {}, 2
for number = 5, #KEYS do
  local shopper = KEYS[number]
  local result = refused[shopper] and -1 or reserve(shopper, at)
  refused[shopper] = result ~= 1
  results[number - 4] = result
  at = at + 9 + tonumber(ARGV[at + 8])
end
return results
