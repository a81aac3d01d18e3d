/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_inside.h: the store as its own parts see it.
 *
 * Private to guard_store_redis*.c.
 */
#ifndef GUARD_STORE_REDIS_INSIDE_H
#define GUARD_STORE_REDIS_INSIDE_H

#include "guard_store_redis.h"
#include "guard_store_redis_listen.h"
#include "guard_store_redis_pool.h"
#include "guard_store_redis_script.h"
#include "guard_store_redis_shared.h"

typedef struct guard_redis_store_t {
    guard_store_t base;
    guard_redis_options_t options;    /* [config] */
    guard_redis_names_t names;        /* [config] */
    guard_store_t *local;             /* [fork] NULL in a tool */
    guard_say_fn *say;                /* [fork] never NULL */
    void *baton;                      /* [fork] say's */
    guard_redis_shared_t *shared;     /* [fork] */
    guard_redis_resolver_t *resolver; /* [parent] */
    guard_secret_t token_secret;      /* [fork] */
    guard_redis_pool_t *pool;         /* [child] */
    guard_redis_listen_t *listen;     /* [child] NULL in a tool */
    int goes_by_caller;               /* 1: the clock is the caller's; tests */
} guard_redis_store_t;

static inline guard_redis_store_t *guard_redis_store_of(guard_store_t *store)
{
    return (guard_redis_store_t *)store;
}

/** @return what a call shall carry for a clock: 0, Redis' own; or, where a
 *  test goes by its own, now_usec. */
static inline uint64_t guard_redis_clock(const guard_redis_store_t *redis,
                                         uint64_t now_usec)
{
    return redis->goes_by_caller ? now_usec : 0;
}

#endif
