/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_reply_inside.h: what guard_reply.c and guard_reply_send.c have of each
 * other.
 */
#ifndef GUARD_REPLY_INSIDE_H
#define GUARD_REPLY_INSIDE_H

#include "guard_reply.h"

/** Set the headers of an answer of that status in r->err_headers_out, once.
 *  @param retry_after seconds as text, which lasts as long as r; "": none */
void guard_reply_set_headers(request_rec *r, int status,
                             const char *retry_after);

/** Learn what guard_reply_may_send wants of httpd; call in register_hooks. */
void guard_reply_learn_index(void);

/**
 * Send the answer now, in the check_authn hook, where guard_reply_may_send
 * allows it: the same bytes as by way of ap_die, for a fraction of the work.
 * (Only a request body that is too long or malformed has less of a say: ap_die
 * reads it before the answer goes out, this does after, and then closes.)
 *
 * @return DONE
 */
int guard_reply_send(request_rec *r, const guard_view_t *view);

#endif
