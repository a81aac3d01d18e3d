/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_walk.h: list, unlock and statistics, through all keys of
 * the prefix: guard_store_ops_t's. Private to guard_store_redis*.c.
 */
#ifndef GUARD_STORE_REDIS_WALK_H
#define GUARD_STORE_REDIS_WALK_H

#include "guard_store.h"

#define GUARD_REDIS_WALK_MAX 65536 /* clients that a walk looks at */
#define GUARD_REDIS_SCAN_COUNT 500 /* keys that SCAN looks at in one step */
/* What one step of a walk may take, and all of it: nobody's log-in waits for
 * it, but somebody does. */
#define GUARD_REDIS_STEP_USEC apr_time_from_sec(1)
#define GUARD_REDIS_WALK_USEC apr_time_from_sec(10)
/* So long the numbers of clients are good for the next who asks. */
#define GUARD_REDIS_COUNTED_USEC apr_time_from_sec(10)

/* Without the server they speak of the local table, if there is one. Else they
 * return APR_SUCCESS; APR_TIMEUP for a walk that was cut short; APR_EINTR for
 * one that was stopped; or what is wrong with the server. */

apr_status_t guard_redis_walk_iterate(guard_store_t *store, uint64_t now_usec,
                                      const guard_filter_t *filter,
                                      guard_entry_fn *each, void *baton);
apr_status_t guard_redis_walk_unlock(guard_store_t *store, uint64_t now_usec,
                                     const guard_filter_t *filter,
                                     unsigned *count);
apr_status_t guard_redis_walk_stats(guard_store_t *store, uint64_t now_usec,
                                    guard_stats_t *stats);

#endif
