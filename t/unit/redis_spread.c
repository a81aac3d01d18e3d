/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_spread.c: who locks a client out asks once more, so that the other
 * servers' news is on its way. Whatever comes of that question: the lockout is
 * told, once, in time, and the server is not given up for it.
 */
#include "caller.h"
#include "redis_fake.h"

#include "guard_store_redis_ops.h"
#include "guard_store_redis_inside.h"

/* server's time, row, flags, phase, failures, level, left */
#define LOCKS "*7\r\n:1000000\r\n:1\r\n:8\r\n:2\r\n:5\r\n:1\r\n:600000000\r\n"
#define STANDS "*7\r\n:1000000\r\n:1\r\n:0\r\n:2\r\n:5\r\n:1\r\n:600000000\r\n"
#define TIMES 4 /* more often than a breaker bears */

static guard_redis_store_t redis;
static caller_t c = {.store = &redis.base, .scope = "spread"};
static int said;

static void say(void *baton, guard_say_e level, const char *id,
                const char *sentence)
{
    (void)baton, (void)level;
    said++;
    printf("# %s %s\n", id, sentence);
}

/* Answer every other command of a connection with a lockout, and those between
 * so; NULL: by closing it. */
static void answer(int fd, const char *second)
{
    while (fake_hear(fd)) {
        fake_say(fd, LOCKS);
        if (!fake_hear(fd) || !second) {
            return;
        }
        fake_say(fd, second);
    }
}

static void begin(const fake_t *fake, apr_pool_t *pool)
{
    guard_redis_found_t found = {.address = {fake->address}, .count = 1};

    memset(&redis, 0, sizeof(redis));
    redis.base.ops = &guard_store_redis_ops;
    redis.options.target.host = "127.0.0.1";
    redis.options.target.label = "fake";
    redis.options.failure = GUARD_FAILURE_CLOSED;
    redis.options.timeout_usec = FAKE_DEADLINE_USEC;
    redis.names.prefix = "authguard";
    redis.say = say;
    fake_must(!guard_redis_shared_create(&redis.shared, NULL, 0, pool) &&
                  !guard_redis_pool_create(&redis.pool, &redis.options.target,
                                           2, FAKE_DEADLINE_USEC),
              "a store");
    guard_redis_board_write(&redis.shared->board, &found);
    c.now_usec = guard_store_clock();
    said = 0;
}

/* Settle a wrong guess that locks. @return the event; *late_usec: how long
 * after its time */
static guard_event_e lock(long long *late_usec)
{
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 5);
    guard_ticket_t ticket = {.state = GUARD_TICKET_OPEN, .claim_count = 1};
    uint64_t began_usec = guard_store_clock();
    guard_event_e event;

    ticket.claim[0] = claim;
    ticket.guess = caller_guess(&c, "a:1");
    ticket.away.where = GUARD_REDIS_AT_SERVER;
    ticket.away.token = 1;
    event = caller_settle(&c, &ticket, GUARD_WRONG);
    *late_usec =
        (long long)(guard_store_clock() - began_usec) - FAKE_DEADLINE_USEC;
    is(ticket.state, GUARD_TICKET_CLOSED, "  it is settled");
    return event;
}

static void comes_to_the_same(const char *name, const char *second)
{
    apr_pool_t *pool;
    fake_t fake = fake_start(answer, second);
    uint64_t owed;

    printf("# %s\n", name);
    apr_pool_create(&pool, fake_pool);
    begin(&fake, pool);
    for (int i = 0; i < TIMES; i++) {
        long long late_usec;

        is(lock(&late_usec), GUARD_EVENT_LOCKOUT, "it locks");
        is(c.report.standing[0].phase, GUARD_PHASE_LOCKED, "  and says so");
        ok(late_usec < FAKE_LATE_USEC, "  in time: %lld ms beyond it",
           late_usec / 1000);
    }
    is(said, 0, "the server is not given up");
    owed = guard_redis_late_count(&redis.shared->late);
    is((long long)owed, 0, "nothing is owed to it");
    for (int i = 0; i < GUARD_REDIS_CAUSES; i++) {
        is((long long)redis.shared->fallback[i], 0, "and nothing went without");
    }
    guard_redis_pool_destroy(redis.pool);
    apr_pool_destroy(pool);
    fake_stop(&fake);
}

/* A limit that was lowered locks before a password is looked at. The fake one's
 * answers come in turns: a question that is not asked makes the next one hear
 * of no lockout. */
static void so_does_a_place_that_is_asked_for(void)
{
    apr_pool_t *pool;
    fake_t fake = fake_start(answer, STANDS);

    printf("# a place that is asked for\n");
    apr_pool_create(&pool, fake_pool);
    begin(&fake, pool);
    for (int i = 1; i <= TIMES; i++) {
        guard_claim_t claim =
            caller_ip(&c, apr_psprintf(pool, "192.0.2.%d", i), 5);
        guard_ticket_t ticket = {0};

        is(caller_reserve(&c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket),
           GUARD_LOCKED, "it is refused");
        is(c.report.standing[0].event, GUARD_EVENT_LOCKOUT, "  and locks");
    }
    guard_redis_pool_destroy(redis.pool);
    apr_pool_destroy(pool);
    fake_stop(&fake);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&fake_pool, NULL);
    comes_to_the_same("it answers", STANDS);
    comes_to_the_same("it does not", "");
    comes_to_the_same("it answers in part", "*7\r\n:1000");
    comes_to_the_same("it closes the connection", NULL);
    so_does_a_place_that_is_asked_for();
    apr_pool_destroy(fake_pool);
    apr_terminate();
    return tap_done();
}
