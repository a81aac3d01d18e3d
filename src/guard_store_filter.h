/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_filter.h: whom a guard_filter_t means.
 *
 * What every store has in common when it lists or unlocks. Pure functions.
 */
#ifndef GUARD_STORE_FILTER_H
#define GUARD_STORE_FILTER_H

#include "guard_store.h"

/** A filter with its strings hashed once. */
typedef struct guard_wanted_clients_t {
    const guard_filter_t *filter;
    const guard_secret_t *secret; /* the store's table_secret */
    uint64_t user;
    uint64_t scope;
} guard_wanted_clients_t;

/** What a store knows of one client, for the filter. */
typedef struct guard_filtered_t {
    uint64_t id;
    guard_kind_e kind;
    guard_counted_e counted;
    guard_addr_t addr;
    uint8_t bits;
    uint64_t scope;         /* hash of its name; 0: unknown */
    const char *scope_name; /* as much of it as is kept; NULL: unknown */
    int is_locked;
} guard_filtered_t;

/** Prepare a filter; it must last as long. */
guard_wanted_clients_t guard_filter_prepare(const guard_filter_t *filter,
                                            const guard_secret_t *table_secret);

/** @return 1 if the filter means that client, else 0. */
int guard_filter_means(const guard_wanted_clients_t *wanted,
                       const guard_filtered_t *client);

#endif
