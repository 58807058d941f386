-- Returns a whole number as text. A number itself must not reach a command: Redis 7.2.4 writes 100000000 as 1e+08
-- (redis issue 13113). Prepended to the scripts that pass numbers on.
local function digits(number)
  return string.format('%.0f', number)
end
