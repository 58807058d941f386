-- Drops a pending fact.
local shopper, pending, spent, pending_costs = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local field, name = ARGV[1], ARGV[2]

redis.call('ZREM', pending, name)
if redis.call('HDEL', shopper, field) == 1 then
  redis.call('HINCRBY', shopper, 'v', 1)
  refund(pending_costs, spent, name)
end
return 1
