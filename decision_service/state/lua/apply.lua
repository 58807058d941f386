-- Writes what a batch of rows changes, if it follows the last batch. Returns 1 when it does, 0 when it does not, -1 when
-- another version of the fold makes the states.
-- A store without a position becomes one of this version of the fold: a beginning that comes later must not forget the
-- states, for another batch may rest on them already.
-- The arguments are how the keys of shoppers begin, and the packed update: the positions before and after, the version
-- of the catalogue (or false), the version of the fold, the mark, budget days with what is added to each, the same for
-- the uses of names, and the shoppers. Each shopper has a key, the encoded state (false: it stays; empty: none is kept),
-- the event ids of decisions, and the paths that are withheld, each with the position of the last row that withholds it.
local meta, pending, spent, pending_costs, uses = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local before, after, catalogue, fold, mark, costs, counts, shoppers = unpack(cmsgpack.unpack(ARGV[2]))

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
end

-- Returns whether a row that withholds the path is behind the position that the field of a withdrawal names. The fields
-- of an earlier version name none.
local function is_logged(field, path, withheld)
  local head = tonumber(string.match(field, '^w:(%d+)/') or 0)
  return math.max(withheld[path] or 0, withheld[string.match(path, '^[^.]*')] or 0) > head
end

-- Drops the pending facts of a shopper that are in the log now. Returns whether there were any.
local function settle(shopper, shopper_key, decided, withheld)
  local any = false
  for _, field in ipairs(redis.call('HKEYS', shopper)) do
    local event_id = string.match(field, '^p:(.*)/')
    local path = string.sub(field, 1, 2) == 'w:' and redis.call('HGET', shopper, field)
    if (event_id and decided[event_id]) or (path and is_logged(field, path, withheld)) then
      local name = shopper_key .. ' ' .. field
      redis.call('HDEL', shopper, field)
      refund(pending_costs, spent, name)
      redis.call('ZREM', pending, name)
      any = true
    end
  end
  return any
end

local function update(shopper_key, state, decided, withheld)
  local shopper = ARGV[1] .. shopper_key
  local any = settle(shopper, shopper_key, set_of(decided), withheld)
  if state then
    if state == '' then redis.call('HDEL', shopper, 'b') else redis.call('HSET', shopper, 'b', state) end
  elseif not any then
    return
  end
  redis.call('HINCRBY', shopper, 'v', 1)
  if redis.call('HEXISTS', shopper, 'b') == 0 and redis.call('HLEN', shopper) == 1 then redis.call('DEL', shopper) end
end

local known = redis.call('HMGET', meta, 'position', 'fold')
if known[2] and tonumber(known[2]) ~= fold then return -1 end
if tonumber(known[1] or 0) ~= before then return 0 end
if not known[1] then redis.call('HSET', meta, 'fold', digits(fold)) end
if catalogue then redis.call('HSET', meta, 'catalogue', digits(catalogue)) end
for _, cost in ipairs(costs) do redis.call('HINCRBY', spent, cost[1], digits(cost[2])) end
for _, count in ipairs(counts) do redis.call('HINCRBY', uses, count[1], digits(count[2])) end
for _, shopper in ipairs(shoppers) do update(unpack(shopper)) end
redis.call('HSET', meta, 'position', digits(after), 'mark', mark)
return 1
