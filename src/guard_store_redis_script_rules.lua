-- Licensed under the Apache License, Version 2.0; see LICENSE.
--
-- guard_store_redis_script_rules.lua is the rest of guard_store_redis_script.lua,
-- and goes to Redis behind it as one text. It owns what counts: waiters and busy
-- refusals, reserve and settle. Each function that has a name of guard_policy.c
-- or guard_policy_settle.c says the same here. Invariant: failures + places
-- taken <= limit, whoever asks.
local limit, window_usec = ARGV[3] + 0, ARGV[4] + 0

-- Here windows are compared exactly, as there is room for their lengths.
local function open_window()
    if phase == CALM then
        phase, till, span = WINDOW, now + window_usec, window_usec
    elseif phase == WINDOW and window_usec > span then
        till, span = now + window_usec, window_usec
    end
    last_limit = limit
end

local function lock()
    local lockout_usec, max_usec = ARGV[5] + 0, ARGV[6] + 0
    for _ = 1, level do
        if lockout_usec >= max_usec then
            break
        end
        lockout_usec = lockout_usec * 2
    end
    phase, span = LOCKED, math.min(lockout_usec, max_usec)
    till = now + span
    level, level_till = math.min(level + 1, LEVEL_MAX), till + max_usec
    last_limit, busy = limit, 0
    close_slots()
    publish('locked')
end

if op == 'effect' then
    local what, wait_usec, flags = ARGV[7] + 0, ARGV[8] + 0, 0
    if has(what, WAIT) and waiters >= WAITERS_MAX then
        flags = REFUSED
    elseif has(what, WAIT) then
        -- The end of the last wait to come, not of this one.
        waiters, waiters_till = waiters + 1, ceil_sec(now + wait_usec) + 1
    end
    if has(what, BUSY) then
        open_window()
        if busy == BUSY_PROVEN_MAX - 1 then
            publish('locked')  -- proofs are not trusted any more, here neither
        end
        busy = math.min(busy + 1, BUSY_PROVEN_MAX)
    end
    if has(what, UNWAIT) then
        waiters = max(waiters - 1, 0)
    end
    save(ARGV[9])
    return standing(flags)
end

local guess, proof, user = ARGV[7], ARGV[8], ARGV[9]
local proven_at = find(proven, ' ' .. proof, 1, true)
local settled_at = find(settled, token, 1, true)

-- Begin to verify in a slot of its own.
local function take(i, state, mark)
    slot[i] = { state = state, guess = guess, user = user,
                till = ceil_sec(now + window_usec), held = token .. mark }
end

-- Which slot this attempt has taken, and where it says what it took.
local function held_slot()
    for i = 1, SLOTS do
        local at = slot[i] and find(slot[i].held, token, 1, true)
        if at then
            return i, at
        end
    end
end

-- Whether the row is one of those that the caller takes.
local function accepts(accept, row)
    return row == ROW_FREE and has(accept, ACCEPT_FREE)
        or row == ROW_PROVEN and has(accept, ACCEPT_PROVEN)
        or row == ROW_REJECTED and has(accept, ACCEPT_REJECTED)
        or row == ROW_CHECKING and has(accept, ACCEPT_CHECKING)
end

-- What was answered first, by the mark behind the token.
local function answer_again(mark, flags)
    flags = flags + TAKEN + HELD_SLOT
    if mark == '+' then
        return answer(ROW_FREE, flags + HELD_PROVEN + IS_PROVEN)
    end
    return answer(mark == '=' and ROW_CHECKING or mark == '!'
        and ROW_REJECTED or ROW_FREE, flags)
end

-- guard_policy_judge, and then the memory of proofs. The row, whether the guess
-- is proven, and its slot.
local function judge(trusts, joined)
    if phase == LOCKED then
        return ROW_LOCKED
    elseif failures >= limit then
        return ROW_OVER
    end
    local room = failures + places < limit and spare()
    local row, mine = room and ROW_FREE or ROW_FULL
    if guess == proof and (trusts or room) then
        mine = seek(guess)
    end
    if mine and slot[mine].state ~= REJECTED then
        return ROW_CHECKING, false, mine
    elseif mine then
        return now_sec < slot[mine].till and ROW_REPEATED or ROW_REJECTED,
            false, mine
    elseif proven_at and (trusts or joined) then
        return ROW_PROVEN, true
    end
    return row, proven_at, room
end

local function reserve()
    local accept, joined = ARGV[12] + 0, ARGV[13] == '1'
    local waited, not_after = ARGV[14] == '1', ARGV[11] + 0
    local trusts = busy + waiters < BUSY_PROVEN_MAX
    local flags = trusts and TRUSTS or 0
    local held, held_at = held_slot()
    if held then
        local mark = sub(slot[held].held, held_at + TOKEN, held_at + TOKEN)
        return answer_again(mark, flags), slipped
    elseif phase ~= LOCKED
            and (settled_at or not_after > 0 and now > not_after) then
        return answer(ROW_FULL, flags + LATE), slipped
    end

    local row, is_proven, i = judge(trusts, joined)
    flags = flags + (is_proven and IS_PROVEN or 0)
    if row == ROW_OVER then
        lock()
        return answer(ROW_LOCKED, flags + LOCKOUT), true
    elseif has(accept, ACCEPT_WIDE)
            and (row == ROW_FREE or row == ROW_FULL) then
        row = ROW_PROVEN
    end
    if not accepts(accept, row) then
        return answer(row, flags), slipped
    end

    if waited then
        waiters = max(waiters - 1, 0)
    end
    last_limit, flags = limit, flags + TAKEN
    if row == ROW_REJECTED then
        take(i, RECHECKING, '!')
        flags = flags + HELD_SLOT
    elseif row == ROW_FREE then
        take(i, CHECKING, is_proven and '+' or '.')
        flags = flags + HELD_SLOT + (is_proven and HELD_PROVEN or 0)
    elseif row == ROW_CHECKING and #slot[i].held < HOLDERS_MAX * HOLDER then
        slot[i].held = slot[i].held .. token .. '='
        flags = flags + HELD_SLOT
    end
    return answer(row, flags), slipped or waited or row ~= ROW_PROVEN
end

if op == 'reserve' then
    local said, changed = reserve()
    if changed then
        save(ARGV[15])
    end
    return said
end

-- Rejected: remembered as long as the window, and answered for without a look
-- at the password for a moment.
local function reject(one)
    one.state, one.held, one.till = REJECTED, '', ceil_sec(now) + REPEAT_SEC
end

local function disprove()
    if proven_at then
        proven = sub(proven, 1, proven_at - 1) .. sub(proven, proven_at + PROOF)
    end
end

-- @return true if the client is locked out by this.
local function settle_wrong(hold)
    local first, flying = seek(guess)
    local i = flying or first
    disprove()
    if phase == LOCKED then
        if i then
            slot[i] = nil
        end
        return false
    elseif i and slot[i].state ~= CHECKING then
        reject(slot[i])  -- this window's failure already
        return false
    end
    i = i or spare()
    if i then
        slot[i] = { guess = guess, user = user }
        reject(slot[i])
        if hold ~= HOLD_SLOT then
            slot[i].till = 0  -- it was right: the next one looks again
        end
    end
    open_window()
    failures = failures + 1
    if failures >= limit then
        lock()
        return true
    end
    return false
end

local function forgive()
    local kind = string.byte(ARGV[13]) - 48
    if kind ~= KIND_IP and kind ~= KIND_LOGIN then
        return  -- other people's failures are among them
    end
    for i = 1, SLOTS do
        local one = slot[i]
        if one and one.state == REJECTED and one.user == user
                and failures > 0 and forgiven < limit then
            slot[i] = nil
            failures, forgiven = failures - 1, forgiven + 1
        end
    end
end

local function settle_right(hold)
    local i = seek(guess)
    if phase == WINDOW and not proven_at and hold == HOLD_SLOT then
        -- A guess that was wrong before and is right now is among them.
        if i and slot[i].state == RECHECKING then
            reject(slot[i])
        end
        forgive()
        i = seek(guess)
    end
    if i then
        slot[i] = nil
    end
    disprove()
    proven = sub(format(' %s:%010.0f', proof, now_sec + PROVEN_SEC) .. proven,
        1, PROVEN_MAX * PROOF)
end

local function settle_abandoned()
    local i, held_at = held_slot()
    if not i then
        return
    end
    local one = slot[i]
    if #one.held > HOLDER then
        one.held = sub(one.held, 1, held_at - 1)
            .. sub(one.held, held_at + HOLDER)
    elseif one.state == CHECKING then
        slot[i] = nil
    else
        one.state, one.held, one.till = REJECTED, '', 0  -- the next may look
    end
end

if settled_at then
    local locked_then = sub(settled, settled_at + TOKEN, settled_at + TOKEN)
    if slipped then
        save()
    end
    return standing(locked_then == '!' and phase == LOCKED and LOCKOUT or 0)
end
local hold, outcome, locks = ARGV[11] + 0, ARGV[12] + 0, false
if outcome == WRONG then
    locks = settle_wrong(hold)
elseif outcome == RIGHT then
    settle_right(hold)
else
    settle_abandoned()
end
settled = sub(token .. (locks and '!' or '.') .. settled, 1,
    SETTLED_MAX * HOLDER)
save(ARGV[13])
return standing((locks and LOCKOUT or 0)
    + (busy + waiters < BUSY_PROVEN_MAX and TRUSTS or 0))
