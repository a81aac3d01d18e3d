/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_late.c: the queue of settlements that are owed. Its order, its bound
 * and what it drops, when one is due, names that outlive their request; and
 * threads among which none is lost or handed out twice.
 */
#include "guard_store_redis_late.h"
#include "tap.h"

#include <apr_general.h>

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 4
#define EACH 200000

static guard_redis_late_t *late;

/* @return 1 if the oldest was dropped */
static int push(uint64_t token, uint64_t due_usec)
{
    guard_redis_owed_t owed = {.token = token, .due_usec = due_usec};

    return guard_redis_late_push(late, &owed);
}

/* @return the token, 0: none is due */
static long long pop(uint64_t now_usec)
{
    guard_redis_owed_t owed;

    return guard_redis_late_pop(late, now_usec, &owed) ? (long long)owed.token
                                                       : 0;
}

static void come_and_go(void)
{
    is(pop(UINT64_MAX), 0, "nothing is owed at first");
    push(1, 100);
    push(2, 200);
    push(3, 200);
    is(guard_redis_late_count(late), 3, "three are owed");
    is(pop(99), 0, "none is due yet");
    is(pop(100), 1, "due on its tick");
    is(pop(199), 0, "the next is not");
    is(pop(200), 2, "first in, first out");
    push(4, 150);
    is(pop(200), 3, "  also with one that is due before");
    is(pop(200), 4, "  which comes then");
    is(pop(UINT64_MAX), 0, "and no more");
    is(guard_redis_late_count(late), 0, "none is owed");
}

static void fill(void)
{
    unsigned dropped = 0, in_order = 0;

    for (unsigned i = 1; i <= GUARD_REDIS_LATE_MAX; i++) {
        dropped += (unsigned)push(i, 1);
    }
    is(dropped, 0, "as many as fit");
    is(push(GUARD_REDIS_LATE_MAX + 1, 1), 1, "the next one drops the oldest");
    is(push(GUARD_REDIS_LATE_MAX + 2, 1), 1, "and so does the next");
    is(guard_redis_late_count(late), GUARD_REDIS_LATE_MAX, "they are no more");
    for (unsigned i = 1; i <= GUARD_REDIS_LATE_MAX; i++) {
        in_order += pop(1) == i + 2;
    }
    is(in_order, GUARD_REDIS_LATE_MAX, "the rest in order, the newest too");
    is(pop(1), 0, "and no more");
}

static void keep_all(void)
{
    guard_redis_owed_t in = {.token = 1,
                             .due_usec = 1,
                             .outcome = GUARD_WRONG,
                             .guess = {.tag = 2, .proven_tag = 3, .user = 4},
                             .claim_count = 3},
                       out;
    char name[200] = "example.org /a";

    memset(name + 100, 'x', 99);
    memset(name + 14, '/', 86);
    in.claim[0].client.id = 5;
    in.claim[0].client.scope_name = name;
    in.claim[1].policy.limit = 6;
    in.claim[2].client.scope_name = "";
    in.hold[2].what = GUARD_HOLD_SLOT;
    guard_redis_late_push(late, &in);
    memset(name, 'z', sizeof name - 1);
    ok(guard_redis_late_pop(late, 1, &out), "one with all its fields");
    ok(out.outcome == GUARD_WRONG && out.guess.tag == 2 &&
           out.guess.proven_tag == 3 && out.guess.user == 4 &&
           out.claim_count == 3 && out.claim[0].client.id == 5 &&
           out.claim[1].policy.limit == 6 && out.hold[2].what,
       "  comes back whole");
    ok(out.claim[0].client.scope_name == out.scope_name[0] &&
           !strncmp(out.scope_name[0], "example.org /a///", 17),
       "  with a copy of the scope's name");
    is((long long)strlen(out.scope_name[0]), GUARD_REDIS_LATE_NAME_MAX - 1,
       "  cut to what fits");
    ok(!out.claim[1].client.scope_name, "  no name stays none");
    is_str(out.claim[2].client.scope_name, "", "  an empty one stays empty");
}

/* ---- threads ---- */

static _Atomic unsigned dropped, got, twice;
static _Atomic uint8_t seen[THREADS * EACH + 1];

static void take(long long token)
{
    if (token) {
        got++;
        twice += atomic_exchange(&seen[token], 1);
    }
}

static void *work(void *number)
{
    uint64_t first = (uint64_t)(uintptr_t)number * EACH;

    for (uint64_t i = 1; i <= EACH; i++) {
        dropped += (unsigned)push(first + i, 1);
        if (i % 8) {
            take(pop(1));
        }
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t thread[THREADS];
    long long token;

    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&thread[i], NULL, work, (void *)i);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
    while ((token = pop(1))) {
        take(token);
    }
    is(twice, 0, "threads: none is handed out twice");
    is(got + dropped, THREADS * EACH, "  each was handed out or dropped");
    ok(dropped && got > dropped, "  %u were dropped", dropped);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (guard_redis_late_create(&late, pool) != APR_SUCCESS) {
        printf("Bail out! no queue\n");
        return 1;
    }
    come_and_go();
    fill();
    keep_all();
    run_threads();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
