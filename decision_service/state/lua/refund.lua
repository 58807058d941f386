-- Gives the budget back what a pending reservation took from it. Prepended to the scripts that drop pending facts.
local function refund(pending_costs, spent, name)
  local entry = redis.call('HGET', pending_costs, name)
  if entry then
    local cost, day = string.match(entry, '^(%d+) (.*)$')
    redis.call('HINCRBY', spent, day, '-' .. cost)
    redis.call('HDEL', pending_costs, name)
  end
end
