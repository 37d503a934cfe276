-- The effects of events, and the position they came from, in one call.
--
-- A partition's ledger is a hash: `next_offset`, before which all is done, `epoch`, which rises with
-- every owner, and `owner`, a name that no two tenures share. Whoever is not named there writes
-- nothing. `topic_tag` says which topic of its name it is of. `added:17` is there when event 17 was added after the position had passed it.
--
-- The server undoes nothing when a command fails. So a batch is first gone through without writing:
-- a model says what each command would meet, the commands before it in the batch included. Only
-- when none can fail is anything written. One call is one step for everybody else, on the disk and
-- on replicas too.
--
-- NAME is this text's version, so that another version's functions may be there beside these.

-- An integer of 64 bits as Lua's numbers can hold it: {high, low}, which is high * 10^10 + low with
-- 0 <= low < 10^10. Lua's own numbers are exact up to 2^53 only.
local BASE = 1e10
local ZERO = {0, 0}
local MAX_HIGH, MAX_LOW = 922337203, 6854775807
local MIN_HIGH, MIN_LOW = -922337204, 3145224192
local LAST_STREAM_MS = '18446744073709551615'

-- Return high and low as an integer, or nil if it has more than 64 bits.
local function fitting(high, low)
  if high > MAX_HIGH or (high == MAX_HIGH and low > MAX_LOW) then return nil end
  if high < MIN_HIGH or (high == MIN_HIGH and low < MIN_LOW) then return nil end
  return {high, low}
end

-- Read an integer as strictly as the server does; nil if it is none.
local function integer(text)
  if text ~= '0' and not string.find(text, '^-?[1-9]%d*$') or #text > 20 then return nil end
  if #text < 16 then
    local number = tonumber(text)
    local high = math.floor(number / BASE)
    return {high, number - high * BASE}
  end
  local digits = string.gsub(text, '^-', '')
  local high, low = tonumber(string.sub(digits, 1, -11)), tonumber(string.sub(digits, -10))
  if digits ~= text then
    high, low = -high, -low
    if low < 0 then high, low = high - 1, low + BASE end
  end
  return fitting(high, low)
end

-- Return the sum of two integers, or nil if it has more than 64 bits.
local function sum(one, other)
  local high, low = one[1] + other[1], one[2] + other[2]
  if low >= BASE then high, low = high + 1, low - BASE end
  return fitting(high, low)
end

-- The model: what the batch has made of its keys so far. Of each key it has touched it knows
--   kind      what TYPE says
--   is_new    whether nothing of it is the server's: the batch made it, or deleted it
--   value     of a string: its text, or an integer; nil is the server's
--   fields    of a hash: a field's text, or an integer; false is no such field, nil is the server's
--   has_lost  of a hash: whether fields were deleted
--   is_open   of a stream: whether it was seen to have ids left
-- Changes are noted, so that those of an event that is refused can be taken back.
local function change(model, place, name, value)
  local at = model.changes + 1
  model.changes = at
  model.places[at], model.names[at], model.before[at] = place, name, place[name]
  place[name] = value
end

local function take_back(model)
  for at = model.changes, 1, -1 do model.places[at][model.names[at]] = model.before[at] end
  model.changes = 0
end

-- Whether a hash has lost all its fields to the batch: then there is no such key any more.
local function is_emptied(key, state)
  if state.kind ~= 'hash' or not state.has_lost then return false end
  local lost = 0
  for field, value in pairs(state.fields) do
    if value then return false end
    if not state.is_new then lost = lost + redis.call('HEXISTS', key, field) end
  end
  return state.is_new or lost == redis.call('HLEN', key)
end

local function found(model, key)
  if not model.keys[key] then
    local kind = redis.call('TYPE', key).ok
    model.keys[key] = {kind = kind, is_new = kind == 'none', fields = {}}
  end
  return model.keys[key]
end

-- Return a key's state as one of a kind, which a missing key becomes; or nil, and why not.
local function as(model, key, kind)
  local state = found(model, key)
  if state.kind == kind then return state end
  if state.kind == 'none' or is_emptied(key, state) then
    state = {kind = kind, is_new = true, fields = {}}
    change(model, model.keys, key, state)
    return state
  end
  return nil, 'the key holds a ' .. state.kind .. ', and this needs a ' .. kind
end

-- Add to an integer of the model's; return the sum, or nil and why there is none.
local function added(before, amount)
  if type(before) == 'string' then before = integer(before) end
  if not before then return nil, 'what is there is no integer of 64 bits' end
  local after = sum(before, integer(amount))
  if not after then return nil, 'the sum has more than 64 bits' end
  return after
end

-- What each command does to the model; it returns why it would fail, if it would. A command's
-- arguments behind its key are args[first] to args[last].
local does = {}

function does.SET(model, key, args, first, last)
  change(model, model.keys, key, {kind = 'string', is_new = true, value = args[first]})
end

function does.DEL(model, key, args, first, last)
  change(model, model.keys, key, {kind = 'none', is_new = true})
end

function does.INCRBY(model, key, args, first, last)
  local state, problem = as(model, key, 'string')
  if not state then return problem end
  local before = state.value or (state.is_new and ZERO) or redis.call('GET', key)
  local after, why = added(before, args[first])
  if not after then return why end
  change(model, state, 'value', after)
end

function does.HSET(model, key, args, first, last)
  local state, problem = as(model, key, 'hash')
  if not state then return problem end
  for at = first, last, 2 do change(model, state.fields, args[at], args[at + 1]) end
end

function does.HDEL(model, key, args, first, last)
  if found(model, key).kind == 'none' then return end
  local state, problem = as(model, key, 'hash')
  if not state then return problem end
  for at = first, last do change(model, state.fields, args[at], false) end
  change(model, state, 'has_lost', true)
end

function does.HINCRBY(model, key, args, first, last)
  local state, problem = as(model, key, 'hash')
  if not state then return problem end
  local before = state.fields[args[first]]
  if before == nil and not state.is_new then before = redis.call('HGET', key, args[first]) end
  local after, why = added(before or ZERO, args[last])
  if not after then return why end
  change(model, state.fields, args[first], after)
end

function does.ZINCRBY(model, key, args, first, last)
  return select(2, as(model, key, 'zset'))
end

-- A stream whose last id is the greatest there can be takes no more.
local function has_ids_left(key)
  local info = redis.call('XINFO', 'STREAM', key)
  for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then
      return string.match(info[at + 1], '^%d+') ~= LAST_STREAM_MS
    end
  end
  return false
end

function does.XADD(model, key, args, first, last)
  local state, problem = as(model, key, 'stream')
  if not state then return problem end
  if not state.is_new and not state.is_open then
    if not has_ids_left(key) then return 'the stream has no more ids' end
    state.is_open = true
  end
end

local function list(all, ...)
  for _, what in ipairs({...}) do all[#all + 1] = what end
end

-- Go through a batch without writing. args has, from 5 on, of each event how many commands it has,
-- and of each command its name, how many arguments stand behind its key, and these; the commands'
-- keys are keys[2] and so on, in the same order.
--
-- Returns what is refused, flat: the event's number, the command's number, its name, why. The
-- events that are refused are left out of what the others meet.
local function refusals(keys, args)
  local model = {keys = {}, changes = 0, places = {}, names = {}, before = {}}
  local refused, at, command, event = {}, 5, 1, 0
  while at <= #args do
    local problem
    event = event + 1
    model.changes = 0
    local count = tonumber(args[at])
    at = at + 1
    for _ = 1, count do
      command = command + 1
      local name, first = args[at], at + 2
      local last = at + 1 + tonumber(args[at + 1])
      at = last + 1
      if not problem then
        local key = keys[command]
        if not redis.acl_check_cmd(name, key, unpack(args, first, last)) then
          return nil, 'NOPERM the user may not ' .. name .. ' such a key'
        end
        problem = does[name](model, key, args, first, last)
        if problem then
          take_back(model)
          list(refused, event, command - 1, name, problem)
        end
      end
    end
  end
  return refused
end

-- Write a batch that nothing of is refused; return what failed all the same, as `refusals` does.
local function written(keys, args)
  local failed, at, command, event = {}, 5, 1, 0
  while at <= #args do
    event = event + 1
    local count = tonumber(args[at])
    at = at + 1
    for _ = 1, count do
      command = command + 1
      local name, first = args[at], at + 2
      local last = at + 1 + tonumber(args[at + 1])
      at = last + 1
      local answer = redis.pcall(name, keys[command], unpack(args, first, last))
      if type(answer) == 'table' and answer.err then
        list(failed, event, command - 1, name, answer.err)
      end
    end
  end
  return failed
end

local function standing(ledger)
  return redis.call('HMGET', ledger, 'epoch', 'owner', 'next_offset')
end

-- Write a batch and a field of the ledger.
local function carried_out(keys, args, field, value)
  local refused, problem = refusals(keys, args)
  if not refused then return redis.error_reply(problem) end
  if #refused > 0 then return {'REFUSED', refused} end
  local failed = written(keys, args)
  redis.call('HSET', keys[1], field, value)
  return {'WRITTEN', failed}
end

-- Write a batch, if the ledger says what the caller believes.
--   keys  the ledger, then each command's key
--   args  epoch, owner, the next offset so far, the one from now on, then as `refusals` has it
-- Returns one of
--   STANDS, epoch, owner, next offset: the ledger says something else; nothing was written
--   REFUSED, ...: events that can never be written; nothing was
--   WRITTEN, ...: it was; what follows failed in spite of all, and is a defect of this file
redis.register_function('NAME_write', function(keys, args)
  local place = standing(keys[1])
  if place[1] ~= args[1] or place[2] ~= args[2] or place[3] ~= args[3] then
    return {'STANDS', place[1], place[2], place[3]}
  end
  return carried_out(keys, args, 'next_offset', args[4])
end)

-- Write an event that the position has passed, unless it was added before; the position stays.
--   keys  as for write
--   args  epoch, owner, the event's offset, what is noted for it, then as `refusals` has it
-- Returns what write does.
redis.register_function('NAME_add', function(keys, args)
  local place, field = standing(keys[1]), 'added:' .. args[3]
  if place[1] ~= args[1] or place[2] ~= args[2] then
    return {'STANDS', place[1], place[2], place[3]}
  end
  if redis.call('HEXISTS', keys[1], field) == 1 then return {'WRITTEN', {}} end
  return carried_out(keys, args, field, args[4])
end)

-- Give a partition another owner.
--   keys  the ledger
--   args  the owner, where to begin if there is no ledger, which topic of its name it is
-- What is noted of another topic, which the name had before, is forgotten.
-- Returns the epoch and the next offset.
redis.register_function('NAME_take_over', function(keys, args)
  local known = redis.call('HGET', keys[1], 'topic_tag')
  if known and known ~= args[3] then
    local epoch = redis.call('HGET', keys[1], 'epoch')
    redis.call('DEL', keys[1])
    redis.call('HSET', keys[1], 'epoch', epoch)
  end
  redis.call('HSETNX', keys[1], 'next_offset', args[2])
  local epoch = redis.call('HINCRBY', keys[1], 'epoch', 1)
  redis.call('HSET', keys[1], 'owner', args[1], 'topic_tag', args[3])
  return {epoch, redis.call('HGET', keys[1], 'next_offset')}
end)

-- Say where a partition stands.
--   keys  the ledger
-- Returns epoch, owner and next offset, or nothing where there is no ledger.
redis.register_function{function_name = 'NAME_position', flags = {'no-writes'},
  callback = function(keys, args) return standing(keys[1]) end}
