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

/* A slot that was written within GUARD_REFRESH_SEC ends within this. */
#define CATCH_UP_USEC                                                          \
    (GUARD_WINDOW_USEC_MAX + apr_time_from_sec(2 * GUARD_REFRESH_SEC))
#define LONG_AGO_SEC 86400

_Static_assert(apr_time_sec(CATCH_UP_USEC) < 1 << (GUARD_UNTIL_BITS - 1) &&
                   LONG_AGO_SEC + apr_time_sec(GUARD_WINDOW_USEC_MAX) +
                           2 * GUARD_REFRESH_SEC <
                       1 << (GUARD_UNTIL_BITS - 1),
               "within half of what the bits count, ahead and back");

const guard_policy_t guard_policy_default = {
    .limit = 5,
    .window_usec = apr_time_from_sec(10 * 60),
    .lockout_usec = GUARD_LOCKOUT_USEC_DEFAULT,
    .lockout_max_usec = GUARD_LOCKOUT_MAX_USEC_DEFAULT};

/* Only these end by themselves: a REJECTED one lasts as long as its window. */
static int may_expire(const guard_slot_t *slot)
{
    return slot->state & (GUARD_SLOT_CHECKING | GUARD_SLOT_PROVEN);
}

_Static_assert((GUARD_SLOT_RECHECKING & GUARD_SLOT_CHECKING) &&
                   !(GUARD_SLOT_REJECTED &
                     (GUARD_SLOT_CHECKING | GUARD_SLOT_PROVEN)),
               "may_expire looks at two bits");

static void expire(guard_slot_t *slot)
{
    if (slot->state == GUARD_SLOT_RECHECKING) {
        slot->state = GUARD_SLOT_REJECTED;
        slot->holders = 0;
    } else {
        empty(slot);
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
    for (guard_slot_t *slot = record->slot; slot < record->slot + GUARD_SLOTS;
         slot++) {
        if (may_expire(slot) && ahead(slot, now_sec) <= 0) {
            expire(slot);
        }
    }
    /* 16 bits of seconds: an end is either near, or long past. */
    if (record->waiters &&
        ((uint16_t)(record->waiters_until - now_sec) > WAIT_SEC_MAX ||
         (uint16_t)now_sec == record->waiters_until)) {
        record->waiters = 0;
    }
}

/* Slots end at most a window from when they were written; by then, each reads
 * right. What ended days ago only needs to be known as that. */
void guard_policy_catch_up(guard_record_t *record, uint64_t then_usec,
                           uint64_t now_usec)
{
    const uint64_t last_usec = after(then_usec, CATCH_UP_USEC);

    if (last_usec < now_usec) {
        guard_policy_refresh(record, last_usec);
    }
    guard_policy_refresh(record, now_usec);
    for (guard_slot_t *slot = record->slot; slot < record->slot + GUARD_SLOTS;
         slot++) {
        if (ahead(slot, floor_sec(now_usec)) < -LONG_AGO_SEC) {
            slot->until_sec = 0;
        }
    }
}

int guard_policy_is_blank(const guard_record_t *record)
{
    if (record->phase != GUARD_PHASE_CALM || record->level || record->waiters) {
        return 0;
    }
    for (int i = 0; i < GUARD_SLOTS; i++) {
        if (record->slot[i].state != GUARD_SLOT_EMPTY) {
            return 0;
        }
    }
    return 1;
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

uint64_t guard_policy_forgotten_at(const guard_record_t *record,
                                   uint64_t now_usec)
{
    uint32_t now_sec = floor_sec(now_usec);
    uint64_t at_usec = record->until_usec;

    if (at_usec < record->level_until_usec) {
        at_usec = record->level_until_usec;
    }
    for (int i = 0; i < GUARD_SLOTS; i++) {
        int32_t lasts_sec = ahead(&record->slot[i], now_sec);
        uint64_t slot_usec = lasts_sec > 0 ? (now_sec + (uint64_t)lasts_sec) *
                                                 (uint64_t)USEC_PER_SEC
                                           : 0;

        if (at_usec < slot_usec) {
            at_usec = slot_usec;
        }
    }
    return at_usec;
}

/* A place in the budget, and a slot that is not in flight. */
static int has_room(const guard_record_t *record, const guard_policy_t *policy)
{
    unsigned taken = record->failures, flying = 0;

    for (const guard_slot_t *slot = record->slot;
         slot < record->slot + GUARD_SLOTS; slot++) {
        if (in_flight(slot)) {
            flying++;
            taken += slot->state == GUARD_SLOT_CHECKING;
        }
    }
    return taken < policy->limit && flying < GUARD_SLOTS;
}

/* Past a number of busy refusals a proven guess queues like any other: else
 * "busy or in" would tell a neighbour that he has found it. Those that wait
 * have seen that they are not in, and are on their way to a refusal. */
int guard_policy_trusts(const guard_record_t *record)
{
    return record->busy + record->waiters < GUARD_BUSY_PROVEN_MAX;
}

guard_proof_e guard_policy_proof(const guard_record_t *record,
                                 const guard_policy_t *policy,
                                 const guard_guess_t *guess, uint64_t now_usec)
{
    uint32_t now_sec = floor_sec(now_usec);
    recalled_t recalled;

    if (now_usec < record->until_usec && (record->phase == GUARD_PHASE_LOCKED ||
                                          record->failures >= policy->limit)) {
        return GUARD_PROOF_NONE;
    }
    recalled = recall(record, guess);
    if (!recalled.proven || ahead(recalled.proven, now_sec) <= 0 ||
        !guard_policy_trusts(record)) {
        return GUARD_PROOF_NONE;
    }
    return recalled.proven->until_sec == proven_until(now_usec) &&
                   !recalled.other
               ? GUARD_PROOF_FRESH
               : GUARD_PROOF_HELD;
}

guard_row_e guard_policy_judge(const guard_record_t *record,
                               const guard_policy_t *policy,
                               const guard_guess_t *guess, uint64_t now_usec)
{
    recalled_t recalled;

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
    recalled = recall(record, guess);
    if (recalled.proven && guard_policy_trusts(record)) {
        return GUARD_ROW_PROVEN;
    }
    if (!recalled.other || !is_recognizable(guess)) {
        return has_room(record, policy) ? GUARD_ROW_FREE : GUARD_ROW_FULL;
    }
    if (in_flight(recalled.other)) {
        return GUARD_ROW_CHECKING;
    }
    return ahead(recalled.other, floor_sec(now_usec)) > 0 ? GUARD_ROW_REPEATED
                                                          : GUARD_ROW_REJECTED;
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
    hold.what = slot->state == GUARD_SLOT_PROVEN &&
                        slot->guess == word_of(guess, guess->proven_tag)
                    ? GUARD_HOLD_SLOT_PROVEN
                    : GUARD_HOLD_SLOT;
    hold.until_sec = short_sec(ceil_sec(after(now_usec, policy->window_usec)));
    name_slot(slot, guess, guess->tag);
    slot->state = state & 7u;
    slot->holders = 1;
    slot->until_sec = hold.until_sec & UNTIL_MASK;
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
    guard_slot_t *slot;

    set_limit(record, policy);
    switch (row) {
    case GUARD_ROW_REJECTED:
        slot = find(record, IN_FLIGHT | REJECTED, guess, guess->tag);
        return take_slot(slot, GUARD_SLOT_RECHECKING, policy, guess, now_usec);
    case GUARD_ROW_CHECKING:
        return join_slot(find(record, IN_FLIGHT | REJECTED, guess, guess->tag));
    case GUARD_ROW_FREE:
        slot = find(record, PROVEN, guess, guess->proven_tag);
        return take_slot(slot ? slot : spare_slot(record, floor_sec(now_usec)),
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
    record->until_usec = after(now_usec, length_usec) & USEC_MASK;
    record->level_until_usec =
        after(record->until_usec, policy->lockout_max_usec);
    if (record->level < LEVEL_MAX) {
        record->level++;
    }
    set_limit(record, policy);
    record->forgiven = length_code(length_usec);
    record->busy = 0;
    close_slots(record);
}

void guard_policy_busy(guard_record_t *record, const guard_policy_t *policy,
                       uint64_t now_usec)
{
    open_window(record, policy, now_usec);
    set_limit(record, policy);
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
    record->waiters = (record->waiters + 1u) & 63u;
    /* Not the end of this wait but of the last to come: a waiter that was
     * killed is forgotten as soon as no living one is left. */
    record->waiters_until =
        (uint16_t)(ceil_sec(after(now_usec, wait_usec)) + 1);
    return 1;
}

void guard_policy_unwait(guard_record_t *record)
{
    if (record->waiters) {
        record->waiters = (record->waiters - 1u) & 63u;
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
    for (guard_slot_t *slot = record->slot; slot < record->slot + GUARD_SLOTS;
         slot++) {
        if (slot->state == GUARD_SLOT_REJECTED ||
            slot->state == GUARD_SLOT_RECHECKING ||
            slot->state == GUARD_SLOT_PROVEN) {
            empty(slot);
        }
    }
    record->waiters = 0;
}
