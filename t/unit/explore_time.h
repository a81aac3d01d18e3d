/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * explore_time.h: how time passes, by as much as one step of the grid, or until
 * something is over: a window, a lockout, a place, a wait, a proof.
 */
#ifndef EXPLORE_TIME_H
#define EXPLORE_TIME_H

#include "explore_world.h"

/* ---- one record ---- */

/* What a record and a slot can name. */
#define LAST_USEC (((uint64_t)1 << 52) - 1)
#define LAST_SEC ((1u << GUARD_UNTIL_BITS) - 1)

/** Make a record that much older. */
static inline void age_record(guard_record_t *record, uint32_t seconds)
{
    uint64_t usec = seconds * (uint64_t)APR_USEC_PER_SEC;

    if (record->phase != GUARD_PHASE_CALM) {
        record->until_usec = (record->until_usec - usec) & LAST_USEC;
    }
    if (record->level) {
        record->level_until_usec -= usec;
    }
    if (record->waiters) {
        record->waiters_until = (uint16_t)(record->waiters_until - seconds);
    }
    for (int i = 0; i < GUARD_SLOTS; i++) {
        guard_slot_t *slot = &record->slot[i];

        if (slot->state != GUARD_SLOT_EMPTY && slot->until_sec) {
            slot->until_sec = (slot->until_sec - seconds) & LAST_SEC;
        }
    }
}

/** Let that time pass for a record. What is blank then is none. */
static inline void pass_record(world_t *w, guard_record_t *record,
                               uint32_t seconds)
{
    guard_record_t slow = *record;

    if (!record->id) {
        return;
    }
    age_record(&slow, seconds / 2);
    guard_policy_refresh(&slow, w->now_usec);
    age_record(&slow, seconds - seconds / 2);
    guard_policy_refresh(&slow, w->now_usec);
    age_record(record, seconds);
    guard_policy_refresh(record, w->now_usec);
    if (!slow.waiters) { /* void: what is left of it means nothing */
        slow.waiters_until = record->waiters_until = 0;
    }
    if (memcmp(&slow, record, sizeof slow)) {
        breach(w, "looking at a record meanwhile makes a difference later");
    }
    if (guard_policy_is_blank(record)) {
        memset(record, 0, sizeof *record);
    }
}

/* ---- a state ---- */

/* What becomes of the tally when a window is over. What had no place of its
 * own may be in flight still, beside others. */
static inline void close_tally(world_t *w, state_t *s)
{
    for (unsigned i = 0; i < w->records; i++) {
        tally_t *tally = &s->tally[i];

        if (s->record[i].phase == GUARD_PHASE_CALM) {
            tally->seen = tally->told = 0;
            tally->removed = tally->busy = 0;
            tally->unpaid = places_of(&s->record[i]) ? tally->unpaid : 0;
        }
    }
}

static inline void pass_proc(proc_t *p, unsigned i, uint32_t seconds)
{
    if (p->doing != PROC_CHECKS || !p->until_sec[i]) {
        return;
    }
    p->until_sec[i] -= seconds;
    if (p->until_sec[i] <= NOW_SEC) {
        p->until_sec[i] = 0;
        p->late[i] = 1;
    }
}

static inline void pass_tally(world_t *w, state_t *s, unsigned i,
                              uint32_t seconds)
{
    tally_t *tally = &s->tally[i];
    int waits = 0;

    for (unsigned g = 0; g < w->guesses; g++) {
        uint32_t *lost_sec = &tally->lost_sec[g];

        *lost_sec = *lost_sec > NOW_SEC + seconds ? *lost_sec - seconds : 0;
        s->proof[i][g] = s->proof[i][g] > seconds / GRID_SEC
                             ? (uint8_t)(s->proof[i][g] - seconds / GRID_SEC)
                             : 0;
    }
    for (unsigned n = 0; n < w->plan->procs; n++) {
        waits |= s->proc[n].doing == PROC_WAITS && s->proc[n].waits[i];
    }
    tally->loose = waits || s->record[i].waiters;
}

/** Let seconds pass, a multiple of GRID_SEC. */
static inline void pass(world_t *w, state_t *s, uint32_t seconds)
{
    for (unsigned i = 0; i < w->records; i++) {
        guard_record_t was = s->record[i];

        pass_record(w, &s->record[i], seconds);
        age_record(&was, seconds);
        if (was.phase != GUARD_PHASE_CALM &&
            (was.until_usec > w->now_usec) !=
                (s->record[i].phase != GUARD_PHASE_CALM)) {
            breach(w, "a window or a lockout did not end in its time");
        }
        pass_tally(w, s, i, seconds);
        for (unsigned n = 0; n < w->plan->procs; n++) {
            pass_proc(&s->proc[n], i, seconds);
        }
    }
    close_tally(w, s);
}

/* Steps of GRID_SEC from now to a moment, rounded up. */
static inline uint32_t steps_to(const world_t *w, uint64_t usec)
{
    uint64_t grid_usec = GRID_SEC * (uint64_t)APR_USEC_PER_SEC;

    return usec > w->now_usec
               ? (uint32_t)((usec - w->now_usec + grid_usec - 1) / grid_usec)
               : UINT32_MAX;
}

static inline uint32_t sooner(uint32_t a, uint32_t b) { return a < b ? a : b; }

/** @return seconds until something is over; 0: nothing is to come. */
static inline uint32_t next_end(const world_t *w, const state_t *s)
{
    uint32_t steps = UINT32_MAX;

    for (unsigned i = 0; i < w->records; i++) {
        const guard_record_t *record = &s->record[i];

        steps = sooner(steps, steps_to(w, record->until_usec));
        steps = sooner(steps, steps_to(w, record->level_until_usec));
        steps = sooner(steps, record->waiters ? 1 : UINT32_MAX);
        for (int k = 0; k < GUARD_SLOTS; k++) {
            steps = sooner(steps, steps_to(w, record->slot[k].until_sec *
                                                  (uint64_t)APR_USEC_PER_SEC));
        }
        for (unsigned g = 0; g < w->guesses; g++) {
            steps = sooner(steps, s->proof[i][g] ? s->proof[i][g] : UINT32_MAX);
        }
    }
    return steps == UINT32_MAX ? 0 : steps * GRID_SEC;
}

static inline int anyone_waits(const world_t *w, const state_t *s)
{
    int waits = 0;

    for (unsigned n = 0; n < w->plan->procs; n++) {
        waits |= s->proc[n].doing == PROC_WAITS;
    }
    return waits;
}

#endif
