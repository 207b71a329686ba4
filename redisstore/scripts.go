package redisstore

// The operations that must be atomic, in Lua, so that Redis compares the token and acts on it in one step. The scripts are sent
// in full, with EVAL: EVALSHA would need SHA-1, which a program under GODEBUG=fips140=only may not use.
//
// A script is given only the keys that it uses: while Cluster moves their slot, it refuses a script of two keys that are not at
// one node.

const (
	// takeScript takes the lock, KEYS[1], and then reads the value, KEYS[2], from the primary even if the client reads from
	// replicas. When the client repeats a command whose reply was lost, the script finds its own token in the lock: otherwise
	// the process would wait for a lock that it holds itself. When the lock can be taken, the value can be written later: a
	// server that lacks a right or a slot, or that takes no writes, refuses this script, before anything is minted.
	takeScript = `
local locked = 1
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
	if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) else locked = 0 end
end
return {locked, redis.call('GET', KEYS[2])}`

	// lookScript reads the value, KEYS[2], and whether the lock, KEYS[1], is held, for those who wait for it.
	lookScript = `
local held = 0
if redis.call('GET', KEYS[1]) then held = 1 end
return {held, redis.call('GET', KEYS[2])}`

	extendScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`

	storeScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
	redis.call('SET', KEYS[2], ARGV[3])
else
	redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[2])
end
return 1`

	releaseScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`
)
