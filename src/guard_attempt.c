/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_attempt.c owns one attempt: who asks, with what, what the store says
 * to it, the check of the password in between, and what became of it. It
 * knows no header of the answer and no word of the page.
 *
 * Invariant: between a reservation and its settlement runs exactly one thing,
 * httpd's own check of the password (or, inside the provider, the delegates),
 * and no lock is held meanwhile. Whoever reserved settles.
 *
 * How a request goes. The check_authn hook runs before all others. It works
 * out scope, client and guess, reserves, and then runs the check_authn hooks
 * again, itself standing aside: whatever module checks the password, and
 * whatever it answers, is seen in this one place.
 *
 *     check_authn --> locked, busy, ... --> guard_reply
 *          |
 *          +--> check_authn of all others --> 401, OK, ... --> settle
 *
 * A form is different: its credentials come in a body that the form module
 * reads, or in the handler phase where no hook of ours runs. There the
 * provider `guard` reserves and settles by itself.
 */
#include "guard_attempt.h"
#include "guard_credentials.h"
#include "guard_log.h"
#include "guard_reply.h"
#include "guard_scope.h"
#include "guard_server.h"
#include "guard_vars.h"

#include <ap_provider.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_request.h>

#include <string.h>

APLOG_USE_MODULE(auth_guard);

/* How a waiting request looks again: soon at first, then less often. */
#define PAUSE_USEC_MIN 1000
#define PAUSE_USEC_MAX 20000

/* Everything about one guess, while it lasts. On the stack. */
typedef struct attempt_t {
    request_rec *r;
    const guard_dir_conf_t *conf;
    guard_store_t *store;
    guard_mode_e mode;
    guard_credentials_t credentials;
    guard_addr_t addr;
    guard_log_subject_t subject;
    guard_claim_t claims[GUARD_CLAIMS_MAX];
    unsigned claim_count;
    guard_guess_t guess;
    guard_ticket_t ticket;
    guard_report_t report;
    guard_visit_t *visit;
} attempt_t;

static int observes(const attempt_t *a)
{
    return a->mode == GUARD_MODE_OBSERVE;
}

/* Whose request it is, and where. @return 0 if the address is none. */
static int identify(attempt_t *a, request_rec *r, guard_mode_e mode,
                    guard_origin_e origin)
{
    const apr_sockaddr_t *from = r->useragent_addr;
    const char *realm = ap_auth_name(r);

    memset(a, 0, sizeof(*a));
    a->r = r;
    a->conf = guard_conf_of(r);
    a->store = guard_server_store();
    a->mode = mode;
    a->subject.client = r->useragent_ip;
    a->subject.scope = guard_scope_of(r, a->conf);
    a->subject.realm = realm ? realm : "";
    a->subject.origin = origin;
    a->subject.observed = observes(a);
    return a->store &&
           guard_addr_from_bytes(&a->addr, from->ipaddr_ptr,
                                 (apr_size_t)from->ipaddr_len) == APR_SUCCESS;
}

static void present(attempt_t *a, const guard_credentials_t *credentials)
{
    a->credentials = *credentials;
    a->subject.user = credentials->user;
}

/* Add the client of that kind, if a limit is in force for it. */
static void claim(attempt_t *a, guard_kind_e kind, uint64_t scope,
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
    to->client.counted =
        observes(a) ? GUARD_COUNTED_OBSERVED : GUARD_COUNTED_FOR_REAL;
    to->client.scope = scope;
    to->client.scope_name = a->subject.scope;
    guard_client_seal(&to->client, &a->store->table_secret, user);
    a->claim_count++;
}

/* All limits in force; without credentials there is no user to count by. */
static void claim_all(attempt_t *a, int with_user)
{
    const guard_secret_t *secret = &a->store->table_secret;
    const char *user = a->credentials.user;
    uint64_t scope =
        guard_key_hash(secret, a->subject.scope, strlen(a->subject.scope));
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

/* Copy what the store said into the view. */
static void show(attempt_t *a, guard_state_e state, guard_answer_e answer)
{
    const guard_standing_t *standing = &a->report.standing[a->report.decisive];
    guard_view_t *view = &a->visit->view;

    view->state = state;
    view->answer = answer;
    view->failures = standing->failures;
    view->limit = standing->limit;
    view->remaining_usec = standing->remaining_usec;
    view->observed = observes(a);
    view->scope = a->visit->scope;
    view->client = a->subject.client;
}

static void log_lockouts(attempt_t *a, const guard_claim_t *claims,
                         unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const guard_standing_t *standing = &a->report.standing[i];

        if (standing->event == GUARD_EVENT_LOCKOUT) {
            if (!observes(a)) {
                a->store->ops->tally(a->store, GUARD_COUNT_LOCKOUTS);
            }
            guard_log_lockout(a->r, &a->subject, &claims[i], standing);
        }
        if (standing->overflow) {
            guard_log_overflow(a->r);
        }
    }
}

/*
 * Reserve, and wait as long as that may last. A thread that may not wait, and
 * one that observes, takes the answer as it stands.
 */
static apr_status_t reserve(attempt_t *a)
{
    uint64_t start_usec = guard_store_clock(), now_usec = start_usec;
    apr_interval_time_t pause_usec = PAUSE_USEC_MIN;
    guard_patience_e patience = observes(a) ? GUARD_LAST_TRY : GUARD_MAY_WAIT;
    int waits = 0;
    apr_status_t rv;

    for (;;) {
        rv = a->store->ops->reserve(a->store, now_usec, a->claims,
                                    a->claim_count, &a->guess, patience,
                                    &a->ticket, &a->report);
        if (rv != APR_SUCCESS || a->report.verdict != GUARD_WAIT) {
            break;
        }
        waits = waits || guard_server_wait_begin();
        if (!waits || now_usec - start_usec >= GUARD_WAIT_USEC) {
            patience = GUARD_LAST_TRY;
            continue;
        }
        apr_sleep(pause_usec);
        pause_usec *= pause_usec < PAUSE_USEC_MAX ? 2 : 1;
        now_usec = guard_store_clock();
    }
    if (waits) {
        guard_server_wait_end();
    }
    guard_log_store(a->r, rv);
    if (rv != APR_SUCCESS) {
        memset(&a->report, 0, sizeof(a->report));
        a->report.verdict = GUARD_OVERLOAD;
    }
    return rv;
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
static void note_refusal(attempt_t *a, int is_attempt)
{
    const struct refusal_t *refusal = REFUSALS;

    while (refusal->verdict != a->report.verdict) {
        refusal++; /* the table has every verdict but ADMIT and WAIT */
    }
    show(a, refusal->state, refusal->answer);
    if (is_attempt) {
        a->store->ops->tally(a->store, refusal->attempt_counter);
    }
    if (!observes(a)) {
        a->visit->ended = GUARD_VISIT_FAILED;
        a->store->ops->tally(a->store, refusal->refused_counter);
        guard_log_refused(a->r, &a->subject, refusal->reason);
    }
}

/* Settle what was admitted, and tell. */
static void settle(attempt_t *a, guard_outcome_e outcome)
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
    apr_status_t rv = a->store->ops->settle(a->store, guard_store_clock(),
                                            &a->ticket, outcome, &a->report);

    guard_log_store(a->r, rv);
    a->store->ops->tally(a->store, TOLD[outcome].counter);
    a->visit->ended = TOLD[outcome].ended;
    show(a, TOLD[outcome].state, GUARD_ANSWER_NONE);
    log_lockouts(a, a->ticket.claim, a->ticket.claim_count);
    if (outcome == GUARD_WRONG) {
        guard_log_proxy(a->r);
    }
}

/* Everybody's check_authn but ours. DECLINED by all is what httpd calls a
 * configuration error; passed on, it would run them all a second time. */
static int verify(request_rec *r, int settled)
{
    guard_request_t *request = guard_chain_request(r);
    int status;

    request->nested = 1;
    request->settled = settled;
    r->user = NULL;
    status = ap_run_check_user_id(r);
    request->nested = 0;
    request->settled = 0;
    if (status == DECLINED) {
        ap_log_rerror(APLOG_MARK, APLOG_CRIT, 0, r,
                      "AG0108: configuration: no module checks passwords for "
                      "this AuthType: %s",
                      r->uri);
        status = HTTP_INTERNAL_SERVER_ERROR;
    }
    request->passed = status == OK;
    return status;
}

/* mod_auth_digest looks at the nonce last: stale means a right password. */
static int is_stale(const request_rec *r)
{
    const char *challenge = apr_table_get(
        r->err_headers_out, r->proxyreq == PROXYREQ_PROXY ? "Proxy-Authenticate"
                                                          : "WWW-Authenticate");

    return challenge && strstr(challenge, "stale=true");
}

/* What httpd's answer says about the guess. */
static guard_outcome_e judge(const request_rec *r, int status)
{
    switch (status) {
    case OK:
        return GUARD_RIGHT;
    case HTTP_UNAUTHORIZED:
    case HTTP_PROXY_AUTHENTICATION_REQUIRED:
        /* No user: nobody took these credentials for his. */
        return r->user && !is_stale(r) ? GUARD_WRONG : GUARD_ABANDONED;
    default:
        return GUARD_ABANDONED; /* our side's fault, not the client's */
    }
}

/* The answer to a 401 that httpd's own modules gave. */
static int answer_unauthorized(attempt_t *a, int status)
{
    guard_view_t *view = &a->visit->view;

    if (status != HTTP_UNAUTHORIZED) {
        return status;
    }
    if (view->state == GUARD_STATE_LOCKED || view->state == GUARD_STATE_BUSY ||
        view->state == GUARD_STATE_OVERLOAD) {
        /* Refused inside a form; its login page must stay reachable. */
        return guard_reply_refuse(a->r, view, GUARD_RESPONSE_401);
    }
    view->answer = a->r->user && !is_stale(a->r) ? GUARD_ANSWER_WRONG
                                                 : GUARD_ANSWER_NO_CREDENTIALS;
    return guard_reply_refuse(a->r, view, GUARD_RESPONSE_401);
}

/* Let httpd check, and count nothing. */
static int pass_on(attempt_t *a, int settled)
{
    int status = answer_unauthorized(a, verify(a->r, settled));

    guard_vars_export(a->r, &a->visit->view);
    return status;
}

static int refuse(attempt_t *a)
{
    int status =
        guard_reply_refuse(a->r, &a->visit->view, guard_conf_response(a->conf));

    guard_vars_export(a->r, &a->visit->view);
    return status;
}

/* The guess takes its place, is verified, and settled. */
static int check_guess(attempt_t *a)
{
    int status;

    claim_all(a, 1);
    if (!a->claim_count) {
        return pass_on(a, 1); /* AuthGuardLimit none, for every key */
    }
    a->guess = guard_credentials_guess(&a->credentials, &a->store->guess_secret,
                                       a->subject.realm);
    reserve(a);
    log_lockouts(a, a->claims, a->claim_count);
    if (a->report.verdict != GUARD_ADMIT) {
        note_refusal(a, 1);
        return observes(a) ? pass_on(a, 1) : refuse(a);
    }
    status = verify(a->r, 1);
    settle(a, judge(a->r, status));
    status = answer_unauthorized(a, status);
    guard_vars_export(a->r, &a->visit->view);
    return status;
}

/* No guess in it: only a lockout keeps it out. */
static int check_visitor(attempt_t *a)
{
    apr_status_t rv;

    claim_all(a, 0);
    rv = a->store->ops->peek(a->store, guard_store_clock(), a->claims,
                             a->claim_count, &a->report);
    guard_log_store(a->r, rv);
    if (rv == APR_SUCCESS && a->report.verdict == GUARD_LOCKED) {
        note_refusal(a, 0);
        return observes(a) ? pass_on(a, 1) : refuse(a);
    }
    return pass_on(a, 1);
}

/* A guess is a header that can lead to a check of a password here. */
static int is_guess(const attempt_t *a, const char *auth_type)
{
    return a->credentials.scheme == GUARD_SCHEME_BASIC ||
           (a->credentials.scheme == GUARD_SCHEME_DIGEST &&
            !strcasecmp(auth_type, "Digest"));
}

/* This scope has dealt with these credentials in this chain: the same end,
 * and nothing is charged again. */
static int revisit(attempt_t *a, guard_visit_t *visit)
{
    guard_chain_request(a->r)->visit = visit;
    a->visit = visit;
    if (visit->ended != GUARD_VISIT_FAILED || observes(a)) {
        return pass_on(a, 1);
    }
    if (visit->view.state == GUARD_STATE_FAILED) {
        visit->view.answer = GUARD_ANSWER_WRONG;
    }
    return refuse(a);
}

/* Our directives came from a .htaccess into a scope that is the server's. */
static int is_intruded(const guard_dir_conf_t *conf)
{
    return conf->scope_name && conf->htaccess_directive;
}

static int check_guarded(attempt_t *a, const char *auth_type)
{
    const char *header = guard_chain_credentials(a->r);
    const char *host = guard_scope_host(a->r, a->conf);
    guard_credentials_t credentials =
        guard_credentials_parse(a->r->pool, header);
    guard_visit_t *visit;

    present(a, &credentials);
    header = header ? header : "";
    visit = guard_chain_find(a->r, a->subject.scope, header);
    if (visit) {
        return revisit(a, visit);
    }
    a->visit = guard_chain_add(a->r, host, a->subject.scope, header);
    show(a, GUARD_STATE_OK, GUARD_ANSWER_NONE);
    if (guard_conf_is_exempt(a->conf, &a->addr)) {
        a->visit->view.state = GUARD_STATE_EXEMPT;
        if (is_guess(a, auth_type)) {
            a->store->ops->tally(a->store, GUARD_COUNT_EXEMPT);
        }
        return pass_on(a, 1);
    }
    if (!strcasecmp(auth_type, "form") && !is_guess(a, auth_type)) {
        return pass_on(a, 0); /* the provider will reserve */
    }
    if (!is_guess(a, auth_type)) {
        return check_visitor(a);
    }
    if (guard_chain_passed_above(a->r, host, a->subject.scope, header)) {
        return pass_on(a, 1);
    }
    return check_guess(a);
}

int guard_attempt_check_authn(request_rec *r)
{
    const guard_dir_conf_t *conf = guard_conf_of(r);
    const char *auth_type = ap_auth_type(r);
    guard_origin_e origin;
    guard_mode_e mode = guard_conf_mode(conf, auth_type, &origin);
    attempt_t a;

    if (mode == GUARD_MODE_OFF || guard_chain_request(r)->nested) {
        return DECLINED;
    }
    if (!auth_type) {
        return DECLINED; /* nobody checks passwords here */
    }
    if (is_intruded(conf)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "AG0106: configuration: %s in .htaccess is not allowed "
                      "below AuthGuardScope %s; remove it there, or the scope",
                      conf->htaccess_directive, conf->scope_name);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!identify(&a, r, mode, origin)) {
        return DECLINED;
    }
    return check_guarded(&a, auth_type);
}

int guard_attempt_fixups(request_rec *r)
{
    guard_request_t *request = guard_chain_request(r);
    request_rec *before = r->prev;

    request->authorized = 1;
    /* An ErrorDocument speaks for a refused authorization: that answer is not
     * for caches, and no filter of ours will see it. */
    if (before &&
        guard_chain_view(before)->answer == GUARD_ANSWER_NOT_ALLOWED) {
        apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    }
    return DECLINED;
}

/* Ask the providers behind `guard`, in order, as mod_auth_basic would. */
static authn_status delegate(request_rec *r, const char *user,
                             const char *password)
{
    static const char *const DEFAULT[] = {AUTHN_DEFAULT_PROVIDER};
    const guard_dir_conf_t *conf = guard_conf_of(r);
    guard_request_t *request = guard_chain_request(r);
    const char *const *name = DEFAULT;
    int count = 1;
    authn_status status = AUTH_USER_NOT_FOUND;

    if (request->delegating) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "AG0108: configuration: AuthGuardProvider leads back to "
                      "guard through an alias");
        return AUTH_GENERAL_ERROR;
    }
    if (conf->delegates) {
        name = (const char *const *)(void *)conf->delegates->elts;
        count = conf->delegates->nelts;
    }
    request->delegating = 1;
    for (; count-- && status == AUTH_USER_NOT_FOUND; name++) {
        const authn_provider *provider = ap_lookup_provider(
            AUTHN_PROVIDER_GROUP, *name, AUTHN_PROVIDER_VERSION);

        if (!provider || !provider->check_password) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                          "AG0108: configuration: no provider %s; load its "
                          "module or change AuthGuardProvider",
                          *name);
            status = AUTH_GENERAL_ERROR;
            break;
        }
        apr_table_setn(r->notes, AUTHN_PROVIDER_NAME_NOTE, *name);
        status = provider->check_password(r, user, password);
    }
    request->delegating = 0;
    return status;
}

static guard_outcome_e judge_provider(authn_status status)
{
    switch (status) {
    case AUTH_GRANTED:
        return GUARD_RIGHT;
    case AUTH_DENIED:
    case AUTH_USER_NOT_FOUND:
        return GUARD_WRONG;
    default:
        return GUARD_ABANDONED; /* our fault, not the client's */
    }
}

/*
 * Reserve and settle inside the provider: for a form, and for whoever else
 * calls it where our hook has not run. A refusal can only be a denial here;
 * the view tells what it really was.
 */
static authn_status check_in_provider(attempt_t *a, const char *user,
                                      const char *password)
{
    guard_request_t *request = guard_chain_request(a->r);
    guard_credentials_t credentials = {.scheme = GUARD_SCHEME_BASIC,
                                       .header = "",
                                       .user = user,
                                       .password = password};
    authn_status status;

    present(a, &credentials);
    a->visit = request->visit;
    if (!a->visit) {
        a->visit = guard_chain_add(a->r, guard_scope_host(a->r, a->conf),
                                   a->subject.scope, "");
    }
    claim_all(a, 1);
    if (!a->claim_count || guard_conf_is_exempt(a->conf, &a->addr)) {
        return delegate(a->r, user, password);
    }
    a->guess = guard_credentials_guess(&credentials, &a->store->guess_secret,
                                       a->subject.realm);
    reserve(a);
    log_lockouts(a, a->claims, a->claim_count);
    if (a->report.verdict != GUARD_ADMIT) {
        note_refusal(a, 1);
        return observes(a) ? delegate(a->r, user, password) : AUTH_DENIED;
    }
    status = delegate(a->r, user, password);
    settle(a, judge_provider(status));
    return status;
}

static authn_status check_password(request_rec *r, const char *user,
                                   const char *password)
{
    const guard_dir_conf_t *conf = guard_conf_of(r);
    guard_request_t *request = guard_chain_request(r);
    guard_mode_e mode = conf->mode ? conf->mode : GUARD_MODE_ON;
    guard_origin_e origin = conf->mode_origin;
    authn_status status;
    attempt_t a;

    if (request->settled || request->delegating || mode == GUARD_MODE_OFF ||
        !identify(&a, r, mode, origin)) {
        return delegate(r, user, password);
    }
    status = check_in_provider(&a, user, password);
    if (status != AUTH_GRANTED && !request->nested) {
        /* The handler phase: nobody of ours comes after the form module. */
        guard_view_t *view = &a.visit->view;

        if (view->answer == GUARD_ANSWER_NONE && status != AUTH_GENERAL_ERROR) {
            view->answer = GUARD_ANSWER_WRONG;
        }
        if (view->answer != GUARD_ANSWER_NONE) {
            guard_reply_refuse(r, view, GUARD_RESPONSE_401);
        }
    }
    guard_vars_export(r, &a.visit->view);
    return status;
}

/* check_password only: a digest provider hands out hashes and never learns
 * the verdict, so there is nothing to count by. */
const authn_provider guard_attempt_provider = {check_password, NULL};
