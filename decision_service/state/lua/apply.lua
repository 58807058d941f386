-- Writes what a batch of rows changes, if it follows the last batch. Returns 1 when it does, 0 when it does not.
-- A store without a position becomes one of this version of the fold: a beginning that comes later must not forget the
-- states, for another batch may rest on them already.
-- After the keys of the store come the shoppers' (KEYS[6] on). After the first five arguments come the number of
-- budget days, and for each its name and what is added to it; the same for the uses of names; then, per shopper, the
-- encoded state (empty: none), the shopper's key, the number of pending facts that are settled, and their fields.
local meta, pending, spent, pending_costs, uses = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local before, after, catalogue, fold, mark = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local next_argument = 6
local function take()
  next_argument = next_argument + 1
  return ARGV[next_argument - 1]
end

local position = redis.call('HGET', meta, 'position')
if (position or '0') ~= before then return 0 end
if not position then redis.call('HSET', meta, 'fold', fold) end
if catalogue ~= '' then redis.call('HSET', meta, 'catalogue', catalogue) end
for _, sums in ipairs({spent, uses}) do
  for _ = 1, tonumber(take()) do
    local name = take()
    redis.call('HINCRBY', sums, name, take())
  end
end
for number = 6, #KEYS do
  local shopper = KEYS[number]
  local state = take()
  local shopper_key = take()
  local settled = tonumber(take())
  if state == '' then redis.call('HDEL', shopper, 'b') else redis.call('HSET', shopper, 'b', state) end
  redis.call('HINCRBY', shopper, 'v', 1)
  for _ = 1, settled do
    local field = take()
    local name = shopper_key .. ' ' .. field
    if redis.call('HDEL', shopper, field) == 1 then refund(pending_costs, spent, name) end
    redis.call('ZREM', pending, name)
  end
  if redis.call('HEXISTS', shopper, 'b') == 0 and redis.call('HLEN', shopper) == 1 then redis.call('DEL', shopper) end
end
redis.call('HSET', meta, 'position', after, 'mark', mark)
return 1
