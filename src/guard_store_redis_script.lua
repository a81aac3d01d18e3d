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
-- The hash has these fields:
--   h       at phase left span failures limit: as in guard_record_t; at is when
--           this was written, left how long it was then to the end, span the
--           length of what ends
--   1, 2..  one text of four parts, with bars between them:
--     rest     forgiven busy level level_left waiters waiters_left, the last
--              one in seconds; empty if all of them are 0
--     slots    in use: position, state, guess, user, till in seconds, holders,
--              semicolon. A holder is a token and how it took its place: "."
--              anew, "+" for a guess that was proven before, "!" to look again
--              at one that was rejected, "=" under the place of another
--     proven   guesses, newest first: space, guess, colon, till in seconds
--     settled  tokens, newest first: token, and "!" if that locked, or "."
--   101..   who it is, for people
-- Guesses, users and tokens are digits of base 64, of a fixed width. Nothing
-- beside them is such a digit, so a token is found where it stands alone.
--
-- Redis keeps a hash in half the room until a value in it is longer than 64
-- bytes, and never again from then on. So the texts are cut, and what is behind
-- the end of one is empty: a value that isn't full is the last.
--
-- The text runs in Lua 5.1, which Redis has, and in newer ones: whole numbers
-- are written by %.0f, for there they may be of two kinds. Numbers that C has
-- names for come before this text, under the same names.
local call, match, find, sub = redis.call, string.match, string.find, string.sub
local format, floor, max = string.format, math.floor, math.max
local KEY, op, now = KEYS[1], ARGV[1], tonumber(ARGV[2])
-- Widths of a token, of one with its mark, of an entry of proven, of a field.
local TOKEN, HOLDER, PROOF, CUT = 11, 12, 18, 64

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
local stored = call('HMGET', KEY, 'h', '1', '2', '3', '4')
local at, phase, till, span, failures, last_limit = match(stored[1] or '',
    '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
local known, body, since, slip_sec = at, '', now, 0
local forgiven, busy, level, level_till = 0, 0, 0, 0
local waiters, waiters_till = 0, 0
if known then
    at, body = at + 0, stored[2]
    if stored[3] then
        body = body .. stored[3] .. (stored[4] or '') .. (stored[5] or '')
    end
    if at > now then  -- the clock was set back: what was left then is left now
        slip_sec = floor((at - now) / 1000000)
    else
        since = at
    end
    phase, till, span = phase + 0, since + till, span + 0
    failures, last_limit = failures + 0, last_limit + 0
    if sub(body, 1, 1) ~= '|' then
        forgiven, busy, level, level_till, waiters, waiters_till =
            match(body, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)|')
        forgiven, busy, level = forgiven + 0, busy + 0, level + 0
        level_till, waiters = since + level_till, waiters + 0
        waiters_till = floor(since / 1000000) + waiters_till
    end
else
    phase, till, span, failures, last_limit = CALM, 0, 0, 0, 0
end
local slipped = known and at > now

-- guard_policy_refresh: what is over ends; guesses follow where they are read.
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

-- What every call answers.
local function answer(row, flags)
    return { now, row, flags, phase, failures, level,
             phase == CALM and 0 or till - now }
end

local function standing(flags)
    return answer(phase == LOCKED and ROW_LOCKED or ROW_FREE, flags)
end

-- Most that come again while locked out end here, and all that peek. Where a
-- token of theirs may stand, or stand behind what was read, it takes longer.
local token = ARGV[10]
if op == 'peek' and not slipped then
    return standing(0)
elseif op == 'reserve' and phase == LOCKED and not slipped
        and not find(body, token, 1, true)
        and (#body < 4 * CUT or find(body, '|.-|')) then
    return answer(ROW_LOCKED, busy + waiters < BUSY_PROVEN_MAX and TRUSTS or 0)
end

-- The rest of a long text, and its parts.
local slots, proven, settled = '', '', ''
if known then
    local i = 5
    while #body == (i - 1) * CUT do
        stored = call('HMGET', KEY, i, i + 1, i + 2, i + 3)
        body = body .. (stored[1] or '') .. (stored[2] or '')
            .. (stored[3] or '') .. (stored[4] or '')
        i = i + 4
    end
    local first = find(body, '|', 1, true)
    local second = find(body, '|', first + 1, true)
    local third = find(body, '|', second + 1, true)
    slots, settled = sub(body, first + 1, second - 1), sub(body, third + 1)
    proven = sub(body, second + 1, third - 1)
    if slipped then
        proven = string.gsub(proven, ':(%d+)', function(sec)
            return format(':%010.0f', max(sec - slip_sec, 0))
        end)
    end
    while proven ~= '' and sub(proven, -10) + 0 <= now_sec do
        proven = sub(proven, 1, -PROOF - 1)
    end
end

local slot, places = {}, 0
for i, state, guess, user, ends, held in string.gmatch(slots,
        '(%d)(%d)(......)(....)(..........)(.-);') do
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

-- Write the record back, and over all that was behind its end. meta is for a
-- client that is new.
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
            text = text .. format('%d%d%s%s%010d%s;', i, one.state, one.guess,
                one.user, one.till, one.held)
        end
    end
    if proven ~= '' then
        last_sec = max(last_sec, sub(proven, 9, PROOF) + 0)
    end
    local head = format('%.0f %d %.0f %.0f %d %d', now, phase,
        phase == CALM and 0 or till - now, span, failures, last_limit)
    local rest = ''
    if level > 0 or waiters > 0 or busy > 0 or forgiven > 0 then
        rest = format('%d %d %d %.0f %d %.0f', forgiven, busy, level,
            level > 0 and level_till - now or 0, waiters,
            waiters > 0 and waiters_till - now_sec or 0)
    end
    text = rest .. '|' .. text .. '|' .. proven .. '|' .. settled
    local length = max(#text, #body)
    if not known then  -- with one entry in a part at most: a short text
        if stored[1] then
            call('DEL', KEY)
        end
        call('HSET', KEY, 'h', head, '1', text, '101', sub(meta, 1, CUT),
            '102', sub(meta, CUT + 1, 2 * CUT))
        for i = 3, (#meta - 1) / CUT + 1 do
            call('HSET', KEY, 100 + i, sub(meta, (i - 1) * CUT + 1, i * CUT))
        end
    elseif length <= CUT then
        call('HSET', KEY, 'h', head, '1', text)
    else
        call('HSET', KEY, 'h', head, '1', sub(text, 1, CUT), '2', sub(text,
            CUT + 1, 2 * CUT), '3', sub(text, 2 * CUT + 1, 3 * CUT), '4',
            sub(text, 3 * CUT + 1, 4 * CUT))
    end
    for i = 5, (length - 1) / CUT + 1 do
        call('HSET', KEY, i, sub(text, (i - 1) * CUT + 1, i * CUT))
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
    said[11] = ''
    if known and not is_blank() then
        stored = call('HMGET', KEY, '101', '102', '103', '104', '105')
        for i = 1, 5 do
            said[11] = said[11] .. (stored[i] or '')
        end
    end
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
