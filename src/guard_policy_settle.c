/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_policy_settle.c owns the second table of the rules: what becomes of a
 * record once a password check has ended. It knows what guard_policy.c knows.
 *
 * Invariant: an outcome never admits anything. A place that is settled wrong
 * becomes a failure in the same step, so that the sum of both never falls by
 * a wrong guess.
 */
#include "guard_policy_inside.h"

/* A rejected guess is remembered to the end of its window, and answered for
 * without a look at the password for a moment. */
static void reject(guard_slot_t *slot, uint64_t now_usec)
{
    slot->state = GUARD_SLOT_REJECTED;
    slot->holders = 0;
    slot->until_sec =
        short_sec(ceil_sec(now_usec) + GUARD_REPEAT_SEC) & UNTIL_MASK;
}

/* Where a wrong guess is remembered, if it is. */
static guard_slot_t *wrong_slot(guard_record_t *record,
                                const guard_guess_t *guess)
{
    guard_slot_t *slot = find(record, IN_FLIGHT, guess, guess->tag);

    return slot ? slot : find(record, REJECTED, guess, guess->tag);
}

/* What was right once is right no more: it is proven no longer. */
static void disprove(guard_record_t *record, const guard_guess_t *guess)
{
    guard_slot_t *slot = find(record, PROVEN, guess, guess->proven_tag);

    if (slot) {
        empty(slot);
    }
}

static guard_event_e settle_wrong(guard_record_t *record,
                                  const guard_policy_t *policy,
                                  guard_hold_t hold, const guard_guess_t *guess,
                                  uint64_t now_usec)
{
    guard_slot_t *slot = wrong_slot(record, guess);

    disprove(record, guess);
    if (record->phase == GUARD_PHASE_LOCKED) {
        if (slot) {
            empty(slot);
        }
        return GUARD_EVENT_NONE;
    }
    if (slot && slot->state != GUARD_SLOT_CHECKING) {
        reject(slot, now_usec); /* this window's failure already */
        return GUARD_EVENT_NONE;
    }
    if (!slot) {
        slot = spare_slot(record, floor_sec(now_usec));
    }
    if (slot) {
        name_slot(slot, guess, guess->tag);
        reject(slot, now_usec);
        if (hold.what != GUARD_HOLD_SLOT) {
            slot->until_sec = 0; /* it was right: the next one looks again */
        }
    }
    open_window(record, policy, now_usec);
    record->failures = (record->failures + 1u) & 1023u;
    set_limit(record, policy);
    if (record->failures < policy->limit) {
        return GUARD_EVENT_NONE;
    }
    guard_policy_lock(record, policy, now_usec);
    return GUARD_EVENT_LOCKOUT;
}

/* The user has come in for the first time: his own typos are forgiven, as far
 * as they are remembered, and at most `limit` of them a window. */
static void forgive(guard_record_t *record, const guard_policy_t *policy,
                    const guard_guess_t *guess)
{
    const uint32_t user = word_of(guess, 0);
    unsigned kind = record->kind & GUARD_RECORD_KIND;

    if (kind != GUARD_KIND_IP && kind != GUARD_KIND_LOGIN) {
        return; /* other people's failures are among them */
    }
    for (guard_slot_t *slot = record->slot; slot < record->slot + GUARD_SLOTS;
         slot++) {
        if (slot->state == GUARD_SLOT_REJECTED &&
            slot->user == USER_LOW(guess) &&
            slot->guess >> GUARD_TAG_BITS == user >> GUARD_TAG_BITS &&
            record->failures && record->forgiven < policy->limit) {
            empty(slot);
            record->failures = (record->failures - 1u) & 1023u;
            record->forgiven++;
        }
    }
}

static void settle_right(guard_record_t *record, const guard_policy_t *policy,
                         guard_hold_t hold, const guard_guess_t *guess,
                         uint64_t now_usec)
{
    guard_slot_t *proven = find(record, PROVEN, guess, guess->proven_tag);
    guard_slot_t *slot = find(record, IN_FLIGHT | REJECTED, guess, guess->tag);

    if (record->phase == GUARD_PHASE_WINDOW && !proven &&
        hold.what == GUARD_HOLD_SLOT) {
        /* A guess that was wrong before and is right now is among them. */
        if (slot && slot->state == GUARD_SLOT_RECHECKING) {
            reject(slot, now_usec);
        }
        forgive(record, policy, guess);
        slot = find(record, IN_FLIGHT | REJECTED, guess, guess->tag);
    }
    if (proven && slot) {
        empty(slot);
    }
    if (!proven) {
        proven = slot ? slot : spare_slot(record, floor_sec(now_usec));
    }
    if (!proven) {
        return;
    }
    name_slot(proven, guess, guess->proven_tag);
    proven->holders = 0;
    proven->state = GUARD_SLOT_PROVEN;
    proven->until_sec = proven_until(now_usec) & UNTIL_MASK;
}

static void settle_abandoned(guard_record_t *record, guard_hold_t hold,
                             const guard_guess_t *guess)
{
    guard_slot_t *slot = find(record, IN_FLIGHT, guess, guess->tag);

    if (hold.what == GUARD_HOLD_NOTHING || !slot ||
        slot->until_sec != hold.until_sec) {
        return;
    }
    if (slot->holders > 1) {
        slot->holders = (slot->holders - 1u) & GUARD_HOLDERS_MAX;
        return;
    }
    if (slot->state == GUARD_SLOT_CHECKING) {
        empty(slot);
        return;
    }
    slot->state = GUARD_SLOT_REJECTED;
    slot->holders = 0;
    slot->until_sec = 0; /* the next one may look */
}

guard_event_e guard_policy_settle(guard_record_t *record,
                                  const guard_policy_t *policy,
                                  guard_hold_t hold, const guard_guess_t *guess,
                                  guard_outcome_e outcome, uint64_t now_usec)
{
    switch (outcome) {
    case GUARD_WRONG:
        return settle_wrong(record, policy, hold, guess, now_usec);
    case GUARD_RIGHT:
        settle_right(record, policy, hold, guess, now_usec);
        return GUARD_EVENT_NONE;
    default:
        settle_abandoned(record, hold, guess);
        return GUARD_EVENT_NONE;
    }
}
