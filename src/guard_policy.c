/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_policy.c owns the counting rules: what a record becomes when a guess
 * is reserved, settled, refused, or when time passes. It knows no lock, no
 * clock, no store and no request.
 *
 * The idea. A password is looked at only after its guess has a place in the
 * client's budget, and
 *
 *     failures + places taken <= limit
 *
 * holds whatever runs in parallel; so no more than `limit` different wrong
 * passwords are ever verified in one window. (A check that outlasts its place,
 * because a window ended meanwhile, is charged all the same when it fails.)
 * What makes this bearable for good users is that the budget
 * counts different guesses: a guess that is in flight already is joined, one
 * that proved right takes no place, and one that failed is not charged twice.
 *
 * A client's phases:
 *
 *            failure, busy                  failures = limit
 *     CALM ----------------> WINDOW --------------------------> LOCKED
 *      ^                        |                                  |
 *      +------------------------+----------------------------------+
 *              until_usec: by itself, whatever happened since
 *
 * The states of a slot, and what moves it (P: it holds a place):
 *
 *     EMPTY --take--> CHECKING(P) --right--> PROVEN --10 min--> EMPTY
 *                        |   \
 *                  wrong |    abandoned, or one window long unsettled
 *                        v     `--> EMPTY
 *                    REJECTED <--wrong, abandoned-- RECHECKING
 *                        |                              ^
 *                        +--take, 5 s later-------------+
 *
 * The end of a window empties REJECTED slots, and turns RECHECKING ones into
 * CHECKING ones: what was paid for by the old window's failure takes a place
 * in the new one.
 */
#include "guard_policy_inside.h"

#define LEVEL_MAX UINT8_MAX
/* The longest wait, and the roundings of its end. */
#define WAIT_SEC_MAX (apr_time_sec(GUARD_WAIT_USEC_MAX) + 2)

const guard_policy_t guard_policy_default = {
    .limit = 5,
    .window_usec = apr_time_from_sec(10 * 60),
    .lockout_usec = GUARD_LOCKOUT_USEC_DEFAULT,
    .lockout_max_usec = GUARD_LOCKOUT_MAX_USEC_DEFAULT};

static void expire_slot(guard_slot_t *slot, uint32_t now_sec)
{
    if (now_sec < slot->until_sec) {
        return;
    }
    switch (slot->state) {
    case GUARD_SLOT_CHECKING:
    case GUARD_SLOT_PROVEN:
        empty(slot);
        break;
    case GUARD_SLOT_RECHECKING:
        slot->state = GUARD_SLOT_REJECTED;
        slot->holders = 0;
        break;
    default: /* a REJECTED one lasts as long as its window */
        break;
    }
}

void guard_policy_refresh(guard_record_t *record, uint64_t now_usec)
{
    uint32_t now_sec = floor_sec(now_usec);

    if (record->phase != GUARD_PHASE_CALM && now_usec >= record->until_usec) {
        become_calm(record);
    }
    if (record->level && now_usec >= record->level_until_usec) {
        record->level = 0;
        record->level_until_usec = 0;
    }
    for (int i = 0; i < GUARD_SLOTS; i++) {
        expire_slot(&record->slot[i], now_sec);
    }
    /* 16 bits of seconds: an end is either near, or long past. */
    if (record->waiters &&
        ((uint16_t)(record->waiters_until - now_sec) > WAIT_SEC_MAX ||
         (uint16_t)now_sec == record->waiters_until)) {
        record->waiters = 0;
    }
}

int guard_policy_is_blank(const guard_record_t *record)
{
    for (int i = 0; i < GUARD_SLOTS; i++) {
        if (record->slot[i].state != GUARD_SLOT_EMPTY) {
            return 0;
        }
    }
    return record->phase == GUARD_PHASE_CALM && !record->level &&
           !record->waiters;
}

int guard_policy_is_evictable(const guard_record_t *record)
{
    for (int i = 0; i < GUARD_SLOTS; i++) {
        if (in_flight(&record->slot[i])) {
            return 0;
        }
    }
    return record->phase != GUARD_PHASE_LOCKED;
}

uint64_t guard_policy_forgotten_at(const guard_record_t *record)
{
    uint64_t at_usec = record->until_usec;

    if (at_usec < record->level_until_usec) {
        at_usec = record->level_until_usec;
    }
    for (int i = 0; i < GUARD_SLOTS; i++) {
        uint64_t slot_usec = record->slot[i].until_sec * (uint64_t)USEC_PER_SEC;

        if (at_usec < slot_usec) {
            at_usec = slot_usec;
        }
    }
    return at_usec;
}

static int has_room(const guard_record_t *record, const guard_policy_t *policy)
{
    return record->failures + count_places(record) < policy->limit &&
           spare_slot(record);
}

/* Past a number of busy refusals a proven guess queues like any other: else
 * "busy or in" would tell a neighbour that he has found it. Those that wait
 * have seen that they are not in, and are on their way to a refusal. */
int guard_policy_trusts(const guard_record_t *record)
{
    return record->busy + record->waiters < GUARD_BUSY_PROVEN_MAX;
}

guard_row_e guard_policy_judge(const guard_record_t *record,
                               const guard_policy_t *policy,
                               const guard_guess_t *guess, uint64_t now_usec)
{
    const guard_slot_t *slot;

    if (record->phase == GUARD_PHASE_LOCKED) {
        return GUARD_ROW_LOCKED;
    }
    if (record->failures >= policy->limit) {
        return GUARD_ROW_OVER;
    }
    /* Past the trust, and with no place to give, whatever is remembered of a
     * guess must not show: it fares as one that nobody knows. */
    if (!guard_policy_trusts(record) && !has_room(record, policy)) {
        return GUARD_ROW_FULL;
    }
    if (guard_policy_trusts(record) &&
        look(record, PROVEN, guess->proven_tag)) {
        return GUARD_ROW_PROVEN;
    }
    slot = is_recognizable(guess)
               ? look(record, IN_FLIGHT | REJECTED, guess->tag)
               : NULL;
    if (slot && in_flight(slot)) {
        return GUARD_ROW_CHECKING;
    }
    if (slot) {
        return floor_sec(now_usec) < slot->until_sec ? GUARD_ROW_REPEATED
                                                     : GUARD_ROW_REJECTED;
    }
    return has_room(record, policy) ? GUARD_ROW_FREE : GUARD_ROW_FULL;
}

guard_row_e guard_policy_strictest(guard_row_e a, guard_row_e b)
{
    return a < b ? a : b; /* guard_row_e is in that order */
}

/* Begin to verify in a slot of its own. */
static guard_hold_t take_slot(guard_slot_t *slot, guard_slot_e state,
                              const guard_policy_t *policy,
                              const guard_guess_t *guess, uint64_t now_usec)
{
    guard_hold_t hold = {.what = GUARD_HOLD_NOTHING};

    if (!slot) {
        return hold; /* judge() promised one */
    }
    hold.what =
        slot->state == GUARD_SLOT_PROVEN && slot->guess == guess->proven_tag
            ? GUARD_HOLD_SLOT_PROVEN
            : GUARD_HOLD_SLOT;
    hold.until_sec = ceil_sec(after(now_usec, policy->window_usec));
    slot->guess = guess->tag;
    slot->user = USER_BITS(guess);
    slot->state = state & 7u;
    slot->holders = 1;
    slot->until_sec = hold.until_sec;
    return hold;
}

/* Verify beside others, under the same place. */
static guard_hold_t join_slot(guard_slot_t *slot)
{
    guard_hold_t hold = {.what = GUARD_HOLD_NOTHING};

    if (slot && slot->holders < GUARD_HOLDERS_MAX) {
        slot->holders = (slot->holders + 1u) & GUARD_HOLDERS_MAX;
        hold.what = GUARD_HOLD_SLOT;
        hold.until_sec = slot->until_sec;
    }
    return hold;
}

guard_hold_t guard_policy_take(guard_record_t *record,
                               const guard_policy_t *policy, guard_row_e row,
                               const guard_guess_t *guess, uint64_t now_usec)
{
    static const guard_hold_t nothing = {.what = GUARD_HOLD_NOTHING};
    guard_slot_t *slot = find(record, IN_FLIGHT | REJECTED, guess->tag);
    guard_slot_t *proven = find(record, PROVEN, guess->proven_tag);

    record->limit = policy->limit;
    switch (row) {
    case GUARD_ROW_REJECTED:
        return take_slot(slot, GUARD_SLOT_RECHECKING, policy, guess, now_usec);
    case GUARD_ROW_CHECKING:
        return join_slot(slot);
    case GUARD_ROW_FREE:
        return take_slot(proven ? proven : spare_slot(record),
                         GUARD_SLOT_CHECKING, policy, guess, now_usec);
    default: /* PROVEN: verified all the same, but takes no place */
        return nothing;
    }
}

uint64_t guard_policy_locked_since(const guard_record_t *record)
{
    uint64_t sec = record->forgiven & ((1u << LENGTH_BITS) - 1);
    uint64_t length_usec =
        (sec << (record->forgiven >> LENGTH_BITS)) * USEC_PER_SEC;

    if (record->phase != GUARD_PHASE_LOCKED) {
        return 0;
    }
    return record->until_usec > length_usec ? record->until_usec - length_usec
                                            : 0;
}

void guard_policy_lock(guard_record_t *record, const guard_policy_t *policy,
                       uint64_t now_usec)
{
    apr_interval_time_t length_usec = lockout_length(policy, record->level);

    record->phase = GUARD_PHASE_LOCKED;
    record->until_usec = after(now_usec, length_usec);
    record->level_until_usec =
        after(record->until_usec, policy->lockout_max_usec);
    if (record->level < LEVEL_MAX) {
        record->level++;
    }
    record->limit = policy->limit;
    record->forgiven = length_code(length_usec);
    record->busy = 0;
    close_slots(record);
}

void guard_policy_busy(guard_record_t *record, const guard_policy_t *policy,
                       uint64_t now_usec)
{
    open_window(record, policy, now_usec);
    record->limit = policy->limit;
    if (record->busy < GUARD_BUSY_PROVEN_MAX) {
        record->busy = (record->busy + 1u) & 15u;
    }
}

int guard_policy_wait(guard_record_t *record, uint64_t now_usec,
                      apr_interval_time_t wait_usec)
{
    if (record->waiters >= GUARD_WAITERS_MAX) {
        return 0;
    }
    record->waiters++;
    /* Not the end of this wait but of the last to come: a waiter that was
     * killed is forgotten as soon as no living one is left. */
    record->waiters_until =
        (uint16_t)(ceil_sec(after(now_usec, wait_usec)) + 1);
    return 1;
}

void guard_policy_unwait(guard_record_t *record)
{
    if (record->waiters) {
        record->waiters--;
    }
}

void guard_policy_unlock(guard_record_t *record)
{
    become_calm(record);
    record->level = 0;
    record->level_until_usec = 0;
    record->waiters = 0;
    for (int i = 0; i < GUARD_SLOTS; i++) {
        if (in_flight(&record->slot[i])) {
            empty(&record->slot[i]);
        }
    }
}

void guard_policy_void_guesses(guard_record_t *record)
{
    for (int i = 0; i < GUARD_SLOTS; i++) {
        guard_slot_t *slot = &record->slot[i];

        if (slot->state == GUARD_SLOT_REJECTED ||
            slot->state == GUARD_SLOT_RECHECKING ||
            slot->state == GUARD_SLOT_PROVEN) {
            empty(slot);
        }
    }
    record->waiters = 0;
}
