/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_attempt.c owns the way of a request: is it guarded, is it a guess, who
 * checks the password, what does httpd's answer say about it. It knows no
 * store, no header of the answer and no word of the page.
 *
 * Invariant: between a reservation and its settlement runs exactly one thing,
 * httpd's own check of the password. Whoever reserved settles.
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
 * provider `guard` (guard_provider.c) reserves and settles by itself.
 */
#include "guard_attempt.h"
#include "guard_attempt_judge.h"
#include "guard_reply.h"
#include "guard_reserve.h"
#include "guard_scope.h"
#include "guard_vars.h"

#include <http_core.h>
#include <http_log.h>
#include <http_request.h>

#include <string.h>

APLOG_USE_MODULE(auth_guard);

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

/* The answer to a 401 that httpd's own modules gave. A form that refused has
 * put its reason into the view; its login page must stay reachable. */
static int answer_unauthorized(guard_attempt_t *a, int status)
{
    guard_view_t *view = &a->visit->view;

    if (status == OK && !guard_reserve_observes(a)) {
        return status;
    }
    if (status == HTTP_UNAUTHORIZED && view->answer == GUARD_ANSWER_NONE) {
        view->answer = guard_attempt_is_about_guess(a)
                           ? GUARD_ANSWER_WRONG
                           : GUARD_ANSWER_NO_CREDENTIALS;
    }
    if (guard_reserve_observes(a)) {
        guard_reply_describe(view, guard_conf_response(a->conf));
        return status;
    }
    guard_reply_describe(view, GUARD_RESPONSE_401);
    if (status == HTTP_UNAUTHORIZED) {
        guard_reply_prepare(a->r, view);
    }
    return status;
}

/* Let httpd check, and count nothing. */
static int pass_on(guard_attempt_t *a, int settled)
{
    int status = answer_unauthorized(a, verify(a->r, settled));

    guard_vars_export(a->r, &a->visit->view);
    return status;
}

static int is_form(const guard_attempt_t *a)
{
    return a->auth == GUARD_AUTH_FORM;
}

/* A form is refused with 401, so that its login page stays reachable. */
static guard_response_e response_of(const guard_attempt_t *a)
{
    return is_form(a) ? GUARD_RESPONSE_401 : guard_conf_response(a->conf);
}

static int refuse(guard_attempt_t *a)
{
    guard_view_t *view = &a->visit->view;

    guard_reply_describe(view, response_of(a));
    guard_vars_export(a->r, view);
    return guard_reply_refuse(a->r, view, response_of(a));
}

/* The guess takes its place, is verified, and settled. */
static int check_guess(guard_attempt_t *a)
{
    int status;

    guard_reserve_claim(a, 1);
    if (!a->claim_count) {
        return pass_on(a, 1); /* AuthGuardLimit none, for every key */
    }
    if (guard_reserve_begin(a) != GUARD_ADMIT) {
        return guard_reserve_observes(a) ? pass_on(a, 1) : refuse(a);
    }
    status = verify(a->r, 1);
    guard_reserve_settle(a, guard_attempt_judge(a, status));
    status = answer_unauthorized(a, status);
    guard_vars_export(a->r, &a->visit->view);
    return status;
}

/* No guess, or one that was right before in this chain, here or in a directory
 * above: only a lockout keeps it out. */
static int pass_unless_locked(guard_attempt_t *a, int with_user)
{
    guard_reserve_claim(a, with_user);
    if (guard_reserve_is_locked(a)) {
        guard_reserve_note_locked(a, 0);
        if (!guard_reserve_observes(a)) {
            return refuse(a);
        }
    }
    return pass_on(a, 1);
}

/* A guess is a header that can lead to a check of a password here. A form
 * looks at none. */
static int is_guess(const guard_attempt_t *a, guard_scheme_e scheme)
{
    return (scheme == GUARD_SCHEME_BASIC && !is_form(a)) ||
           (scheme == GUARD_SCHEME_DIGEST && a->auth == GUARD_AUTH_DIGEST);
}

/* This scope has passed or failed these credentials in this chain: the same
 * end, and nothing is charged again. */
static int revisit(guard_attempt_t *a)
{
    guard_view_t *view = &a->visit->view;

    if (guard_reserve_observes(a)) {
        return pass_on(a, 1);
    }
    if (a->visit->ended == GUARD_VISIT_PASSED) {
        return pass_unless_locked(a, 1);
    }
    if (view->state == GUARD_STATE_FAILED) {
        view->answer = GUARD_ANSWER_WRONG;
    }
    return refuse(a);
}

/* Our directives came from a .htaccess into a scope that is the server's. */
static int is_intruded(const guard_dir_conf_t *conf)
{
    return conf->scope && conf->htaccess_directive;
}

/* Under what the chain remembers this try. A form's credentials are not in
 * the header, whatever that says. */
static const char *credentials_key(const guard_attempt_t *a, const char *header)
{
    if (is_form(a)) {
        return "\n(form)";
    }
    return header ? header : "";
}

/*
 * The header that httpd will check. AuthBasicFake puts another one there once
 * the request has passed, for a server behind this one; what anybody else put
 * there is a guess like any other.
 */
static const char *header_to_check(guard_attempt_t *a, const char *host,
                                   int *was_right_above)
{
    const char *sent = guard_chain_credentials(a->r);
    const char *now;
    int is_replaced;

    *was_right_above = 0;
    if (guard_chain_is_new(a->r)) {
        return sent;
    }
    now = guard_chain_header(a->r);
    is_replaced = now && (!sent || strcmp(now, sent));
    *was_right_above = guard_chain_passed_above(a->r, host, a->subject.scope,
                                                is_replaced ? NULL : sent);
    return is_replaced && !*was_right_above ? now : sent;
}

/*
 * Most of what a guesser sends comes while he is locked out. So that is asked
 * first, before his credentials are looked at, where the answer can go out at
 * once. Not where another request of the chain has been there before (one that
 * mod_rewrite looks ahead with, say); not where more than the address may have
 * locked him out; not of a store on another machine, which is to be asked once;
 * and not where the connection's last request was admitted, for then he most
 * likely is not.
 */
static int is_kept_out(guard_attempt_t *a)
{
    if (a->r->main || a->r->prev || !guard_chain_is_new(a->r) || is_form(a) ||
        guard_reserve_observes(a) || a->store->is_far ||
        guard_conf_counts_users(a->conf) || guard_reserve_has_recent_guess(a) ||
        a->is_exempt) {
        return 0;
    }
    guard_reserve_claim(a, 0);
    return guard_reserve_is_locked_at_once(a);
}

/* Nothing of the chain comes after this. */
static int keep_out(guard_attempt_t *a)
{
    guard_scheme_e scheme = guard_credentials_scheme(guard_chain_glance(a->r));

    a->visit = guard_chain_visit(a->r, a->scope.host, a->scope.name, "", "");
    guard_reserve_note_locked(a, is_guess(a, scheme));
    guard_reply_describe(&a->visit->view, response_of(a));
    guard_vars_export(a->r, &a->visit->view);
    return guard_reply_refuse_at_once(a->r, &a->visit->view, response_of(a));
}

static int check_guarded(guard_attempt_t *a)
{
    const char *host = a->scope.host;
    int was_right_above;
    const char *header = header_to_check(a, host, &was_right_above);
    int presents_guess;

    guard_reserve_present_header(a, header);
    presents_guess = is_guess(a, a->credentials.scheme);
    a->visit = guard_chain_visit(a->r, host, a->scope.name, a->guess_realm,
                                 credentials_key(a, header));
    if (a->visit->ended == GUARD_VISIT_PASSED ||
        a->visit->ended == GUARD_VISIT_FAILED) {
        return revisit(a);
    }
    a->visit->fakes = a->conf->fake == GUARD_FAKE_ON;
    guard_reserve_show(a, GUARD_STATE_OK, GUARD_ANSWER_NONE);
    if (guard_reserve_is_exempt(a, presents_guess)) {
        return pass_on(a, 1);
    }
    if (is_form(a)) {
        return pass_on(a, 0); /* the provider will reserve */
    }
    if (!presents_guess) {
        return pass_unless_locked(a, 0);
    }
    return was_right_above ? pass_unless_locked(a, 1) : check_guess(a);
}

/* There is nothing to count by: nobody is admitted uncounted. */
static int refuse_uncounted(guard_attempt_t *a)
{
    if (guard_reserve_observes(a)) {
        return DECLINED;
    }
    a->visit = guard_chain_visit(a->r, a->scope.host, a->scope.name, "",
                                 "\n(uncounted)");
    guard_reserve_show(a, GUARD_STATE_OVERLOAD, GUARD_ANSWER_OVERLOAD);
    return refuse(a);
}

int guard_attempt_check_authn(request_rec *r)
{
    const guard_request_t *request = guard_chain_known(r);
    const guard_dir_conf_t *conf = guard_conf_of(r);
    guard_origin_e origin;
    guard_auth_e auth;
    guard_mode_e mode;
    guard_attempt_t a;

    if ((request && request->nested) ||
        (!guard_conf_may_guard(conf) && !is_intruded(conf))) {
        return DECLINED;
    }
    auth = guard_conf_auth_of(conf, r);
    if (auth == GUARD_AUTH_UNSET) {
        return DECLINED; /* without AuthType nobody checks passwords here */
    }
    if (is_intruded(conf)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "AG0106: configuration: %s in .htaccess is not allowed "
                      "below AuthGuardScope %s; remove it there, or the scope",
                      conf->htaccess_directive, conf->scope->name);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    mode = guard_conf_mode(conf, auth, &origin);
    if (mode == GUARD_MODE_OFF) {
        return DECLINED;
    }
    if (!guard_reserve_identify(&a, r, auth, mode, origin)) {
        return refuse_uncounted(&a);
    }
    return is_kept_out(&a) &&
                   guard_reply_may_send(r, GUARD_ANSWER_LOCKED, response_of(&a))
               ? keep_out(&a)
               : check_guarded(&a);
}

int guard_attempt_fixups(request_rec *r)
{
    guard_request_t *request = guard_chain_known(r);
    request_rec *before = r->prev;

    if (request) {
        request->authorized = 1;
    }
    /* An ErrorDocument speaks for a refused authorization: that answer is not
     * for caches, and no filter of ours will see it. */
    if (before &&
        guard_chain_view(before)->answer == GUARD_ANSWER_NOT_ALLOWED) {
        apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    }
    return DECLINED;
}
