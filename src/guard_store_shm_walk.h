/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm_walk.h: operations that go through the whole table.
 *
 * They lock one stripe at a time, for one bucket. Private to
 * guard_store_shm*.c.
 */
#ifndef GUARD_STORE_SHM_WALK_H
#define GUARD_STORE_SHM_WALK_H

#include "guard_store_shm_table.h"

/** The table behind a shared-memory store. */
guard_shm_table_t *guard_store_shm_table(guard_store_t *store);

/** See guard_store_ops_t. */
apr_status_t guard_shm_walk_unlock(guard_store_t *store, uint64_t now_usec,
                                   const guard_filter_t *filter,
                                   unsigned *count);
apr_status_t guard_shm_walk_iterate(guard_store_t *store, uint64_t now_usec,
                                    const guard_filter_t *filter,
                                    guard_entry_fn *each, void *baton);
apr_status_t guard_shm_walk_stats(guard_store_t *store, uint64_t now_usec,
                                  guard_stats_t *stats);

/** A new guess key was drawn: void what was remembered under the old one. */
apr_status_t guard_shm_walk_void_guesses(guard_shm_table_t *table);

#endif
