/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_debt.c: which settlements are owed, and what becomes of them. A child's
 * outlive it; a tool owes none; what can't be told is owed again; and what its
 * window is over for is not told at all. No server is there.
 */
#include "guard_store_redis_debt.h"
#include "tap.h"

#include <apr_general.h>

#include <sys/wait.h>
#include <unistd.h>

static guard_redis_store_t redis;
static guard_store_t local;
static guard_ticket_t ticket = {
    .claim_count = 1,
    .away.token = 7,
    .claim[0] = {.client.id = 5,
                 .policy = {.limit = 5, .window_usec = 600000000}}};

static unsigned count(void)
{
    return guard_redis_late_count(&redis.shared->late);
}

/* A talk with a server that is away. */
static void pay(void)
{
    guard_redis_talk_t talk = {.redis = &redis,
                               .cause = GUARD_REDIS_CONNECTION};

    guard_redis_debt_pay(&talk);
}

static void owe(void)
{
    guard_redis_debt_owe(&redis, &ticket, GUARD_HOLD_SLOT, GUARD_WRONG);
}

static void owe_in_child(void)
{
    pid_t pid = fork();

    if (!pid) {
        owe();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void take_it(void)
{
    guard_redis_late_t *late = &redis.shared->late;
    uint64_t now_usec = guard_store_clock();
    guard_redis_owed_t owed;

    ok(!guard_redis_late_take(late, now_usec, &owed), "  it is not due yet");
    ok(guard_redis_late_take(late, now_usec + 201000, &owed),
       "  200 ms later it is");
    ok(owed.token == 7 && owed.outcome == GUARD_WRONG &&
           owed.claim_count == 1 && owed.claim[0].client.id == 5 &&
           owed.hold[0].what == GUARD_HOLD_SLOT,
       "  as it was owed");
    guard_redis_late_end(late, &owed, 1, now_usec);
}

/* Due so long ago. */
static void push(uint64_t ago_usec)
{
    uint64_t now_usec = guard_store_clock();
    guard_redis_owed_t owed = {.due_usec = now_usec - ago_usec,
                               .outcome = GUARD_WRONG,
                               .token = 7,
                               .claim_count = 1,
                               .claim[0] = ticket.claim[0]};

    guard_redis_late_push(&redis.shared->late, &owed, now_usec);
}

static void take_away(void)
{
    guard_redis_owed_t owed;
    uint64_t soon_usec = guard_store_clock() + 1000;

    ok(guard_redis_late_take(&redis.shared->late, soon_usec, &owed) &&
           guard_redis_late_end(&redis.shared->late, &owed, 1, soon_usec),
       "  and due");
}

/* However many a stranger has failed: what the server may hold goes in. */
static void room_is_left_for_places(void)
{
    unsigned before;

    ticket.away.in_doubt = 0;
    for (int i = 0; i < 2 * GUARD_REDIS_LATE_MAX; i++) {
        owe();
    }
    before = count();
    is(before, GUARD_REDIS_LATE_MAX / 4 * 3, "wrong guesses leave room");
    ticket.away.in_doubt = 1;
    owe();
    is(count(), before + 1, "  for a place that may be held");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (guard_redis_shared_create(&redis.shared, NULL, 0, pool) !=
        APR_SUCCESS) {
        printf("Bail out! no memory\n");
        return 1;
    }
    owe();
    is(count(), 0, "a tool owes nothing");
    redis.local = &local;
    owe_in_child();
    is(count(), 1, "what a child owed is there when it has ended");
    take_it();

    redis.names.prefix = "p";
    push(1000);
    pay();
    is(count(), 1, "what can't be told is owed again");
    pay();
    is(count(), 1, "  each time");
    take_away();
    push((uint64_t)ticket.claim[0].policy.window_usec + 1);
    pay();
    is(count(), 0, "what its window is over for is owed no more");
    room_is_left_for_places();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
