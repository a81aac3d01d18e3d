/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * table_fault.c: for tests only, a look at the table and the semaphore of a
 * server that runs and has nothing to do.
 *
 *     table_fault FILE
 *     sound tracked=4 locked=1 failures=7 in_flight=0 checks=8/8
 *
 * Owns its one line of output: "sound", or the first fault in words; what the
 * table holds; and the free places of AuthGuardChecks, of all. Invariant: it
 * changes nothing but what any operation would: a change that a killed process
 * left half done is undone. So a server must have the file open; alone with
 * it, whoever opens it mends it, and no fault would be seen.
 */
#include "../../src/guard_checks.c"

#include "guard_store_shm.h"

#include <apr_general.h>

#include <stdio.h>

typedef struct sum_t {
    unsigned in_flight;
    unsigned failures;
} sum_t;

static apr_status_t add(void *baton, const guard_entry_t *entry)
{
    sum_t *sum = baton;

    sum->in_flight += entry->in_flight;
    sum->failures += entry->phase == GUARD_PHASE_WINDOW ? entry->failures : 0;
    return APR_SUCCESS;
}

static void hear(void *baton, guard_say_e level, const char *id,
                 const char *sentence)
{
    (void)baton;
    (void)level;
    printf("%s %s\n", id, sentence);
}

/* The semaphore is looked for and not made, and may be gone: "-". */
static void show_checks(const char *path)
{
    key_t key = IPC_PRIVATE;
    int id = find_key(&key, path) ? -1 : semget(key, SET_SIZE, 0);

    if (id < 0) {
        printf("checks=-\n");
    } else {
        printf("checks=%d/%d\n", semctl(id, FREE, GETVAL),
               semctl(id, TOTAL, GETVAL));
    }
}

/* Statistics come first: they lock every stripe once, as a request of each
 * client would, and say so if one stays closed. */
static apr_status_t show(guard_store_t *store, const char *path,
                         apr_pool_t *pool)
{
    uint64_t now_usec = guard_store_clock();
    guard_filter_t all = {0};
    guard_stats_t stats;
    sum_t sum = {0};
    apr_status_t rv = store->ops->stats(store, now_usec, &stats);
    const char *fault;

    if (rv == APR_SUCCESS) {
        rv = store->ops->iterate(store, now_usec, &all, add, &sum);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    fault = guard_store_shm_fault(store, now_usec, pool);
    printf("%s tracked=%u locked=%u failures=%u in_flight=%u ",
           fault ? fault : "sound", (unsigned)stats.clients_tracked,
           (unsigned)stats.clients_locked, sum.failures, sum.in_flight);
    show_checks(path);
    return APR_SUCCESS;
}

int main(int argc, char **argv)
{
    guard_shm_options_t options = {.role = GUARD_SHM_TOOL, .say = hear};
    guard_store_t *store;
    apr_pool_t *pool;
    apr_status_t rv = APR_EINVAL;

    if (argc == 2 && apr_initialize() == APR_SUCCESS &&
        apr_pool_create(&pool, NULL) == APR_SUCCESS) {
        options.path = argv[1];
        rv = guard_store_shm_open(&store, &options, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = show(store, argv[1], pool);
    }
    if (rv != APR_SUCCESS) {
        printf("error %d\n", rv);
    }
    return rv != APR_SUCCESS;
}
