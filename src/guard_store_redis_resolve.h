/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_resolve.h: where the server's name leads.
 *
 * A name is looked up by the parent as it opens the store, and from then on by
 * a process that the parent begins now and then. What was found lies in memory
 * that all children share; no request and not the parent ever waits for a
 * look-up. What can't be looked up leaves the addresses that were found before.
 */
#ifndef GUARD_STORE_REDIS_RESOLVE_H
#define GUARD_STORE_REDIS_RESOLVE_H

#include "guard_store_redis_wire.h"

#include <apr_pools.h>
#include <apr_time.h>
#include <stdatomic.h>

#define GUARD_REDIS_ADDRESSES_MAX 8 /* of one name */
/* From look-up to look-up; and while the breaker is open, or nothing was ever
 * found. */
#define GUARD_REDIS_RESOLVE_USEC apr_time_from_sec(60)
#define GUARD_REDIS_RESOLVE_SOON_USEC apr_time_from_sec(10)
#define GUARD_REDIS_RESOLVE_SEC_MAX 30 /* then the process is ended */

/** What a look-up found. */
typedef struct guard_redis_found_t {
    unsigned count;
    guard_redis_address_t address[GUARD_REDIS_ADDRESSES_MAX];
} guard_redis_found_t;

#define GUARD_REDIS_FOUND_WORDS ((sizeof(guard_redis_found_t) + 7) / 8)

/** What all children see; zeroed: no address. One process writes at a time. */
typedef struct guard_redis_board_t {
    _Atomic uint64_t version; /* its lowest bit: which side is valid */
    _Atomic uint64_t side[2][GUARD_REDIS_FOUND_WORDS];
} guard_redis_board_t;

/** Write what was found; one that is killed meanwhile has written nothing. */
void guard_redis_board_write(guard_redis_board_t *board,
                             const guard_redis_found_t *found);

/** Read what was written last. Any thread of any process, at any time. */
void guard_redis_board_read(const guard_redis_board_t *board,
                            guard_redis_found_t *found);

/** Look host up, for as long as it takes.
 *  @return APR_SUCCESS with at least one address, or why there is none */
typedef apr_status_t guard_redis_lookup_fn(guard_redis_found_t *found,
                                           const char *host, apr_port_t port);

/** getaddrinfo's way. */
guard_redis_lookup_fn guard_redis_lookup;

typedef struct guard_redis_resolver_t guard_redis_resolver_t;

/**
 * In the parent: look target's host up, unless the board knows it from before
 * a graceful: then that is good until resolve_again, for nobody is served while
 * this takes. For a unix socket, and for an address in figures, it is never
 * looked up again.
 * @param lookup guard_redis_lookup, but in a test
 * @param rv of that look-up; there is a resolver even if it failed
 * @return what the other calls want, in pool, with which its process ends
 */
guard_redis_resolver_t *
guard_redis_resolve_open(guard_redis_board_t *board,
                         const guard_redis_target_t *target,
                         guard_redis_lookup_fn *lookup, uint64_t now_usec,
                         apr_status_t *rv, apr_pool_t *pool);

/**
 * In the parent, as often as you like: begin a look-up if it is time, end one
 * that takes too long. Never waits.
 * @param is_open 1: the breaker is open, which makes it time sooner
 * @return 1 if one was begun, else 0
 */
int guard_redis_resolve_again(guard_redis_resolver_t *resolver, int is_open,
                              uint64_t now_usec);

#endif
