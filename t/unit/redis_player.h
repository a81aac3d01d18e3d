/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * redis_player.h: the clients of redis_script.c, each in Redis and as a model,
 * and whether the two are the same.
 */
#ifndef REDIS_PLAYER_H
#define REDIS_PLAYER_H

#include "redis_model_calls.h"
#include "redis_server.h"

#include "random.h"

#include <inttypes.h>

#define CLIENTS 5
#define OPEN_MAX 48 /* attempts in flight, of one client */

/* A client, on both sides, and who is on his way in it. */
typedef struct player_t {
    guard_claim_t claim;
    model_t model;
    model_try_t open[OPEN_MAX], last;
    guard_hold_e hold[OPEN_MAX], last_hold;
    guard_outcome_e last_outcome;
    unsigned open_count;
} player_t;

/* No window is so short that a slow machine's key goes before its time. */
static const guard_policy_t POLICIES[] = {
    {3, apr_time_from_sec(60), apr_time_from_sec(60), apr_time_from_sec(300)},
    {5, apr_time_from_sec(600), apr_time_from_sec(900),
     apr_time_from_sec(3600)},
    {1, apr_time_from_sec(60), apr_time_from_sec(100), apr_time_from_sec(50)},
    {2, apr_time_from_sec(120), apr_time_from_sec(60),
     apr_time_from_sec(86400)},
    {40, apr_time_from_sec(3600), apr_time_from_sec(86400),
     apr_time_from_sec(30 * 86400)},
};
#define POLICY_COUNT (sizeof(POLICIES) / sizeof(POLICIES[0]))

static const guard_redis_names_t names = {.prefix = "authguard"};
static redisContext *redis, *admin;
static player_t players[CLIENTS];
static uint64_t state, now_usec = 1764000000123456u, tokens;
static unsigned long seen[1024], steps_done;
static unsigned rows[GUARD_ROW_FREE + 1];

static int below(unsigned n) { return (int)random_below(&state, n); }
static int once_in(unsigned n) { return below(n) == 0; }

static int same(const char *what, const guard_redis_answer_t *got,
                const guard_redis_answer_t *expected)
{
    if (got->server_usec == expected->server_usec &&
        got->row == expected->row && got->flags == expected->flags &&
        got->phase == expected->phase && got->failures == expected->failures &&
        got->level == expected->level &&
        got->remaining_usec == expected->remaining_usec) {
        rows[got->row]++;
        seen[got->flags]++;
        return 1;
    }
    printf("# step %lu, %s:       row flags phase failures level left\n",
           steps_done, what);
    for (int i = 0; i < 2; i++) {
        const guard_redis_answer_t *a = i ? expected : got;

        printf("# %8s: %6d %5u %5d %8u %5u %" PRId64 "\n",
               i ? "expected" : "got", a->row, a->flags, a->phase, a->failures,
               a->level, (int64_t)a->remaining_usec);
    }
    return 0;
}

/* The key lives as long as it is of use, and no longer. */
static int lives_right(const player_t *player)
{
    char key[GUARD_REDIS_KEY_MAX];
    uint64_t forgotten_at = model_forgotten_at(&player->model, now_usec);
    long long left_ms, right_ms;

    if (!player->model.saved) {
        return 1;
    }
    guard_redis_key_write(key, &names, player->claim.client.id);
    left_ms = redis_server_number(admin, "PTTL %s", key);
    right_ms = forgotten_at > now_usec
                   ? (long long)(forgotten_at - now_usec) / 1000 + 1
                   : -2;
    if (player->model.exists
            ? left_ms <= right_ms && left_ms > 0 && left_ms > right_ms - 20000
            : left_ms == -2) {
        return 1;
    }
    printf("# step %lu: %s lives for %lld ms, should for %lld\n", steps_done,
           key, left_ms, player->model.exists ? right_ms : -2);
    return 0;
}

static int shows_right(const player_t *player, const guard_entry_t *entry)
{
    const guard_record_t *record = &player->model.record;
    const guard_client_t *client = &player->claim.client;
    uint64_t since_usec = guard_policy_locked_since(record);
    unsigned in_flight = 0;

    for (int i = 0; i < GUARD_SLOTS; i++) {
        in_flight += (unsigned)model_flies(&player->model, i);
    }
    since_usec = since_usec ? now_usec - since_usec : 0;
    /* A record has the lockout's length in 12 bits and an exponent. */
    return entry->kind == client->kind && entry->counted == client->counted &&
           entry->bits == client->bits && entry->scope == client->scope &&
           !memcmp(&entry->addr, &client->addr, sizeof(client->addr)) &&
           !strcmp(entry->scope_name, client->scope_name) &&
           entry->phase == record->phase && entry->level == record->level &&
           entry->failures == record->failures &&
           entry->limit == record->limit && entry->in_flight == in_flight &&
           entry->since_usec <=
               (apr_interval_time_t)(since_usec + since_usec / 1000 +
                                     2000000) &&
           entry->since_usec >= (apr_interval_time_t)since_usec;
}

#endif
