/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_reserve.c owns the dealings of one guess with the store: claims,
 * waiting, settling, and what is noted of it. It knows no AuthType, no status
 * and no other module.
 *
 * Invariant: every attempt that was admitted is settled once, and every one
 * that presented a guess is counted under exactly one outcome.
 */
#include "guard_reserve.h"
#include "guard_server.h"
#include "guard_wait.h"

#include <apr_strings.h>
#include <http_core.h>

#include <string.h>

/* How a waiting request looks again: soon at first, then less often. */
#define PAUSE_USEC_MIN 1000
#define PAUSE_USEC_MAX 20000

int guard_reserve_observes(const guard_attempt_t *a)
{
    return a->mode == GUARD_MODE_OBSERVE;
}

int guard_reserve_identify(guard_attempt_t *a, request_rec *r,
                           guard_mode_e mode, guard_origin_e origin)
{
    const apr_sockaddr_t *from = r->useragent_addr;
    const char *realm = ap_auth_name(r);

    memset(a, 0, sizeof(*a));
    a->r = r;
    a->conf = guard_conf_of(r);
    a->store = guard_server_store();
    a->mode = mode;
    a->subject.client = r->useragent_ip;
    a->scope = guard_scope_of(r, a->conf);
    a->subject.scope = a->scope.name;
    a->subject.realm = realm ? realm : "";
    a->guess_realm =
        apr_pstrcat(r->pool, a->subject.realm, "\n", a->scope.dir, NULL);
    /* Its author chooses who fails there, and how soon that locks out. */
    a->subject.origin = a->scope.is_tenants ? GUARD_ORIGIN_HTACCESS : origin;
    a->subject.observed = guard_reserve_observes(a);
    return a->store &&
           guard_addr_from_bytes(&a->addr, from->ipaddr_ptr,
                                 (apr_size_t)from->ipaddr_len) == APR_SUCCESS;
}

void guard_reserve_present(guard_attempt_t *a,
                           const guard_credentials_t *credentials)
{
    a->credentials = *credentials;
    a->subject.user = credentials->user;
}

/* Add the client of that kind, if a limit is in force for it. */
static void claim(guard_attempt_t *a, guard_kind_e kind, uint64_t scope,
                  uint64_t user)
{
    int is_v4 = guard_addr_is_v4(&a->addr);
    const guard_policy_t *policy = guard_conf_policy(a->conf, kind, is_v4);
    guard_claim_t *to = &a->claims[a->claim_count];

    if (!policy) {
        return;
    }
    to->policy = *policy;
    to->client.addr = a->addr;
    to->client.bits = guard_conf_bits(a->conf, kind, is_v4);
    to->client.kind = (uint8_t)kind;
    to->client.counted = guard_reserve_observes(a) ? GUARD_COUNTED_OBSERVED
                                                   : GUARD_COUNTED_FOR_REAL;
    to->client.tenant = a->scope.is_tenants ? 1 : 0;
    to->client.scope = scope;
    to->client.scope_name = a->subject.scope;
    guard_client_seal(&to->client, &a->store->table_secret, user);
    a->claim_count++;
}

void guard_reserve_claim(guard_attempt_t *a, int with_user)
{
    const guard_secret_t *secret = &a->store->table_secret;
    const char *user = a->credentials.user;
    uint64_t scope =
        guard_key_hash(secret, a->scope.identity, strlen(a->scope.identity));
    uint64_t user_hash =
        with_user ? guard_key_hash(secret, user, strlen(user)) : 0;

    a->claim_count = 0;
    claim(a, GUARD_KIND_IP, scope, user_hash);
    claim(a, GUARD_KIND_NET, scope, user_hash);
    if (with_user) {
        claim(a, GUARD_KIND_USER, scope, user_hash);
        claim(a, GUARD_KIND_LOGIN, scope, user_hash);
    }
}

void guard_reserve_show(guard_attempt_t *a, guard_state_e state,
                        guard_answer_e answer)
{
    const guard_standing_t *standing = &a->report.standing[a->report.decisive];
    guard_view_t *view = &a->visit->view;

    view->state = state;
    view->answer = answer;
    view->failures = standing->failures;
    view->limit = standing->limit;
    view->remaining_usec = standing->remaining_usec;
    view->observed = guard_reserve_observes(a);
    view->scope = a->visit->scope;
    view->client = a->subject.client;
}

int guard_reserve_is_exempt(guard_attempt_t *a, int is_attempt)
{
    if (!guard_conf_is_exempt(a->conf, &a->addr)) {
        return 0;
    }
    a->visit->view.state = GUARD_STATE_EXEMPT;
    if (is_attempt) {
        a->store->ops->tally(a->store, GUARD_COUNT_EXEMPT);
    }
    return 1;
}

static void log_lockouts(guard_attempt_t *a, const guard_claim_t *claims,
                         unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const guard_standing_t *standing = &a->report.standing[i];

        if (standing->event == GUARD_EVENT_LOCKOUT) {
            if (!guard_reserve_observes(a)) {
                a->store->ops->tally(a->store, GUARD_COUNT_LOCKOUTS);
            }
            guard_log_lockout(a->r, &a->subject, &claims[i], standing);
        }
    }
}

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
    patience_t patience = {.start_usec = guard_store_clock(),
                           .wait_usec = a->store->wait_usec,
                           .pause_usec = PAUSE_USEC_MIN};

    return patience;
}

/* Sleep a little. @return 1, or 0 if it has waited long enough. */
static int nap(patience_t *patience)
{
    if (guard_store_clock() - patience->start_usec >=
        (uint64_t)patience->wait_usec) {
        return 0;
    }
    apr_sleep(patience->pause_usec);
    patience->pause_usec *= patience->pause_usec < PAUSE_USEC_MAX ? 2 : 1;
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
static int wait_more(const guard_attempt_t *a, patience_t *patience,
                     guard_wait_e what)
{
    if (!patience->holds[what]) {
        patience->holds[what] =
            guard_wait_begin(what, a->guess.tag, is_clean(a));
    }
    return patience->holds[what] && nap(patience);
}

static void end_patience(const patience_t *patience)
{
    for (guard_wait_e what = 0; what < GUARD_WAIT_KINDS; what++) {
        if (patience->holds[what]) {
            guard_wait_end(what);
        }
    }
}

static void give_check_back(guard_attempt_t *a)
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

/* One question to the store. Where it would admit if only the server had a
 * check to spare, one is taken, and the question put again. Without waiting
 * for a check there is one question only, for its answer is counted; and where
 * a question is a way to another machine and back. */
static apr_status_t ask_once(guard_attempt_t *a, guard_patience_e how)
{
    apr_status_t rv;

    if (how != GUARD_MAY_WAIT || a->store->is_far) {
        take_check(a);
    }
    do {
        rv = a->store->ops->reserve(a->store, guard_store_clock(), a->claims,
                                    a->claim_count, &a->guess, how, &a->ticket,
                                    &a->report);
    } while (rv == APR_SUCCESS && a->report.lacks_check &&
             how == GUARD_MAY_WAIT && take_check(a));
    return rv;
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
            give_check_back(a);
            if (nap(patience)) {
                continue;
            }
            return rv;
        }
        if (rv != APR_SUCCESS || a->report.verdict != GUARD_WAIT) {
            return rv;
        }
        give_check_back(a);
        if (!wait_more(a, patience,
                       is_join ? GUARD_WAIT_FOR_VERDICT
                               : GUARD_WAIT_FOR_PLACE)) {
            how = is_join || how == GUARD_MAY_JOIN ? GUARD_LAST_TRY
                                                   : GUARD_MAY_JOIN;
        }
    }
}

static void reserve(guard_attempt_t *a)
{
    patience_t patience = begin_patience(a);
    apr_status_t rv;

    give_check_back(a);
    rv = ask_store(a, &patience);
    end_patience(&patience);
    guard_log_store(a->r, rv);
    if (rv != APR_SUCCESS) {
        memset(&a->report, 0, sizeof(a->report));
        a->report.verdict = GUARD_OVERLOAD;
    }
    if (a->report.verdict != GUARD_ADMIT || a->report.is_proven) {
        give_check_back(a);
    }
}

/* What each verdict means for the rest of httpd, and for the counters. */
static const struct refusal_t {
    guard_verdict_e verdict;
    guard_state_e state;
    guard_answer_e answer;
    guard_counter_e attempt_counter;
    guard_counter_e refused_counter;
    const char *reason;
} REFUSALS[] = {
    {GUARD_REPEAT, GUARD_STATE_REPEAT, GUARD_ANSWER_WRONG, GUARD_COUNT_REPEAT,
     GUARD_COUNT_REFUSED_REPEAT, "repeat"},
    {GUARD_LOCKED, GUARD_STATE_LOCKED, GUARD_ANSWER_LOCKED, GUARD_COUNT_LOCKED,
     GUARD_COUNT_REFUSED_LOCKED, "locked"},
    {GUARD_BUSY, GUARD_STATE_BUSY, GUARD_ANSWER_BUSY, GUARD_COUNT_BUSY,
     GUARD_COUNT_REFUSED_BUSY, "busy"},
    {GUARD_OVERLOAD, GUARD_STATE_OVERLOAD, GUARD_ANSWER_OVERLOAD,
     GUARD_COUNT_OVERLOAD, GUARD_COUNT_REFUSED_OVERLOAD, "overload"},
};

/* Note a refusal everywhere but in the answer. In Observe only the view and
 * the counter of attempts tell. */
static void note_refusal(guard_attempt_t *a, int is_attempt)
{
    const struct refusal_t *refusal = REFUSALS;

    while (refusal->verdict != a->report.verdict) {
        refusal++; /* the table has every verdict but ADMIT and WAIT */
    }
    guard_reserve_show(a, refusal->state, refusal->answer);
    if (is_attempt) {
        a->store->ops->tally(a->store, refusal->attempt_counter);
    }
    if (!guard_reserve_observes(a)) {
        a->visit->ended = GUARD_VISIT_FAILED;
        a->store->ops->tally(a->store, refusal->refused_counter);
        guard_log_refused(a->r, &a->subject, refusal->reason);
    }
}

guard_verdict_e guard_reserve_begin(guard_attempt_t *a)
{
    a->guess = guard_credentials_guess(&a->credentials, &a->store->guess_secret,
                                       a->guess_realm);
    reserve(a);
    log_lockouts(a, a->claims, a->claim_count);
    if (a->report.verdict != GUARD_ADMIT) {
        note_refusal(a, 1);
    }
    return a->report.verdict;
}

guard_verdict_e guard_reserve_peek(guard_attempt_t *a)
{
    patience_t patience = begin_patience(a);
    apr_status_t rv;

    do {
        rv = a->store->ops->peek(a->store, guard_store_clock(), a->claims,
                                 a->claim_count, &a->report);
    } while (rv == APR_TIMEUP && nap(&patience));
    end_patience(&patience);
    guard_log_store(a->r, rv);
    if (rv != APR_SUCCESS || a->report.verdict != GUARD_LOCKED) {
        return GUARD_ADMIT;
    }
    note_refusal(a, 0);
    return GUARD_LOCKED;
}

void guard_reserve_settle(guard_attempt_t *a, guard_outcome_e outcome)
{
    static const struct {
        guard_state_e state;
        guard_counter_e counter;
        guard_visit_e ended;
    } TOLD[] = {
        [GUARD_RIGHT] = {GUARD_STATE_OK, GUARD_COUNT_OK, GUARD_VISIT_PASSED},
        [GUARD_WRONG] = {GUARD_STATE_FAILED, GUARD_COUNT_FAILED,
                         GUARD_VISIT_FAILED},
        [GUARD_ABANDONED] = {GUARD_STATE_OK, GUARD_COUNT_ABANDONED,
                             GUARD_VISIT_VOID},
    };
    patience_t patience = begin_patience(a);
    apr_status_t rv;

    give_check_back(a);
    do {
        rv = a->store->ops->settle(a->store, guard_store_clock(), &a->ticket,
                                   outcome, &a->report);
    } while (rv == APR_TIMEUP && nap(&patience));
    end_patience(&patience);
    guard_log_store(a->r, rv);
    a->store->ops->tally(a->store, TOLD[outcome].counter);
    a->visit->ended = TOLD[outcome].ended;
    guard_reserve_show(a, TOLD[outcome].state, GUARD_ANSWER_NONE);
    log_lockouts(a, a->ticket.claim, a->ticket.claim_count);
    if (outcome == GUARD_WRONG) {
        guard_log_proxy(a->r);
    }
}
