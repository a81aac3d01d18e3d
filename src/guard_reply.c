/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Statuses and headers, and which way an answer goes.
 *
 * Owns what of an answer is HTTP, but for its body (guard_reply_send.c).
 * Refuses to know why an answer was chosen (guard_attempt) and what it says
 * (guard_reply_body). Invariant: a refusal
 * for the same reason gives the same headers and body whatever the request
 * carried, but for the times in it; nothing here reads a password.
 */
#include "guard_reply_inside.h"

#include <apr_strings.h>
#include <http_core.h>
#include <mod_core.h>
#include <http_protocol.h>
#include <http_request.h>

/* A place is free again in well under a second: the smallest number that
 * Retry-After has. */
#define RETRY_SOON_SEC 1

static int unauthorized_index; /* [fork] of httpd's responses */

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

/* A scheme that none of httpd's own modules names: they did not get to it. */
static const char *other_challenge(request_rec *r, const char *type)
{
    const char *realm = guard_conf_realm(guard_conf_of(r), r);

    if (!strcasecmp(type, "GSSAPI")) {
        return "Negotiate"; /* RFC 4559 */
    }
    return apr_psprintf(r->pool, "%s realm=\"%s\"", type, realm ? realm : "");
}

/* A 401 names a scheme. mod_auth_digest has often done so already, and is
 * asked else; for Basic (RFC 7617) there is nothing to ask. Modules of other
 * schemes name theirs only when they check, which they are not let to. A
 * form's AuthType is no scheme of HTTP. */
static void challenge(request_rec *r, int has_headers)
{
    const char *name = r->proxyreq == PROXYREQ_PROXY ? "Proxy-Authenticate"
                                                     : "WWW-Authenticate";
    const guard_dir_conf_t *conf = guard_conf_of(r);
    const char *type = guard_conf_auth_type(conf, r);

    if (!type || (has_headers && apr_table_get(r->err_headers_out, name))) {
        return;
    }
    if (conf->auth == GUARD_AUTH_BASIC || !strcasecmp(type, "Basic")) {
        apr_table_addn(r->err_headers_out, name, guard_conf_challenge(conf, r));
        return;
    }
    ap_note_auth_failure(r);
    if (!apr_table_get(r->err_headers_out, name) && strcasecmp(type, "form")) {
        apr_table_addn(r->err_headers_out, name, other_challenge(r, type));
    }
}

/* Mostly nothing stands there yet, and need not be looked for. */
void guard_reply_set_headers(request_rec *r, int status,
                             const char *retry_after)
{
    guard_request_t *request = guard_chain_request(r);
    int has_headers = !apr_is_empty_table(r->err_headers_out);

    if (request->answered == status) {
        return;
    }
    request->answered = status;
    if (has_headers) {
        apr_table_unset(r->err_headers_out, "Cache-Control");
        apr_table_unset(r->err_headers_out, "Retry-After");
    }
    if (status == HTTP_UNAUTHORIZED ||
        status == HTTP_PROXY_AUTHENTICATION_REQUIRED) {
        challenge(r, has_headers);
    }
    apr_table_addn(r->err_headers_out, "Cache-Control", "no-store");
    if (retry_after[0]) {
        apr_table_addn(r->err_headers_out, "Retry-After", retry_after);
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

static int is_to_drop(const request_rec *r, const guard_view_t *view,
                      guard_response_e response)
{
    return view->answer == GUARD_ANSWER_LOCKED &&
           response == GUARD_RESPONSE_DROP && may_drop(r);
}

/* As text; nothing for 0. */
static void put_number(char text[12], int number)
{
    char digit[12];
    int count = 0;

    for (; number > 0; number /= 10) {
        digit[count++] = (char)('0' + number % 10);
    }
    while (count) {
        *text++ = digit[--count];
    }
    *text = '\0';
}

void guard_reply_describe(guard_view_t *view, guard_response_e response)
{
    if (view->answer == GUARD_ANSWER_NONE) {
        return;
    }
    view->status = status_of(view->answer, response);
    view->substatus = substatus_of(view->answer, view->status);
    view->retry_after_sec = retry_after_sec(view);
    put_number(view->retry_after, view->retry_after_sec);
}

void guard_reply_prepare(request_rec *r, const guard_view_t *view)
{
    guard_reply_set_headers(r, view->status, view->retry_after);
}

void guard_reply_learn_index(void)
{
    unauthorized_index = ap_index_of_response(HTTP_UNAUTHORIZED);
}

/* httpd looks an index up in a list; this one is wanted most. */
static int index_of(int status)
{
    return status == HTTP_UNAUTHORIZED ? unauthorized_index
                                       : ap_index_of_response(status);
}

int guard_reply_may_send(request_rec *r, guard_answer_e answer,
                         guard_response_e response)
{
    int status = status_of(answer, response);

    return !r->main && !r->prev && r->proxyreq != PROXYREQ_PROXY &&
           !r->assbackwards && !ap_response_code_string(r, index_of(status));
}

int guard_reply_refuse_at_once(request_rec *r, const guard_view_t *view,
                               guard_response_e response)
{
    return is_to_drop(r, view, response) ? drop(r) : guard_reply_send(r, view);
}

int guard_reply_refuse(request_rec *r, const guard_view_t *view,
                       guard_response_e response)
{
    if (is_to_drop(r, view, response)) {
        return drop(r);
    }
    if (guard_reply_may_send(r, view->answer, response)) {
        return guard_reply_send(r, view);
    }
    guard_reply_prepare(r, view);
    return view->status;
}
