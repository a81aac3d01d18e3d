/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_url_inside.h: what the options' reader uses of the URL's.
 */
#ifndef GUARD_STORE_REDIS_URL_INSIDE_H
#define GUARD_STORE_REDIS_URL_INSIDE_H

#include "guard_store_redis_url.h"

/** Read a URL: path or host and port, is_tls, user, database, label.
 *  @return NULL, or what would be right, with *target untouched */
const char *guard_redis_url_read(guard_redis_target_t *target, const char *url,
                                 apr_pool_t *pool);

/** @return the URL as a message may show it: nothing of what stands before
 *  its '@', nor behind its '?' */
const char *guard_redis_url_show(const char *url, apr_pool_t *pool);

/** Read a number of digits alone. @return 1, or 0 if it is not 0 to max, with
 *  *out untouched */
int guard_redis_url_number(unsigned *out, const char *text, size_t length,
                           unsigned max);

#endif
