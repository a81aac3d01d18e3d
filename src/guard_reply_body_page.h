/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_reply_body_page.h: a rendered body that is kept for the next request.
 *
 * Who is locked out asks many times a second, and is told the same. The pages
 * that were made last are kept, for all threads of a process.
 */
#ifndef GUARD_REPLY_BODY_PAGE_H
#define GUARD_REPLY_BODY_PAGE_H

#include "guard_reply_body.h"

/**
 * From now on pages are kept in this process; until then, and after the pool is
 * gone, each is made anew. Call in child_init.
 * @param pool the child's
 * @param module frees the pages; gone later, and not in a signal's handler
 * @return APR_SUCCESS, or the system's error: none are kept then
 */
apr_status_t guard_page_init(apr_pool_t *pool, apr_pool_t *module);

/**
 * The same bytes as of guard_body_render, not to be changed.
 * @return the body, to be given back by guard_page_release, from any thread,
 * at any time; its length in *length. Where memory is at an end the process
 * is, too, as with APR's pools in httpd
 */
const char *guard_page_get(apr_pool_t *pool, guard_body_e form,
                           const guard_body_t *what, apr_size_t *length);

/** Give a body back. A function that a heap bucket may call. */
void guard_page_release(void *body);

#endif
