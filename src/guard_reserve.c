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
#include "guard_present.h"
#include "guard_server.h"

#include <stddef.h>
#include <string.h>

/* Nothing is shown of it. */
static void blank(guard_report_t *report)
{
    report->decisive = 0;
    memset(report->standing, 0, sizeof(report->standing[0]));
}

/* All but what is filled before it is read: the report, but for what is shown
 * before the store has said anything; ticket and claims. */
static void clear(guard_attempt_t *a)
{
    a->guess_realm = "";
    a->credentials.scheme = GUARD_SCHEME_NONE;
    a->credentials.header = NULL;
    a->claimed = GUARD_CLAIMED_NONE;
    a->standing = GUARD_UNASKED;
    a->claim_count = 0;
    a->now_usec = 0;
    a->header_hash = 0;
    a->has_guess = 0;
    a->check = GUARD_CHECK_NONE;
    a->lacked_check = 0;
    a->visit = NULL;
    blank(&a->report);
}

int guard_reserve_identify(guard_attempt_t *a, request_rec *r,
                           guard_auth_e auth, guard_mode_e mode,
                           guard_origin_e origin)
{
    const apr_sockaddr_t *from = r->useragent_addr;

    clear(a);
    a->r = r;
    a->conf = guard_conf_of(r);
    a->store = guard_server_store();
    a->auth = auth;
    a->mode = mode;
    a->recent = guard_recent_of(r);
    a->subject.client = r->useragent_ip;
    a->subject.realm = "";
    a->subject.user = "";
    a->subject.observed = guard_reserve_observes(a);
    guard_scope_of(&a->scope, r, a->conf,
                   a->store ? &a->store->table_secret : NULL);
    a->subject.scope = a->scope.name;
    /* Its author chooses who fails there, and how soon that locks out. */
    a->subject.origin = a->scope.is_tenants ? GUARD_ORIGIN_HTACCESS : origin;
    if (!a->store ||
        guard_addr_from_bytes(&a->addr, from->ipaddr_ptr,
                              (apr_size_t)from->ipaddr_len) != APR_SUCCESS) {
        return 0;
    }
    a->is_v4 = guard_addr_is_v4(&a->addr);
    a->is_exempt = guard_conf_is_exempt(a->conf, &a->addr);
    return 1;
}

/* Add the client of that kind. */
static void claim(guard_attempt_t *a, guard_kind_e kind,
                  const guard_policy_t *policy, uint64_t user)
{
    guard_claim_t *to = &a->claims[a->claim_count++];

    to->policy = *policy;
    to->client.addr = a->addr;
    to->client.bits = guard_conf_bits(a->conf, kind, a->is_v4);
    to->client.kind = (uint8_t)kind;
    to->client.counted = guard_reserve_observes(a) ? GUARD_COUNTED_OBSERVED
                                                   : GUARD_COUNTED_FOR_REAL;
    to->client.tenant = a->scope.is_tenants ? 1 : 0;
    to->client.scope = a->scope.hash;
    to->client.scope_name = a->scope.name;
    if (kind == GUARD_KIND_IP) {
        guard_recent_seal(a->recent, &to->client, &a->store->table_secret);
    } else {
        guard_client_seal(&to->client, &a->store->table_secret, user);
    }
}

/* The client of each kind from first to last that a limit is in force for. */
static void claim_kinds(guard_attempt_t *a, int first, int last, uint64_t user)
{
    for (int kind = first; kind <= last; kind++) {
        const guard_policy_t *policy =
            guard_conf_policy(a->conf, (guard_kind_e)kind, a->is_v4);

        if (policy) {
            claim(a, (guard_kind_e)kind, policy, user);
        }
    }
}

void guard_reserve_claim(guard_attempt_t *a, int with_user)
{
    guard_claimed_e wanted = with_user && guard_conf_counts_users(a->conf)
                                 ? GUARD_CLAIMED_ALL
                                 : GUARD_CLAIMED_ADDRESS;
    uint64_t user;

    if (a->claimed == wanted) {
        return;
    }
    a->claimed = wanted;
    a->standing = GUARD_UNASKED;
    a->claim_count = 0;
    claim_kinds(a, GUARD_KIND_IP, GUARD_KIND_NET, 0);
    if (wanted == GUARD_CLAIMED_ALL) {
        user = guard_key_hash(&a->store->table_secret, a->credentials.user,
                              strlen(a->credentials.user));
        claim_kinds(a, GUARD_KIND_USER, GUARD_KIND_LOGIN, user);
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
    if (!a->is_exempt) {
        return 0;
    }
    a->visit->view.state = GUARD_STATE_EXEMPT;
    if (is_attempt) {
        a->store->ops->tally(a->store, GUARD_COUNT_EXEMPT);
    }
    return 1;
}

static void log_lockout(guard_attempt_t *a, const guard_claim_t *claim,
                        const guard_standing_t *standing)
{
    if (!guard_reserve_observes(a)) {
        a->store->ops->tally(a->store, GUARD_COUNT_LOCKOUTS);
    }
    guard_present_name_user(a);
    guard_log_lockout(a->r, &a->subject, claim, standing);
}

static inline void log_lockouts(guard_attempt_t *a, const guard_claim_t *claims)
{
    for (unsigned i = 0; i < a->claim_count; i++) {
        if (a->report.standing[i].event == GUARD_EVENT_LOCKOUT) {
            log_lockout(a, &claims[i], &a->report.standing[i]);
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
    guard_present_make_guess(a);
    memset(&a->ticket, 0, offsetof(guard_ticket_t, claim));
    guard_ask_reserve(a);
    log_lockouts(a, a->claims);
    if (a->report.verdict != GUARD_ADMIT) {
        guard_present_forget(a);
        note_refusal(a, 1);
    }
    return a->report.verdict;
}

static apr_status_t peek(guard_attempt_t *a)
{
    a->now_usec = guard_store_clock();
    return a->store->ops->peek(a->store, a->now_usec, a->claims, a->claim_count,
                               &a->report);
}

static void note_standing(guard_attempt_t *a)
{
    a->standing =
        a->report.verdict == GUARD_LOCKED ? GUARD_KEPT_OUT : GUARD_FREE;
    if (a->standing == GUARD_FREE) {
        blank(&a->report); /* where he stands is told of guesses alone */
    }
}

int guard_reserve_is_locked_at_once(guard_attempt_t *a)
{
    if (a->standing == GUARD_UNASKED && peek(a) == APR_SUCCESS) {
        note_standing(a);
    }
    return a->standing == GUARD_KEPT_OUT;
}

int guard_reserve_is_locked(guard_attempt_t *a)
{
    if (a->standing == GUARD_UNASKED) {
        if (guard_ask_insist(a, peek) == APR_SUCCESS) {
            note_standing(a);
        }
    }
    return a->standing == GUARD_KEPT_OUT;
}

void guard_reserve_note_locked(guard_attempt_t *a, int is_attempt)
{
    note_refusal(a, is_attempt);
}

static apr_status_t settle(guard_attempt_t *a)
{
    a->now_usec = guard_store_clock();
    return a->store->ops->settle(a->store, a->now_usec, &a->ticket, a->outcome,
                                 &a->report);
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
    log_lockouts(a, a->ticket.claim);
    if (outcome == GUARD_WRONG) {
        guard_log_proxy(a->r);
    }
}
