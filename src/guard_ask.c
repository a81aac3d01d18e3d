/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_ask.c owns how the store is asked: how often and how long, and when
 * the server's own limit of checks is. It knows no AuthType, no status, and
 * not what an answer means for the request.
 *
 * Invariant: what is waited for is not held meanwhile; and a check that was
 * taken is either given back here or belongs to an attempt that was admitted.
 */
#include "guard_ask.h"
#include "guard_server.h"
#include "guard_wait.h"

#include <string.h>

/* How a waiting request looks again: soon at first, then less often. */
#define PAUSE_USEC_MIN 1000
#define PAUSE_USEC_MAX 20000

/* One request's waiting: for a place, a check or a verdict, which keeps one of
 * the child's threads that may wait; or for the store's lock, which does not:
 * its holder has lost the processor, and nobody but this client's own requests
 * and a few others' want that lock. */
typedef struct patience_t {
    uint64_t start_usec;
    apr_interval_time_t wait_usec;
    apr_interval_time_t pause_usec;
    int holds[GUARD_WAIT_KINDS]; /* counted among those that may wait */
} patience_t;

static patience_t begin_patience(const guard_attempt_t *a)
{
    patience_t patience = {.start_usec = a->now_usec,
                           .wait_usec = a->store->wait_usec,
                           .pause_usec = PAUSE_USEC_MIN};

    return patience;
}

/* Sleep a little. @return 1, or 0 if it has waited long enough. */
static int nap(guard_attempt_t *a, patience_t *patience)
{
    if (guard_store_clock() - patience->start_usec >=
        (uint64_t)patience->wait_usec) {
        return 0;
    }
    apr_sleep(patience->pause_usec);
    patience->pause_usec *= patience->pause_usec < PAUSE_USEC_MAX ? 2 : 1;
    a->now_usec = guard_store_clock();
    return 1;
}

/* Whether nobody has failed at this address. */
static int is_clean(const guard_attempt_t *a)
{
    for (unsigned i = 0; i < a->claim_count; i++) {
        guard_kind_e kind = a->claims[i].client.kind;

        if ((kind == GUARD_KIND_IP || kind == GUARD_KIND_LOGIN) &&
            a->report.standing[i].failures) {
            return 0;
        }
    }
    return 1;
}

/* Wait a little for something. @return 1, or 0 if it may not any longer. */
static int wait_more(guard_attempt_t *a, patience_t *patience,
                     guard_wait_e what)
{
    if (!patience->holds[what]) {
        patience->holds[what] =
            guard_wait_begin(what, a->guess.tag, is_clean(a));
    }
    return patience->holds[what] && nap(a, patience);
}

static void end_patience(const patience_t *patience)
{
    for (guard_wait_e what = 0; what < GUARD_WAIT_KINDS; what++) {
        if (patience->holds[what]) {
            guard_wait_end(what);
        }
    }
}

void guard_ask_give_check_back(guard_attempt_t *a)
{
    if (a->check == GUARD_CHECK_TAKEN) {
        guard_server_check_end();
    }
    a->check = GUARD_CHECK_NONE;
    a->ticket.no_check = guard_server_check_is_limited();
}

/* Take one of the server's checks, if it has one to spare. @return 1 if so */
static int take_check(guard_attempt_t *a)
{
    if (a->check == GUARD_CHECK_NONE) {
        a->check = guard_server_check_begin();
        a->ticket.no_check = a->check == GUARD_CHECK_NONE;
    }
    return !a->ticket.no_check;
}

static apr_status_t ask(guard_attempt_t *a, guard_patience_e how)
{
    return a->store->ops->reserve(a->store, a->now_usec, a->claims,
                                  a->claim_count, &a->guess, how, &a->ticket,
                                  &a->report);
}

/* One question to the store. Where it would admit if only the server had a
 * check to spare, one is taken, and the question put again. Without waiting
 * for a check there is one question only, for its answer is counted. */
static apr_status_t ask_near(guard_attempt_t *a, guard_patience_e how)
{
    apr_status_t rv;

    if (how != GUARD_MAY_WAIT) {
        take_check(a);
    }
    do {
        rv = ask(a, how);
    } while (rv == APR_SUCCESS && a->report.lacks_check &&
             how == GUARD_MAY_WAIT && take_check(a));
    return rv;
}

/* Give back what the store has just given; the ticket begins anew. */
static apr_status_t give_place_back(guard_attempt_t *a)
{
    guard_ticket_t anew = {.has_joined = a->ticket.has_joined};
    apr_status_t rv = a->store->ops->settle(
        a->store, guard_store_clock(), &a->ticket, GUARD_ABANDONED, &a->report);

    anew.away = a->ticket.away;
    a->ticket = anew;
    return rv;
}

/*
 * The same where a question is a way to another machine and back. A check is
 * not held meanwhile, or many that come at once would want for one: it is
 * taken once the store has admitted. Only if there is none the place goes
 * back, and the store is told why; from then on it is asked as the near one.
 */
static apr_status_t ask_far(guard_attempt_t *a, guard_patience_e how)
{
    apr_status_t rv;

    if (a->lacked_check) {
        take_check(a);
        return ask(a, how);
    }
    a->ticket.no_check = 0;
    rv = ask(a, how);
    if (rv != APR_SUCCESS || a->report.verdict != GUARD_ADMIT ||
        a->report.is_proven || take_check(a)) {
        return rv;
    }
    a->lacked_check = 1;
    rv = give_place_back(a);
    a->ticket.no_check = 1;
    return rv == APR_SUCCESS ? ask(a, how) : rv;
}

static apr_status_t ask_once(guard_attempt_t *a, guard_patience_e how)
{
    return a->store->is_far ? ask_far(a, how) : ask_near(a, how);
}

/*
 * Ask the store until it has decided. What is waited for, a place, a verdict,
 * a check, or a lock whose holder has lost the processor, is not held
 * meanwhile. A thread that may not wait, or not any longer, takes the answer
 * as it stands; but where the guess turns out to be under way elsewhere, that
 * verdict is worth a wait of its own. One that observes never waits.
 */
static apr_status_t ask_store(guard_attempt_t *a, patience_t *patience)
{
    guard_patience_e how =
        guard_reserve_observes(a) ? GUARD_LAST_TRY : GUARD_MAY_WAIT;

    for (;;) {
        apr_status_t rv = ask_once(a, how);
        int is_join = a->report.is_join;

        if (rv == APR_TIMEUP) {
            guard_ask_give_check_back(a);
            if (nap(a, patience)) {
                continue;
            }
            return rv;
        }
        if (rv != APR_SUCCESS || a->report.verdict != GUARD_WAIT) {
            return rv;
        }
        guard_ask_give_check_back(a);
        if (!wait_more(a, patience,
                       is_join ? GUARD_WAIT_FOR_VERDICT
                               : GUARD_WAIT_FOR_PLACE)) {
            how = is_join || how == GUARD_MAY_JOIN ? GUARD_LAST_TRY
                                                   : GUARD_MAY_JOIN;
        }
    }
}

void guard_ask_reserve(guard_attempt_t *a)
{
    patience_t patience;
    apr_status_t rv;

    if (!a->now_usec) {
        a->now_usec = guard_store_clock();
    }
    patience = begin_patience(a);
    guard_ask_give_check_back(a);
    rv = ask_store(a, &patience);
    end_patience(&patience);
    guard_log_store(a->r, rv);
    if (rv != APR_SUCCESS) {
        memset(&a->report, 0, sizeof(a->report));
        a->report.verdict = GUARD_OVERLOAD;
    }
    if (a->report.verdict != GUARD_ADMIT || a->report.is_proven) {
        guard_ask_give_check_back(a);
    }
}

/* Ask again while that may bring an answer. */
static apr_status_t ask_again(guard_attempt_t *a, guard_question_fn *question)
{
    patience_t patience = begin_patience(a);
    apr_status_t rv = APR_TIMEUP;

    while (rv == APR_TIMEUP && nap(a, &patience)) {
        rv = question(a);
    }
    end_patience(&patience);
    return rv;
}

apr_status_t guard_ask_insist(guard_attempt_t *a, guard_question_fn *question)
{
    apr_status_t rv = question(a);

    if (rv == APR_TIMEUP) {
        rv = ask_again(a, question);
    }
    guard_log_store(a->r, rv);
    return rv;
}
