/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_chain.h: what the guard remembers while a request lasts.
 *
 * A chain is a request with all its subrequests and internal redirects. The
 * memory lies at the chain's first request, so that a mistake is charged once
 * a scope however often httpd asks.
 */
#ifndef GUARD_CHAIN_H
#define GUARD_CHAIN_H

#include "guard_conf.h"
#include "guard_key.h"
#include "guard_reply_body.h"

#include <httpd.h>

/** What AUTHGUARD_STATE says. */
typedef enum {
    GUARD_STATE_UNGUARDED = 0,
    GUARD_STATE_OK,
    GUARD_STATE_FAILED,
    GUARD_STATE_REPEAT,
    GUARD_STATE_LOCKED,
    GUARD_STATE_BUSY,
    GUARD_STATE_OVERLOAD,
    GUARD_STATE_EXEMPT
} guard_state_e;

/**
 * What the guard has to say about one request, as seen by the page, the
 * headers, the variables and the log. Plain values, copied out of the store.
 */
typedef struct guard_view_t {
    guard_state_e state;
    guard_answer_e answer;
    int status;                         /* of the answer; 0: none */
    int substatus;                      /* 1, 2, 3, 501; 0: none */
    apr_interval_time_t remaining_usec; /* of the lockout; else 0 */
    int retry_after_sec;                /* 0: none */
    char retry_after[12];               /* the same as text; "": none */
    unsigned failures;
    unsigned limit;
    int observed; /* AuthGuard Observe: nothing was refused */
    const char *scope;
    const char *client; /* the client's address; "" if none */
} guard_view_t;

/** How a scope's guess in this chain ended. */
typedef enum {
    GUARD_VISIT_NEW = 0,
    GUARD_VISIT_PASSED,
    GUARD_VISIT_FAILED, /* wrong, or refused: the view tells */
    GUARD_VISIT_VOID    /* nothing was learnt: the next one is a guess anew */
} guard_visit_e;

/** One scope, visited with one set of credentials. */
typedef struct guard_visit_t {
    struct guard_visit_t *next;
    const char *scope;
    const char *host; /* the scope's part for the virtual host */
    const char *realm;
    const char *credentials; /* header or "" */
    guard_visit_e ended;
    int fakes; /* AuthBasicFake replaces the header once it has passed */
    guard_view_t view;
} guard_visit_t;

/** One request_rec's own state. */
typedef struct guard_request_t {
    int nested;     /* check_authn runs inside ours: stay out of its way */
    int settled;    /* this run's guess is dealt with: provider, just pass on */
    int delegating; /* inside the provider: a second entry is a loop */
    int passed;     /* authentication let it through */
    int authorized; /* and so did authorization */
    int answered;   /* the status that r's headers were set for; 0: none */
    int sent;       /* our answer is on its way, httpd makes none */
    const char *accept;   /* as guard_chain_glance found it; NULL: look */
    guard_visit_t *visit; /* NULL: none yet */
} guard_request_t;

/** @return r's own state, or NULL if there was no use for it yet. */
static inline guard_request_t *guard_chain_known(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &auth_guard_module);
}

/** Make r's own state, which it does not have yet. */
guard_request_t *guard_chain_make(request_rec *r);

/** @return r's own state; made on first use. */
static inline guard_request_t *guard_chain_request(request_rec *r)
{
    guard_request_t *request = guard_chain_known(r);

    return request ? request : guard_chain_make(r);
}

/** @return 1 if no scope was visited in r's chain yet, else 0. */
int guard_chain_is_new(request_rec *r);

/** @return what the chain's first request carried in Authorization (or
 *  Proxy-Authorization) when the guard first looked; NULL for nothing.
 *  mod_auth_basic may have put another there since (AuthBasicFake). */
const char *guard_chain_credentials(request_rec *r);

/** @return what the request carries there now; NULL for nothing. */
const char *guard_chain_header(request_rec *r);

/**
 * A look at the two headers that a refusal hangs on, in one walk: what a
 * locked client sends is looked at often. Accept is kept in r's own state.
 * @return what guard_chain_header returns
 */
const char *guard_chain_glance(request_rec *r);

/** @return 1 if these credentials passed, in this chain, in a scope that
 *  reaches over this one (a directory above it on the same host), else 0.
 *  credentials NULL: any, where AuthBasicFake has replaced them since, and in
 *  this very scope, too. */
int guard_chain_passed_above(request_rec *r, const char *host,
                             const char *scope, const char *credentials);

/** Find the visit of that scope and realm with these credentials, or begin
 *  one, and make it r's. Only one that has passed or failed speaks for a later
 * try. */
guard_visit_t *guard_chain_visit(request_rec *r, const char *host,
                                 const char *scope, const char *realm,
                                 const char *credentials);

/**
 * The view of the request that r belongs to: its own if it has one, else the
 * one of the chain's main line, else the newest. A refused authorization
 * counts as an answer, once r->status says so.
 * @return never NULL; GUARD_STATE_UNGUARDED where the guard was not at work
 */
const guard_view_t *guard_chain_view(request_rec *r);

#endif
