/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_provider.c owns the authentication provider `guard`: it asks the
 * providers named by AuthGuardProvider. Where the check_authn hook has
 * reserved already it only passes on; elsewhere, in a form's log-in, it is
 * the one place that sees the guess, and reserves and settles by itself.
 *
 * Invariant: a refusal can only be a denial here (a provider of httpd 2.4 has
 * no other word); the visit's view tells what it really was.
 */
#include "guard_provider.h"
#include "guard_reply.h"
#include "guard_reserve.h"
#include "guard_scope.h"
#include "guard_vars.h"

#include <ap_provider.h>
#include <http_core.h>
#include <http_log.h>

APLOG_USE_MODULE(auth_guard);

static guard_delegate_t default_delegate = {AUTHN_DEFAULT_PROVIDER,
                                            NULL}; /* [process] */

void guard_provider_init(void)
{
    default_delegate.provider = ap_lookup_provider(
        AUTHN_PROVIDER_GROUP, default_delegate.name, AUTHN_PROVIDER_VERSION);
}

static authn_status ask_delegate(request_rec *r,
                                 const guard_delegate_t *delegate,
                                 const char *user, const char *password)
{
    if (!delegate->provider || !delegate->provider->check_password) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "AG0108: configuration: no provider %s; load its "
                      "module or change AuthGuardProvider",
                      delegate->name);
        return AUTH_GENERAL_ERROR;
    }
    apr_table_setn(r->notes, AUTHN_PROVIDER_NAME_NOTE, delegate->name);
    return delegate->provider->check_password(r, user, password);
}

/* Ask the providers behind `guard`, in order, as mod_auth_basic would. */
static authn_status delegate(request_rec *r, const char *user,
                             const char *password)
{
    const apr_array_header_t *named = guard_conf_of(r)->delegates;
    guard_request_t *request = guard_chain_request(r);
    const guard_delegate_t *next = &default_delegate;
    int count = 1;
    authn_status status = AUTH_USER_NOT_FOUND;

    if (request->delegating) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "AG0108: configuration: AuthGuardProvider leads back to "
                      "guard through an alias");
        return AUTH_GENERAL_ERROR;
    }
    if (named) {
        next = (const guard_delegate_t *)(void *)named->elts;
        count = named->nelts;
    }
    request->delegating = 1;
    while (count-- && status == AUTH_USER_NOT_FOUND) {
        status = ask_delegate(r, next++, user, password);
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
static authn_status check_in_provider(guard_attempt_t *a, const char *user,
                                      const char *password)
{
    guard_request_t *request = guard_chain_request(a->r);
    guard_credentials_t credentials = {.scheme = GUARD_SCHEME_BASIC,
                                       .header = "",
                                       .user = user,
                                       .password = password};
    authn_status status;

    guard_reserve_present(a, &credentials);
    a->visit = request->visit;
    if (!a->visit) {
        a->visit = guard_chain_visit(a->r, a->scope.host, a->subject.scope,
                                     a->guess_realm, "\n(provider)");
        guard_reserve_show(a, GUARD_STATE_OK, GUARD_ANSWER_NONE);
    }
    guard_reserve_claim(a, 1);
    if (guard_reserve_is_exempt(a, 1) || !a->claim_count) {
        return delegate(a->r, user, password);
    }
    if (guard_reserve_begin(a) != GUARD_ADMIT) {
        return guard_reserve_observes(a) ? delegate(a->r, user, password)
                                         : AUTH_DENIED;
    }
    status = delegate(a->r, user, password);
    guard_reserve_settle(a, judge_provider(status));
    return status;
}

/* In the handler phase nobody of ours comes after the form module: what its
 * 401 will say is prepared here. */
static void prepare_answer(guard_attempt_t *a, authn_status status)
{
    guard_view_t *view = &a->visit->view;

    if (view->answer == GUARD_ANSWER_NONE && status != AUTH_GENERAL_ERROR) {
        view->answer = GUARD_ANSWER_WRONG;
    }
    guard_reply_describe(view, GUARD_RESPONSE_401);
    if (!guard_reserve_observes(a) && view->answer != GUARD_ANSWER_NONE) {
        guard_reply_prepare(a->r, view);
    }
}

static authn_status check_password(request_rec *r, const char *user,
                                   const char *password)
{
    const guard_dir_conf_t *conf = guard_conf_of(r);
    guard_request_t *request = guard_chain_request(r);
    guard_origin_e origin = GUARD_ORIGIN_SERVER;
    authn_status status;
    guard_attempt_t a;
    guard_auth_e auth;
    guard_mode_e mode;

    if (request->settled || request->delegating) {
        return delegate(r, user, password);
    }
    auth = guard_conf_auth_of(conf, r);
    mode = guard_conf_mode(conf, auth, &origin);
    if (mode == GUARD_MODE_OFF && conf->mode == GUARD_MODE_UNSET) {
        mode = GUARD_MODE_ON; /* called by another name: an alias of guard */
    }
    if (mode == GUARD_MODE_OFF) {
        return delegate(r, user, password);
    }
    if (!guard_reserve_identify(&a, r, auth, mode, origin)) {
        return mode == GUARD_MODE_OBSERVE ? delegate(r, user, password)
                                          : AUTH_GENERAL_ERROR;
    }
    status = check_in_provider(&a, user, password);
    if (status != AUTH_GRANTED && !request->nested) {
        prepare_answer(&a, status);
    }
    guard_vars_export(r, &a.visit->view);
    return status;
}

/* check_password only: a digest provider hands out hashes and never learns
 * the verdict, so there is nothing to count by. */
const authn_provider guard_provider = {check_password, NULL};
