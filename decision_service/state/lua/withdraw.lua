-- Withholds a path, such as the consent for a channel, ahead of the log.
local meta, shopper, pending = KEYS[1], KEYS[2], KEYS[3]
local incarnation, field, path, name = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if redis.call('HGET', meta, 'incarnation') ~= incarnation then return redis.error_reply('AWAY') end
redis.call('HSET', shopper, field, path)
redis.call('HINCRBY', shopper, 'v', 1)
redis.call('ZADD', pending, redis.call('TIME')[1], name)
return 1
