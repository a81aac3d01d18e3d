/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * htguard_order.h: a store's records in the order in which people want them.
 */
#ifndef HTGUARD_ORDER_H
#define HTGUARD_ORDER_H

#include "guard_store.h"

#include <signal.h>

/** Told some records in order, each page going on where the last one ended.
 *  @return APR_SUCCESS to go on; anything else ends the walk. */
typedef apr_status_t htguard_page_fn(void *baton,
                                     const guard_entry_t *const *entries,
                                     unsigned count);

/** Which records, and who is told. */
typedef struct htguard_order_t {
    guard_store_t *store;
    uint64_t now_usec;
    guard_filter_t filter;
    unsigned page_max;                 /* at least 1 */
    const volatile sig_atomic_t *stop; /* once set: APR_EINTR */
    htguard_page_fn *page;
    void *baton;
} htguard_order_t;

/**
 * Walk through the records: locked ones first, then those with failures, then
 * the rest; within each, what lasts longest first. Takes memory for
 * 2 * page_max records, and goes through the store once a page. What changes
 * meanwhile may come twice, or not at all.
 * @return APR_SUCCESS, APR_ENOMEM, or what the store or page() returned
 */
apr_status_t htguard_order_walk(const htguard_order_t *order, apr_pool_t *pool);

#endif
