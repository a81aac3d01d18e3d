/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_shared.c: the memory that an httpd's processes share. What a child
 * writes the parent sees; it begins empty, with a secret of its own; and a
 * child that ends its copy of the pool still has it. The addresses that are
 * read are always of one look-up, though writers are killed meanwhile.
 */
#include "guard_store_redis_shared.h"
#include "tap.h"

#include <apr_general.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS 100
#define READS 2000 /* of each writer */
#define NOW ((uint64_t)apr_time_from_sec(1000))

static guard_redis_shared_t *shared;
static apr_pool_t *pool;

/* @return its exit status */
static int in_child(void (*act)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (!pid) {
        act();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return status;
}

static void use_all(void)
{
    guard_redis_mark_t mark = guard_redis_memory_mark(&shared->memory, 7, NOW);

    guard_redis_shared_fall_back(shared, GUARD_REDIS_TIMEOUT);
    guard_redis_shared_fall_back(shared, GUARD_REDIS_BREAKER);
    guard_redis_shared_fall_back(shared, GUARD_REDIS_BREAKER);
    guard_redis_shared_set_time(shared, NOW - 5000, NOW);
    guard_redis_breaker_fail(&shared->breaker, GUARD_REDIS_REPLY, NOW);
    guard_redis_memory_prove(&shared->memory, 7, 77, &mark);
}

static void end_pool_and_use(void)
{
    apr_pool_destroy(pool);
    use_all();
}

/* All of it is of one number. */
static void fill(guard_redis_found_t *found, unsigned number)
{
    memset(found, 0, sizeof(*found));
    found->count = number % GUARD_REDIS_ADDRESSES_MAX + 1;
    for (unsigned i = 0; i < GUARD_REDIS_ADDRESSES_MAX; i++) {
        memcpy(&found->address[i].addr, &number, sizeof(number));
        found->address[i].length = number;
    }
}

/* @return 1 if nobody wrote that */
static int is_torn(const guard_redis_found_t *found)
{
    guard_redis_found_t whole;

    fill(&whole, found->address[0].length);
    return memcmp(found, &whole, sizeof(whole)) != 0;
}

static void write_till_killed(void)
{
    guard_redis_found_t found;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (unsigned i = 1;; i = i % 1000 + 1) {
        fill(&found, i);
        guard_redis_board_write(&shared->board, &found);
    }
}

static void write_and_read(void)
{
    guard_redis_found_t found;
    unsigned torn = 0, lost = 0;

    for (int i = 0; i < KILLS; i++) {
        pid_t pid = fork();

        if (!pid) {
            write_till_killed();
        }
        for (int k = 0; k < READS; k++) {
            guard_redis_board_read(&shared->board, &found);
            torn += found.count && is_torn(&found);
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        guard_redis_board_read(&shared->board, &found);
        torn += (unsigned)is_torn(&found);
        fill(&found, 4711);
        guard_redis_board_write(&shared->board, &found);
        guard_redis_board_read(&shared->board, &found);
        lost += found.address[0].length != 4711 || is_torn(&found);
    }
    is(torn, 0, "writers that are killed: what is read is one look-up's");
    is(lost, 0, "  and the next one is not hindered");
}

/* Over a graceful what is owed stays; for another server it is void. */
static void keep_over_gracefuls(void)
{
    static const guard_redis_owed_t owed = {.outcome = GUARD_WRONG,
                                            .claim_count = 1};
    guard_store_kept_t kept = {0};
    guard_redis_shared_t *first, *again, *else_where;

    guard_redis_shared_create(&first, &kept, 1, pool);
    guard_redis_late_push(&first->late, &owed, NOW);
    guard_redis_shared_create(&again, &kept, 1, pool);
    ok(first == again && guard_redis_late_count(&again->late) == 1,
       "over a graceful it is the same");
    guard_redis_shared_create(&else_where, &kept, 2, pool);
    is(guard_redis_late_count(&else_where->late), 0,
       "but not if it is for another server");
    munmap(kept.memory, kept.size_bytes);
}

int main(void)
{
    guard_redis_shared_t *other;
    guard_redis_found_t found;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (guard_redis_shared_create(&shared, NULL, 0, pool) != APR_SUCCESS ||
        guard_redis_shared_create(&other, NULL, 0, pool) != APR_SUCCESS) {
        printf("Bail out! no memory\n");
        return 1;
    }
    ok(!guard_redis_breaker_is_open(&shared->breaker) &&
           !shared->fallback[GUARD_REDIS_TIMEOUT] &&
           !guard_redis_shared_time(shared, NOW),
       "it is empty at first");
    ok(memcmp(&shared->memory.secret, &other->memory.secret,
              sizeof(other->memory.secret)),
       "and has a secret of its own");
    is(in_child(use_all), 0, "a child uses it");
    ok(shared->fallback[GUARD_REDIS_TIMEOUT] == 1 &&
           shared->fallback[GUARD_REDIS_BREAKER] == 2 &&
           !shared->fallback[GUARD_REDIS_REPLY],
       "the parent sees its counters");
    is((long long)guard_redis_shared_time(shared, NOW + 1), NOW - 4999,
       "the server's time");
    ok(guard_redis_breaker_is_open(&shared->breaker), "the breaker");
    is(guard_redis_memory_find(&shared->memory, 7, 77, 1, NOW),
       GUARD_REDIS_FRESH, "and what it has proven");
    is(in_child(end_pool_and_use), 0,
       "a child that has ended its copy of the pool still has it");
    is((long long)shared->fallback[GUARD_REDIS_TIMEOUT], 2, "as its parent");
    fill(&found, 1);
    guard_redis_board_write(&shared->board, &found);
    write_and_read();
    keep_over_gracefuls();
    apr_pool_destroy(pool);
    return tap_done();
}
