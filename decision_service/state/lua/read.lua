-- Reads shoppers, and what was spent on the budget days that the arguments name.
-- Returns the incarnation, the position, a list of costs, and the hash of each shopper.
local meta, spent = KEYS[1], KEYS[2]
local most = 1000 -- Lua bounds the arguments of a call

local known = redis.call('HMGET', meta, 'incarnation', 'position')
local costs = {}
for first = 1, #ARGV, most do
  local last = math.min(first + most - 1, #ARGV)
  for _, cost in ipairs(redis.call('HMGET', spent, unpack(ARGV, first, last))) do costs[#costs + 1] = cost end
end
local answer = {known[1], tonumber(known[2] or 0), costs}
for number = 3, #KEYS do answer[number + 1] = redis.call('HGETALL', KEYS[number]) end
return answer
