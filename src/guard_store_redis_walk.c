/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_walk.c owns what goes through all clients of a prefix:
 * list, unlock, statistics. SCAN names the keys, the script shows each. It
 * decides nothing about counting.
 *
 * Invariant: no connection is held while somebody is called back; a walk looks
 * at GUARD_REDIS_WALK_MAX clients at most, each once, and for no longer than
 * GUARD_REDIS_WALK_USEC, whatever the server says; and what it says is checked
 * before it is believed.
 */
#include "guard_store_redis_walk.h"
#include "guard_store_filter.h"
#include "guard_store_redis_talk.h"

#include <apr_hash.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

#define SCAN_WORDS 6
#define CURSOR_MAX 24 /* 20 digits */

/* One page of SCAN. */
typedef struct page_t {
    char cursor[CURSOR_MAX];
    unsigned count;
    uint64_t id[GUARD_REDIS_NODES_MAX];
} page_t;

/* A walk, and what it is for. */
typedef struct walk_t {
    guard_redis_store_t *redis;
    guard_wanted_clients_t wanted;
    uint64_t now_usec;
    guard_entry_fn *each;
    void *baton;
    apr_pool_t *pool;
    apr_hash_t *seen; /* SCAN may name a key twice */
    page_t page;
    unsigned looked_at;
    uint64_t end_usec; /* by guard_store_clock() */
} walk_t;

static apr_status_t status_of(guard_redis_cause_e cause)
{
    switch (cause) {
    case GUARD_REDIS_FINE:
        return APR_SUCCESS;
    case GUARD_REDIS_TIMEOUT:
        return APR_TIMEUP;
    case GUARD_REDIS_REPLY:
        return APR_EGENERAL;
    default:
        return APR_FROM_OS_ERROR(ECONNREFUSED);
    }
}

/* A walk has time: nobody's password waits for it. */
static guard_redis_cause_e begin_step(guard_redis_talk_t *talk,
                                      guard_redis_store_t *redis)
{
    guard_redis_cause_e cause = guard_redis_talk_begin(talk, redis, 0);

    talk->deadline_usec = talk->begun_usec + (uint64_t)GUARD_REDIS_STEP_USEC;
    return cause;
}

/* SCAN's reply: the next cursor, and keys. baton: walk_t */
static apr_status_t hear_page(void *baton, unsigned index,
                              const guard_redis_reply_t *reply)
{
    walk_t *walk = baton;
    page_t *page = &walk->page;
    const guard_redis_reply_t *cursor, *keys;

    (void)index;
    if (reply->kind != GUARD_REDIS_ARRAY || reply->count != 2) {
        return APR_EGENERAL;
    }
    cursor = reply->element[0];
    keys = reply->element[1];
    if (cursor->kind != GUARD_REDIS_STRING || cursor->length >= CURSOR_MAX ||
        strspn(cursor->text, "0123456789") != cursor->length ||
        keys->kind != GUARD_REDIS_ARRAY) {
        return APR_EGENERAL;
    }
    memcpy(page->cursor, cursor->text, cursor->length + 1);
    page->count = 0;
    for (unsigned i = 0; i < keys->count; i++) {
        const guard_redis_reply_t *key = keys->element[i];
        uint64_t id = key->kind == GUARD_REDIS_STRING
                          ? guard_redis_key_read(&walk->redis->names, key->text,
                                                 key->length)
                          : 0;

        if (id) { /* others' keys may look alike */
            page->id[page->count++] = id;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t scan(walk_t *walk)
{
    const char *prefix = walk->redis->names.prefix;
    char pattern[GUARD_REDIS_KEY_MAX + 4];
    const char *argv[SCAN_WORDS] = {
        "SCAN",  walk->page.cursor, "MATCH",
        pattern, "COUNT",           APR_STRINGIFY(GUARD_REDIS_SCAN_COUNT)};
    size_t length[SCAN_WORDS];
    guard_redis_command_t command = {
        .argc = SCAN_WORDS, .argv = argv, .length = length};
    guard_redis_talk_t talk;
    guard_redis_cause_e cause = begin_step(&talk, walk->redis);

    /* A prefix has no character that a pattern knows. */
    apr_snprintf(pattern, sizeof(pattern), "%s:{*}", prefix);
    for (int i = 0; i < SCAN_WORDS; i++) {
        length[i] = strlen(argv[i]);
    }
    if (cause == GUARD_REDIS_FINE) {
        cause = guard_redis_talk_ask(&talk, &command, hear_page, walk);
    }
    guard_redis_talk_end(&talk);
    return status_of(cause);
}

/* What was shown of some clients. */
typedef struct shown_t {
    guard_entry_t entry[GUARD_REDIS_CALLS_MAX];
    int is_there[GUARD_REDIS_CALLS_MAX];
} shown_t;

static apr_status_t hear_entry(void *baton, unsigned index,
                               const guard_redis_reply_t *reply)
{
    shown_t *shown = baton;
    apr_status_t rv =
        guard_redis_answer_read_entry(&shown->entry[index], reply);

    shown->is_there[index] = rv == APR_SUCCESS;
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

static apr_status_t show(walk_t *walk, const uint64_t *ids, unsigned count,
                         shown_t *shown)
{
    guard_redis_call_t calls[GUARD_REDIS_CALLS_MAX];
    char key[GUARD_REDIS_CALLS_MAX][GUARD_REDIS_KEY_MAX];
    guard_redis_talk_t talk;
    guard_redis_cause_e cause = begin_step(&talk, walk->redis);

    memset(shown, 0, sizeof(*shown));
    for (unsigned i = 0; i < count; i++) {
        size_t length =
            guard_redis_key_write(key[i], &walk->redis->names, ids[i]);

        guard_redis_call_show(&calls[i], key[i], length,
                              guard_redis_clock(walk->redis, walk->now_usec));
    }
    if (cause == GUARD_REDIS_FINE) {
        cause = guard_redis_talk_call(&talk, calls, count, hear_entry, shown);
    }
    guard_redis_talk_end(&talk);
    for (unsigned i = 0; i < count; i++) {
        shown->entry[i].id = ids[i];
    }
    return status_of(cause);
}

static int is_wanted(const walk_t *walk, const guard_entry_t *entry)
{
    guard_filtered_t client = {.id = entry->id,
                               .kind = entry->kind,
                               .counted = entry->counted,
                               .addr = entry->addr,
                               .bits = entry->bits,
                               .scope = entry->scope,
                               .scope_name = entry->scope_name,
                               .is_locked = entry->phase == GUARD_PHASE_LOCKED};

    return guard_filter_means(&walk->wanted, &client);
}

/* Show some of a page's clients to whoever walks. */
static apr_status_t visit(walk_t *walk, const uint64_t *ids, unsigned count)
{
    shown_t shown;
    apr_status_t rv = show(walk, ids, count, &shown);

    for (unsigned i = 0; rv == APR_SUCCESS && i < count; i++) {
        if (shown.is_there[i] && is_wanted(walk, &shown.entry[i])) {
            rv = walk->each(walk->baton, &shown.entry[i]);
        }
    }
    return rv;
}

/* Leave those of a page that were not seen before, as far as the walk goes. */
static void sift(walk_t *walk)
{
    page_t *page = &walk->page;
    unsigned kept = 0;

    for (unsigned i = 0;
         i < page->count && walk->looked_at < GUARD_REDIS_WALK_MAX; i++) {
        uint64_t *id;

        if (apr_hash_get(walk->seen, &page->id[i], sizeof(*id))) {
            continue;
        }
        id = apr_pmemdup(walk->pool, &page->id[i], sizeof(*id));
        apr_hash_set(walk->seen, id, sizeof(*id), id);
        page->id[kept++] = *id;
        walk->looked_at++;
    }
    page->count = kept;
}

/* @return APR_SUCCESS to go on, or why not. */
static apr_status_t may_go_on(const walk_t *walk)
{
    const volatile sig_atomic_t *stop = walk->wanted.filter->stop;

    if (stop && *stop) {
        return APR_EINTR;
    }
    return guard_store_clock() < walk->end_usec ? APR_SUCCESS : APR_TIMEUP;
}

static apr_status_t go_through(walk_t *walk)
{
    apr_status_t rv = APR_SUCCESS;

    strcpy(walk->page.cursor, "0");
    do {
        rv = may_go_on(walk);
        if (rv == APR_SUCCESS) {
            rv = scan(walk);
        }
        if (rv == APR_SUCCESS) {
            sift(walk);
        }
        for (unsigned i = 0; rv == APR_SUCCESS && i < walk->page.count;
             i += GUARD_REDIS_CALLS_MAX) {
            unsigned left = walk->page.count - i;

            rv = visit(walk, &walk->page.id[i],
                       left < GUARD_REDIS_CALLS_MAX ? left
                                                    : GUARD_REDIS_CALLS_MAX);
            rv = rv == APR_SUCCESS ? may_go_on(walk) : rv;
        }
    } while (rv == APR_SUCCESS && strcmp(walk->page.cursor, "0") &&
             walk->looked_at < GUARD_REDIS_WALK_MAX);
    return rv;
}

static apr_status_t walk_all(guard_redis_store_t *redis, uint64_t now_usec,
                             const guard_filter_t *filter, guard_entry_fn *each,
                             void *baton, unsigned *looked_at)
{
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, NULL);
    walk_t *walk;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    walk = apr_pcalloc(pool, sizeof(*walk));
    walk->redis = redis;
    walk->wanted = guard_filter_prepare(filter, &redis->base.table_secret);
    walk->now_usec = now_usec;
    walk->each = each;
    walk->baton = baton;
    walk->pool = pool;
    walk->seen = apr_hash_make(pool);
    walk->end_usec = guard_store_clock() + (uint64_t)GUARD_REDIS_WALK_USEC;
    rv = go_through(walk);
    *looked_at = walk->looked_at;
    apr_pool_destroy(pool);
    return rv;
}

/* Whether the table here has to speak. Nobody may have asked for a password
 * for a long time: who looks at the store tries the server as well. */
static int is_away(guard_redis_store_t *redis)
{
    guard_redis_breaker_t *breaker = &redis->shared->breaker;
    guard_redis_talk_t talk;

    if (!redis->local || !guard_redis_breaker_is_open(breaker)) {
        return 0;
    }
    guard_redis_talk_begin(&talk, redis, 0);
    guard_redis_talk_end(&talk);
    return guard_redis_breaker_is_open(breaker);
}

apr_status_t guard_redis_walk_iterate(guard_store_t *store, uint64_t now_usec,
                                      const guard_filter_t *filter,
                                      guard_entry_fn *each, void *baton)
{
    guard_redis_store_t *redis = guard_redis_store_of(store);
    unsigned looked_at;

    return is_away(redis)
               ? redis->local->ops->iterate(redis->local, now_usec, filter,
                                            each, baton)
               : walk_all(redis, now_usec, filter, each, baton, &looked_at);
}

/* Whom to unlock, and how many were. */
typedef struct unlock_t {
    guard_redis_store_t *redis;
    uint64_t now_usec;
    int locked_only;
    unsigned count;
} unlock_t;

static apr_status_t unlock_entry(void *baton, const guard_entry_t *entry)
{
    unlock_t *unlock = baton;
    guard_redis_store_t *redis = unlock->redis;
    char key[GUARD_REDIS_KEY_MAX];
    size_t length = guard_redis_key_write(key, &redis->names, entry->id);
    guard_redis_call_t call;
    guard_redis_answer_t answer;
    guard_redis_talk_t talk;
    guard_redis_cause_e cause = begin_step(&talk, redis);

    guard_redis_call_unlock(&call, key, length, unlock->locked_only,
                            guard_redis_clock(redis, unlock->now_usec));
    if (cause == GUARD_REDIS_FINE) {
        cause = guard_redis_talk_answers(&talk, &call, 1, &answer);
    }
    guard_redis_talk_end(&talk);
    if (cause == GUARD_REDIS_FINE) {
        unlock->count += (answer.flags & GUARD_REDIS_CHANGED) != 0;
    }
    return status_of(cause);
}

apr_status_t guard_redis_walk_unlock(guard_store_t *store, uint64_t now_usec,
                                     const guard_filter_t *filter,
                                     unsigned *count)
{
    guard_redis_store_t *redis = guard_redis_store_of(store);
    unlock_t unlock = {.redis = redis,
                       .now_usec = now_usec,
                       .locked_only = filter->locked_only};
    unsigned looked_at, here = 0;
    int was_away = is_away(redis);
    apr_status_t rv = APR_SUCCESS;

    if (redis->local) { /* what it knows of the same clients */
        rv = redis->local->ops->unlock(redis->local, now_usec, filter, &here);
    }
    if (!was_away) {
        rv = walk_all(redis, now_usec, filter, unlock_entry, &unlock,
                      &looked_at);
    }
    guard_redis_memory_forget_lockouts(&redis->shared->memory);
    atomic_store(&redis->shared->counted_usec, 0);
    *count = was_away ? here : unlock.count;
    return rv;
}

static apr_status_t count_entry(void *baton, const guard_entry_t *entry)
{
    guard_stats_t *stats = baton;

    stats->clients_tracked++;
    stats->clients_locked += entry->phase == GUARD_PHASE_LOCKED;
    return APR_SUCCESS;
}

/* Count the fleet's clients, or take what was counted a moment ago: monitors
 * of all servers ask, and each count is a walk. */
static apr_status_t count_clients(guard_redis_store_t *redis, uint64_t now_usec,
                                  guard_stats_t *stats)
{
    static const guard_filter_t all;
    guard_redis_shared_t *shared = redis->shared;
    uint64_t counted_usec = atomic_load(&shared->counted_usec);
    guard_stats_t fleet = {.clients_tracked = 0};
    unsigned looked_at = 0;
    apr_status_t rv;

    if (!counted_usec || redis->goes_by_caller ||
        now_usec - counted_usec >= (uint64_t)GUARD_REDIS_COUNTED_USEC) {
        rv = walk_all(redis, now_usec, &all, count_entry, &fleet, &looked_at);
        if (rv != APR_SUCCESS && rv != APR_TIMEUP) {
            return rv;
        }
        atomic_store(&shared->tracked, fleet.clients_tracked);
        atomic_store(&shared->locked, fleet.clients_locked);
        atomic_store(&shared->is_partial,
                     rv == APR_TIMEUP || looked_at >= GUARD_REDIS_WALK_MAX);
        atomic_store(&shared->counted_usec, now_usec);
    }
    stats->clients_tracked = atomic_load(&shared->tracked);
    stats->clients_locked = atomic_load(&shared->locked);
    stats->is_partial = atomic_load(&shared->is_partial);
    stats->table_size = GUARD_REDIS_WALK_MAX;
    return APR_SUCCESS;
}

/* Counters are this server's, clients the fleet's. Without the server it is
 * the table here that is told of. */
apr_status_t guard_redis_walk_stats(guard_store_t *store, uint64_t now_usec,
                                    guard_stats_t *stats)
{
    guard_redis_store_t *redis = guard_redis_store_of(store);
    apr_status_t rv = APR_SUCCESS;

    memset(stats, 0, sizeof(*stats));
    if (redis->local) {
        rv = redis->local->ops->stats(redis->local, now_usec, stats);
    }
    for (int i = 0; i < GUARD_FALLBACK_MAX; i++) {
        stats->fallback[i] = atomic_load(&redis->shared->fallback[i + 1]);
    }
    stats->is_down = is_away(redis);
    if (rv != APR_SUCCESS || stats->is_down) {
        return rv;
    }
    rv = count_clients(redis, now_usec, stats);
    if (rv != APR_SUCCESS && redis->local) {
        stats->is_down = 1;
        return APR_SUCCESS;
    }
    return rv;
}
