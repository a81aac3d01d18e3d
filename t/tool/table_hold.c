/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * table_hold.c: for tests only, a process that holds one lock of a server's
 * table, as one that was stopped in the middle would.
 *
 *     table_hold FILE
 *     held
 *
 * Owns that lock from when it says so until its standard input ends.
 * Invariant: it changes nothing.
 */
#include "guard_store_shm.h"
#include "guard_store_shm_walk.h"

#include <apr_general.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    guard_shm_options_t options = {.role = GUARD_SHM_TOOL};
    guard_shm_table_t *table;
    guard_store_t *store;
    apr_pool_t *pool;

    if (argc != 2 || apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return 1;
    }
    options.path = argv[1];
    if (guard_store_shm_open(&store, &options, pool) != APR_SUCCESS) {
        return 1;
    }
    table = guard_store_shm_table(store);
    if (guard_shm_table_lock(table, GUARD_SHM_STRIPES - 1) != APR_SUCCESS) {
        return 1;
    }
    printf("held\n");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    guard_shm_table_unlock(table, GUARD_SHM_STRIPES - 1);
    return 0;
}
