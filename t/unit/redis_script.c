/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_script.c shows that the script counts as guard_policy.c does: long
 * random runs of reservations, settlements in any order, resends, waiters, busy
 * refusals, unlocks and time passing are played on a redis-server and on
 * redis_model.h, and every answer must be the same; so must each key's life.
 * The script runs as a user that may use these keys and the commands that the
 * docs list, and nothing else. SEED and STEPS may be given in the environment.
 */
#include "redis_player.h"
#include "tap.h"

#define SEED_DEFAULT 20261122
#define STEPS_DEFAULT 20000
#define GUESSES 9
#define USERS 3

static int play_reserve(player_t *player, const model_try_t *a_try)
{
    guard_redis_call_t call;
    guard_redis_answer_t got, expected;
    guard_claim_t claim = {.client = player->claim.client,
                           .policy = *a_try->policy};
    unsigned at;
    int resent = model_held(&player->model, a_try->token, &at) >= 0;

    guard_redis_call_reserve(&call, &names, &claim, &a_try->guess, a_try->token,
                             a_try->not_after_usec, a_try->accept,
                             a_try->joined, a_try->waited, now_usec);
    got = redis_server_ask(redis, &call);
    expected = model_reserve(&player->model, a_try, now_usec);
    if ((got.flags & GUARD_REDIS_TAKEN) && !resent &&
        player->open_count < OPEN_MAX) {
        player->hold[player->open_count] =
            got.flags & GUARD_REDIS_HELD_PROVEN ? GUARD_HOLD_SLOT_PROVEN
            : got.flags & GUARD_REDIS_HELD_SLOT ? GUARD_HOLD_SLOT
                                                : GUARD_HOLD_NOTHING;
        player->open[player->open_count++] = *a_try;
    }
    return same(resent ? "reserve again" : "reserve", &got, &expected);
}

static model_try_t new_try(const player_t *player)
{
    static const unsigned ACCEPT[] = {7, 7, 7, 15, 15, 0, 31, 23, 1};
    model_try_t a_try = {.token = ++tokens * 0x9e3779b97f4a7c15u,
                         .accept = ACCEPT[below(9)],
                         .joined = once_in(8),
                         .waited = once_in(4)};
    uint32_t guess;

    /* Mostly the client's own; directories may differ in what they allow. */
    a_try.policy = once_in(10)
                       ? &POLICIES[below(POLICY_COUNT)]
                       : &POLICIES[player->claim.client.id % POLICY_COUNT];
    /* A tag names its user, and a record keeps GUARD_TAG_BITS of it. */
    guess = (uint32_t)below(GUESSES);
    a_try.guess.user = guess % USERS + 77;
    a_try.guess.proven_tag = guess * 0xffffffu;
    a_try.guess.tag = once_in(6)
                          ? (uint32_t)(tokens * 2654435761u) >> 5 /* digest */
                          : a_try.guess.proven_tag;
    if (once_in(20)) {
        a_try.not_after_usec = now_usec + 1 - (uint64_t)below(3);
    }
    return a_try;
}

static int play_settle(player_t *player, int again)
{
    guard_redis_call_t call;
    guard_redis_answer_t got, expected;
    guard_claim_t claim = {.client = player->claim.client};

    if (!again) {
        unsigned i = (unsigned)below(player->open_count);

        player->last = player->open[i];
        player->last_hold = player->hold[i];
        player->last_outcome =
            once_in(4) ? GUARD_RIGHT : (guard_outcome_e)(1 + below(3));
        player->open_count--;
        player->open[i] = player->open[player->open_count];
        player->hold[i] = player->hold[player->open_count];
    }
    claim.policy = *player->last.policy;
    guard_redis_call_settle(&call, &names, &claim, &player->last.guess,
                            player->last.token, player->last_hold,
                            player->last_outcome, now_usec);
    got = redis_server_ask(redis, &call);
    expected = model_settle(&player->model, &player->last, player->last_hold,
                            player->last_outcome, now_usec);
    return same(again ? "settle again" : "settle", &got, &expected);
}

static int play_effect(player_t *player)
{
    const guard_policy_t *policy =
        &POLICIES[player->claim.client.id % POLICY_COUNT];
    unsigned what = once_in(3) ? 1u + (unsigned)below(7) : GUARD_REDIS_WAIT;
    apr_interval_time_t wait_usec = apr_time_from_sec(40 + below(20));
    guard_claim_t claim = {.client = player->claim.client, .policy = *policy};
    guard_redis_call_t call;
    guard_redis_answer_t got, expected;

    guard_redis_call_effect(&call, &names, &claim, what, wait_usec, now_usec);
    got = redis_server_ask(redis, &call);
    expected = model_effect(&player->model, policy, what, wait_usec, now_usec);
    return same("effect", &got, &expected);
}

/* Enough of the same guess at once to fill a slot's list, and more; or enough
 * that wait. */
static int play_crowd(player_t *player)
{
    model_try_t a_try = new_try(player);
    int waits = once_in(2), fine = 1;

    a_try.accept = 15;
    a_try.guess.tag = a_try.guess.proven_tag;
    for (int i = below(60); fine && i >= 0; i--) {
        a_try.token = ++tokens * 0x9e3779b97f4a7c15u;
        fine = waits ? play_effect(player) : play_reserve(player, &a_try);
    }
    return fine;
}

static int play_unlock(player_t *player)
{
    char key[GUARD_REDIS_KEY_MAX];
    size_t length = guard_redis_key_write(key, &names, player->claim.client.id);
    int locked_only = once_in(2);
    guard_redis_call_t call;
    guard_redis_answer_t got, expected;

    guard_redis_call_unlock(&call, key, length, locked_only, now_usec);
    got = redis_server_ask(redis, &call);
    expected = model_unlock(&player->model, locked_only, now_usec);
    return same("unlock", &got, &expected);
}

static int play_peek(player_t *player)
{
    guard_redis_call_t call;
    guard_redis_answer_t got, expected;

    guard_redis_call_peek(&call, &names, player->claim.client.id, now_usec);
    got = redis_server_ask(redis, &call);
    model_refresh(&player->model, now_usec);
    expected = model_stand(&player->model, 0, now_usec);
    return same("peek", &got, &expected);
}

static int play_show(player_t *player)
{
    char key[GUARD_REDIS_KEY_MAX];
    size_t length = guard_redis_key_write(key, &names, player->claim.client.id);
    redis_server_reply_t out;
    guard_redis_call_t call;
    guard_entry_t entry;
    apr_status_t got, expected;

    guard_redis_call_show(&call, key, length, now_usec);
    got = guard_redis_answer_read_entry(&entry,
                                        redis_server_call(redis, &call, &out));
    model_refresh(&player->model, now_usec);
    expected = player->model.exists && !model_is_blank(&player->model)
                   ? APR_SUCCESS
                   : APR_NOTFOUND;
    freeReplyObject(out.raw);
    if (got != expected ||
        (got == APR_SUCCESS && !shows_right(player, &entry))) {
        printf("# step %lu, show: status %d, expected %d\n", steps_done, got,
               expected);
        return 0;
    }
    return 1;
}

static void pass_time(void)
{
    static const unsigned SEC[] = {0, 0, 1, 1, 3, 5, 20, 60, 300, 900, 5000};

    now_usec += (uint64_t)below(600000);
    if (once_in(30)) {
        now_usec += SEC[below(11)] * 1000000u;
    }
}

static int step(void)
{
    player_t *player = &players[below(CLIENTS)];
    model_try_t a_try = new_try(player);
    int fine;

    pass_time();
    player->model.saved = 0;
    switch (below(24)) {
    case 0:
        fine = play_effect(player);
        break;
    case 1:
        fine = play_peek(player);
        break;
    case 2:
        fine = play_show(player);
        break;
    case 3:
        fine = once_in(8) ? play_unlock(player) : play_effect(player);
        break;
    case 4:
        fine = once_in(10) ? play_crowd(player) : 1;
        break;
    case 5:
        fine = !player->open_count ||
               play_reserve(player, &player->open[below(player->open_count)]);
        break;
    case 6:
        fine = !player->last.token || play_settle(player, 1);
        break;
    default:
        fine =
            player->open_count == OPEN_MAX || (player->open_count && once_in(2))
                ? play_settle(player, 0)
                : play_reserve(player, &a_try);
        break;
    }
    return fine && lives_right(player);
}

static void prepare(void)
{
    static char long_name[sizeof(((guard_entry_t *)NULL)->scope_name)];

    memset(long_name, 'n', sizeof(long_name) - 1);
    admin = redis_server_connect();
    freeReplyObject(redis_server_say(
        admin, "ACL SETUSER guard on >secret resetkeys ~authguard:* "
               "resetchannels &authguard:events -@all +evalsha +eval +time "
               "+hmget +hset +del +pexpire +publish"));
    freeReplyObject(redis_server_say(redis, "AUTH guard secret"));
    for (int i = 0; i < CLIENTS; i++) {
        guard_client_t *client = &players[i].claim.client;

        client->id = (uint64_t)i + 1;
        client->kind = (uint8_t)(i % GUARD_KIND_MAX + 1);
        client->counted = i == 4;
        client->bits = (uint8_t)(120 + i);
        client->addr.byte[15] = (unsigned char)i;
        if (i == 2) { /* IPv4 */
            memset(client->addr.byte + 10, 255, 2);
        }
        client->scope = 0xfedcba9876543210u;
        client->scope_name =
            i == 3 ? long_name : "example.com:443 a path/with spaces";
        players[i].model.record.id = client->id;
        players[i].model.record.kind = client->kind;
    }
}

static unsigned long number_of(const char *name, unsigned long without)
{
    const char *given = getenv(name);

    return given ? strtoul(given, NULL, 10) : without;
}

int main(void)
{
    unsigned long steps = number_of("STEPS", STEPS_DEFAULT);
    uint64_t seed = number_of("SEED", SEED_DEFAULT);
    int fine = 1;

    redis = redis_server_start();
    if (!redis) {
        return redis_server_skip();
    }
    prepare();
    state = seed;
    for (; fine && steps_done < steps; steps_done++) {
        fine = step();
    }
    ok(fine, "%lu steps from seed %" PRIu64 " answered as by guard_policy.c",
       steps_done, seed);
    for (unsigned row = GUARD_ROW_LOCKED; row <= GUARD_ROW_FREE; row++) {
        if (row != GUARD_ROW_OVER) { /* answered as LOCKED */
            ok(rows[row] > 0, "row %u was answered %u times", row, rows[row]);
        }
    }
    for (unsigned flag = 1; flag <= GUARD_REDIS_HELD_PROVEN; flag *= 2) {
        unsigned long count = 0;

        for (unsigned flags = 0; flags < 1024; flags++) {
            count += flags & flag ? seen[flags] : 0;
        }
        ok(count > 0, "flag %u was set %lu times", flag, count);
    }
    redisFree(redis);
    redisFree(admin);
    return tap_done();
}
