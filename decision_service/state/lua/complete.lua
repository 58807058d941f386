-- Declares that the store contains the log. Returns 1 when it does, 0 when another beginning came in between.
local meta = KEYS[1]
local begun, incarnation, server = ARGV[1], ARGV[2], ARGV[3]

if redis.call('HGET', meta, 'begun') ~= begun then return 0 end
redis.call('HDEL', meta, 'begun')
redis.call('HSET', meta, 'incarnation', incarnation, 'run_id', server, 'beginning', begun)
return 1
