/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_breaker.h: whether the server is asked at all.
 *
 * One breaker stands for all processes, in memory they share. Three failures
 * in a row open it, or one reply that refuses us; then one caller a second is
 * let through, and his success closes it. Nobody waits here, any thread of any
 * process may call at any time, and one killed anywhere leaves it whole.
 *
 * What says "changed" says so to one caller a change, whoever races, so that
 * he may log it and count it.
 */
#ifndef GUARD_STORE_REDIS_BREAKER_H
#define GUARD_STORE_REDIS_BREAKER_H

#include "guard_store_redis_wire.h"

#include <apr_time.h>
#include <stdatomic.h>
#include <stdint.h>

#define GUARD_REDIS_ERRORS_MAX 3 /* failures in a row that open it */
#define GUARD_REDIS_PROBE_USEC apr_time_from_sec(1) /* from probe to probe */

/** Zeroed: closed. */
typedef struct guard_redis_breaker_t {
    _Atomic uint64_t word; /* see guard_store_redis_breaker.c */
} guard_redis_breaker_t;

/** What a caller may do. */
typedef enum {
    GUARD_REDIS_PASS = 1, /* ask the server */
    GUARD_REDIS_PROBE,    /* ask it, for all: success closes the breaker */
    GUARD_REDIS_STOP      /* don't: GUARD_REDIS_BREAKER is the cause */
} guard_redis_leave_e;

/** Before the server is asked. */
guard_redis_leave_e guard_redis_breaker_ask(guard_redis_breaker_t *breaker,
                                            uint64_t now_usec);

/**
 * The server has answered as it should.
 * @param leave what guard_redis_breaker_ask said
 * @return 1 if that closed the breaker, else 0
 */
int guard_redis_breaker_succeed(guard_redis_breaker_t *breaker,
                                guard_redis_leave_e leave);

/**
 * The server has not. A pool without a free connection is no failure of the
 * server's: don't call.
 * @param cause TIMEOUT and CONNECTION count, REPLY opens at once; others are
 * ignored
 * @return 1 if that opened the breaker, else 0
 */
int guard_redis_breaker_fail(guard_redis_breaker_t *breaker,
                             guard_redis_cause_e cause, uint64_t now_usec);

/** @return 1 if it is open, else 0. */
int guard_redis_breaker_is_open(const guard_redis_breaker_t *breaker);

/** @return how often it has opened and closed, modulo 2^22. */
unsigned guard_redis_breaker_changes(const guard_redis_breaker_t *breaker);

#endif
