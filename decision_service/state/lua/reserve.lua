-- Reserves a send if the shopper's version is the one it was decided on and the day's budget pays for it.
-- After the first nine arguments come the names of that day under former names of the channel.
-- Returns 1 when it is reserved, 0 when it is no longer allowed, the shopper's hash when the version differs.
local meta, shopper, pending, spent, pending_costs = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local incarnation, version, field, send, name = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local catalogue, day, cost, budget = tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])

local known = redis.call('HMGET', meta, 'incarnation', 'catalogue')
if known[1] ~= incarnation then return redis.error_reply('AWAY') end
if catalogue < tonumber(known[2] or 0) then return 0 end
if (redis.call('HGET', shopper, 'v') or '0') ~= version then return redis.call('HGETALL', shopper) end
if cost > 0 then
  local before = tonumber(redis.call('HGET', spent, day) or 0)
  for number = 10, #ARGV do before = before + tonumber(redis.call('HGET', spent, ARGV[number]) or 0) end
  if budget and before + cost > budget then return 0 end
  redis.call('HINCRBY', spent, day, cost)
  redis.call('HSET', pending_costs, name, cost .. ' ' .. day)
end
redis.call('HSET', shopper, field, send)
redis.call('HINCRBY', shopper, 'v', 1)
redis.call('ZADD', pending, redis.call('TIME')[1], name)
return 1
