/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * explore_steps.h: the steps of processes, of time, and of whoever kills;
 * each one through the real store, with its rules checked.
 *
 * A process that is killed loses its ticket; another takes its place at once.
 * Where a call has two records, it may be killed between writing them.
 */
#ifndef EXPLORE_STEPS_H
#define EXPLORE_STEPS_H

#include "explore_rules.h"
#include "explore_time.h"

typedef enum {
    STEP_ASK,      /* with patience */
    STEP_ASK_LAST, /* wants to know now */
    STEP_RIGHT,
    STEP_WRONG,
    STEP_ABANDON,
    STEP_KILL,
    STEP_TICK,  /* GRID_SEC pass */
    STEP_NEXT,  /* time passes until something is over */
    STEP_CHANGE /* of the password */
} step_e;

typedef struct step_t {
    uint8_t what; /* step_e */
    uint8_t proc;
    uint8_t guess;
    uint8_t torn; /* 1: killed after the first of two records was written */
} step_t;

static inline void release(proc_t *p) { memset(p, 0, sizeof *p); }

/* ---- reserve ---- */

static inline guard_verdict_e reserve_as(world_t *w, const proc_t *p,
                                         guard_patience_e patience,
                                         guard_ticket_t *ticket)
{
    apr_status_t rv;

    memset(ticket, 0, sizeof *ticket);
    for (unsigned i = 0; i < w->records; i++) {
        ticket->waiting[i] = p->waits[i];
        if (p->waits[i]) {
            ticket->state = GUARD_TICKET_WAITING;
        }
    }
    rv = w->caller.store->ops->reserve(
        w->caller.store, w->caller.now_usec, w->claim, w->records,
        &w->guess[p->guess], patience, ticket, &w->caller.report);
    if (rv != APR_SUCCESS) {
        breach(w, "the store could not reserve");
        return (guard_verdict_e)0;
    }
    return w->caller.report.verdict;
}

/* Whether the right guess, asked instead, would have been let in unpaid. */
static inline int would_trust(world_t *w, const state_t *s)
{
    proc_t other = {.guess = (uint8_t)w->right};
    guard_ticket_t ticket;
    state_t after = *s;
    guard_verdict_e verdict;

    put_state(w, s);
    verdict = reserve_as(w, &other, GUARD_LAST_TRY, &ticket);
    get_state(w, &after);
    return verdict == GUARD_ADMIT && ticket.hold[0].what == GUARD_HOLD_NOTHING;
}

/* The claims on an answer. */
static inline void check_answer(world_t *w, const state_t *before,
                                const state_t *after, const proc_t *p,
                                guard_verdict_e verdict,
                                guard_patience_e patience)
{
    if (verdict == GUARD_WAIT && patience == GUARD_LAST_TRY) {
        breach(w, "a last try was told to wait");
    }
    if (w->plan->never_refuse && verdict != GUARD_ADMIT &&
        verdict != GUARD_WAIT) {
        breach(w, "a right password was refused");
    }
    if (is_locked(w, before) != (verdict == GUARD_LOCKED)) {
        breach(w, "locked is not what the answer says");
    }
    if (verdict == GUARD_ADMIT) {
        check_admitted(w, before, after, p);
    } else {
        check_refused(w, before, after);
    }
    check_covers(w, before, after, p, 0);
}

static inline void note_answer(world_t *w, const state_t *before, state_t *s,
                               proc_t *p, const guard_ticket_t *ticket,
                               guard_verdict_e verdict)
{
    int not_now = verdict == GUARD_BUSY || verdict == GUARD_WAIT;

    p->doing = PROC_WAITS;
    for (unsigned i = 0; i < w->records; i++) {
        p->waits[i] = verdict == GUARD_WAIT ? ticket->waiting[i] : 0;
        if (verdict == GUARD_ADMIT) {
            p->doing = PROC_CHECKS;
            p->what[i] = (uint8_t)ticket->hold[i].what;
            p->until_sec[i] = p->what[i] == GUARD_HOLD_NOTHING
                                  ? 0
                                  : ticket->hold[i].until_sec;
        }
        check_phase(w, &before->record[i], &s->record[i]);
    }
    if (w->plan->tells && not_now && !w->caller.report.is_join &&
        !is_right(w, s, p->guess) && would_trust(w, before)) {
        s->tally[0].told |= (uint16_t)(1u << p->guess);
    }
}

/* The process was killed when it had written the first record alone. */
static inline void tear(world_t *w, const state_t *before, state_t *s,
                        proc_t *p)
{
    s->record[1] = before->record[1];
    s->tally[1] = before->tally[1];
    memcpy(s->proof, before->proof, sizeof s->proof);
    s->tally[0].loose = s->tally[1].loose = 1;
    s->kills--;
    w->breach[0] = '\0'; /* of half a step no step's rule holds */
    release(p);
}

/** @return 0 if that can't be now. */
static inline int ask(world_t *w, const state_t *before, state_t *s,
                      step_t step)
{
    proc_t *p = &s->proc[step.proc];
    guard_patience_e patience =
        step.what == STEP_ASK ? GUARD_MAY_WAIT : GUARD_LAST_TRY;
    guard_ticket_t ticket;
    guard_verdict_e verdict;

    if (p->doing == PROC_IDLE) {
        s->attempts--;
        p->guess = step.guess;
    }
    put_state(w, s);
    verdict = reserve_as(w, p, patience, &ticket);
    get_state(w, s);
    note_answer(w, before, s, p, &ticket, verdict);
    check_answer(w, before, s, p, verdict, patience);
    if (step.torn) {
        tear(w, before, s, p);
    } else if (verdict != GUARD_WAIT && verdict != GUARD_ADMIT) {
        release(p);
    }
    return 1;
}

/* ---- settle ---- */

static inline void settle_as(world_t *w, const proc_t *p,
                             guard_outcome_e outcome)
{
    const guard_store_ops_t *ops = w->caller.store->ops;
    guard_ticket_t ticket = {.state = GUARD_TICKET_OPEN,
                             .claim_count = w->records,
                             .guess = w->guess[p->guess]};

    for (unsigned i = 0; i < w->records; i++) {
        ticket.claim[i] = w->claim[i];
        ticket.hold[i].what = (guard_hold_e)p->what[i];
        ticket.hold[i].until_sec = p->until_sec[i];
    }
    for (int twice = 0; twice < 2; twice++) { /* the second is for nothing */
        if (ops->settle(w->caller.store, w->caller.now_usec, &ticket, outcome,
                        &w->caller.report) != APR_SUCCESS) {
            breach(w, "the store could not settle");
        }
    }
}

static inline void note_wrong(world_t *w, const state_t *before, state_t *s,
                              const proc_t *p, unsigned i)
{
    const guard_record_t *was = &before->record[i];
    tally_t *tally = &s->tally[i];
    int grew = s->record[i].failures > was->failures;
    int has_place =
        p->what[i] != GUARD_HOLD_NOTHING && !p->late[i] && !p->stale[i];

    check_charged(w, before, s, p->guess, i);
    tally->unpaid = (uint8_t)(tally->unpaid + (grew && !has_place));
    if (grew || has_place) {
        tally->seen |= (uint16_t)(1u << p->guess);
    }
}

static inline void note_right(world_t *w, const state_t *before, state_t *s,
                              const proc_t *p, unsigned i)
{
    int removed = before->record[i].failures - s->record[i].failures;

    if (removed < 0 || (removed && (!is_narrow(w, i) || w->plan->strangers))) {
        breach(w, "a right guess forgave what is not its user's");
    }
    s->tally[i].removed = (uint8_t)(s->tally[i].removed + removed);
    s->was_right |= (uint16_t)(1u << p->guess);
}

/* Of all who check a guess, one's verdict is everybody's. */
static inline void note_stale(const world_t *w, state_t *s, const proc_t *told)
{
    for (unsigned n = 0; n < w->plan->procs; n++) {
        proc_t *p = &s->proc[n];

        for (unsigned i = 0; i < w->records; i++) {
            p->stale[i] |= p->doing == PROC_CHECKS && p->guess == told->guess;
        }
    }
    for (unsigned i = 0; i < w->records; i++) {
        s->tally[i].lost_sec[told->guess] = 0; /* charged after all */
    }
}

/* A verdict is about to be lost: what was looked at has its place still. */
static inline void lose(world_t *w, state_t *s, const proc_t *p, unsigned i)
{
    uint32_t *lost_sec = &s->tally[i].lost_sec[p->guess];

    if (p->doing == PROC_CHECKS && may_be_wrong(w, s, p) && !p->late[i] &&
        !p->stale[i] && *lost_sec < p->until_sec[i]) {
        *lost_sec = p->until_sec[i];
    }
    if (p->doing == PROC_WAITS && p->waits[i]) {
        s->tally[i].loose = 1;
    }
}

/*
 * A check whose guess got its verdict from another, was forgiven, and was made
 * again within the same second: a record keeps seconds, and takes the old
 * check for one of the new. If the old one is given up, the new one's place
 * goes. It takes the user's right password and an error of the server in that
 * second; it is known, and left out.
 */
static inline int is_mistaken(const world_t *w, const state_t *s,
                              const proc_t *p)
{
    int mistaken = 0;

    for (unsigned i = 0; i < w->records; i++) {
        const guard_slot_t *slot = flying_slot(w, &s->record[i], p->guess);

        mistaken |= p->stale[i] && slot && slot->until_sec == p->until_sec[i];
    }
    return mistaken;
}

static inline int settle(world_t *w, const state_t *before, state_t *s,
                         step_t step)
{
    static const guard_outcome_e outcome[] = {[STEP_RIGHT] = GUARD_RIGHT,
                                              [STEP_WRONG] = GUARD_WRONG,
                                              [STEP_ABANDON] = GUARD_ABANDONED};
    proc_t *p = &s->proc[step.proc];
    int right = is_right(w, s, p->guess);

    if (!p->either && ((step.what == STEP_RIGHT && !right) ||
                       (step.what == STEP_WRONG && right))) {
        return 0;
    }
    if (step.what == STEP_ABANDON && is_mistaken(w, s, p)) {
        return 0;
    }
    put_state(w, s);
    settle_as(w, p, outcome[step.what]);
    get_state(w, s);
    for (unsigned i = 0; i < w->records; i++) {
        if (step.what == STEP_WRONG) {
            note_wrong(w, before, s, p, i);
        } else if (step.what == STEP_RIGHT) {
            note_right(w, before, s, p, i);
        } else if (s->record[i].failures != before->record[i].failures) {
            breach(w, "an abandoned check changed the failures");
        }
        check_phase(w, &before->record[i], &s->record[i]);
    }
    check_covers(w, before, s, p, step.what != STEP_ABANDON);
    if (step.what != STEP_ABANDON) {
        note_stale(w, s, p);
    }
    if (step.torn) {
        proc_t half = *p;

        tear(w, before, s, p);
        lose(w, s, &half, 1);
    }
    release(p);
    return 1;
}

/* ---- what else can happen ---- */

static inline int kill_process(world_t *w, state_t *s, step_t step)
{
    for (unsigned i = 0; i < w->records; i++) {
        lose(w, s, &s->proc[step.proc], i);
    }
    release(&s->proc[step.proc]);
    s->kills--;
    return 1;
}

static inline int change_password(world_t *w, state_t *s)
{
    s->changed = 1;
    for (unsigned n = 0; n < w->plan->procs; n++) {
        proc_t *p = &s->proc[n];

        p->either |= p->doing == PROC_CHECKS && p->guess >= w->right;
    }
    return 1;
}

/** Take a step. @return 0 if it can't be taken in that state. */
static inline int take_step(world_t *w, const state_t *from, step_t step,
                            state_t *to)
{
    uint32_t seconds;

    if (step.what >= STEP_TICK && w->plan->tells && anyone_waits(w, from)) {
        return 0; /* they are answered before that */
    }
    *to = *from;
    switch (step.what) {
    case STEP_ASK:
    case STEP_ASK_LAST:
        return ask(w, from, to, step);
    case STEP_RIGHT:
    case STEP_WRONG:
    case STEP_ABANDON:
        return settle(w, from, to, step);
    case STEP_KILL:
        return kill_process(w, to, step);
    case STEP_CHANGE:
        return change_password(w, to);
    case STEP_TICK:
        to->ticks--;
        pass(w, to, GRID_SEC);
        return 1;
    default:
        seconds = next_end(w, from);
        pass(w, to, seconds);
        return seconds > 0;
    }
}

#endif
