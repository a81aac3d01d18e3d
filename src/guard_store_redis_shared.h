/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_shared.h: what all processes of one httpd know together
 * of its Redis server.
 *
 * Made by the parent before there are children. Every part of it can be used
 * by any thread of any process at any time, without waiting, and stays whole
 * if one is killed anywhere.
 */
#ifndef GUARD_STORE_REDIS_SHARED_H
#define GUARD_STORE_REDIS_SHARED_H

#include "guard_store_redis_breaker.h"
#include "guard_store_redis_late.h"
#include "guard_store_redis_memory.h"
#include "guard_store_provider.h"
#include "guard_store_redis_resolve.h"

typedef struct guard_redis_shared_t {
    guard_redis_breaker_t breaker;
    guard_redis_board_t board; /* the server's addresses */
    _Atomic uint64_t fallback[GUARD_REDIS_CAUSES];
    _Atomic int64_t server_offset_usec; /* its TIME less our clock */
    guard_redis_late_t late; /* settlements it is still to be told of */
    _Atomic uint64_t owed_until_usec; /* till then the table here may know of
                                         wrong guesses that it does not */
    _Atomic uint64_t tracked, locked; /* clients, at counted_usec */
    _Atomic uint64_t counted_usec;    /* 0: not counted */
    _Atomic int is_partial;
    guard_redis_memory_t memory;
} guard_redis_shared_t;

/**
 * In the parent: make it, zeroed, its memory's secret drawn; or take it over
 * from before a graceful, with what is owed, the breaker and the addresses.
 * @param kept NULL: it ends with pool, in the process that made it; else it
 * lasts until another one is made. A child keeps it till its own end.
 * @param layout what it has to do with: server, prefix and secrets. It is
 * taken over only by the same, and by a build that lays it out alike
 * @return APR_SUCCESS or the system's error
 */
apr_status_t guard_redis_shared_create(guard_redis_shared_t **shared,
                                       guard_store_kept_t *kept,
                                       uint64_t layout, apr_pool_t *pool);

/** Count one operation that went without Redis, and why. */
void guard_redis_shared_fall_back(guard_redis_shared_t *shared,
                                  guard_redis_cause_e cause);

/** Note the server's time, as it was at now_usec of our clock. */
void guard_redis_shared_set_time(guard_redis_shared_t *shared,
                                 uint64_t server_usec, uint64_t now_usec);

/** @return the server's time at now_usec of our clock; 0 if it was never
 *  heard. */
uint64_t guard_redis_shared_time(const guard_redis_shared_t *shared,
                                 uint64_t now_usec);

#endif
