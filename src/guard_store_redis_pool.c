/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_pool.c owns a child's connections: how many there are, and
 * which are taken. It knows no address and does no I/O, for apr_reslist holds
 * its lock while it has one made.
 *
 * Invariant: a wire is one thread's from acquire to release, and its memory is
 * nobody else's: each has an allocator of its own.
 */
#include "guard_store_redis_pool.h"

#include <apr_reslist.h>

#include <unistd.h>

struct guard_redis_pool_t {
    apr_pool_t *own_pool;
    apr_reslist_t *list;
    const guard_redis_target_t *target;
    pid_t owner;
};

/* apr_reslist's constructor */
static apr_status_t make(void **resource, void *params, apr_pool_t *list_pool)
{
    const guard_redis_pool_t *pool = params;
    guard_redis_lease_t *lease;
    apr_pool_t *own_pool;
    apr_status_t rv = apr_pool_create_unmanaged(&own_pool);

    (void)list_pool;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    lease = apr_pcalloc(own_pool, sizeof(*lease));
    lease->own_pool = own_pool;
    rv = guard_redis_wire_create(&lease->wire, pool->target, own_pool);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(own_pool);
        return rv;
    }
    *resource = lease;
    return APR_SUCCESS;
}

/* apr_reslist's destructor */
static apr_status_t unmake(void *resource, void *params, apr_pool_t *list_pool)
{
    guard_redis_lease_t *lease = resource;

    (void)params;
    (void)list_pool;
    apr_pool_destroy(lease->own_pool);
    return APR_SUCCESS;
}

static apr_interval_time_t patience_usec(apr_interval_time_t timeout_usec)
{
    apr_interval_time_t part_usec = timeout_usec / GUARD_REDIS_ACQUIRE_SHARE;

    return part_usec > GUARD_REDIS_ACQUIRE_USEC_MIN
               ? part_usec
               : GUARD_REDIS_ACQUIRE_USEC_MIN;
}

apr_status_t guard_redis_pool_create(guard_redis_pool_t **out,
                                     const guard_redis_target_t *target,
                                     unsigned connections,
                                     apr_interval_time_t timeout_usec)
{
    guard_redis_pool_t *pool;
    apr_pool_t *own_pool;
    apr_status_t rv = apr_pool_create_unmanaged(&own_pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    pool = apr_palloc(own_pool, sizeof(*pool));
    pool->own_pool = own_pool;
    pool->target = target;
    pool->owner = getpid();
    rv =
        apr_reslist_create(&pool->list, 0, 1, (int)connections,
                           GUARD_REDIS_IDLE_USEC, make, unmake, pool, own_pool);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(own_pool);
        return rv;
    }
    apr_reslist_timeout_set(pool->list, patience_usec(timeout_usec));
    *out = pool;
    return APR_SUCCESS;
}

apr_status_t guard_redis_pool_acquire(guard_redis_pool_t *pool,
                                      guard_redis_lease_t **lease)
{
    void *resource;
    apr_status_t rv;

    if (pool->owner != getpid()) {
        return APR_EINVAL;
    }
    rv = apr_reslist_acquire(pool->list, &resource);
    if (rv == APR_SUCCESS) {
        *lease = resource;
    }
    return rv;
}

void guard_redis_pool_release(guard_redis_pool_t *pool,
                              guard_redis_lease_t *lease)
{
    apr_reslist_release(pool->list, lease);
}

void guard_redis_pool_destroy(guard_redis_pool_t *pool)
{
    apr_pool_destroy(pool->own_pool);
}
