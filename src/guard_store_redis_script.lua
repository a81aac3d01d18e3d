-- Licensed under the Apache License, Version 2.0; see LICENSE.
--
-- guard_store_redis_script.lua owns one client's record in Redis: what it looks
-- like there, and what becomes of it. Redis runs one script at a time, so each
-- call is atomic. It knows no request and no other client: it touches KEYS[1]
-- alone, and the channel beside it. The rules are guard_policy.c's and
-- guard_policy_settle.c's; the functions that have their names there say the
-- same here. Invariant: failures + places taken <= limit, whoever asks.
--
-- Three things differ.
--   * Proven guesses have a list of their own, where shared memory has slots
--     for some and another memory for more: each is at once as if it had lost
--     its slot to another guess.
--   * An attempt is known by its token. A slot lists those that hold it, so a
--     reservation that is sent twice is answered twice and taken once; and the
--     last tokens settled are kept, so that none is settled twice, nor taken
--     when it is settled already.
--   * Redis has the wall clock, which may be set back. Ends are as far away
--     then as they were when the record was written.
--
-- The hash has these fields; all but the first are of a fixed width:
--   h  at phase till span failures limit forgiven busy level level_till waiters
--      waiters_till: as in guard_record_t; at is when this was written, span
--      the length of what ends at till
--   s  slots in use: position, state, guess, user, till in seconds, holders
--      (each a token and a letter: what it took), semicolon
--   p  proven guesses, newest first: space, guess, colon, till in seconds
--   d  tokens settled, newest first: token, and "!" if that locked, or "."
--   m  who it is, for people
--
-- The text runs in Lua 5.1, which Redis has, and in newer ones: whole numbers
-- are written by %.0f, for there they may be of two kinds. Numbers that C has
-- names for come before this text, under the same names.
local call, match, find, sub = redis.call, string.match, string.find, string.sub
local format, floor, max = string.format, math.floor, math.max
local KEY, op, now = KEYS[1], ARGV[1], tonumber(ARGV[2])
-- Widths of a token, of one with its letter, and of an entry of p.
local TOKEN, HOLDER, PROOF = 16, 17, 20

if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000000 + time[2]
end
local now_sec = floor(now / 1000000)

local function has(mask, bit)
    return mask % (2 * bit) >= bit
end

local function ceil_sec(usec)
    return floor((usec + 999999) / 1000000)
end

-- The key is <prefix>:{<16 digits>}.
local function publish(word)
    call('PUBLISH', sub(KEY, 1, -20) .. ':events', word)
end

-- All that is ever done here. HSET first: after another write, Redis would not
-- say that it is full.
if op == 'probe' then
    call('HMGET', KEY, 'h')
    call('HSET', KEY, 'h', 'probe')
    call('PEXPIRE', KEY, 1000)
    call('DEL', KEY)
    publish('probe')
    return { now, ROW_FREE, 0, CALM, 0, 0, 0 }
end

-- The record. A head that is not of this form is none of ours: it counts as
-- no record, and is written over.
local stored = call('HMGET', KEY, 'h', 's', 'p', 'd')
local slots, proven, settled = '', '', ''
local at, phase, till, span, failures, last_limit, forgiven, busy, level,
    level_till, waiters, waiters_till = match(stored[1] or '', '^(%d+) (%d+) '
    .. '(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
local known = at
if known then
    slots, proven, settled = stored[2], stored[3], stored[4]
    at, phase, till, span = at + 0, phase + 0, till + 0, span + 0
    failures, last_limit, forgiven = failures + 0, last_limit + 0, forgiven + 0
    busy, level, level_till = busy + 0, level + 0, level_till + 0
    waiters, waiters_till = waiters + 0, waiters_till + 0
else
    at, phase, till, span, failures, last_limit = now, CALM, 0, 0, 0, 0
    forgiven, busy, level, level_till, waiters, waiters_till = 0, 0, 0, 0, 0, 0
end

-- The clock was set back: what was left then is left now.
local slip_sec = 0
local slipped = at > now
if slipped then
    slip_sec = floor((at - now) / 1000000)
    till = max(till - (at - now), 0)
    level_till = max(level_till - (at - now), 0)
    waiters_till = max(waiters_till - slip_sec, 0)
    proven = string.gsub(proven, ':(%d+)', function(sec)
        return format(':%010.0f', max(sec - slip_sec, 0))
    end)
end

-- guard_policy_refresh: what is over ends; the slots follow in read_slots().
local closed = phase ~= CALM and now >= till
if closed then
    phase, till, span, failures, forgiven, busy = CALM, 0, 0, 0, 0, 0
end
if level > 0 and now >= level_till then
    level, level_till = 0, 0
end
if waiters_till <= now_sec then
    waiters = 0
end
while proven ~= '' and sub(proven, -10) + 0 <= now_sec do
    proven = sub(proven, 1, -PROOF - 1)
end

-- What every call answers.
local function answer(row, flags)
    return { now, row, flags, phase, failures, level,
             phase == CALM and 0 or till - now }
end

local function standing(flags)
    return answer(phase == LOCKED and ROW_LOCKED or ROW_FREE, flags)
end

-- Most that come again while locked out end here, and all that peek.
local token = ARGV[10]
if op == 'peek' and not slipped then
    return standing(0)
elseif op == 'reserve' and phase == LOCKED and not slipped
        and not find(slots, token, 1, true) then
    return answer(ROW_LOCKED, busy + waiters < BUSY_PROVEN_MAX and TRUSTS or 0)
end

local slot, places = {}, 0
for i, state, guess, user, ends, held in string.gmatch(slots,
        '(%d)(%d)(........)(......)(..........)(%w*);') do
    state, ends = state + 0, max(ends - slip_sec, 0)
    if closed and state == REJECTED then
        state = EMPTY
    elseif closed and state == RECHECKING then
        state = CHECKING
    end
    if ends <= now_sec and state == CHECKING then
        state = EMPTY
    elseif ends <= now_sec and state == RECHECKING then
        state, held = REJECTED, ''
    end
    if state ~= EMPTY then
        slot[i + 0] = { state = state, guess = guess, user = user, till = ends,
                        held = held }
        places = places + (state == CHECKING and 1 or 0)
    end
end

-- The first slot of a guess, and the first in which it is in flight.
local function seek(guess)
    local first
    for i = 1, SLOTS do
        local one = slot[i]
        if one and one.guess == guess then
            first = first or i
            if one.state ~= REJECTED then
                return first, i
            end
        end
    end
    return first
end

-- An empty slot, else the oldest rejected; nil: all are in flight.
local function spare()
    local oldest
    for i = 1, SLOTS do
        local one = slot[i]
        if not one then
            return i
        elseif one.state == REJECTED
                and not (oldest and slot[oldest].till <= one.till) then
            oldest = i
        end
    end
    return oldest
end

-- What the failures paid for: gone with them, or to be paid anew.
local function close_slots()
    for i = 1, SLOTS do
        local one = slot[i]
        if one and one.state == REJECTED then
            slot[i] = nil
        elseif one then
            one.state = CHECKING
        end
    end
end

local function is_blank()
    return phase == CALM and level == 0 and waiters == 0 and proven == ''
        and next(slot) == nil
end

-- Write the record back. meta is for a client that is new.
local function save(meta)
    if is_blank() then
        if known then
            call('DEL', KEY)
        end
        return
    end
    local text, last_sec = '', waiters > 0 and waiters_till or 0
    for i = 1, SLOTS do
        local one = slot[i]
        if one then
            last_sec = max(last_sec, one.till)
            text = text .. format('%d%d%s%s%010.0f%s;', i, one.state, one.guess,
                one.user, one.till, one.held)
        end
    end
    if proven ~= '' then
        last_sec = max(last_sec, sub(proven, 11, PROOF) + 0)
    end
    local head = format('%.0f %d %.0f %.0f %d %d %d %d %d %.0f %d %.0f', now,
        phase, till, span, failures, last_limit, forgiven, busy, level,
        level_till, waiters, waiters_till)
    if not known then
        call('HSET', KEY, 'h', head, 's', text, 'p', proven, 'd', settled,
            'm', meta)
    elseif op == 'settle' or slipped then
        call('HSET', KEY, 'h', head, 's', text, 'p', proven, 'd', settled)
    else
        call('HSET', KEY, 'h', head, 's', text)
    end
    -- It goes with the last of what it remembers.
    call('PEXPIRE', KEY, format('%.0f', floor((max(till, level_till,
        last_sec * 1000000) - now) / 1000) + 1))
end

if op == 'peek' then
    save()
    return standing(0)
elseif op == 'show' then
    local said = standing(0)
    local flying = 0
    for i = 1, SLOTS do
        flying = flying + (slot[i] and slot[i].state ~= REJECTED and 1 or 0)
    end
    said[8] = phase == LOCKED and max(now - (till - span), 0) or 0
    said[9], said[10] = flying, last_limit
    said[11] = known and not is_blank() and call('HMGET', KEY, 'm')[1] or ''
    return said
elseif op == 'unlock' then
    local flying = false
    for i = 1, SLOTS do
        flying = flying or slot[i] and slot[i].state ~= REJECTED
    end
    if ARGV[3] == '1' and phase ~= LOCKED
            or phase == CALM and level == 0 and not flying then
        return standing(0)
    end
    phase, till, span, failures, forgiven, busy = CALM, 0, 0, 0, 0, 0
    level, level_till, waiters, slot = 0, 0, 0, {}
    publish('unlocked')
    save()
    return standing(CHANGED)
end
