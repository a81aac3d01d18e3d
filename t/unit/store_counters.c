/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_counters.c: what several processes and threads count is counted once
 * each, and adds up, whatever becomes of the file; and they don't all count in
 * the same place.
 */
#include "caller.h"
#include "shm.h"

#include <pthread.h>

#define PROCESSES 12
#define THREADS 12
#define EVENTS 5000
#define ALL ((PROCESSES + THREADS) * EVENTS)
#define SETS_MIN 3 /* of 16, where 12 choose by chance: always */

static caller_t c;

static void *count(void *unused)
{
    for (int n = 0; n < EVENTS; n++) {
        c.store->ops->tally(c.store, GUARD_COUNT_OK);
        c.store->ops->tally(c.store, GUARD_COUNT_MAX - 1);
    }
    return unused;
}

static void count_in_threads(void)
{
    pthread_t thread[THREADS];

    for (int i = 0; i < THREADS; i++) {
        pthread_create(&thread[i], NULL, count, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
}

static int sets_in_use(void)
{
    const guard_shm_head_t *head = guard_store_shm_table(c.store)->head;
    int used = 0;

    for (int i = 0; i < GUARD_SHM_COUNTS; i++) {
        used += head->counts[i].counter[GUARD_COUNT_OK] > 0;
    }
    return used;
}

/* Processes of one thread, as under prefork: each has locked before. */
static void count_in_processes(void)
{
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 9);

    for (int i = 0; i < PROCESSES; i++) {
        if (!fork()) {
            caller_peek(&c, &claim, 1);
            count(NULL);
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {
    }
}

static void adds_up(const char *when)
{
    guard_stats_t stats = caller_stats(&c);

    printf("# %s\n", when);
    is((long long)stats.counter[GUARD_COUNT_OK], ALL,
       "each event is counted once");
    is((long long)stats.counter[GUARD_COUNT_MAX - 1], ALL,
       "of the last counter, too");
    is((long long)stats.counter[GUARD_COUNT_FAILED], 0, "and no other");
}

/* As if every set was in use. */
static void spread(void)
{
    guard_shm_head_t *head = guard_store_shm_table(c.store)->head;

    for (int i = 0; i < GUARD_SHM_COUNTS; i++) {
        head->counts[i].counter[GUARD_COUNT_FAILED] += (uint64_t)i + 1;
    }
    is((long long)caller_stats(&c).counter[GUARD_COUNT_FAILED],
       GUARD_SHM_COUNTS * (GUARD_SHM_COUNTS + 1) / 2, "all sets are added up");
}

static void again(unsigned clients)
{
    shm_close();
    c.store = shm_serve(clients, NULL);
}

int main(void)
{
    shm_begin();
    c.now_usec = 1000000;
    c.scope = "counters";
    c.store = shm_serve(GUARD_SHM_CLIENTS_MIN, NULL);
    count_in_processes();
    ok(sets_in_use() >= SETS_MIN, "processes count apart");
    again(GUARD_SHM_CLIENTS_MIN);
    guard_shm_table_set_counter(guard_store_shm_table(c.store), GUARD_COUNT_OK,
                                PROCESSES * EVENTS);
    count_in_threads();
    ok(sets_in_use() > SETS_MIN, "so do threads");
    adds_up("counted by several");
    again(GUARD_SHM_CLIENTS_MIN);
    adds_up("opened anew");
    again(10 * GUARD_SHM_CLIENTS_MIN);
    adds_up("carried over into a larger table");
    spread();
    again(GUARD_SHM_CLIENTS_MIN);
    is((long long)caller_stats(&c).counter[GUARD_COUNT_FAILED],
       GUARD_SHM_COUNTS * (GUARD_SHM_COUNTS + 1) / 2,
       "and carried over into a smaller one");
    shm_close();
    return tap_done();
}
