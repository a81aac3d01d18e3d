/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_policy_mirror.c owns how a record takes over what a count for several
 * servers says of its client. It knows what guard_policy.c knows.
 *
 * Invariant: what comes from elsewhere is cut to what a record can hold, so
 * that guard_policy_fault finds nothing whatever was told; guesses in flight
 * and proven ones stay, for they are this server's own.
 */
#include "guard_policy_inside.h"

static unsigned count_rejected(const guard_record_t *record)
{
    unsigned rejected = 0;

    for (int i = 0; i < GUARD_SLOTS; i++) {
        rejected += record->slot[i].state == GUARD_SLOT_REJECTED ||
                    record->slot[i].state == GUARD_SLOT_RECHECKING;
    }
    return rejected;
}

static uint64_t end_of(uint64_t now_usec, apr_interval_time_t lasts_usec,
                       apr_interval_time_t longest_usec)
{
    return after(now_usec,
                 lasts_usec < longest_usec ? lasts_usec : longest_usec);
}

static void mirror_window(guard_record_t *record, const guard_policy_t *policy,
                          uint64_t until_usec)
{
    if (record->phase == GUARD_PHASE_LOCKED) {
        become_calm(record);
    }
    record->phase = GUARD_PHASE_WINDOW;
    record->until_usec = until_usec & USEC_MASK;
    record->window = window_code(policy->window_usec);
}

static void mirror_lockout(guard_record_t *record, const guard_policy_t *policy,
                           uint64_t until_usec)
{
    unsigned level = record->level ? record->level : 1u;

    close_slots(record);
    record->phase = GUARD_PHASE_LOCKED;
    record->until_usec = until_usec & USEC_MASK;
    record->level = (uint8_t)level;
    record->level_until_usec = after(until_usec, policy->lockout_max_usec);
    record->forgiven = length_code(lockout_length(policy, level - 1));
    record->busy = 0;
}

static void mirror_level(guard_record_t *record, const guard_policy_t *policy,
                         unsigned level, uint64_t now_usec)
{
    record->level = (uint8_t)(level < UINT8_MAX ? level : UINT8_MAX);
    record->level_until_usec =
        level ? after(now_usec, policy->lockout_max_usec) : 0;
}

/* Whether the record refuses more than what it is to take over. */
static int is_stricter(const guard_record_t *record, guard_phase_e phase,
                       unsigned failures, uint64_t until_usec)
{
    if (record->phase != phase) {
        return record->phase > phase;
    }
    return phase == GUARD_PHASE_LOCKED ? record->until_usec > until_usec
                                       : record->failures > failures;
}

void guard_policy_mirror(guard_record_t *record, const guard_policy_t *policy,
                         guard_phase_e phase, unsigned failures, unsigned level,
                         apr_interval_time_t lasts_usec, int may_lower,
                         uint64_t now_usec)
{
    uint64_t until_usec =
        end_of(now_usec, lasts_usec,
               phase == GUARD_PHASE_LOCKED ? GUARD_LOCKOUT_USEC_MAX
                                           : GUARD_WINDOW_USEC_MAX);

    if (lasts_usec <= 0) {
        phase = GUARD_PHASE_CALM;
    }
    if (!may_lower && is_stricter(record, phase, failures, until_usec)) {
        return;
    }
    if (may_lower || level >= record->level) {
        mirror_level(record, policy, level, now_usec);
    }
    set_limit(record, policy);
    if (phase == GUARD_PHASE_CALM) {
        become_calm(record);
        return;
    }
    if (phase == GUARD_PHASE_LOCKED) {
        mirror_lockout(record, policy, until_usec);
    } else {
        /* What failed here is counted as long as it would be here. */
        mirror_window(record, policy,
                      !may_lower && record->until_usec > until_usec
                          ? record->until_usec
                          : until_usec);
    }
    record->failures =
        (failures < GUARD_LIMIT_MAX ? failures : GUARD_LIMIT_MAX) & 1023u;
    if (phase == GUARD_PHASE_WINDOW && count_rejected(record) > failures) {
        close_slots(record);
    }
}
