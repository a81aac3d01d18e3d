/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_chain.c owns the memory of a chain of requests. It knows nothing of
 * stores and decides nothing about guesses.
 *
 * Invariant: everything lies in the first request's pool, so it outlives
 * every subrequest that looks at it.
 */
#include "guard_chain.h"

#include <apr_strings.h>

#include <string.h>

/* What a chain's first request has: its own state, and the chain's. */
typedef struct chain_t {
    guard_request_t request; /* first: every request begins with its own */
    int looked;              /* credentials were read */
    const char *credentials;
    guard_visit_t *visits; /* newest first */
    guard_visit_t *main_line;
    guard_visit_t first_visit; /* of those; most chains have no other */
} chain_t;

static request_rec *first_of(request_rec *r)
{
    while (r->main || r->prev) {
        r = r->main ? r->main : r->prev;
    }
    return r;
}

guard_request_t *guard_chain_make(request_rec *r)
{
    int is_first = !r->main && !r->prev;
    guard_request_t *request =
        apr_pcalloc(r->pool, is_first ? sizeof(chain_t) : sizeof(*request));

    ap_set_module_config(r->request_config, &auth_guard_module, request);
    return request;
}

static chain_t *chain_of(request_rec *r)
{
    return (chain_t *)guard_chain_request(first_of(r));
}

int guard_chain_is_new(request_rec *r) { return !chain_of(r)->visits; }

const char *guard_chain_header(request_rec *r)
{
    return apr_table_get(r->headers_in, r->proxyreq == PROXYREQ_PROXY
                                            ? "Proxy-Authorization"
                                            : "Authorization");
}

/* Most clients write a name as it stands in its RFC. */
static int is_named(const char *key, const char *name, apr_size_t length)
{
    return strlen(key) == length &&
           (!memcmp(key, name, length) || !strcasecmp(key, name));
}

const char *guard_chain_glance(request_rec *r)
{
    static const char ACCEPT[] = "Accept", AUTHORIZATION[] = "Authorization";
    const apr_array_header_t *headers = apr_table_elts(r->headers_in);
    const char *authorization = NULL, *accept = NULL;

    for (int i = 0; i < headers->nelts; i++) {
        const apr_table_entry_t *header =
            &APR_ARRAY_IDX(headers, i, apr_table_entry_t);

        if ((header->key[0] | ' ') != 'a') {
            continue;
        }
        if (!accept && is_named(header->key, ACCEPT, sizeof(ACCEPT) - 1)) {
            accept = header->val;
        } else if (!authorization && is_named(header->key, AUTHORIZATION,
                                              sizeof(AUTHORIZATION) - 1)) {
            authorization = header->val;
        }
    }
    guard_chain_request(r)->accept = accept;
    return authorization;
}

const char *guard_chain_credentials(request_rec *r)
{
    chain_t *chain = chain_of(r);

    if (!chain->looked) {
        chain->credentials = guard_chain_header(r);
        chain->looked = 1;
    }
    return chain->credentials;
}

static guard_visit_t *find(const chain_t *chain, const char *scope,
                           const char *realm, const char *credentials)
{
    guard_visit_t *visit = chain->visits;

    while (visit &&
           (strcmp(visit->scope, scope) || strcmp(visit->realm, realm) ||
            strcmp(visit->credentials, credentials))) {
        visit = visit->next;
    }
    return visit;
}

/* "host/dir/" reaches over "host/dir/sub/", and "host" over both. */
static int reaches_over(const guard_visit_t *visit, const char *host,
                        const char *scope)
{
    return !strcmp(visit->host, host) &&
           !strncmp(visit->scope, scope, strlen(visit->scope));
}

int guard_chain_passed_above(request_rec *r, const char *host,
                             const char *scope, const char *credentials)
{
    guard_visit_t *visit = chain_of(r)->visits;

    for (; visit; visit = visit->next) {
        int is_meant = credentials ? !strcmp(visit->credentials, credentials) &&
                                         strcmp(visit->scope, scope)
                                   : visit->fakes;

        if (is_meant && visit->ended == GUARD_VISIT_PASSED &&
            reaches_over(visit, host, scope)) {
            return 1;
        }
    }
    return 0;
}

/* What the first request has lasts as long as the chain. */
static guard_visit_t *begin_visit(chain_t *chain, apr_pool_t *lasting,
                                  const request_rec *r, const char *scope,
                                  const char *realm, const char *credentials)
{
    guard_visit_t *visit = &chain->first_visit;

    if (chain->visits) {
        visit = apr_pcalloc(lasting, sizeof(*visit));
    }
    if (lasting != r->pool) {
        scope = apr_pstrdup(lasting, scope);
        realm = apr_pstrdup(lasting, realm);
        credentials = apr_pstrdup(lasting, credentials);
    }
    visit->scope = scope;
    visit->realm = realm;
    visit->credentials = credentials;
    visit->next = chain->visits;
    chain->visits = visit;
    return visit;
}

guard_visit_t *guard_chain_visit(request_rec *r, const char *host,
                                 const char *scope, const char *realm,
                                 const char *credentials)
{
    request_rec *first = first_of(r);
    chain_t *chain = (chain_t *)guard_chain_request(first);
    guard_visit_t *visit = find(chain, scope, realm, credentials);

    if (!visit) {
        visit = begin_visit(chain, first->pool, r, scope, realm, credentials);
        visit->host = host;
    }
    if (!r->main) {
        chain->main_line = visit;
    }
    guard_chain_request(r)->visit = visit;
    return visit;
}

/* Authentication said yes, authorization said no: the view was made before
 * anybody knew. */
static const guard_view_t *not_allowed(request_rec *r, const guard_view_t *view)
{
    guard_view_t *answer = apr_pmemdup(r->pool, view, sizeof(*view));

    answer->answer = GUARD_ANSWER_NOT_ALLOWED;
    answer->status = r->status;
    answer->substatus = 3;
    return answer;
}

const guard_view_t *guard_chain_view(request_rec *r)
{
    static const guard_view_t unguarded = {.scope = "", .client = ""};
    guard_request_t *request =
        ap_get_module_config(r->request_config, &auth_guard_module);
    chain_t *chain =
        ap_get_module_config(first_of(r)->request_config, &auth_guard_module);
    const guard_visit_t *visit = request ? request->visit : NULL;

    if (!visit && chain) {
        visit = chain->main_line ? chain->main_line : chain->visits;
    }
    if (!visit) {
        return &unguarded;
    }
    if (request && request->passed && !request->authorized &&
        (r->status == HTTP_UNAUTHORIZED || r->status == HTTP_FORBIDDEN ||
         r->status == HTTP_PROXY_AUTHENTICATION_REQUIRED)) {
        return not_allowed(r, &visit->view);
    }
    return &visit->view;
}
