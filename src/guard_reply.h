/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_reply.h: from the guard's view of a request to what goes out.
 *
 * Status and headers are set where the decision falls. Where nobody else has a
 * say in it, the answer goes out from there; else httpd's ap_die runs its
 * course (ErrorDocument, subrequests, request bodies), and only the canned body
 * is replaced by ours.
 */
#ifndef GUARD_REPLY_H
#define GUARD_REPLY_H

#include "guard_chain.h"
#include "guard_conf.h"

/** Fill view->status, view->substatus and view->retry_after for what
 *  view->answer calls for; GUARD_ANSWER_NONE changes nothing. */
void guard_reply_describe(guard_view_t *view, guard_response_e response);

/**
 * Have httpd give the answer that view speaks of, of status, substatus and
 * retry_after_sec: set the headers in r->err_headers_out (the challenge, if
 * none is there yet, Retry-After, Cache-Control). ap_die then runs its course.
 */
void guard_reply_prepare(request_rec *r, const guard_view_t *view);

/**
 * @return 1 if nobody but the guard has a say in the answer: a chain's first
 * request, not a forward proxy's, and without an ErrorDocument for the status;
 * else 0
 */
int guard_reply_may_send(request_rec *r, guard_answer_e answer,
                         guard_response_e response);

/**
 * Refuse by what view speaks of: dropped, sent or prepared.
 * @return the status to return from the hook; DONE where it was sent or
 * dropped
 */
int guard_reply_refuse(request_rec *r, const guard_view_t *view,
                       guard_response_e response);

/** The same where guard_reply_may_send has said 1. @return DONE */
int guard_reply_refuse_at_once(request_rec *r, const guard_view_t *view,
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
