/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_access.c shows that the script needs its one key, its channel and the
 * few commands that the docs list: with them all of it works, and a probe finds
 * out if any is missing. And what else is between C and the script: its name,
 * the keys, the words on the channel, and answers that can't be its own.
 */
#include "redis_server.h"
#include "tap.h"

#include <inttypes.h>

#define KEY "authguard:{0000000000000001}"
#define PROBE "authguard:{0000000000000000}"
/* As in docs/fleet.md, but for what the connection itself needs. */
#define RULES                                                                  \
    "ACL SETUSER guard reset on >secret ~" KEY " ~" PROBE                      \
    " &authguard:events -@all +eval +evalsha +time +hmget +hset +pexpire "     \
    "+del +publish"

static const char *const COMMANDS[] = {"eval", "time",    "hmget",  "hset",
                                       "del",  "pexpire", "publish"};
static const guard_redis_names_t names = {.prefix = "authguard"};
static const guard_guess_t guess = {.tag = 1, .proven_tag = 1, .user = 7};
static redisContext *admin, *redis;
static guard_claim_t claim = {
    .client = {.id = 1, .bits = 128, .kind = GUARD_KIND_IP},
    .policy = {.limit = 1,
               .window_usec = apr_time_from_sec(600),
               .lockout_usec = apr_time_from_sec(900),
               .lockout_max_usec = apr_time_from_sec(3600)}};

/* @return 1 for an answer, 0 for an error reply */
static int is_answered(guard_redis_call_t *call)
{
    redis_server_reply_t out;
    guard_redis_answer_t answer;
    apr_status_t rv =
        guard_redis_answer_read(&answer, redis_server_call(redis, call, &out));

    freeReplyObject(out.raw);
    return rv == APR_SUCCESS;
}

static guard_redis_answer_t reserve(void)
{
    guard_redis_call_t call;

    guard_redis_call_reserve(&call, &names, &claim, &guess, 11, 0, 7, 0, 0, 0);
    return redis_server_ask(redis, &call);
}

static guard_redis_answer_t settle(void)
{
    guard_redis_call_t call;

    guard_redis_call_settle(&call, &names, &claim, &guess, 11, GUARD_HOLD_SLOT,
                            GUARD_WRONG, 0);
    return redis_server_ask(redis, &call);
}

static int probe(void)
{
    guard_redis_call_t call;

    guard_redis_call_probe(&call, &names, 0);
    return is_answered(&call);
}

/* What the user may is asked at each command, so one connection will do. */
static void as_the_user(void)
{
    guard_redis_call_t call;
    guard_claim_t other = claim;

    redis_server_do(admin, RULES);
    redis_server_do(redis, "AUTH guard secret");
    ok(probe(), "a probe as the user that the docs describe");
    is(redis_server_number(admin, "DBSIZE"), 0, "leaves nothing");
    is(reserve().row, GUARD_ROW_FREE, "reserves");
    is(settle().flags, GUARD_REDIS_LOCKOUT | GUARD_REDIS_TRUSTS,
       "settles, and a lockout begins");
    guard_redis_call_peek(&call, &names, 1, 0);
    is(redis_server_ask(redis, &call).row, GUARD_ROW_LOCKED, "peeks");
    guard_redis_call_effect(&call, &names, &claim, 7, 1, 0);
    is(redis_server_ask(redis, &call).row, GUARD_ROW_LOCKED, "waits");
    guard_redis_call_unlock(&call, KEY, sizeof(KEY) - 1, 1, 0);
    is(redis_server_ask(redis, &call).flags, GUARD_REDIS_CHANGED, "unlocks");
    is(redis_server_number(admin, "DBSIZE"), 0, "and all of it in one key");
    other.client.id = 2;
    guard_redis_call_reserve(&call, &names, &other, &guess, 11, 0, 7, 0, 0, 0);
    ok(!is_answered(&call), "another key is forbidden");
}

static void without_a_command(void)
{
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
        redis_server_do(admin, RULES);
        redis_server_do(admin, "ACL SETUSER guard -%s", COMMANDS[i]);
        if (i == 0) {
            redis_server_do(admin, "SCRIPT FLUSH");
        }
        ok(!probe(), "a probe finds out that %s is forbidden", COMMANDS[i]);
        redis_server_do(admin, RULES);
        ok(probe(), "and that it isn't any more");
    }
    redis_server_do(admin, "ACL SETUSER guard resetchannels");
    ok(!probe(), "a probe finds out that the channel is forbidden");
    redis_server_do(admin, RULES);
}

static void on_a_replica(void)
{
    redis_server_do(admin, "REPLICAOF 127.0.0.1 1");
    ok(!probe(), "a probe finds out a replica");
    redis_server_do(admin, "REPLICAOF NO ONE");
    redis_server_do(admin, "CONFIG SET maxmemory 1");
    ok(!probe(), "and a server that is full");
    redis_server_do(admin, "CONFIG SET maxmemory 0");
    ok(probe(), "and that it is neither");
}

static void hear(redisContext *ear, const char *word)
{
    redisReply *reply = NULL;

    if (redisGetReply(ear, (void **)&reply) != REDIS_OK || !reply ||
        reply->elements != 3) {
        ok(0, "the channel is told: %s", word);
        return;
    }
    is_str(reply->element[2]->str, word, "the channel is told");
    freeReplyObject(reply);
}

static void told(void)
{
    struct timeval patience = {.tv_sec = 20};
    redisContext *ear = redis_server_connect();
    guard_redis_call_t call;

    redisSetTimeout(ear, patience);
    freeReplyObject(redis_server_say(ear, "SUBSCRIBE authguard:events"));
    reserve();
    settle();
    settle();
    guard_redis_call_unlock(&call, KEY, sizeof(KEY) - 1, 1, 0);
    redis_server_ask(redis, &call);
    redis_server_ask(redis, &call);
    ok(probe(), "a lockout, an unlock and a probe");
    hear(ear, "locked");
    hear(ear, "unlocked");
    hear(ear, "probe");
    redisFree(ear);
}

static void named(void)
{
    const guard_redis_script_t *script = guard_redis_script();
    redisReply *reply = redis_server_say(admin, "SCRIPT LOAD %s", script->text);
    char key[GUARD_REDIS_KEY_MAX];
    guard_redis_names_t other = {.prefix = "authguard:{"};
    size_t length;

    is_str(reply->str, script->sha, "its name is the SHA-1 of what is sent");
    freeReplyObject(reply);
    ok(!strstr(script->text, "--"), "and that is without comments");
    length = guard_redis_key_write(key, &names, 0xfedcba9876543210u);
    is_str(key, "authguard:{fedcba9876543210}", "a client's key");
    ok(guard_redis_key_read(&names, key, length) == 0xfedcba9876543210u,
       "is read again");
    ok(!guard_redis_key_read(&names, key, length - 1), "but not cut");
    key[20] = 'G';
    ok(!guard_redis_key_read(&names, key, length), "nor changed");
    key[20] = '}';
    ok(!guard_redis_key_read(&names, key, length), "nor ended early");
    ok(!guard_redis_key_read(&other, KEY, sizeof(KEY) - 1),
       "nor under another prefix");
    ok(!guard_redis_key_read(&names, PROBE, sizeof(PROBE) - 1),
       "and the probe's is no client's");
}

/* An answer that the script could give, and what one value makes of it. */
static void believed(void)
{
    static const long long FINE[] = {1764000000000000, 8, 2, 1, 3, 0, 600};
    static const struct change_t {
        const char *what;
        unsigned at;
        long long value;
    } CHANGES[] = {
        {"no time", 0, 0},
        {"a time before all", 0, -1},
        {"no row", 1, 0},
        {"a row too many", 1, 9},
        {"flags below any", 2, -1},
        {"a flag too many", 2, 512},
        {"no phase", 3, -1},
        {"a phase too many", 3, 3},
        {"failures below none", 4, -1},
        {"failures beyond any limit", 4, GUARD_LIMIT_MAX + 1},
        {"a level below none", 5, -1},
        {"a level too many", 5, 256},
        {"an end in the past", 6, -1},
        {"an end too far away", 6, GUARD_LOCKOUT_USEC_MAX + 1},
    };
    guard_redis_reply_t value[8],
        reply = {.kind = GUARD_REDIS_ARRAY, .count = 7};
    const guard_redis_reply_t *element[8];
    guard_redis_answer_t answer = {.failures = 77};

    reply.element = element;
    memset(value, 0, sizeof(value));
    for (unsigned i = 0; i < 8; i++) {
        element[i] = &value[i];
        value[i].kind = GUARD_REDIS_INTEGER;
        value[i].integer = i < 7 ? FINE[i] : 0;
    }
    for (size_t i = 0; i < sizeof(CHANGES) / sizeof(CHANGES[0]); i++) {
        value[CHANGES[i].at].integer = CHANGES[i].value;
        is(guard_redis_answer_read(&answer, &reply), APR_EGENERAL,
           CHANGES[i].what);
        value[CHANGES[i].at].integer = FINE[CHANGES[i].at];
    }
    value[4].kind = GUARD_REDIS_STRING;
    is(guard_redis_answer_read(&answer, &reply), APR_EGENERAL, "a text");
    value[4].kind = GUARD_REDIS_INTEGER;
    reply.count = 6;
    is(guard_redis_answer_read(&answer, &reply), APR_EGENERAL, "too few");
    reply.count = 8;
    is(guard_redis_answer_read(&answer, &reply), APR_EGENERAL, "too many");
    reply.count = 7;
    reply.kind = GUARD_REDIS_ERROR;
    is(guard_redis_answer_read(&answer, &reply), APR_EGENERAL, "an error");
    is(guard_redis_answer_read(&answer, NULL), APR_EGENERAL, "nothing");
    is(answer.failures, 77, "none of which is believed");
    reply.kind = GUARD_REDIS_ARRAY;
    is(guard_redis_answer_read(&answer, &reply), APR_SUCCESS, "a real one is");
    is(answer.failures, 3, "and says what it says");
}

/* @return what is made of a show that says this of who the client is */
static apr_status_t shown(const char *meta, guard_entry_t *entry)
{
    guard_redis_reply_t value[11],
        reply = {.kind = GUARD_REDIS_ARRAY, .count = 11};
    const guard_redis_reply_t *element[11];

    reply.element = element;
    memset(value, 0, sizeof(value));
    for (unsigned i = 0; i < 11; i++) {
        element[i] = &value[i];
        value[i].kind = GUARD_REDIS_INTEGER;
        value[i].integer = i < 2; /* a time, and a row */
    }
    value[10].kind = GUARD_REDIS_STRING;
    value[10].text = meta;
    value[10].length = strlen(meta);
    return guard_redis_answer_read_entry(entry, &reply);
}

#define ADDR "00000000000000000000ffffc0000207"
#define SCOPE "fedcba9876543210"
#define META ADDR " " SCOPE " www"

static void described(void)
{
    static const char *const BAD[] = {
        "nonsense",
        "0 0 128 0 " META,
        "5 0 128 0 " META,
        "1 2 128 0 " META,
        "1 0 129 0 " META,
        "1 0 128 10 " META,
        "1 0 128 0 0" META,
        "1 0 128 0 " ADDR " " SCOPE,
        "1 0 128 0 " ADDR " 0" SCOPE " www",
        "1 0 128 0 zz" META,
        "1 0 128 0 " ADDR "00 " SCOPE " www",
        "1 0 128 0 c00002 " SCOPE " www",
        "1 0 128 0 c000020 " SCOPE " www",
        "1 0 128 0",
    };
    char name[400], prefix[100];
    guard_redis_names_t longest = {.prefix = prefix};
    guard_claim_t other = claim;
    guard_redis_call_t call;
    guard_entry_t entry = {.id = 5};

    is(shown("", &entry), APR_NOTFOUND, "nobody");
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        is(shown(BAD[i], &entry), APR_EGENERAL, BAD[i]);
    }
    is(shown("4 1 120 1 " META, &entry), APR_SUCCESS, "somebody");
    ok(entry.id == 5 && entry.kind == GUARD_KIND_LOGIN && entry.bits == 120 &&
           entry.counted == GUARD_COUNTED_OBSERVED &&
           entry.addr.byte[15] == 7 && entry.scope == 0xfedcba9876543210u &&
           !strcmp(entry.scope_name, "www"),
       "who is who it should be");
    is(shown("1 0 128 0 c0000207 " SCOPE " www", &entry), APR_SUCCESS,
       "an IPv4 address");
    ok(guard_addr_is_v4(&entry.addr) && entry.addr.byte[15] == 7,
       "is its last four bytes");
    is(shown("3 0 0 0  " SCOPE " www", &entry), APR_SUCCESS, "and no address");
    ok(!memcmp(&entry.addr, &other.client.addr, sizeof(entry.addr)),
       "is all zeros");
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    memset(prefix, 'p', sizeof(prefix));
    prefix[GUARD_REDIS_PREFIX_MAX] = '\0';
    other.client.scope_name = name;
    memset(&other.client.addr, 255, sizeof(other.client.addr));
    other.client.id = other.client.scope = UINT64_MAX;
    memset(&other.policy, 127, sizeof(other.policy));
    guard_redis_call_reserve(&call, &longest, &other, &guess, UINT64_MAX,
                             UINT64_MAX, 31, 1, 1, UINT64_MAX);
    ok(call.used < sizeof(call.text), "the longest call has room");
    is(shown(call.argv[call.argc - 1], &entry), APR_SUCCESS,
       "and a name too long is cut");
}

int main(void)
{
    redis = redis_server_start();
    if (!redis) {
        return redis_server_skip();
    }
    admin = redis_server_connect();
    as_the_user();
    without_a_command();
    on_a_replica();
    told();
    named();
    believed();
    described();
    redisFree(redis);
    redisFree(admin);
    return tap_done();
}
