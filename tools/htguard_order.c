/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * htguard_order.c owns the order of a list and the memory that sorting takes.
 * It knows nothing of how a record is shown.
 *
 * A store tells its records in no order that would mean something to people,
 * and there may be millions of them. So each pass over the store keeps the
 * first page_max records that come behind the last page: it gathers twice as
 * many, sorts, and drops the second half as often as it is full.
 *
 * Invariant: held[0..count-1] come behind the last page, and nothing that was
 * dropped in this pass comes before any of the first page_max of them.
 */
#include "htguard_order.h"

#include <stdlib.h>

typedef struct gather_t {
    const htguard_order_t *order;
    apr_pool_t *pool;
    guard_entry_t **held; /* room for 2 * page_max; each made once */
    unsigned count;
    guard_entry_t last; /* of the pages so far */
    int has_last;
    int has_dropped; /* there is a page behind this one */
} gather_t;

static int rank(const guard_entry_t *entry)
{
    switch (entry->phase) {
    case GUARD_PHASE_LOCKED:
        return 0;
    case GUARD_PHASE_WINDOW:
        return 1;
    case GUARD_PHASE_CALM:
        break;
    }
    return 2;
}

/* The clock of a walk stands still, so a record that nobody changes has one
 * place in all its passes; ids differ, so no two have the same. */
static int compare(const guard_entry_t *a, const guard_entry_t *b)
{
    if (rank(a) != rank(b)) {
        return rank(a) < rank(b) ? -1 : 1;
    }
    if (a->remaining_usec != b->remaining_usec) {
        return a->remaining_usec > b->remaining_usec ? -1 : 1;
    }
    return (a->id > b->id) - (a->id < b->id);
}

static int compare_held(const void *a, const void *b)
{
    return compare(*(guard_entry_t *const *)a, *(guard_entry_t *const *)b);
}

/* Sort what is held, and let go of all but a page of it. */
static void cut_to_page(gather_t *gather)
{
    unsigned page_max = gather->order->page_max;

    qsort(gather->held, gather->count, sizeof(void *), compare_held);
    if (gather->count > page_max) {
        gather->count = page_max;
        gather->has_dropped = 1;
    }
}

static apr_status_t hold(void *baton, const guard_entry_t *entry)
{
    gather_t *gather = baton;
    guard_entry_t **free_one;

    if (*gather->order->stop) {
        return APR_EINTR;
    }
    if (gather->has_last && compare(entry, &gather->last) <= 0) {
        return APR_SUCCESS;
    }
    if (gather->count == 2 * gather->order->page_max) {
        cut_to_page(gather);
    }
    free_one = &gather->held[gather->count];
    if (!*free_one) {
        *free_one = apr_palloc(gather->pool, sizeof(**free_one));
    }
    if (!*free_one) {
        return APR_ENOMEM;
    }
    **free_one = *entry;
    gather->count++;
    return APR_SUCCESS;
}

apr_status_t htguard_order_walk(const htguard_order_t *order, apr_pool_t *pool)
{
    gather_t gather = {.order = order, .pool = pool};

    gather.held =
        apr_pcalloc(pool, 2 * (apr_size_t)order->page_max * sizeof(void *));
    if (!gather.held) {
        return APR_ENOMEM;
    }
    do {
        apr_status_t rv;

        gather.count = 0;
        gather.has_dropped = 0;
        rv = order->store->ops->iterate(order->store, order->now_usec,
                                        &order->filter, hold, &gather);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        cut_to_page(&gather);
        if (!gather.count) {
            return APR_SUCCESS;
        }
        rv =
            order->page(order->baton, (const guard_entry_t *const *)gather.held,
                        gather.count);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        gather.last = *gather.held[gather.count - 1];
        gather.has_last = 1;
    } while (gather.has_dropped);
    return APR_SUCCESS;
}
