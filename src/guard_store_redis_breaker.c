/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_breaker.c owns the decision whether the server is asked.
 * It knows no connection and no log.
 *
 * All of it is one word, so each change is one step that one caller makes:
 *
 *     63                     24 23    22 21               0
 *     |  next probe at, in ms  | errors |  changes so far  |
 *
 * Invariant: the breaker is open where the number of changes is odd, and each
 * step is made by exactly one compare-and-swap.
 */
#include "guard_store_redis_breaker.h"

#define PROBE_SHIFT 24
#define ERRORS_SHIFT 22
#define ERRORS_MASK 3u
#define CHANGES_MASK 0x3fffffu

_Static_assert(GUARD_REDIS_ERRORS_MAX - 1 <= ERRORS_MASK, "they fit");

static int is_open(uint64_t word) { return word & 1; }

static unsigned errors_of(uint64_t word)
{
    return (unsigned)(word >> ERRORS_SHIFT) & ERRORS_MASK;
}

/* The other phase: no errors, no probe yet. */
static uint64_t changed(uint64_t word) { return (word + 1) & CHANGES_MASK; }

/* Rounded up: two probes are never less than a second apart. */
static uint64_t next_probe(uint64_t now_usec)
{
    return (now_usec + GUARD_REDIS_PROBE_USEC + 999) / 1000 << PROBE_SHIFT;
}

guard_redis_leave_e guard_redis_breaker_ask(guard_redis_breaker_t *breaker,
                                            uint64_t now_usec)
{
    uint64_t word = atomic_load(&breaker->word);
    uint64_t next;

    do {
        if (!is_open(word)) {
            return GUARD_REDIS_PASS;
        }
        if (now_usec / 1000 < word >> PROBE_SHIFT) {
            return GUARD_REDIS_STOP;
        }
        next = (word & CHANGES_MASK) | next_probe(now_usec);
    } while (!atomic_compare_exchange_weak(&breaker->word, &word, next));
    return GUARD_REDIS_PROBE;
}

int guard_redis_breaker_succeed(guard_redis_breaker_t *breaker,
                                guard_redis_leave_e leave)
{
    uint64_t word = atomic_load(&breaker->word);
    uint64_t next;

    do {
        /* What was asked before it opened says nothing of now. */
        if (is_open(word) ? leave != GUARD_REDIS_PROBE : !errors_of(word)) {
            return 0;
        }
        next = is_open(word) ? changed(word) : word & CHANGES_MASK;
    } while (!atomic_compare_exchange_weak(&breaker->word, &word, next));
    return is_open(word);
}

int guard_redis_breaker_fail(guard_redis_breaker_t *breaker,
                             guard_redis_cause_e cause, uint64_t now_usec)
{
    uint64_t word = atomic_load(&breaker->word);
    uint64_t next;

    if (cause != GUARD_REDIS_TIMEOUT && cause != GUARD_REDIS_CONNECTION &&
        cause != GUARD_REDIS_REPLY) {
        return 0;
    }
    do {
        if (is_open(word)) {
            return 0;
        }
        next = word + (UINT64_C(1) << ERRORS_SHIFT);
        if (cause == GUARD_REDIS_REPLY ||
            errors_of(word) + 1 >= GUARD_REDIS_ERRORS_MAX) {
            next = changed(word) | next_probe(now_usec);
        }
    } while (!atomic_compare_exchange_weak(&breaker->word, &word, next));
    return is_open(next);
}

int guard_redis_breaker_is_open(const guard_redis_breaker_t *breaker)
{
    return is_open(atomic_load(&breaker->word));
}

unsigned guard_redis_breaker_changes(const guard_redis_breaker_t *breaker)
{
    return (unsigned)atomic_load(&breaker->word) & CHANGES_MASK;
}
