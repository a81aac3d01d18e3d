/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Statuses, headers and the moment at which a body is replaced.
 *
 * Owns what of an answer is HTTP. Refuses to know why an answer was chosen
 * (guard_attempt) and what it says (guard_reply_body). Invariant: a refusal
 * for the same reason gives the same headers and body whatever the request
 * carried, but for the times in it; nothing here reads a password.
 */
#include "guard_reply.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>
#include <util_filter.h>

#define FILTER_NAME "AUTH_GUARD_ANSWER"

/* A place is free again in well under a second: the smallest number that
 * Retry-After has. */
#define RETRY_SOON_SEC 1

static ap_filter_rec_t *answer_filter; /* [fork] */

static int substatus_of(guard_answer_e answer, int status)
{
    if (!ap_is_HTTP_ERROR(status)) {
        return 0;
    }
    switch (answer) {
    case GUARD_ANSWER_WRONG:
        return 1;
    case GUARD_ANSWER_NO_CREDENTIALS:
    case GUARD_ANSWER_OVERLOAD:
        return 2;
    case GUARD_ANSWER_NOT_ALLOWED:
        return 3;
    case GUARD_ANSWER_LOCKED:
    case GUARD_ANSWER_BUSY:
        return 501;
    case GUARD_ANSWER_NONE:
    case GUARD_ANSWER_MAX:
        break;
    }
    return 0;
}

static int status_of_locked(guard_response_e response)
{
    switch (response) {
    case GUARD_RESPONSE_403:
    case GUARD_RESPONSE_DROP: /* where it can't be dropped */
        return HTTP_FORBIDDEN;
    case GUARD_RESPONSE_404:
        return HTTP_NOT_FOUND;
    case GUARD_RESPONSE_429:
        return HTTP_TOO_MANY_REQUESTS;
    case GUARD_RESPONSE_UNSET:
    case GUARD_RESPONSE_401:
        break;
    }
    return HTTP_UNAUTHORIZED;
}

static int status_of(guard_answer_e answer, guard_response_e response)
{
    switch (answer) {
    case GUARD_ANSWER_LOCKED:
        return status_of_locked(response);
    case GUARD_ANSWER_BUSY:
        return HTTP_TOO_MANY_REQUESTS;
    case GUARD_ANSWER_OVERLOAD:
        return HTTP_SERVICE_UNAVAILABLE;
    default:
        return HTTP_UNAUTHORIZED;
    }
}

/* Whole seconds, rounded up: who waits as long as told is not refused. */
static int retry_after_sec(const guard_view_t *view)
{
    switch (view->answer) {
    case GUARD_ANSWER_LOCKED:
        if (view->remaining_usec <= 0) {
            return RETRY_SOON_SEC; /* it ended while we were talking */
        }
        return (int)apr_time_sec(view->remaining_usec + APR_USEC_PER_SEC - 1);
    case GUARD_ANSWER_BUSY:
    case GUARD_ANSWER_OVERLOAD:
        return RETRY_SOON_SEC;
    default:
        return 0;
    }
}

/* A 401 names a scheme. mod_auth_digest has often done so already;
 * mod_auth_basic and it are asked. Modules of other schemes name theirs only
 * when they check, which they are not let to. A form's AuthType is no scheme of
 * HTTP. */
static void challenge(request_rec *r)
{
    const char *name = r->proxyreq == PROXYREQ_PROXY ? "Proxy-Authenticate"
                                                     : "WWW-Authenticate";
    const char *type = ap_auth_type(r);
    const char *realm = ap_auth_name(r);

    if (apr_table_get(r->err_headers_out, name) || !type) {
        return;
    }
    ap_note_auth_failure(r);
    if (apr_table_get(r->err_headers_out, name) || !strcasecmp(type, "form")) {
        return;
    }
    if (!strcasecmp(type, "GSSAPI")) {
        apr_table_setn(r->err_headers_out, name, "Negotiate"); /* RFC 4559 */
    } else {
        apr_table_setn(
            r->err_headers_out, name,
            apr_psprintf(r->pool, "%s realm=\"%s\"", type, realm ? realm : ""));
    }
}

static void set_headers(request_rec *r, int status, int retry_sec)
{
    guard_request_t *request = guard_chain_request(r);

    if (request->answered == status) {
        return;
    }
    request->answered = status;
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    if (retry_sec) {
        apr_table_setn(r->err_headers_out, "Retry-After",
                       apr_itoa(r->pool, retry_sec));
    }
    if (status == HTTP_UNAUTHORIZED ||
        status == HTTP_PROXY_AUTHENTICATION_REQUIRED) {
        challenge(r);
    }
}

/* Only a connection that is the client's own, and carries nobody else's
 * requests, may be dropped: not a stream of HTTP/2, not a proxy's. */
static int may_drop(const request_rec *r)
{
    return !r->main && !r->connection->master &&
           r->proto_num < HTTP_VERSION(2, 0) &&
           !strcmp(r->useragent_ip, r->connection->client_ip);
}

/* Without its HTTP_HEADER filter a response has no first byte. */
static int drop(request_rec *r)
{
    ap_filter_t *filter = r->output_filters;

    while (filter && strcasecmp(filter->frec->name, "HTTP_HEADER")) {
        filter = filter->next;
    }
    if (filter) {
        ap_remove_output_filter(filter);
    }
    r->status = HTTP_FORBIDDEN; /* for the access log */
    r->connection->aborted = 1;
    r->connection->keepalive = AP_CONN_CLOSE;
    return DONE;
}

void guard_reply_describe(guard_view_t *view, guard_response_e response)
{
    if (view->answer == GUARD_ANSWER_NONE) {
        return;
    }
    view->status = status_of(view->answer, response);
    view->substatus = substatus_of(view->answer, view->status);
    view->retry_after_sec = retry_after_sec(view);
}

int guard_reply_refuse(request_rec *r, guard_view_t *view,
                       guard_response_e response)
{
    guard_reply_describe(view, response);
    if (view->answer == GUARD_ANSWER_LOCKED &&
        response == GUARD_RESPONSE_DROP && may_drop(r)) {
        return drop(r);
    }
    set_headers(r, view->status, view->retry_after_sec);
    return view->status;
}

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

/** A body rendered, waiting for the canned one to pass by. */
typedef struct answer_t {
    const char *media_type;
    const char *body;
    apr_size_t length;
} answer_t;

static answer_t *make_answer(request_rec *r, const guard_view_t *view)
{
    answer_t *answer = apr_palloc(r->pool, sizeof(*answer));
    guard_body_e form =
        guard_body_negotiate(apr_table_get(r->headers_in, "Accept"));
    guard_body_t what = {0};

    what.answer = view->answer;
    what.status = r->status;
    what.substatus = substatus_of(view->answer, r->status);
    what.retry_after_sec = retry_after_sec(view);
    if (view->answer == GUARD_ANSWER_LOCKED) {
        what.until = apr_time_from_sec(apr_time_sec(
            r->request_time + view->remaining_usec + APR_USEC_PER_SEC - 1));
    }
    what.proxy = r->proxyreq == PROXYREQ_PROXY;
    answer->media_type = guard_body_media_type(form);
    answer->body = guard_body_render(r->pool, form, &what, &answer->length);
    return answer;
}

void guard_reply_insert_filter(request_rec *r)
{
    const guard_view_t *view = guard_chain_view(r);

    if (!is_ours(r, view)) {
        return;
    }
    set_headers(r, r->status, retry_after_sec(view));
    if (has_document_text(r)) {
        return;
    }
    apr_table_mergen(r->err_headers_out, "Vary", "Accept");
    ap_add_output_filter_handle(answer_filter, make_answer(r, view), r,
                                r->connection);
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
    request_rec *r = f->r;
    apr_bucket *end = swallow(brigade);

    if (end == APR_BRIGADE_SENTINEL(brigade)) {
        return APR_SUCCESS;
    }
    ap_set_content_type_ex(r, answer->media_type, 1);
    ap_set_content_length(r, (apr_off_t)answer->length);
    APR_BUCKET_INSERT_BEFORE(
        end, apr_bucket_pool_create(answer->body, answer->length, r->pool,
                                    brigade->bucket_alloc));
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, brigade);
}

void guard_reply_register(void)
{
    answer_filter = ap_register_output_filter(FILTER_NAME, send_answer, NULL,
                                              AP_FTYPE_RESOURCE);
}
