/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_counters.c: what is counted on several processors is counted once
 * each, and adds up; whatever becomes of the file.
 */
#include "caller.h"
#include "shm.h"

#include <sched.h>

#define PROCESSES 4
#define EVENTS 20000

static caller_t c;

/* Take the next of the processors that this process may have. */
static void move_on(int steps)
{
    cpu_set_t all, one;
    size_t cpu = 0;

    if (sched_getaffinity(0, sizeof(all), &all)) {
        return;
    }
    for (steps %= CPU_COUNT(&all); steps || !CPU_ISSET(cpu, &all); cpu++) {
        steps -= CPU_ISSET(cpu, &all) ? 1 : 0;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
}

static void count_in_processes(void)
{
    for (int i = 0; i < PROCESSES; i++) {
        if (!fork()) {
            move_on(i);
            for (int n = 0; n < EVENTS; n++) {
                c.store->ops->tally(c.store, GUARD_COUNT_OK);
                c.store->ops->tally(c.store, GUARD_COUNT_MAX - 1);
            }
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
    is((long long)stats.counter[GUARD_COUNT_OK], PROCESSES * EVENTS,
       "each event is counted once");
    is((long long)stats.counter[GUARD_COUNT_MAX - 1], PROCESSES * EVENTS,
       "of the last counter, too");
    is((long long)stats.counter[GUARD_COUNT_FAILED], 0, "and no other");
}

/* As if each event had come on another one of many processors. */
static void spread(void)
{
    guard_shm_head_t *head = guard_store_shm_table(c.store)->head;

    for (int i = 0; i < GUARD_SHM_COUNTS; i++) {
        head->counts[i].counter[GUARD_COUNT_FAILED] += (uint64_t)i + 1;
    }
    is((long long)caller_stats(&c).counter[GUARD_COUNT_FAILED],
       GUARD_SHM_COUNTS * (GUARD_SHM_COUNTS + 1) / 2,
       "all processors' counts are added up");
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
