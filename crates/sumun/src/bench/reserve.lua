-- KEYS: the reservation, then a stock key a line. ARGV: ttl in ms, then a quantity a line.
-- 1 it is reserved, 2 it was already, 0 not enough.
if redis.call('EXISTS', KEYS[1]) == 1 then return 2 end
for i = 2, #KEYS do
  if tonumber(redis.call('GET', KEYS[i]) or '0') < tonumber(ARGV[i]) then return 0 end
end
for i = 2, #KEYS do redis.call('DECRBY', KEYS[i], ARGV[i]) end
redis.call('SET', KEYS[1], 'held', 'PX', ARGV[1])
return 1
