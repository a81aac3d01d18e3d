/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_late.c owns a child's queue of settlements that are owed.
 * It knows no connection and does not try any of them.
 *
 * Invariant: at most GUARD_REDIS_LATE_MAX are kept, the newest ones, and they
 * leave in the order they came.
 */
#include "guard_store_redis_late.h"

#include <apr_strings.h>

#include <pthread.h>
#include <stdatomic.h>

struct guard_redis_late_t {
    pthread_mutex_t lock;
    unsigned first;                                /* [lock] the oldest */
    _Atomic unsigned count;                        /* [lock] to change */
    guard_redis_owed_t owed[GUARD_REDIS_LATE_MAX]; /* [lock] */
};

apr_status_t guard_redis_late_create(guard_redis_late_t **out, apr_pool_t *pool)
{
    guard_redis_late_t *late = apr_palloc(pool, sizeof(*late));
    int error = pthread_mutex_init(&late->lock, NULL);

    if (error) {
        return error;
    }
    /* The ring itself stays untouched until it is needed. */
    late->first = 0;
    atomic_init(&late->count, 0);
    *out = late;
    return APR_SUCCESS;
}

/* The names belong to the request, which is over by then. */
static void keep_names(guard_redis_owed_t *owed)
{
    for (unsigned i = 0; i < owed->claim_count; i++) {
        const char *name = owed->claim[i].client.scope_name;

        apr_cpystrn(owed->scope_name[i], name ? name : "",
                    GUARD_REDIS_LATE_NAME_MAX);
    }
}

/* After a copy: what was no name at all stays none. */
static void point_at_names(guard_redis_owed_t *owed)
{
    for (unsigned i = 0; i < owed->claim_count; i++) {
        guard_client_t *client = &owed->claim[i].client;

        client->scope_name = client->scope_name ? owed->scope_name[i] : NULL;
    }
}

int guard_redis_late_push(guard_redis_late_t *late,
                          const guard_redis_owed_t *owed)
{
    guard_redis_owed_t *room;
    int is_full;

    pthread_mutex_lock(&late->lock);
    is_full = late->count == GUARD_REDIS_LATE_MAX;
    room = &late->owed[(late->first + late->count) % GUARD_REDIS_LATE_MAX];
    if (is_full) {
        late->first = (late->first + 1) % GUARD_REDIS_LATE_MAX;
    } else {
        late->count++;
    }
    *room = *owed;
    keep_names(room);
    pthread_mutex_unlock(&late->lock);
    return is_full;
}

int guard_redis_late_pop(guard_redis_late_t *late, uint64_t now_usec,
                         guard_redis_owed_t *owed)
{
    int is_due;

    if (!guard_redis_late_count(late)) {
        return 0;
    }
    pthread_mutex_lock(&late->lock);
    is_due = late->count && late->owed[late->first].due_usec <= now_usec;
    if (is_due) {
        *owed = late->owed[late->first];
        late->first = (late->first + 1) % GUARD_REDIS_LATE_MAX;
        late->count--;
    }
    pthread_mutex_unlock(&late->lock);
    if (is_due) {
        point_at_names(owed);
    }
    return is_due;
}

unsigned guard_redis_late_count(const guard_redis_late_t *late)
{
    return atomic_load_explicit(&late->count, memory_order_relaxed);
}
