/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_reserve.c owns the dealings of one guess with the store: claims,
 * reserving, settling, and what is noted of it. It knows no AuthType, no
 * status and no other module; how long it is asked is guard_ask.c's.
 *
 * Invariant: every attempt that was admitted is settled once, and every one
 * that presented a guess is counted under exactly one outcome.
 */
#include "guard_reserve.h"
#include "guard_ask.h"
#include "guard_server.h"

#include <apr_strings.h>
#include <http_core.h>

#include <string.h>

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
    uint64_t user_hash;

    with_user = with_user && guard_conf_counts_users(a->conf);
    user_hash = with_user ? guard_key_hash(secret, user, strlen(user)) : 0;
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
    guard_ask_reserve(a);
    log_lockouts(a, a->claims, a->claim_count);
    if (a->report.verdict != GUARD_ADMIT) {
        note_refusal(a, 1);
    }
    return a->report.verdict;
}

static apr_status_t peek(guard_attempt_t *a)
{
    return a->store->ops->peek(a->store, guard_store_clock(), a->claims,
                               a->claim_count, &a->report);
}

guard_verdict_e guard_reserve_peek(guard_attempt_t *a)
{
    apr_status_t rv = guard_ask_insist(a, peek);

    if (rv != APR_SUCCESS || a->report.verdict != GUARD_LOCKED) {
        return GUARD_ADMIT;
    }
    note_refusal(a, 0);
    return GUARD_LOCKED;
}

static apr_status_t settle(guard_attempt_t *a)
{
    return a->store->ops->settle(a->store, guard_store_clock(), &a->ticket,
                                 a->outcome, &a->report);
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

    guard_ask_give_check_back(a);
    a->outcome = outcome;
    guard_ask_insist(a, settle);
    a->store->ops->tally(a->store, TOLD[outcome].counter);
    a->visit->ended = TOLD[outcome].ended;
    guard_reserve_show(a, TOLD[outcome].state, GUARD_ANSWER_NONE);
    log_lockouts(a, a->ticket.claim, a->ticket.claim_count);
    if (outcome == GUARD_WRONG) {
        guard_log_proxy(a->r);
    }
}
