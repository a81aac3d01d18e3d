/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_open.c owns how the store comes to be: its secrets, the
 * memory all children share, the first look at the server, and the
 * connections of a child. It knows no operation.
 *
 * Invariant: nothing here makes a connection in the parent that a child would
 * inherit, and a server that is away stops no start.
 */
#include "guard_store_redis.h"
#include "guard_store_redis_ops.h"
#include "guard_store_redis_talk.h"

#include <apr_strings.h>

#include <string.h>

static void say_nothing(void *baton, guard_say_e level, const char *id,
                        const char *sentence)
{
    (void)baton;
    (void)level;
    (void)id;
    (void)sentence;
}

/* Without a secret of the fleet's its servers still have to name clients
 * alike. Whoever knows how can make two of his own clients share a count, and
 * nobody else's. */
static const guard_secret_t known_to_all = {"mod_auth_guard"};

static apr_status_t take_secrets(guard_redis_store_t *redis)
{
    const guard_redis_options_t *options = &redis->options;

    redis->base.table_secret = options->has_secret
                                   ? options->secret[GUARD_REDIS_SECRET_TABLE]
                                   : known_to_all;
    if (redis->local) { /* it is to know the same clients */
        redis->local->table_secret = redis->base.table_secret;
    }
    if (options->has_secret) {
        redis->base.guess_secret = options->secret[GUARD_REDIS_SECRET_GUESS];
    } else if (redis->local) {
        redis->base.guess_secret = redis->local->guess_secret;
    } else {
        return guard_secret_draw(&redis->base.guess_secret);
    }
    return APR_SUCCESS;
}

static void say(const guard_redis_store_t *redis, guard_say_e level,
                const char *id, const char *what, const char *why)
{
    char sentence[1024];

    apr_snprintf(sentence, sizeof(sentence), "redis: %s: server=%s: %s", what,
                 redis->options.target.label, why);
    redis->say(redis->baton, level, id, sentence);
}

/* What came back to the first question. */
typedef struct first_t {
    guard_redis_wire_t *wire;
    int is_refused;
} first_t;

static void hear_first(void *baton, unsigned index,
                       const guard_redis_reply_t *reply)
{
    first_t *first = baton;

    (void)index;
    if (reply->kind == GUARD_REDIS_ERROR) {
        guard_redis_wire_blame(first->wire, reply);
        first->is_refused = 1;
    }
}

/* Everything that the script ever does, by its text: a replica, a cluster, a
 * server that is full or forbids something says so. */
static guard_redis_cause_e probe(guard_redis_store_t *redis,
                                 guard_redis_wire_t *wire,
                                 uint64_t deadline_usec)
{
    first_t first = {.wire = wire};
    guard_redis_call_t call;
    guard_redis_command_t command;
    guard_redis_cause_e cause;

    guard_redis_call_probe(&call, &redis->names, 0);
    guard_redis_call_by_text(&call);
    command.argc = call.argc;
    command.argv = call.argv;
    command.length = call.length;
    cause = guard_redis_wire_ask(wire, &command, 1, deadline_usec, hear_first,
                                 &first);
    return cause == GUARD_REDIS_FINE && first.is_refused ? GUARD_REDIS_REPLY
                                                         : cause;
}

/* A first look: what is wrong shows at the start, and not with the first
 * guess. A tool may be let do less than a server. */
static guard_redis_cause_e look(guard_redis_store_t *redis, apr_pool_t *pool)
{
    guard_redis_cause_e cause = GUARD_REDIS_CONNECTION;
    uint64_t deadline_usec =
        guard_store_clock() + (uint64_t)redis->options.timeout_usec;
    guard_redis_wire_t *wire;
    guard_redis_found_t found;

    if (guard_redis_wire_create(&wire, &redis->options.target, pool) !=
        APR_SUCCESS) {
        return cause;
    }
    guard_redis_board_read(&redis->shared->board, &found);
    cause = guard_redis_wire_connect(wire, found.address, found.count,
                                     deadline_usec);
    if (cause == GUARD_REDIS_FINE && redis->local) {
        cause = probe(redis, wire, deadline_usec);
    }
    if (cause != GUARD_REDIS_FINE) {
        say(redis, GUARD_SAY_WARNING, "AG0303", "not reached at start",
            guard_redis_wire_trouble(wire));
    }
    guard_redis_wire_close(wire);
    return cause;
}

/* A tool is its own child, and has one thread. */
static apr_status_t close_tool(void *data)
{
    guard_redis_store_t *redis = data;

    guard_redis_pool_destroy(redis->pool);
    return APR_SUCCESS;
}

static apr_status_t open_tool(guard_redis_store_t *redis, apr_pool_t *pool,
                              guard_redis_cause_e cause)
{
    apr_status_t rv;

    if (cause != GUARD_REDIS_FINE) {
        return cause == GUARD_REDIS_TIMEOUT ? APR_TIMEUP
               : cause == GUARD_REDIS_REPLY ? APR_EGENERAL
                                            : APR_FROM_OS_ERROR(ECONNREFUSED);
    }
    rv = guard_redis_pool_create(&redis->pool, &redis->options.target, 1,
                                 redis->options.timeout_usec);
    if (rv == APR_SUCCESS) {
        apr_pool_cleanup_register(pool, redis, close_tool,
                                  apr_pool_cleanup_null);
    }
    return rv;
}

/* What is kept in common goes for one server, prefix and pair of secrets. */
static uint64_t fingerprint(const guard_redis_store_t *redis, apr_pool_t *pool)
{
    const char *where = apr_pstrcat(pool, redis->options.target.label, " ",
                                    redis->options.prefix, NULL);

    return guard_key_hash(&redis->base.guess_secret, where, strlen(where)) ^
           guard_key_hash(&redis->base.table_secret, where, strlen(where));
}

static apr_status_t prepare(guard_redis_store_t *redis,
                            guard_store_kept_t *kept, apr_pool_t *pool)
{
    const char *fault =
        guard_redis_target_prepare(&redis->options.target, pool);
    apr_status_t rv;

    if (fault) {
        say(redis, GUARD_SAY_ERROR, "AG0304", "can't be used", fault);
        return APR_EINVAL;
    }
    rv = take_secrets(redis);
    if (rv == APR_SUCCESS) {
        rv = guard_redis_shared_create(&redis->shared, kept,
                                       fingerprint(redis, pool), pool);
    }
    return rv == APR_SUCCESS ? guard_secret_draw(&redis->token_secret) : rv;
}

apr_status_t guard_store_redis_open(guard_store_t **store,
                                    const guard_redis_options_t *options,
                                    guard_store_t *local,
                                    guard_store_kept_t *kept,
                                    guard_say_fn *told, void *baton,
                                    apr_pool_t *pool)
{
    guard_redis_store_t *redis = apr_pcalloc(pool, sizeof(*redis));
    guard_redis_cause_e cause;
    apr_status_t rv, found_rv;

    guard_redis_script_init();
    redis->base.ops = &guard_store_redis_ops;
    redis->base.wait_usec = local ? local->wait_usec : GUARD_WAIT_USEC_DEFAULT;
    redis->base.is_far = 1;
    redis->options = *options;
    redis->names.prefix = redis->options.prefix;
    redis->local = local;
    redis->say = told ? told : say_nothing;
    redis->baton = baton;
    rv = prepare(redis, kept, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    redis->resolver = guard_redis_resolve_open(
        &redis->shared->board, &redis->options.target, guard_redis_lookup,
        guard_store_clock(), &found_rv, pool);
    cause = look(redis, pool);
    *store = &redis->base;
    return local ? APR_SUCCESS : open_tool(redis, pool, cause);
}

static unsigned connections(const guard_redis_store_t *redis, unsigned threads)
{
    unsigned most = redis->options.connections ? redis->options.connections
                                               : GUARD_REDIS_CONNECTIONS_MAX;

    return threads < most ? (threads ? threads : 1) : most;
}

apr_status_t guard_store_redis_child_init(guard_store_t *store,
                                          unsigned threads, apr_pool_t *pool)
{
    guard_redis_store_t *redis = guard_redis_store_of(store);
    apr_status_t rv = guard_redis_pool_create(
        &redis->pool, &redis->options.target, connections(redis, threads),
        redis->options.timeout_usec);

    (void)pool;
    if (rv == APR_SUCCESS) {
        rv = guard_redis_listen_create(&redis->listen, &redis->options.target,
                                       redis->options.prefix,
                                       &redis->shared->memory);
    }
    return rv;
}

void guard_store_redis_monitor(guard_store_t *store)
{
    guard_redis_store_t *redis = guard_redis_store_of(store);

    guard_redis_resolve_again(
        redis->resolver, guard_redis_breaker_is_open(&redis->shared->breaker),
        guard_store_clock());
}
