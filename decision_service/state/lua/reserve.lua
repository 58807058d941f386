-- Makes reservations in order. A send is reserved if the shopper's version is the one it was decided on and the day's
-- budget pays for it. A reservation changes the version, so a later one of the same shopper names the next version. The
-- later one is never reserved where the earlier one was not: somebody else may have changed the version to that number.
-- The arguments are the incarnation, how the keys of shoppers begin, and the packed reservations. Each has a shopper, a
-- version, the field of the reservation, the encoded send, the version of the catalogue, the name of the send's day, its
-- cost, the budget (or false), and a list of the names of this day under former names of the channel.
-- Returns for each 1 when it is reserved, 0 when it is no longer allowed, -1 when the version differs.
local meta, pending, spent, pending_costs = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local prefix = ARGV[2]

local known = redis.call('HMGET', meta, 'incarnation', 'catalogue')
if known[1] ~= ARGV[1] then return redis.error_reply('AWAY') end
local catalogue_in_force, now = tonumber(known[2] or 0), redis.call('TIME')[1]

local function reserve(shopper_key, version, field, send, catalogue, day, cost, budget, former_days)
  local shopper, name = prefix .. shopper_key, shopper_key .. ' ' .. field
  if catalogue < catalogue_in_force then return 0 end
  if tonumber(redis.call('HGET', shopper, 'v') or 0) ~= version then return -1 end
  if cost > 0 then
    local before = tonumber(redis.call('HGET', spent, day) or 0)
    for _, former in ipairs(former_days) do before = before + tonumber(redis.call('HGET', spent, former) or 0) end
    if budget and before + cost > budget then return 0 end
    redis.call('HINCRBY', spent, day, digits(cost))
    redis.call('HSET', pending_costs, name, digits(cost) .. ' ' .. day)
  end
  redis.call('HSET', shopper, field, send)
  redis.call('HINCRBY', shopper, 'v', 1)
  redis.call('ZADD', pending, now, name)
  return 1
end

local results, refused = {}, {}
for number, reservation in ipairs(cmsgpack.unpack(ARGV[3])) do
  local shopper_key = reservation[1]
  local result = refused[shopper_key] and -1 or reserve(unpack(reservation))
  refused[shopper_key] = result ~= 1
  results[number] = result
end
return results
