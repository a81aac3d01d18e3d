/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_policy_fault.c owns the list of what must always hold of a record. It
 * changes nothing. The file's opener drops a record that has a fault; tests
 * call it after every step.
 */
#include "guard_policy_inside.h"

/* Seconds in slots are rounded, and after a reboot the clock goes on from the
 * last second that was noted. */
#define SLACK_USEC apr_time_from_sec(2)

static const char *slot_fault(const guard_slot_t *slot, uint32_t now_sec)
{
    static const guard_slot_t blank;
    int flying = slot->state == GUARD_SLOT_CHECKING ||
                 slot->state == GUARD_SLOT_RECHECKING;

    if (slot->state > GUARD_SLOT_PROVEN) {
        return "a slot has no known state";
    }
    if (slot->state == GUARD_SLOT_EMPTY) {
        return memcmp(slot, &blank, sizeof(blank))
                   ? "an empty slot is not blank"
                   : NULL;
    }
    if (flying != (slot->holders > 0)) {
        return "a slot is in flight without holders, or held but not in flight";
    }
    if (ahead(slot, now_sec) >
        apr_time_sec(GUARD_WINDOW_USEC_MAX + SLACK_USEC)) {
        return "a slot lasts longer than the longest window";
    }
    return NULL;
}

static const char *phase_fault(const guard_record_t *record, unsigned charged,
                               uint64_t now_usec)
{
    uint64_t left_usec =
        record->until_usec > now_usec ? record->until_usec - now_usec : 0;

    switch (record->phase) {
    case GUARD_PHASE_CALM:
        if (record->failures || record->forgiven || record->busy ||
            record->until_usec || charged) {
            return "a calm client has failures left";
        }
        return NULL;
    case GUARD_PHASE_WINDOW:
        if (left_usec > (uint64_t)GUARD_WINDOW_USEC_MAX + SLACK_USEC) {
            return "a window is longer than the longest";
        }
        return charged > record->failures
                   ? "more rejected guesses are remembered than failures"
                   : NULL;
    case GUARD_PHASE_LOCKED:
        if (left_usec > (uint64_t)GUARD_LOCKOUT_USEC_MAX + SLACK_USEC) {
            return "a lockout is longer than the longest";
        }
        return charged || !record->level
                   ? "a locked client has rejected guesses, or no level"
                   : NULL;
    default:
        return "the phase is none of the three";
    }
}

const char *guard_policy_fault(const guard_record_t *record, uint64_t now_usec)
{
    unsigned kind = record->kind & GUARD_RECORD_KIND;
    unsigned charged = 0;

    if (!record->id || kind < GUARD_KIND_IP || kind > GUARD_KIND_OVERFLOW) {
        return "no id, or a kind that is none";
    }
    if (record->bits > GUARD_ADDR_BITS || record->failures > GUARD_LIMIT_MAX ||
        (record->phase != GUARD_PHASE_LOCKED &&
         record->forgiven > GUARD_LIMIT_MAX) ||
        record->waiters > GUARD_WAITERS_MAX ||
        record->busy > GUARD_BUSY_PROVEN_MAX) {
        return "a number is beyond its bound";
    }
    if (!record->level != !record->level_until_usec) {
        return "a level without an end, or an end without a level";
    }
    if (record->level_until_usec >
        now_usec + 2 * (uint64_t)GUARD_LOCKOUT_USEC_MAX + SLACK_USEC) {
        return "a level lasts longer than two of the longest lockouts";
    }
    for (int i = 0; i < GUARD_SLOTS; i++) {
        const guard_slot_t *slot = &record->slot[i];
        const char *fault =
            slot_fault(slot, (uint32_t)(now_usec / APR_USEC_PER_SEC));

        if (fault) {
            return fault;
        }
        charged += slot->state == GUARD_SLOT_REJECTED ||
                   slot->state == GUARD_SLOT_RECHECKING;
    }
    return phase_fault(record, charged, now_usec);
}
