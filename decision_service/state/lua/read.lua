-- Reads shoppers, and what was spent on budget days. The arguments are how the keys of shoppers begin, and a packed list
-- of shoppers and of names of budget days: one packed argument costs the caller less than many.
-- Returns the incarnation, the position, the version of the fold, a list of costs, and the hash of each shopper.
local meta, spent, prefix = KEYS[1], KEYS[2], ARGV[1]
local shoppers, days = unpack(cmsgpack.unpack(ARGV[2]))
local most = 1000 -- Lua bounds the arguments of a call

local known = redis.call('HMGET', meta, 'incarnation', 'position', 'fold')
local costs = {}
for first = 1, #days, most do
  local last = math.min(first + most - 1, #days)
  for _, cost in ipairs(redis.call('HMGET', spent, unpack(days, first, last))) do costs[#costs + 1] = cost end
end
local answer = {known[1], tonumber(known[2] or 0), known[3], costs}
for number, shopper in ipairs(shoppers) do answer[number + 4] = redis.call('HGETALL', prefix .. shopper) end
return answer
