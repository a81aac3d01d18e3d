/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status_action.c owns the ways in which the status page changes
 * something: who may, by what proof, and what is said of it afterwards. It
 * refuses to know how the page looks.
 *
 * Invariant: nothing is changed before each of refusal_of()'s questions has
 * been answered, and every change leaves its line AG0103 in the error log.
 */
#include "guard_status_action.h"
#include "guard_log.h"
#include "guard_status_origin.h"
#include "guard_status_page.h"
#include "guard_status_token.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>

#define FORM_FIELDS_MAX 8   /* of a form */
#define FORM_BYTES_MAX 1024 /* its whole body */

/* What a form of ours says. */
typedef struct form_t {
    const char *token;
    const char *unlock; /* "all", or an id */
} form_t;

/* Why nothing is done: a word for the log, a sentence for the visitor. */
typedef struct refusal_t {
    const char *reason;
    const char *sentence;
} refusal_t;

static const refusal_t no_form = {
    "method", "Nothing was done: unlocking takes a button of this page."};
static const refusal_t no_user = {
    "user", "Nothing was done: unlocking takes a user who has signed in, and "
            "this page asks for none."};
static const refusal_t no_origin = {
    "origin", "Nothing was done: the request did not come from this page."};
static const refusal_t bad_body = {
    "form", "Nothing was done: the form could not be read."};
static const refusal_t no_token = {
    "nonce", "Nothing was done: the page was too old, or not yours. Go back "
             "to the list, and try again."};

static guard_token_t subject(request_rec *r, const char *purpose)
{
    const char *realm = ap_auth_name(r);
    guard_token_t what = {
        .purpose = purpose,
        .user = r->user,
        .realm = realm ? realm : "",
        .host = r->server->server_hostname ? r->server->server_hostname : ""};

    return what;
}

const char *guard_status_action_token(request_rec *r,
                                      const guard_status_t *status)
{
    guard_token_t what = subject(r, "unlock");

    if (!r->user || !status->store) {
        return NULL;
    }
    return guard_status_token_make(r->pool, &status->store->guess_secret, &what,
                                   status->now_usec);
}

static int is_token(request_rec *r, const guard_status_t *status,
                    const char *purpose, const char *text)
{
    guard_token_t what = subject(r, purpose);

    return guard_status_token_is_good(r->pool, &status->store->guess_secret,
                                      &what, status->now_usec, text);
}

/* The value as a string. */
static const char *value_of(request_rec *r, const ap_form_pair_t *pair)
{
    char *text = NULL;
    apr_size_t length = 0;

    if (apr_brigade_pflatten(pair->value, &text, &length, r->pool) !=
        APR_SUCCESS) {
        return "";
    }
    return apr_pstrmemdup(r->pool, text, length);
}

/* A body of another type than a form's has no fields for httpd.
 * @return 1, or 0 if it is no form of ours */
static int read_form(request_rec *r, form_t *form)
{
    apr_array_header_t *pairs = NULL;

    if (ap_parse_form_data(r, NULL, &pairs, FORM_FIELDS_MAX, FORM_BYTES_MAX) !=
            OK ||
        !pairs) {
        return 0;
    }
    for (int i = 0; i < pairs->nelts; i++) {
        const ap_form_pair_t *pair = &APR_ARRAY_IDX(pairs, i, ap_form_pair_t);

        if (!strcmp(pair->name, "token")) {
            form->token = value_of(r, pair);
        } else if (!strcmp(pair->name, "unlock")) {
            form->unlock = value_of(r, pair);
        }
    }
    return form->token && form->unlock;
}

static const refusal_t *refusal_of(request_rec *r, const guard_status_t *status,
                                   form_t *form)
{
    if (!r->user) {
        return &no_user;
    }
    if (!guard_status_origin_is_ours(r)) {
        return &no_origin;
    }
    if (!read_form(r, form)) {
        return &bad_body;
    }
    return is_token(r, status, "unlock", form->token) ? NULL : &no_token;
}

static int refuse(request_rec *r, const guard_status_query_t *query,
                  const refusal_t *refusal)
{
    guard_log_not_unlocked(r, refusal->reason);
    r->status = HTTP_FORBIDDEN;
    guard_status_page_headers(r);
    guard_status_page_refuse(r, query, refusal->sentence);
    return OK;
}

int guard_status_action_by_address(request_rec *r,
                                   const guard_status_query_t *query)
{
    return refuse(r, query, &no_form);
}

/* An id as the page writes it. @return it, or 0. */
static uint64_t read_id(const char *text)
{
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16) {
        return 0;
    }
    return strtoull(text, NULL, 16);
}

static apr_status_t keep(void *baton, const guard_entry_t *entry)
{
    guard_entry_t *kept = baton;

    *kept = *entry;
    return APR_SUCCESS;
}

/* What a button means. @return 1, or 0 if it means nothing. */
static int filter_of(const guard_status_query_t *query, const char *unlock,
                     guard_filter_t *filter)
{
    if (!strcmp(unlock, "all")) {
        *filter = guard_status_query_filter(query);
        return filter->by == GUARD_FILTER_USER ||
               (filter->by == GUARD_FILTER_NET &&
                guard_status_query_is_address(query));
    }
    memset(filter, 0, sizeof(*filter));
    filter->by = GUARD_FILTER_ID;
    filter->id = read_id(unlock);
    return filter->id != 0;
}

/* The line AG0103: by whatever was meant. */
static void tell(request_rec *r, const guard_filter_t *filter,
                 const guard_entry_t *entry, unsigned count)
{
    char client[GUARD_CIDR_TEXT_MAX] = "";
    const char *scope = filter->scope_name;

    if (filter->by == GUARD_FILTER_NET) {
        guard_addr_format(client, &filter->net.addr);
    } else if (filter->by == GUARD_FILTER_ID) {
        scope = entry->scope_name;
        if (entry->bits == GUARD_ADDR_BITS) {
            guard_addr_format(client, &entry->addr);
        } else if (entry->bits) {
            guard_cidr_format(client, &entry->addr, entry->bits);
        }
    }
    guard_log_unlocked(r, client, filter->user, scope, count);
}

/* Back to the list, with what was done, and a proof that it was. */
static int lead_back(request_rec *r, const guard_status_t *status,
                     const guard_status_query_t *query, unsigned count)
{
    const char *done = apr_psprintf(r->pool, "%u", count);
    guard_token_t what = subject(r, apr_pstrcat(r->pool, "done ", done, NULL));
    const char *proof = guard_status_token_make(
        r->pool, &status->store->guess_secret, &what, status->now_usec);

    apr_table_setn(r->headers_out, "Location",
                   apr_pstrcat(r->pool, guard_status_query_link(r->pool, query),
                               "&done=", done, "&proof=", proof, NULL));
    return HTTP_SEE_OTHER;
}

const char *guard_status_action_done(request_rec *r,
                                     const guard_status_t *status,
                                     const guard_status_query_t *query)
{
    if (!query->done || !r->user || !status->store ||
        !is_token(r, status, apr_pstrcat(r->pool, "done ", query->done, NULL),
                  query->done_token)) {
        return NULL;
    }
    if (!strcmp(query->done, "0")) {
        return "There was nothing to unlock any more.";
    }
    return !strcmp(query->done, "1")
               ? "Unlocked: 1 record was cleared."
               : apr_pstrcat(r->pool, "Unlocked: ", query->done,
                             " records were cleared.", NULL);
}

/* The record is looked at before it is changed, so that the log can tell whose
 * it was. */
static apr_status_t unlock(const guard_status_t *status,
                           const guard_filter_t *filter, guard_entry_t *entry,
                           unsigned *count)
{
    const guard_store_ops_t *ops = status->store->ops;
    apr_status_t rv = APR_SUCCESS;

    memset(entry, 0, sizeof(*entry));
    if (filter->by == GUARD_FILTER_ID) {
        rv = ops->iterate(status->store, status->now_usec, filter, keep, entry);
    }
    return rv == APR_SUCCESS
               ? ops->unlock(status->store, status->now_usec, filter, count)
               : rv;
}

int guard_status_action(request_rec *r, const guard_status_t *status,
                        const guard_status_query_t *query)
{
    form_t form = {NULL, NULL};
    const refusal_t *refusal = refusal_of(r, status, &form);
    guard_filter_t filter;
    guard_entry_t entry;
    unsigned count = 0;
    apr_status_t rv;

    if (!refusal && !filter_of(query, form.unlock, &filter)) {
        refusal = &bad_body;
    }
    if (refusal) {
        return refuse(r, query, refusal);
    }
    rv = unlock(status, &filter, &entry, &count);
    if (rv == APR_SUCCESS || count) { /* a walk may end half way */
        tell(r, &filter, &entry, count);
    }
    if (rv != APR_SUCCESS) {
        guard_log_store(r, rv);
        return HTTP_SERVICE_UNAVAILABLE;
    }
    return lead_back(r, status, query, count);
}
