/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_shared.c owns the memory that one httpd's processes share
 * for the Redis store. It knows none of the parts that lie in it.
 *
 * Invariant: it is there, at the same place, until the process that made it
 * ends it or makes another, and till the end of each child.
 */
#include "guard_store_redis_shared.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* To be raised when guard_redis_shared_t changes and keeps its size. */
#define LAYOUT 1u

typedef struct mapping_t {
    guard_redis_shared_t *shared;
    pid_t owner;
} mapping_t;

/* Threads of a child may still be at work when its pools end. */
static apr_status_t unmap(void *data)
{
    const mapping_t *mapping = data;

    if (mapping->owner == getpid()) {
        munmap(mapping->shared, sizeof(*mapping->shared));
    }
    return APR_SUCCESS;
}

static apr_status_t make(guard_redis_shared_t **shared)
{
    void *memory = mmap(NULL, sizeof(**shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    apr_status_t rv;

    if (memory == MAP_FAILED) {
        return errno;
    }
    *shared = memory;
    rv = guard_redis_memory_init(&(*shared)->memory);
    if (rv != APR_SUCCESS) {
        munmap(memory, sizeof(**shared));
    }
    return rv;
}

/* The children of before have the old one mapped by themselves. */
static void keep(guard_store_kept_t *kept, guard_redis_shared_t *shared,
                 uint64_t layout)
{
    if (kept->memory) {
        munmap(kept->memory, kept->size_bytes);
    }
    kept->memory = shared;
    kept->size_bytes = sizeof(*shared);
    kept->layout = layout;
}

apr_status_t guard_redis_shared_create(guard_redis_shared_t **shared,
                                       guard_store_kept_t *kept,
                                       uint64_t layout, apr_pool_t *pool)
{
    mapping_t *mapping;
    apr_status_t rv;

    layout ^= LAYOUT;
    if (kept && kept->memory && kept->layout == layout &&
        kept->size_bytes == sizeof(**shared)) {
        *shared = kept->memory;
        return APR_SUCCESS;
    }
    rv = make(shared);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (kept) {
        keep(kept, *shared, layout);
        return APR_SUCCESS;
    }
    mapping = apr_palloc(pool, sizeof(*mapping));
    mapping->shared = *shared;
    mapping->owner = getpid();
    apr_pool_cleanup_register(pool, mapping, unmap, apr_pool_cleanup_null);
    return APR_SUCCESS;
}

void guard_redis_shared_fall_back(guard_redis_shared_t *shared,
                                  guard_redis_cause_e cause)
{
    atomic_fetch_add_explicit(&shared->fallback[cause], 1,
                              memory_order_relaxed);
}

void guard_redis_shared_set_time(guard_redis_shared_t *shared,
                                 uint64_t server_usec, uint64_t now_usec)
{
    atomic_store_explicit(&shared->server_offset_usec,
                          (int64_t)(server_usec - now_usec),
                          memory_order_relaxed);
}

uint64_t guard_redis_shared_time(const guard_redis_shared_t *shared,
                                 uint64_t now_usec)
{
    int64_t offset_usec =
        atomic_load_explicit(&shared->server_offset_usec, memory_order_relaxed);

    return offset_usec ? now_usec + (uint64_t)offset_usec : 0;
}
