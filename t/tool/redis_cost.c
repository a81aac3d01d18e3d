/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_cost.c: for tests only, what the store's script costs beside a PING.
 *
 *     redis_cost SOCKET
 *     ping 14.2
 *     reserve_wrong 31.0
 *     ...
 *
 * Owns one connection. Each call is timed from the first byte sent to the last
 * byte of the answer, and each has a PING just before it, so that what else the
 * machine does weighs on both. Said is the median, in microseconds. Invariant:
 * an answer that isn't the one expected ends the run.
 */
#include "guard_store_redis_script.h"

#include <hiredis/hiredis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLIENTS 300
#define GUESSES 5 /* and then it is locked */
#define TIMES_MAX 4096

typedef enum {
    PING,
    RESERVE_WRONG,
    SETTLE_WRONG,
    RESERVE_RIGHT,
    SETTLE_RIGHT,
    RESERVE_PROVEN,
    PEEK_UNKNOWN,
    PEEK_LOCKED,
    RESERVE_LOCKED,
    KINDS
} kind_e;

static const char *const NAME[KINDS] = {
    "ping",          "reserve_wrong", "settle_wrong",
    "reserve_right", "settle_right",  "reserve_proven",
    "peek_unknown",  "peek_locked",   "reserve_locked",
};

static struct times_t {
    double usec[TIMES_MAX];
    int count;
} times[KINDS];

static redisContext *redis;
static const guard_redis_names_t names = {.prefix = "authguard"};
static guard_claim_t claim = {
    .client = {.bits = 128,
               .kind = GUARD_KIND_IP,
               .scope_name = "www:/private"},
    .policy = {.limit = GUESSES,
               .window_usec = apr_time_from_sec(600),
               .lockout_usec = apr_time_from_sec(900),
               .lockout_max_usec = apr_time_from_sec(3600)}};

static double now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static redisReply *timed(kind_e kind, int argc, const char **argv,
                         const size_t *length)
{
    struct times_t *t = &times[kind];
    double before = now_usec();
    redisReply *reply = redisCommandArgv(redis, argc, argv, length);

    if (t->count < TIMES_MAX) {
        t->usec[t->count++] = now_usec() - before;
    }
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "%s: %s\n", NAME[kind],
                reply ? reply->str : redis->errstr);
        exit(1);
    }
    return reply;
}

/* A PING, and then the call. It must answer with that row. */
static void play(kind_e kind, guard_redis_call_t *call, guard_row_e row)
{
    const char *ping = "PING";
    redisReply *reply = timed(PING, 1, &ping, NULL);

    freeReplyObject(reply);
    reply = timed(kind, (int)call->argc, call->argv, call->length);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
        reply->element[1]->integer != (long long)row) {
        fprintf(stderr, "%s: row %lld, not %d\n", NAME[kind],
                reply->elements > 1 ? reply->element[1]->integer : 0, row);
        exit(1);
    }
    freeReplyObject(reply);
}

static void reserve(kind_e kind, guard_guess_t *guess, uint64_t token,
                    guard_row_e row)
{
    guard_redis_call_t call;

    guard_redis_call_reserve(
        &call, &names, &claim, guess, token, 0,
        GUARD_REDIS_ACCEPT_PROVEN | GUARD_REDIS_ACCEPT_FREE, 0, 0, 0);
    play(kind, &call, row);
}

static void settle(kind_e kind, guard_guess_t *guess, uint64_t token,
                   guard_outcome_e outcome, guard_row_e row)
{
    guard_redis_call_t call;

    guard_redis_call_settle(&call, &names, &claim, guess, token,
                            GUARD_HOLD_SLOT, outcome, 0);
    play(kind, &call, row);
}

static void peek(kind_e kind, guard_row_e row)
{
    guard_redis_call_t call;

    guard_redis_call_peek(&call, &names, claim.client.id, 0);
    play(kind, &call, row);
}

/* A user comes in and again; then a guesser at that address, to the lockout
 * and beyond. */
static void play_client(uint64_t id)
{
    guard_guess_t guess = {.user = 7};
    uint64_t token = id << 16;

    claim.client.id = id;
    guess.tag = guess.proven_tag = GUESSES + 1;
    peek(PEEK_UNKNOWN, GUARD_ROW_FREE);
    reserve(RESERVE_RIGHT, &guess, ++token, GUARD_ROW_FREE);
    settle(SETTLE_RIGHT, &guess, token, GUARD_RIGHT, GUARD_ROW_FREE);
    reserve(RESERVE_PROVEN, &guess, ++token, GUARD_ROW_PROVEN);
    for (uint32_t i = 1; i <= GUESSES; i++) {
        guess.tag = guess.proven_tag = i;
        reserve(RESERVE_WRONG, &guess, ++token, GUARD_ROW_FREE);
        settle(SETTLE_WRONG, &guess, token, GUARD_WRONG,
               i < GUESSES ? GUARD_ROW_FREE : GUARD_ROW_LOCKED);
    }
    reserve(RESERVE_LOCKED, &guess, ++token, GUARD_ROW_LOCKED);
    peek(PEEK_LOCKED, GUARD_ROW_LOCKED);
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    const guard_redis_script_t *script = guard_redis_script();

    guard_redis_script_init();
    redis = argc == 2 ? redisConnectUnix(argv[1]) : NULL;
    if (!redis || redis->err) {
        fprintf(stderr, "redis_cost SOCKET: %s\n", redis ? redis->errstr : "");
        return 1;
    }
    freeReplyObject(
        redisCommand(redis, "SCRIPT LOAD %b", script->text, script->length));
    for (uint64_t id = 1; id <= CLIENTS; id++) {
        play_client(id);
    }
    for (int kind = 0; kind < KINDS; kind++) {
        struct times_t *t = &times[kind];

        qsort(t->usec, (size_t)t->count, sizeof(*t->usec), by_time);
        printf("%s %.2f\n", NAME[kind], t->usec[t->count / 2]);
    }
    redisFree(redis);
    return 0;
}
