/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * htguard_redis.h: a fleet's counts, as far as this program reaches them.
 *
 * Two programs are made of htguard's sources. htguard links APR alone; what
 * is here becomes htguard-redis there, which links the Redis store and does
 * the work.
 */
#ifndef HTGUARD_REDIS_H
#define HTGUARD_REDIS_H

#include "guard_store_shm.h"
#include "htguard_args.h"

/**
 * Open the store that ask->redis names.
 * @return APR_SUCCESS; APR_BADARG if the line is wrong, and that was told;
 * or why the store can't be had, which say() has told
 */
apr_status_t htguard_redis_open(guard_store_t **store, const htguard_ask_t *ask,
                                guard_say_fn *say, void *baton,
                                apr_pool_t *pool);

/** @return what would help against an error of that store, or NULL. */
const char *htguard_redis_remedy(apr_status_t rv);

#endif
