/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm_mend.h: whether a table is sound, and what to do if not.
 *
 * Private to guard_store_shm*.c and its tests.
 */
#ifndef GUARD_STORE_SHM_MEND_H
#define GUARD_STORE_SHM_MEND_H

#include "guard_store_shm_clock.h"

/**
 * Drop every entry that can't be right. The locks must be sound: after
 * guard_shm_table_restore and guard_shm_table_init_locks.
 * @return how many were dropped
 */
unsigned guard_shm_mend_drop_damaged(guard_shm_table_t *table);

/**
 * Carry clock, counters, names and entries into an empty table of another
 * size, locked clients first. What finds no room adds to its bucket's
 * overflow record, so that nobody is freed. Only while nobody else uses
 * either.
 */
void guard_shm_mend_carry_over(const guard_shm_table_t *from,
                               guard_shm_table_t *to);

/**
 * Check every entry, tag and mark of a table at rest.
 * @return NULL, or a sentence in pool that tells the first fault
 */
const char *guard_shm_mend_fault(const guard_shm_table_t *table,
                                 uint64_t table_usec, apr_pool_t *pool);

#endif
