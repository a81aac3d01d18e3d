/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * explore_ends.h: how every state can end well. From each one two stories are
 * told to their end, on a copy: all processes are killed; and all give up.
 */
#ifndef EXPLORE_ENDS_H
#define EXPLORE_ENDS_H

#include "explore_steps.h"

#define STRANGE_TAG 5000u
#define LOCKED_PASSES_MAX 4

/* Whether all that happened is sure to have left nothing behind. */
static inline int is_unharmed(const world_t *w, const state_t *s)
{
    return s->kills == w->plan->kills && !w->plan->dead;
}

/* How many guesses nobody has made before are let in at once. */
static inline unsigned try_strangers(world_t *w)
{
    unsigned admitted = 0;

    for (; admitted <= GUARD_SLOTS; admitted++) {
        guard_guess_t guess = {STRANGE_TAG + admitted, STRANGE_TAG + admitted,
                               3};
        guard_ticket_t ticket = {0};

        if (w->caller.store->ops->reserve(w->caller.store, w->caller.now_usec,
                                          w->claim, w->records, &guess,
                                          GUARD_LAST_TRY, &ticket,
                                          &w->caller.report) != APR_SUCCESS ||
            w->caller.report.verdict != GUARD_ADMIT) {
            break;
        }
    }
    return admitted;
}

/* Places that are free to strangers when one check has taken its own. */
static inline unsigned places_beside(const world_t *w,
                                     const guard_ticket_t *ticket)
{
    unsigned places = GUARD_SLOTS;

    for (unsigned i = 0; i < w->records; i++) {
        unsigned limit =
            limit_of(w, i) < GUARD_SLOTS ? limit_of(w, i) : GUARD_SLOTS;

        limit -= ticket->hold[i].what != GUARD_HOLD_NOTHING;
        places = limit < places ? limit : places;
    }
    return places;
}

/* All places are free, and a right password is let in. */
static inline void check_free(world_t *w, state_t *s)
{
    proc_t good = {.guess = (uint8_t)(w->right + s->changed)};
    guard_ticket_t ticket = {0};

    put_state(w, s);
    if (w->plan->right &&
        reserve_as(w, &good, GUARD_LAST_TRY, &ticket) != GUARD_ADMIT) {
        breach(w, "when all is over, the right password is not let in");
    }
    if (try_strangers(w) < places_beside(w, &ticket)) {
        breach(w, "when all is over, a place is not free");
    }
    get_state(w, s);
}

/** The table at rest, with that state in it, is sound. */
static inline void check_table(world_t *w, const state_t *s)
{
    state_t same = *s;
    const char *fault;

    put_state(w, s);
    fault =
        guard_store_shm_fault(w->caller.store, w->caller.now_usec, shm_pool);
    if (fault) {
        breach(w, fault);
    }
    get_state(w, &same);
}

/** Everybody is killed now. A window's length later nothing is in flight and
 *  nobody waits; and no lockout lasts for ever. */
static inline void end_by_death(world_t *w, const state_t *from)
{
    state_t s = *from;

    for (unsigned n = 0; n < w->plan->procs; n++) {
        release(&s.proc[n]);
    }
    pass(w, &s, WINDOW_SEC + GRID_SEC); /* of which less than 1 s is needed */
    for (unsigned i = 0; i < w->records; i++) {
        for (int k = 0; k < GUARD_SLOTS; k++) {
            if (s.record[i].slot[k].holders) {
                breach(w, "a window after all were killed, a place is taken");
            }
        }
        if (s.record[i].waiters) {
            breach(w, "a killed waiter is counted for ever");
        }
    }
    for (int i = 0; i < LOCKED_PASSES_MAX && is_locked(w, &s); i++) {
        pass(w, &s, LOCKOUT_MAX_SEC / 2);
    }
    check_free(w, &s);
}

/* One that waits is answered at once, now that nobody checks. */
static inline void end_wait(world_t *w, state_t *s, unsigned n)
{
    step_t step = {.what = is_unharmed(w, s) ? STEP_ASK : STEP_ASK_LAST,
                   .proc = (uint8_t)n};
    state_t before = *s;

    ask(w, &before, s, step);
    if (s->proc[n].doing == PROC_WAITS) {
        breach(w, "one waits though all places are free");
        step.what = STEP_ASK_LAST;
        before = *s;
        ask(w, &before, s, step);
    }
}

/** Everybody gives up now. Nothing is in flight, and nobody waits; whoever
 *  waited was let in, or told no. */
static inline void end_by_giving_up(world_t *w, const state_t *from)
{
    state_t s = *from;

    for (unsigned n = 0; n < 2 * w->plan->procs; n++) {
        unsigned i = n % w->plan->procs;
        step_t step = {.what = STEP_ABANDON, .proc = (uint8_t)i};
        state_t before;

        if (s.proc[i].doing == PROC_WAITS && n >= w->plan->procs) {
            end_wait(w, &s, i);
        }
        before = s;
        if (s.proc[i].doing == PROC_CHECKS) {
            settle(w, &before, &s, step);
        }
    }
    for (unsigned i = 0; i < w->records; i++) {
        if (is_unharmed(w, &s) && places_of(&s.record[i])) {
            breach(w, "all gave up, and a place is taken");
        }
        if (!s.tally[i].loose && s.record[i].waiters) {
            breach(w, "nobody waits any more, and a waiter is counted");
        }
    }
}

#endif
