/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_record.c: for tests only, what a Redis answers to the store's script,
 * written as a program in Lua.
 *
 *     redis_record SOCKET >FILE
 *     TEXT = "..."                              the script
 *     STEPS = { { "KEY", { ARGV }, { ANSWER } }, ...
 *     LEFT = { ["KEY"] = { FIELD = "..." }, ... what the keys hold in the end
 *
 * Owns that Redis while it runs. Invariant: the same calls in each run.
 */
#include "guard_store_redis_script.h"

#include "random.h"

#include <hiredis/hiredis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 2500
#define CLIENTS 4
#define GUESSES 8
#define RECENT 24 /* tokens that are settled and sent again */

static redisContext *redis;
static const guard_redis_names_t names = {.prefix = "authguard"};
static uint64_t state = 5, now_usec = 1764000000123456u, token[RECENT];
static uint32_t tag[RECENT];

static unsigned below(unsigned n) { return random_below(&state, n); }

static void put_text(const char *text, size_t length)
{
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        printf(text[i] == '\n'           ? "\\n"
               : strchr("\\\"", text[i]) ? "\\%c"
                                         : "%c",
               text[i]);
    }
    putchar('"');
}

static redisReply *checked(redisReply *reply)
{
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "%s\n", reply ? reply->str : redis->errstr);
        exit(1);
    }
    return reply;
}

static void play(guard_redis_call_t *call)
{
    redisReply *reply;

    guard_redis_call_by_text(call);
    reply = checked(
        redisCommandArgv(redis, (int)call->argc, call->argv, call->length));
    printf("  { ");
    put_text(call->argv[3], call->length[3]);
    printf(", { ");
    for (unsigned i = 4; i < call->argc; i++) {
        put_text(call->argv[i], call->length[i]);
        printf(", ");
    }
    printf("}, { ");
    for (size_t i = 0; i < reply->elements; i++) {
        if (reply->element[i]->type == REDIS_REPLY_INTEGER) {
            printf("%lld, ", reply->element[i]->integer);
        } else {
            put_text(reply->element[i]->str, (size_t)reply->element[i]->len);
        }
    }
    printf("} },\n");
    freeReplyObject(reply);
}

static void play_attempt(const guard_claim_t *claim)
{
    unsigned i = below(RECENT);
    guard_guess_t guess = {.user = below(3)};
    guard_redis_call_t call;

    if (!token[i] || below(3) == 0) {
        token[i] = random_next(&state);
        tag[i] = below(GUESSES) * 0x1fffffff;
    }
    guess.tag = guess.proven_tag = tag[i];
    if (below(2)) {
        guard_redis_call_reserve(&call, &names, claim, &guess, token[i],
                                 now_usec + 1 - below(8), below(32),
                                 (int)below(2), (int)below(2), now_usec);
    } else {
        guard_redis_call_settle(&call, &names, claim, &guess, token[i],
                                (guard_hold_e)below(3),
                                (guard_outcome_e)(1 + below(3)), now_usec);
    }
    play(&call);
}

static void step(void)
{
    guard_claim_t claim = {
        .client = {.id = 1 + below(CLIENTS),
                   .scope_name = "www:\"/a path\"",
                   .bits = 128},
        .policy = {.limit = (uint16_t)(1 + below(6)),
                   .window_usec = apr_time_from_sec(60 + 100 * below(5)),
                   .lockout_usec = apr_time_from_sec(90),
                   .lockout_max_usec = apr_time_from_sec(86400 * 30)}};
    char key[GUARD_REDIS_KEY_MAX];
    size_t length = guard_redis_key_write(key, &names, claim.client.id);
    guard_redis_call_t call;

    claim.client.kind = (uint8_t)claim.client.id;
    now_usec += below(3000000);
    now_usec += below(40) == 0 ? below(700) * 1000000ull : 0;
    now_usec -= below(60) == 0 ? below(900) * 1000000ull : 0;
    switch (below(16)) {
    case 0:
        guard_redis_call_effect(&call, &names, &claim, below(8),
                                apr_time_from_sec(30 + below(30)), now_usec);
        break;
    case 1:
        guard_redis_call_peek(&call, &names, claim.client.id, now_usec);
        break;
    case 2:
        guard_redis_call_show(&call, key, length, now_usec);
        break;
    case 3:
        guard_redis_call_unlock(&call, key, length, (int)below(2), now_usec);
        break;
    case 4:
        guard_redis_call_probe(&call, &names, now_usec);
        break;
    default:
        play_attempt(&claim);
        return;
    }
    play(&call);
}

/* What is left of a client. */
static void put_left(uint64_t id)
{
    char key[GUARD_REDIS_KEY_MAX];
    redisReply *reply;

    guard_redis_key_write(key, &names, id);
    reply = checked(redisCommand(redis, "HGETALL %s", key));
    printf("  [\"%s\"] = { ", key);
    for (size_t i = 0; i < reply->elements; i++) {
        printf(i % 2 ? "" : "[");
        put_text(reply->element[i]->str, (size_t)reply->element[i]->len);
        printf(i % 2 ? ", " : "] = ");
    }
    printf("},\n");
    freeReplyObject(reply);
}

int main(int argc, char **argv)
{
    const guard_redis_script_t *script = guard_redis_script();

    guard_redis_script_init();
    redis = argc == 2 ? redisConnectUnix(argv[1]) : NULL;
    if (!redis || redis->err) {
        fprintf(stderr, "redis_record SOCKET: %s\n",
                redis ? redis->errstr : "");
        return 1;
    }
    printf("TEXT = ");
    put_text(script->text, script->length);
    printf("\nSTEPS = {\n");
    for (int i = 0; i < STEPS; i++) {
        step();
    }
    printf("}\nLEFT = {\n");
    for (uint64_t id = 1; id <= CLIENTS; id++) {
        put_left(id);
    }
    printf("}\n");
    redisFree(redis);
    return 0;
}
