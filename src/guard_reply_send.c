/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_reply_send.c owns the way of a body: sent from where the decision
 * falls, or put in place of httpd's own. It refuses to know which status and
 * headers an answer has (guard_reply.c), and what it says (guard_reply_body).
 *
 * Invariant: either way the same bytes go out, and once.
 */
#include "guard_reply_inside.h"
#include "guard_reply_body_page.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>
#include <util_filter.h>

#define FILTER_NAME "AUTH_GUARD_ANSWER"

static ap_filter_rec_t *answer_filter; /* [fork] */

/* Is this error response the one that the view speaks of? ap_die has made
 * 407 of a proxy's 401; a refused authorization left the choice to others. */
static int is_ours(const request_rec *r, const guard_view_t *view)
{
    int status = r->status;

    if (view->observed || view->answer == GUARD_ANSWER_NONE) {
        return 0;
    }
    if (status == HTTP_PROXY_AUTHENTICATION_REQUIRED) {
        status = HTTP_UNAUTHORIZED;
    }
    if (view->answer == GUARD_ANSWER_NOT_ALLOWED && !view->status) {
        return status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN;
    }
    return status == view->status;
}

/* An ErrorDocument's text wins. A path here means that the document itself
 * failed, and our words are better than none. */
static int has_document_text(request_rec *r)
{
    const char *document =
        ap_response_code_string(r, ap_index_of_response(r->status));

    return document && document[0] == '"';
}

/** What is to be said, and in what form. */
typedef struct answer_t {
    guard_body_e form;
    guard_body_t what;
} answer_t;

static answer_t compose(request_rec *r, const guard_view_t *view)
{
    const guard_request_t *request = guard_chain_known(r);
    const char *accept = request && request->accept
                             ? request->accept
                             : apr_table_get(r->headers_in, "Accept");
    answer_t answer = {.form = guard_body_negotiate(accept)};
    guard_body_t *what = &answer.what;

    what->answer = view->answer;
    what->status = r->status;
    what->substatus = view->substatus;
    what->retry_after_sec = view->retry_after_sec;
    if (view->answer == GUARD_ANSWER_LOCKED) {
        what->until = apr_time_from_sec(apr_time_sec(
            r->request_time + view->remaining_usec + APR_USEC_PER_SEC - 1));
    }
    what->proxy = r->proxyreq == PROXYREQ_PROXY;
    return answer;
}

/* A bucket with the body, and the headers that speak of it. */
static apr_bucket *make_bucket(request_rec *r, const answer_t *answer)
{
    apr_size_t length = 0;
    const char *body =
        guard_page_get(r->pool, answer->form, &answer->what, &length);

    ap_set_content_type_ex(r, guard_body_media_type(answer->form), 1);
    ap_set_content_length(r, (apr_off_t)length);
    return apr_bucket_heap_create(body, length, guard_page_release,
                                  r->connection->bucket_alloc);
}

void guard_reply_insert_filter(request_rec *r)
{
    const guard_request_t *request = guard_chain_known(r);
    const guard_view_t *view;
    answer_t answer;

    if (request && request->sent) {
        return;
    }
    view = guard_chain_view(r);
    if (!is_ours(r, view)) {
        return;
    }
    guard_reply_set_headers(r, r->status, view->retry_after);
    if (has_document_text(r)) {
        return;
    }
    apr_table_mergen(r->err_headers_out, "Vary", "Accept");
    answer = compose(r, view);
    ap_add_output_filter_handle(answer_filter,
                                apr_pmemdup(r->pool, &answer, sizeof(answer)),
                                r, r->connection);
}

/* What httpd's own error responses leave of the headers so far
 * (ap_send_error_response): those meant for errors. */
static void drop_headers(request_rec *r)
{
    apr_table_t *headers = r->headers_out;

    r->headers_out = r->err_headers_out;
    r->err_headers_out = headers;
    apr_table_clear(headers);
    r->content_languages = NULL;
    r->content_encoding = NULL;
}

int guard_reply_send(request_rec *r, const guard_view_t *view)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *brigade;
    answer_t answer;

    guard_chain_request(r)->sent = 1;
    r->status = view->status;
    if (view->answer == GUARD_ANSWER_OVERLOAD) {
        r->connection->keepalive = AP_CONN_CLOSE; /* as ap_die does */
    }
    guard_reply_set_headers(r, r->status, view->retry_after);
    apr_table_addn(r->err_headers_out, "Vary", "Accept");
    /* Such as a cache's, which saves what it is to be told. */
    r->output_filters = r->proto_output_filters;
    ap_run_insert_error_filter(r);
    drop_headers(r);

    answer = compose(r, view);
    brigade = apr_brigade_create(r->pool, alloc);
    APR_BRIGADE_INSERT_TAIL(brigade, make_bucket(r, &answer));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(alloc));
    ap_pass_brigade(r->output_filters, brigade);
    return DONE;
}

/* Delete what stands before the end, but for word of an error (a request body
 * that broke off, say), which httpd has to see. */
static apr_bucket *swallow(apr_bucket_brigade *brigade)
{
    apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);

    while (bucket != APR_BRIGADE_SENTINEL(brigade) &&
           !APR_BUCKET_IS_EOS(bucket)) {
        apr_bucket *next = APR_BUCKET_NEXT(bucket);

        if (!AP_BUCKET_IS_ERROR(bucket)) {
            apr_bucket_delete(bucket);
        }
        bucket = next;
    }
    return bucket;
}

/* Put our body before the end of httpd's. Type and length are set here, since
 * httpd sets those of its own body after the filter was put in. For HEAD only
 * the end comes by, and the same steps make the same headers as for GET. */
static apr_status_t send_answer(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    const answer_t *answer = f->ctx;
    apr_bucket *end = swallow(brigade);

    if (end == APR_BRIGADE_SENTINEL(brigade)) {
        return APR_SUCCESS;
    }
    APR_BUCKET_INSERT_BEFORE(end, make_bucket(f->r, answer));
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, brigade);
}

void guard_reply_register(void)
{
    guard_reply_learn_index();
    answer_filter = ap_register_output_filter(FILTER_NAME, send_answer, NULL,
                                              AP_FTYPE_RESOURCE);
}
