-- Begins a new incarnation: drops all pending facts, and forgets states that may lack rows, or that another version of
-- the fold made.
-- All in one script: between looking whether rows are contained and forgetting the states, another replica could apply
-- some rows. Returns the name of the beginning, empty when another one was completed meanwhile.
local meta, pending, spent, pending_costs = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local prefix, anew, seen, begun, fold = ARGV[1], ARGV[2] ~= '', ARGV[3], ARGV[4], ARGV[5]

local known = redis.call('HMGET', meta, 'incarnation', 'begun', 'position', 'fold')
local server = string.match(begun, '^[^ ]+')
if not anew then
  if known[2] and known[3] and known[4] == fold and string.match(known[2], '^[^ ]+') == server then return known[2] end
  if (known[1] or '') ~= seen then return '' end
end
redis.call('HDEL', meta, 'incarnation')
if anew or not known[3] or known[4] ~= fold then
  local cursor = '0'
  repeat
    local found = redis.call('SCAN', cursor, 'MATCH', prefix .. '*', 'COUNT', 1000)
    cursor = found[1]
    if #found[2] > 0 then redis.call('UNLINK', unpack(found[2])) end
  until cursor == '0'
  redis.call('HSET', meta, 'position', 0, 'fold', fold)
end
for _, name in ipairs(redis.call('ZRANGE', pending, 0, -1)) do
  local shopper_key, field = string.match(name, '^([^ ]+) (.*)$')
  local shopper = prefix .. 's:' .. shopper_key
  if redis.call('HDEL', shopper, field) == 1 then
    redis.call('HINCRBY', shopper, 'v', 1)
    refund(pending_costs, spent, name)
  end
end
redis.call('DEL', pending)
redis.call('HSET', meta, 'begun', begun)
return begun
