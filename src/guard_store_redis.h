/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis.h: the store that a fleet of servers shares, for whoever
 * opens it.
 *
 * httpd's module and htguard come through this one door. What they do with the
 * store afterwards is guard_store.h.
 */
#ifndef GUARD_STORE_REDIS_H
#define GUARD_STORE_REDIS_H

#include "guard_store_provider.h"
#include "guard_store_redis_url.h"

/**
 * Make the store, look the server's name up, and see whether it answers. A
 * server that is away is no error where there is a local store: say() tells,
 * and it is tried again.
 *
 * @param options copied; what it points to must last as long as pool
 * @param local what to fall back on, and where counters are kept; NULL in a
 * tool, where the server's trouble is the operation's error
 * @param kept of the provider; NULL in a tool, and where nothing is to be kept
 * @param say may be NULL
 * @return APR_SUCCESS; APR_EINVAL for options that can't be used (TLS files);
 * or, in a tool, what was wrong with the server. say() has told.
 */
apr_status_t guard_store_redis_open(guard_store_t **store,
                                    const guard_redis_options_t *options,
                                    guard_store_t *local,
                                    guard_store_kept_t *kept, guard_say_fn *say,
                                    void *baton, apr_pool_t *pool);

/** In a forked child, before its threads begin: connections of its own. */
apr_status_t guard_store_redis_child_init(guard_store_t *store,
                                          unsigned threads, apr_pool_t *pool);

/** In the parent, every now and then: see that the server's name still leads
 *  where it did. Never blocks. */
void guard_store_redis_monitor(guard_store_t *store);

#endif
