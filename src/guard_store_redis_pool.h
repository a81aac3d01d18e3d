/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_pool.h: a child's connections to the server.
 *
 * A thread takes one for an operation and gives it back, open or not: what is
 * closed is connected anew by whoever takes it next (guard_redis_wire_connect).
 * Any thread of the process that made the pool may call; a process forked from
 * it is refused, for two must not talk on one connection.
 */
#ifndef GUARD_STORE_REDIS_POOL_H
#define GUARD_STORE_REDIS_POOL_H

#include "guard_store_redis_wire.h"

#include <apr_pools.h>
#include <apr_time.h>

/* An operation waits so long at least for a connection, or this part of its
 * time. */
#define GUARD_REDIS_ACQUIRE_USEC_MIN apr_time_from_msec(2)
#define GUARD_REDIS_ACQUIRE_SHARE 4
#define GUARD_REDIS_IDLE_USEC apr_time_from_sec(60) /* then one is closed */

typedef struct guard_redis_pool_t guard_redis_pool_t;

/** One connection, taken. */
typedef struct guard_redis_lease_t {
    guard_redis_wire_t *wire;
    apr_pool_t *own_pool; /* the wire's */
    unsigned changes;     /* of the breaker, when it was taken last */
} guard_redis_lease_t;

/**
 * In child_init: make a pool without connections. It lasts until
 * guard_redis_pool_destroy, or the end of the process: it is no part of any
 * APR pool, whose end in a signal handler or beside running threads would wait
 * for its lock.
 * @param target lasts as long
 * @param connections at most so many at once, 1 or more
 * @param timeout_usec of a whole operation
 * @return APR_SUCCESS or the system's error
 */
apr_status_t guard_redis_pool_create(guard_redis_pool_t **pool,
                                     const guard_redis_target_t *target,
                                     unsigned connections,
                                     apr_interval_time_t timeout_usec);

/**
 * Take a connection, which may not be connected.
 * @return APR_SUCCESS; APR_TIMEUP: all are taken, and none came back in time;
 * APR_EINVAL in another process
 */
apr_status_t guard_redis_pool_acquire(guard_redis_pool_t *pool,
                                      guard_redis_lease_t **lease);

/** Give it back. */
void guard_redis_pool_release(guard_redis_pool_t *pool,
                              guard_redis_lease_t *lease);

/** Close all; none may be taken. */
void guard_redis_pool_destroy(guard_redis_pool_t *pool);

#endif
