/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_reply.h: from the guard's view of a request to what goes out.
 *
 * Status and headers are set where the decision falls; httpd's ap_die then
 * runs its course (ErrorDocument, HEAD, request bodies), and only the canned
 * body is replaced by ours.
 */
#ifndef GUARD_REPLY_H
#define GUARD_REPLY_H

#include "guard_chain.h"
#include "guard_conf.h"

/** Fill view->status, view->substatus and view->retry_after_sec for what
 *  view->answer calls for; GUARD_ANSWER_NONE changes nothing. */
void guard_reply_describe(guard_view_t *view, guard_response_e response);

/**
 * Prepare the answer that view->answer calls for: fill view->status,
 * view->substatus and view->retry_after_sec, and set the headers in
 * r->err_headers_out (WWW-Authenticate or Proxy-Authenticate through
 * ap_note_auth_failure if none is there yet, Retry-After, Cache-Control).
 * Under GUARD_RESPONSE_DROP (main request, HTTP/1, not behind a proxy) the
 * connection is closed instead.
 *
 * @return the status to return from the hook, or DONE for a dropped one
 */
int guard_reply_refuse(request_rec *r, guard_view_t *view,
                       guard_response_e response);

/**
 * insert_error_filter: complete the headers of a guarded answer (a refused
 * authorization did not come through guard_reply_refuse) and, unless an
 * ErrorDocument's text is to be sent, put our body in place of httpd's. Leaves
 * alone every response whose status is not the view's, and AuthGuard Observe.
 */
void guard_reply_insert_filter(request_rec *r);

/** Register the output filter; call in register_hooks. */
void guard_reply_register(void);

#endif
