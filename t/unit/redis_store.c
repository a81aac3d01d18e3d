/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_store.c: the store contract, run against the store in Redis, with a
 * table in shared memory behind it as in a server: by connections as a tool
 * has them, and as a child has them, with its memory and its ear.
 */
#include "store_contract.h"
#include "store_contract_time.h"
#include "store_contract_walk.h"
#include "redis_server.h"
#include "shm.h"

#include "guard_store_redis_inside.h"

static guard_store_t *open_store(guard_store_t *local, const char *prefix,
                                 apr_pool_t *pool)
{
    char url[120], prefix_word[40];
    const char *words[] = {url, prefix_word, "timeout=5s", NULL};
    const char *culprit, *remedy;
    guard_redis_options_t options;
    guard_store_t *store = NULL;

    snprintf(url, sizeof url, "unix:%s", redis_server_path);
    snprintf(prefix_word, sizeof prefix_word, "prefix=%s", prefix);
    remedy = guard_redis_options_read(&options, words, &culprit, pool);
    if (remedy || guard_store_redis_open(&store, &options, local, NULL,
                                         shm_hear, NULL, pool) != APR_SUCCESS) {
        printf("Bail out! can't open: %s\n", remedy ? remedy : shm_said);
        exit(1);
    }
    guard_redis_store_of(store)->goes_by_caller = 1;
    return store;
}

/* Who waited, and is then answered by what is known here, waits no longer. */
static void a_waiter_answered_here_is_taken_back(guard_store_t *store,
                                                 uint64_t now_usec)
{
    guard_redis_late_t *late = &guard_redis_store_of(store)->shared->late;
    caller_t c = {.store = store, .now_usec = now_usec, .scope = "waiters"};
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 1);
    guard_ticket_t holder = {0}, waiter = {0};
    unsigned before;

    caller_reserve(&c, &claim, 1, "a:1", GUARD_MAY_WAIT, &holder);
    is(caller_reserve(&c, &claim, 1, "b:1", GUARD_MAY_WAIT, &waiter),
       GUARD_WAIT, "one waits");
    caller_settle(&c, &holder, GUARD_WRONG);
    before = guard_redis_late_count(late);
    is(caller_reserve(&c, &claim, 1, "b:1", GUARD_MAY_WAIT, &waiter),
       GUARD_LOCKED, "a lockout that is known here ends that");
    is(guard_redis_late_count(late), before + 1, "and the server is owed it");
    is(waiter.waiting[0], 0, "once");
}

int main(void)
{
    uint64_t now_usec = (uint64_t)apr_time_from_sec(1000000);
    redisContext *context;
    guard_store_t *local, *store;

    shm_begin();
    context = redis_server_start();
    if (!context) {
        return redis_server_skip();
    }
    local = shm_serve(4096, NULL);
    shm_said[0] = '\0';
    store = open_store(local, "one", shm_pool);
    is(guard_store_redis_child_init(store, 4, shm_pool), APR_SUCCESS,
       "a child's connections");
    contract_reserve(store, now_usec);
    contract_time(store, now_usec);
    contract_walk(store, now_usec);
    a_waiter_answered_here_is_taken_back(store, now_usec);
    shm_is_sound(local, now_usec, "the table behind it");
    is_str(shm_said, "", "and nothing had to be said");
    guard_redis_pool_destroy(guard_redis_store_of(store)->pool);
    guard_redis_listen_destroy(guard_redis_store_of(store)->listen);
    redisFree(context);
    shm_close();
    return tap_done();
}
