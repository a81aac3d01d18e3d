/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status.c owns the handler: where it answers, which methods it takes,
 * and what goes with every answer. It refuses to know how the forms look and
 * how something is unlocked.
 *
 * Invariant: no lock is held while a client reads. The page is copied out of
 * the store first, one page of rows at most; ?json is streamed as the walk goes
 * on.
 */
#include "guard_status.h"
#include "guard_conf.h"
#include "guard_log.h"
#include "guard_server.h"
#include "guard_status_action.h"
#include "guard_status_machine.h"
#include "guard_status_page.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

static void set_headers(request_rec *r)
{
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->err_headers_out, "X-Content-Type-Options", "nosniff");
}

static void fill(guard_status_t *status, guard_page_e page)
{
    memset(status, 0, sizeof(*status));
    status->store = guard_server_store();
    status->now_usec = guard_store_clock();
    status->may_act = page == GUARD_PAGE_ACTIONS;
    status->rv = APR_ENOTIMPL; /* no store was opened */
    if (status->store) {
        status->rv = status->store->ops->stats(status->store, status->now_usec,
                                               &status->stats);
    }
    status->is_up = status->rv == APR_SUCCESS;
}

/* The one walk that makes a page. */
static guard_status_list_t *list(request_rec *r, guard_status_t *status,
                                 const guard_status_query_t *query)
{
    guard_status_list_t *out = apr_palloc(r->pool, sizeof(*out));
    guard_filter_t filter = guard_status_query_filter(query);

    guard_status_list_begin(out, &query->wanted, status->now_usec);
    if (status->is_up) {
        status->rv =
            status->store->ops->iterate(status->store, status->now_usec,
                                        &filter, guard_status_list_add, out);
        status->is_up = status->rv == APR_SUCCESS;
    }
    guard_status_list_end(out);
    return out;
}

static int send_page(request_rec *r, guard_status_t *status,
                     const guard_status_query_t *query)
{
    guard_status_page_t page = {.status = status, .query = query};

    guard_status_page_headers(r);
    if (r->header_only) {
        return OK;
    }
    page.list = list(r, status, query);
    page.notice = guard_status_action_done(r, status, query);
    page.token = status->may_act ? guard_status_action_token(r, status) : NULL;
    guard_status_page_send(r, &page);
    return OK;
}

/* Methods that are let through here. @return OK, or 405. */
static int check_method(request_rec *r, guard_page_e page)
{
    int may_post = page == GUARD_PAGE_ACTIONS;

    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, may_post ? M_POST : -1,
                              -1);
    return r->method_number == M_GET || (may_post && r->method_number == M_POST)
               ? OK
               : HTTP_METHOD_NOT_ALLOWED;
}

static int answer(request_rec *r)
{
    guard_page_e page;
    guard_status_query_t query;
    guard_status_t status;
    int result;

    page = guard_conf_status(guard_conf_of(r));
    if (page == GUARD_PAGE_OFF) {
        guard_log_status_off(r);
        return HTTP_NOT_FOUND;
    }
    set_headers(r);
    result = check_method(r, page);
    if (result != OK) {
        return result;
    }
    query = guard_status_query_parse(r->pool, r->args);
    fill(&status, page);
    if (r->method_number == M_POST && !status.store) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    if (r->method_number == M_POST) {
        return guard_status_action(r, &status, &query);
    }
    if (query.is_action) {
        return guard_status_action_by_address(r, &query);
    }
    return query.form ? guard_status_machine(r, &status, query.form)
                      : send_page(r, &status, &query);
}

/* Every request comes by here. */
int guard_status_handler(request_rec *r)
{
    return r->handler && r->handler[0] == 'a' &&
                   !strcmp(r->handler, "auth-guard-status")
               ? answer(r)
               : DECLINED;
}
