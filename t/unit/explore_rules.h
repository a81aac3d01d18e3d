/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * explore_rules.h: what must hold of every state and every step.
 *
 * What was looked at is counted from outside, by guesses and by whose check
 * it is; the record is believed only in when its window ends, and that is
 * judged step by step. A check counts as a look from when it is let in. One
 * whose process was killed counts for a window's length from then, as long as
 * its place lasts, though a window that opened meanwhile may last longer.
 *
 * Three kinds of check may end wrong without a place of their own: one that
 * outlasts its place; one that was let in as proven, and the guess is right no
 * more; and one whose guess got its verdict, and was charged, by another check
 * while it ran, if a window ends meanwhile. Their failures are let off by
 * number (tally_t.unpaid), and by nothing else.
 */
#ifndef EXPLORE_RULES_H
#define EXPLORE_RULES_H

#include "explore_world.h"

static inline int may_be_wrong(const world_t *w, const state_t *s,
                               const proc_t *p)
{
    return p->either || !is_right(w, s, p->guess);
}

/** @return the wrong guesses that were looked at in this window, as a set. A
 *  guess being checked counts as looked at. */
static inline unsigned looked_at(const world_t *w, const state_t *s, unsigned i)
{
    unsigned set = s->tally[i].seen;

    for (unsigned n = 0; n < w->plan->procs; n++) {
        const proc_t *p = &s->proc[n];

        if (p->doing == PROC_CHECKS && p->what[i] != GUARD_HOLD_NOTHING &&
            !p->late[i] && !p->stale[i] && may_be_wrong(w, s, p)) {
            set |= 1u << p->guess;
        }
    }
    for (unsigned g = 0; g < w->guesses; g++) {
        set |= (s->tally[i].lost_sec[g] > NOW_SEC ? 1u : 0u) << g;
    }
    return set;
}

static inline unsigned set_size(unsigned set)
{
    return (unsigned)__builtin_popcount(set);
}

static inline void check_bounds(world_t *w, const state_t *s, unsigned i)
{
    const guard_record_t *record = &s->record[i];
    const tally_t *tally = &s->tally[i];
    unsigned limit = limit_of(w, i);

    if (set_size(looked_at(w, s, i)) > limit + tally->removed + tally->unpaid) {
        breach(w, "more wrong guesses were looked at than the limit and the "
                  "forgiven ones");
    }
    if (tally->removed > limit) {
        breach(w, "more than the limit were forgiven in a window");
    }
    if (record->phase != GUARD_PHASE_LOCKED &&
        record->failures + places_of(record) >
            limit + tally->removed + tally->unpaid) {
        breach(w, "failures and places are more than the limit");
    }
    if (set_size(tally->told & ~looked_at(w, s, i)) + tally->busy >
        GUARD_BUSY_PROVEN_MAX) {
        breach(w, "too many guesses were told from proven ones, uncounted");
    }
}

/* A guess is remembered once, and its holders are those who check it. */
static inline void check_slots(world_t *w, const state_t *s, unsigned i)
{
    const guard_record_t *record = &s->record[i];

    for (int k = 0; k < GUARD_SLOTS; k++) {
        const guard_slot_t *slot = &record->slot[k];
        unsigned holders = 0;

        for (int j = 0; j < k; j++) {
            if (slot->state != GUARD_SLOT_EMPTY &&
                record->slot[j].guess == slot->guess &&
                (record->slot[j].state == GUARD_SLOT_PROVEN) ==
                    (slot->state == GUARD_SLOT_PROVEN)) {
                breach(w, "a guess has two slots");
            }
        }
        for (unsigned n = 0; n < w->plan->procs; n++) {
            holders += cover_of(w, s, &s->proc[n], i) == slot;
        }
        if (holders > slot->holders ||
            (s->kills == w->plan->kills && !w->plan->dead &&
             holders != slot->holders)) {
            breach(w, "a slot's holders are not those who check its guess");
        }
    }
}

static inline void check_waiters(world_t *w, const state_t *s, unsigned i)
{
    unsigned waiters = 0;

    for (unsigned n = 0; n < w->plan->procs; n++) {
        waiters +=
            s->proc[n].doing == PROC_WAITS && s->proc[n].waits[i] ? 1u : 0u;
    }
    if (!s->tally[i].loose && s->record[i].waiters != waiters) {
        breach(w, "the waiters are not those who wait");
    }
}

static inline void look_around(world_t *w, const state_t *s, unsigned i)
{
    const guard_record_t *record = &s->record[i];

    w->sights |= record->phase == GUARD_PHASE_LOCKED ? SAW_LOCKOUT : 0;
    w->sights |= record->waiters ? SAW_WAITER : 0;
    w->sights |= record->busy ? SAW_BUSY : 0;
    w->sights |= s->tally[i].removed ? SAW_FORGIVEN : 0;
    for (int k = 0; k < GUARD_SLOTS; k++) {
        guard_slot_e state = record->slot[k].state;

        w->sights |= state == GUARD_SLOT_RECHECKING ? SAW_RECHECK : 0;
        w->sights |= state == GUARD_SLOT_PROVEN ? SAW_PROVEN : 0;
        w->sights |= record->slot[k].holders > 1 ? SAW_JOIN : 0;
    }
    for (unsigned n = 0; n < w->plan->procs; n++) {
        w->sights |= s->proc[n].late[i] ? SAW_LATE : 0;
    }
    for (unsigned g = 0; g < w->guesses; g++) {
        w->sights |= s->tally[i].lost_sec[g] ? SAW_LOST : 0;
    }
}

/** What holds of every state. */
static inline void check_state(world_t *w, const state_t *s)
{
    for (unsigned i = 0; i < w->records; i++) {
        const char *fault = s->record[i].id
                                ? guard_policy_fault(&s->record[i], w->now_usec)
                                : NULL;

        if (fault) {
            breach(w, fault);
        }
        check_bounds(w, s, i);
        check_slots(w, s, i);
        check_waiters(w, s, i);
        look_around(w, s, i);
    }
}

static inline uint64_t lockout_usec(unsigned level)
{
    uint64_t seconds = LOCKOUT_SEC;

    while (level-- && seconds < LOCKOUT_MAX_SEC) {
        seconds *= 2;
    }
    return (seconds < LOCKOUT_MAX_SEC ? seconds : LOCKOUT_MAX_SEC) *
           (uint64_t)APR_USEC_PER_SEC;
}

/** Windows and lockouts, in a step that takes no time: they begin with their
 *  full length, and don't end. */
static inline void check_phase(world_t *w, const guard_record_t *before,
                               const guard_record_t *after)
{
    uint64_t until_usec = before->until_usec;

    if (after->phase == GUARD_PHASE_WINDOW &&
        before->phase == GUARD_PHASE_CALM) {
        until_usec = w->now_usec + WINDOW_SEC * (uint64_t)APR_USEC_PER_SEC;
    } else if (after->phase == GUARD_PHASE_LOCKED &&
               before->phase != GUARD_PHASE_LOCKED) {
        until_usec = w->now_usec + lockout_usec(before->level);
    } else if (after->phase != before->phase) {
        breach(w, "a window or a lockout ended before its time");
    }
    if (after->until_usec != until_usec) {
        breach(w, "a window or a lockout has not its length");
    }
}

/** Nobody loses his place by what another does; but a verdict (told: 1) is
 *  one for all who check that guess. */
static inline void check_covers(world_t *w, const state_t *before,
                                const state_t *after, const proc_t *actor,
                                int told)
{
    size_t self = (size_t)(actor - after->proc);

    for (unsigned n = 0; n < w->plan->procs; n++) {
        const proc_t *p = &before->proc[n];

        for (unsigned i = 0; i < w->records && n != self; i++) {
            if (cover_of(w, before, p, i) && !cover_of(w, after, p, i) &&
                !(told && p->guess == before->proc[self].guess)) {
                breach(w, "a check lost its place by what another did");
            }
        }
    }
}

/** A request that was not let in left no trace but as a waiter, or as busy. */
static inline void check_refused(world_t *w, const state_t *before,
                                 const state_t *after)
{
    for (unsigned i = 0; i < w->records; i++) {
        if (memcmp(before->record[i].slot, after->record[i].slot,
                   sizeof after->record[i].slot) ||
            before->record[i].failures != after->record[i].failures) {
            breach(w, "a guess that was not let in changed places or failures");
        }
    }
}

static inline int is_locked(const world_t *w, const state_t *s)
{
    int locked = 0;

    for (unsigned i = 0; i < w->records; i++) {
        locked |= s->record[i].phase == GUARD_PHASE_LOCKED;
    }
    return locked;
}

/* A place lasts a window's length, to the second; a shared one no longer. */
static inline void check_length(world_t *w, const proc_t *p, unsigned i,
                                const guard_slot_t *shared)
{
    uint64_t until_usec = p->until_sec[i] * (uint64_t)APR_USEC_PER_SEC;
    uint64_t end_usec = w->now_usec + WINDOW_SEC * (uint64_t)APR_USEC_PER_SEC;

    if (shared ? p->until_sec[i] != shared->until_sec
               : until_usec < end_usec ||
                     until_usec >= end_usec + APR_USEC_PER_SEC) {
        breach(w, "a place does not last a window's length");
    }
}

/** A request that was let in. */
static inline void check_admitted(world_t *w, const state_t *before,
                                  const state_t *after, const proc_t *p)
{
    for (unsigned i = 0; i < w->records; i++) {
        const guard_slot_t *shared =
            flying_slot(w, &before->record[i], p->guess);

        if (p->what[i] == GUARD_HOLD_NOTHING &&
            !(before->was_right & 1u << p->guess)) {
            breach(w, "a guess that never was right got in without a place");
        }
        if (p->what[i] != GUARD_HOLD_NOTHING && !cover_of(w, after, p, i)) {
            breach(w, "a check has no slot");
        }
        if (p->what[i] != GUARD_HOLD_NOTHING) {
            check_length(w, p, i, shared);
        }
        if (shared &&
            places_of(&after->record[i]) != places_of(&before->record[i])) {
            breach(w, "a guess in flight got a place more");
        }
    }
    if (is_locked(w, before)) {
        breach(w, "a locked client was let in");
    }
}

/* Whether a record may have forgotten that it charged a guess: because it was
 * forgiven, or was right meanwhile, or for want of slots. */
static inline int is_forgettable(const world_t *w, const state_t *s,
                                 unsigned guess, unsigned i)
{
    return s->tally[i].removed || s->was_right >> guess & 1 || w->plan->dead;
}

/** A wrong verdict is charged, once in a window. */
static inline void check_charged(world_t *w, const state_t *before,
                                 const state_t *after, unsigned guess,
                                 unsigned i)
{
    const guard_record_t *was = &before->record[i], *is = &after->record[i];
    int known = before->tally[i].seen >> guess & 1;

    if (was->phase == GUARD_PHASE_LOCKED) {
        return;
    }
    if (!known && is->failures != was->failures + 1) {
        breach(w, "a wrong guess did not become a failure");
    }
    if (known && !is_forgettable(w, before, guess, i) &&
        is->failures != was->failures) {
        breach(w, "a wrong guess was charged twice in a window");
    }
    if ((is->failures >= limit_of(w, i)) != (is->phase == GUARD_PHASE_LOCKED)) {
        breach(w, "the limit was reached without a lockout");
    }
}

#endif
