/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_rules.c shows what the script does that guard_policy.c has no word for:
 * what is sent twice is done once, what comes late is not done, a clock set
 * back frees and prolongs nothing, a key goes when it is of no use, the channel
 * is told, and one key and a few commands are all that it needs.
 */
#include "redis_server.h"
#include "tap.h"

#define T0 1764000000250000u /* a quarter past a second */
#define SEC 1000000u
#define TAKE                                                                   \
    (GUARD_REDIS_ACCEPT_PROVEN | GUARD_REDIS_ACCEPT_REJECTED |                 \
     GUARD_REDIS_ACCEPT_FREE)
#define HELD (GUARD_REDIS_TAKEN | GUARD_REDIS_HELD_SLOT | GUARD_REDIS_TRUSTS)
#define KEY "authguard:{0000000000000001}"

static const guard_redis_names_t names = {.prefix = "authguard"};
static redisContext *redis;
static guard_claim_t claim = {
    .client = {.id = 1,
               .bits = 128,
               .kind = GUARD_KIND_IP,
               .scope_name = "www"},
    .policy = {.limit = 3,
               .window_usec = apr_time_from_sec(600),
               .lockout_usec = apr_time_from_sec(900),
               .lockout_max_usec = apr_time_from_sec(3600)}};

static guard_guess_t guess(uint32_t n)
{
    guard_guess_t one = {.tag = n, .proven_tag = n, .user = 7};

    return one;
}

static guard_redis_answer_t reserve(uint32_t n, uint64_t token,
                                    uint64_t not_after_usec, uint64_t now_usec)
{
    guard_guess_t one = guess(n);
    guard_redis_call_t call;

    guard_redis_call_reserve(&call, &names, &claim, &one, token, not_after_usec,
                             TAKE, 0, 0, now_usec);
    return redis_server_ask(redis, &call);
}

static guard_redis_answer_t settle(uint32_t n, uint64_t token,
                                   guard_outcome_e outcome, uint64_t now_usec)
{
    guard_guess_t one = guess(n);
    guard_redis_call_t call;

    guard_redis_call_settle(&call, &names, &claim, &one, token, GUARD_HOLD_SLOT,
                            outcome, now_usec);
    return redis_server_ask(redis, &call);
}

static guard_redis_answer_t peek(uint64_t now_usec)
{
    guard_redis_call_t call;

    guard_redis_call_peek(&call, &names, claim.client.id, now_usec);
    return redis_server_ask(redis, &call);
}

static guard_redis_answer_t unlock(uint64_t now_usec)
{
    guard_redis_call_t call;

    guard_redis_call_unlock(&call, KEY, sizeof(KEY) - 1, 0, now_usec);
    return redis_server_ask(redis, &call);
}

static guard_redis_answer_t effect(unsigned what, uint64_t now_usec)
{
    guard_redis_call_t call;

    guard_redis_call_effect(&call, &names, &claim, what, apr_time_from_sec(2),
                            now_usec);
    return redis_server_ask(redis, &call);
}

static void forget(void) { redis_server_do(redis, "FLUSHALL"); }

/* Guesses 1 to count are wrong. @return the last answer */
static guard_redis_answer_t fail(unsigned count, uint64_t now_usec)
{
    guard_redis_answer_t answer = {.row = GUARD_ROW_FREE};

    for (uint32_t n = 1; n <= count; n++) {
        uint64_t token = 1000 + n + (now_usec - T0);

        reserve(n, token, 0, now_usec);
        answer = settle(n, token, GUARD_WRONG, now_usec);
    }
    return answer;
}

static long long keys(void) { return redis_server_number(redis, "DBSIZE"); }

static long long ttl_sec(void)
{
    return redis_server_number(redis, "TTL %s", KEY);
}

static void sent_twice(void)
{
    guard_redis_answer_t answer;

    forget();
    reserve(1, 11, 0, T0);
    answer = reserve(1, 11, 0, T0 + SEC);
    is(answer.row, GUARD_ROW_FREE, "a reservation sent again: the same row");
    is(answer.flags, HELD, "and it holds the same");
    is(reserve(1, 12, 0, T0).row, GUARD_ROW_CHECKING, "another's is not it");
    reserve(2, 13, 0, T0);
    is(reserve(3, 14, 0, T0).row, GUARD_ROW_FREE,
       "it took one place: two more fit");
    is(reserve(4, 15, 0, T0).row, GUARD_ROW_FULL, "and no third");
    settle(1, 11, GUARD_WRONG, T0);
    is(settle(1, 11, GUARD_WRONG, T0 + 601 * SEC).failures, 0,
       "settled again after its window: no failure in the next");
    is(reserve(1, 11, 0, T0 + 601 * SEC).flags & GUARD_REDIS_LATE,
       GUARD_REDIS_LATE, "what is settled is not taken any more");
    forget();
    is(fail(3, T0).flags, GUARD_REDIS_LOCKOUT | GUARD_REDIS_TRUSTS,
       "the third failure locks");
    answer = settle(3, 1003, GUARD_WRONG, T0 + SEC);
    is(answer.flags, GUARD_REDIS_LOCKOUT, "which is told again when asked so");
    is(answer.level, 1, "but happened once");
    is(settle(2, 1002, GUARD_WRONG, T0 + SEC).flags, 0, "no other told it");
}

static void late(void)
{
    forget();
    is(reserve(1, 11, T0 - 1, T0).flags, GUARD_REDIS_LATE | GUARD_REDIS_TRUSTS,
       "a reservation that comes late is told so");
    is(keys(), 0, "and takes nothing");
    is(reserve(1, 11, T0, T0).flags, HELD, "in time: taken");
    is(reserve(1, 11, T0, T0 + 1).flags, HELD,
       "sent again and late: it has its place already");
    forget();
    fail(3, T0);
    is(reserve(9, 99, T0 - 1, T0).row, GUARD_ROW_LOCKED,
       "locked is no news that can come late");
}

static void set_back(void)
{
    const uint64_t early = T0 - 7200ull * SEC;

    forget();
    fail(3, T0);
    is(peek(early).remaining_usec, apr_time_from_sec(900),
       "set back two hours: a lockout has left what it had");
    is(peek(early + 899ull * SEC).phase, GUARD_PHASE_LOCKED, "is in force");
    is(peek(early + 900ull * SEC).phase, GUARD_PHASE_CALM, "and ends in time");
    is(peek(early + 900ull * SEC).level, 1, "its level stays");
    is(peek(early + 4500ull * SEC).level, 0, "for as long as it should");
    forget();
    fail(3, T0);
    is(reserve(9, 99, 0, early).row, GUARD_ROW_LOCKED,
       "where a guess is first");
    is(peek(early + 899ull * SEC).phase, GUARD_PHASE_LOCKED, "the same");
    is(peek(early + 900ull * SEC).phase, GUARD_PHASE_CALM, "holds");
    forget();
    fail(2, T0);
    is(reserve(4, 14, 0, early).failures, 2, "failures still count");
    is(reserve(5, 15, 0, early + 2 * SEC).row, GUARD_ROW_FULL,
       "and so do places");
    is(peek(early + 599ull * SEC).failures, 2, "as long as the window is open");
    is(peek(early + 600ull * SEC).failures, 0, "which closes in time");
    forget();
    reserve(1, 11, 0, T0);
    is(reserve(1, 12, 0, early).row, GUARD_ROW_CHECKING,
       "a place that is never given back");
    settle(2, 13, GUARD_RIGHT, early);
    is(reserve(1, 14, 0, early + 602ull * SEC).row, GUARD_ROW_FREE,
       "is dropped in time");
    forget();
    settle(1, 11, GUARD_RIGHT, T0);
    settle(2, 12, GUARD_ABANDONED, early);
    is(reserve(1, 13, 0, early + 590ull * SEC).row, GUARD_ROW_PROVEN,
       "what proved right");
    is(reserve(1, 14, 0, early + 600ull * SEC).row, GUARD_ROW_FREE,
       "is proven no longer than otherwise");
    forget();
    effect(GUARD_REDIS_WAIT | GUARD_REDIS_BUSY, T0);
    for (int i = 0; i < 6; i++) {
        effect(GUARD_REDIS_WAIT, T0);
    }
    is(reserve(1, 11, 0, early).flags & GUARD_REDIS_TRUSTS, 0,
       "who waits still does");
    is(reserve(1, 12, 0, early + 5 * SEC).flags & GUARD_REDIS_TRUSTS,
       GUARD_REDIS_TRUSTS, "and not for longer");
}

static void in_time(void)
{
    forget();
    reserve(1, 11, 0, T0);
    ok(ttl_sec() > 590 && ttl_sec() <= 601, "a place: its window");
    settle(1, 11, GUARD_ABANDONED, T0);
    is(keys(), 0, "given back: the key goes");
    effect(GUARD_REDIS_WAIT, T0);
    ok(ttl_sec() >= 0 && ttl_sec() <= 4, "one who waits: as long as he may");
    effect(GUARD_REDIS_UNWAIT, T0);
    is(keys(), 0, "and no longer than he does");
    fail(3, T0);
    ok(ttl_sec() > 4490 && ttl_sec() <= 4501, "a lockout and its level: both");
    is(unlock(T0).flags, GUARD_REDIS_CHANGED, "unlocked");
    is(keys(), 0, "the key goes");
    is(unlock(T0).flags, 0, "nothing is left to unlock");
    settle(1, 12, GUARD_RIGHT, T0);
    ok(ttl_sec() > 590 && ttl_sec() <= 600, "a proof: ten minutes");
    is(unlock(T0).flags, 0, "is nothing to unlock");
    is(keys(), 1, "and stays");
    forget();
    peek(T0);
    is(keys(), 0, "who looks leaves nothing");
}

static void proofs(void)
{
    forget();
    for (uint32_t n = 1; n <= GUARD_REDIS_PROVEN_MAX + 1; n++) {
        settle(n, n, GUARD_RIGHT, T0 + n);
    }
    is(reserve(2, 100, 0, T0 + SEC).row, GUARD_ROW_PROVEN, "many are proven");
    is(reserve(1, 101, 0, T0 + SEC).row, GUARD_ROW_FREE,
       "the oldest is forgotten");
    settle(2, 102, GUARD_WRONG, T0 + SEC);
    is(reserve(2, 103, 0, T0 + SEC).row, GUARD_ROW_REPEATED,
       "and what is right no more");
    is(reserve(3, 104, 0, T0 + SEC).row, GUARD_ROW_PROVEN, "but that alone");
    is(reserve(3, 105, 0, T0 + 601 * SEC).row, GUARD_ROW_FREE,
       "until time has passed");
}

/* The same Digest answer twice: neither knows of the other. */
static void digest(void)
{
    guard_guess_t answer = {.tag = 1, .proven_tag = 2, .user = 7};
    guard_redis_call_t call;

    forget();
    for (uint64_t token = 11; token < 13; token++) {
        guard_redis_call_reserve(&call, &names, &claim, &answer, token, 0, TAKE,
                                 0, 0, T0);
        is(redis_server_ask(redis, &call).row, GUARD_ROW_FREE,
           "a Digest answer never joins");
    }
    settle(1, 12, GUARD_ABANDONED, T0);
    is(reserve(5, 15, 0, T0).row, GUARD_ROW_FREE, "each has its own place");
    settle(5, 15, GUARD_ABANDONED, T0);
    settle(1, 11, GUARD_WRONG, T0);
    guard_redis_call_reserve(&call, &names, &claim, &answer, 13, 0, TAKE, 0, 0,
                             T0);
    is(redis_server_ask(redis, &call).row, GUARD_ROW_FREE, "nor repeats");
    is(settle(1, 13, GUARD_WRONG, T0).failures, 2, "and each counts");
}

static void forgiven(void)
{
    forget();
    fail(2, T0);
    reserve(11, 21, 0, T0);
    is(settle(11, 21, GUARD_RIGHT, T0).failures, 0,
       "a user's own failures are forgiven");
    for (uint32_t n = 3; n < 5; n++) {
        reserve(n, n, 0, T0);
        settle(n, n, GUARD_WRONG, T0);
    }
    reserve(12, 22, 0, T0);
    is(settle(12, 22, GUARD_RIGHT, T0).failures, 1,
       "at most as many as the limit in a window");
}

static void clock_of_the_server(void)
{
    redisReply *time = redis_server_say(redis, "TIME");
    uint64_t before = strtoull(time->element[0]->str, NULL, 10) * SEC;
    guard_redis_answer_t answer;

    freeReplyObject(time);
    forget();
    answer = reserve(1, 11, 0, 0);
    ok(answer.server_usec >= before &&
           answer.server_usec < before + 60ull * SEC,
       "without a time given, the server's own counts");
    redis_server_do(redis, "HSET %s h %s s rubbish", KEY,
                    "1764000000123456 1 1 1 1 1 1 1 1 1 1 1");
    is(reserve(1, 12, 0, 0).row, GUARD_ROW_FREE,
       "a record of another form is none");
    is(reserve(1, 13, 0, 0).row, GUARD_ROW_CHECKING, "and is written over");
    is(redis_server_number(redis, "HEXISTS %s s", KEY), 0, "all of it");
}

/* In the compact form that Redis has for small hashes: by its name now and in
 * Redis 6. Once left, it is never taken again. */
static int is_compact(void)
{
    redisReply *reply = redis_server_say(redis, "OBJECT ENCODING %s", KEY);
    int is_so = reply->str && (!strcmp(reply->str, "listpack") ||
                               !strcmp(reply->str, "ziplist"));

    freeReplyObject(reply);
    return is_so;
}

/* The longest name and address, all slots with as many holders as there may
 * be, all proven guesses and all settled tokens: what a record can hold. */
static void compact(void)
{
    static char name[sizeof(((guard_entry_t *)NULL)->scope_name)];
    guard_claim_t usual = claim;
    redis_server_reply_t out;
    guard_redis_call_t call;
    guard_entry_t entry;
    uint64_t token = 1;

    memset(name, 'n', sizeof(name) - 1);
    memset(&claim.client.addr, 255, sizeof(claim.client.addr));
    claim.client.scope_name = name;
    claim.policy.limit = GUARD_LIMIT_MAX;
    forget();
    for (uint32_t n = 1; n <= GUARD_REDIS_PROVEN_MAX; n++) {
        settle(1000 + n, token++, GUARD_RIGHT, T0);
    }
    for (uint32_t n = 0; n < GUARD_SLOTS * GUARD_REDIS_HOLDERS_MAX; n++) {
        guard_guess_t one = guess(n % GUARD_SLOTS);

        guard_redis_call_reserve(&call, &names, &claim, &one, token++, 0,
                                 TAKE | GUARD_REDIS_ACCEPT_CHECKING, 0, 0, T0);
        redis_server_ask(redis, &call);
    }
    effect(GUARD_REDIS_WAIT | GUARD_REDIS_BUSY, T0);
    ok(is_compact(), "the largest record is compact");
    is(reserve(GUARD_SLOTS - 1, token - 1, 0, T0).flags & GUARD_REDIS_TAKEN,
       GUARD_REDIS_TAKEN, "its last holder is known");
    is(reserve(1001, token, 0, T0).row, GUARD_ROW_PROVEN, "its oldest proof");
    is(settle(1017, 17, GUARD_WRONG, T0).failures, 0,
       "its oldest settled token");
    guard_redis_call_show(&call, KEY, sizeof(KEY) - 1, T0);
    is(guard_redis_answer_read_entry(&entry,
                                     redis_server_call(redis, &call, &out)),
       APR_SUCCESS, "who it is");
    is_str(entry.scope_name, name, "with all of its name");
    freeReplyObject(out.raw);
    claim.policy.limit = 1;
    is(settle(2000, token + 1, GUARD_WRONG, T0).row, GUARD_ROW_LOCKED,
       "locked out");
    is(reserve(GUARD_SLOTS - 1, token - 1, 0, T0).flags & GUARD_REDIS_TAKEN,
       GUARD_REDIS_TAKEN, "its last holder is still known");
    is(unlock(T0).flags, GUARD_REDIS_CHANGED, "unlocked, it is short");
    is(reserve(1001, token, 0, T0).row, GUARD_ROW_PROVEN, "and whole");
    claim = usual;
}

int main(void)
{
    redis = redis_server_start();
    if (!redis) {
        return redis_server_skip();
    }
    sent_twice();
    late();
    set_back();
    in_time();
    proofs();
    digest();
    forgiven();
    clock_of_the_server();
    compact();
    redisFree(redis);
    return tap_done();
}
