/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_late.h: settlements that the server could not be told of
 * in time, kept in a child until it can.
 *
 * First in, first out, and bounded: when it is full the oldest goes, whose
 * places Redis gives up by itself after a window. Any thread of the child may
 * call at any time; nobody waits for longer than an entry takes to copy.
 */
#ifndef GUARD_STORE_REDIS_LATE_H
#define GUARD_STORE_REDIS_LATE_H

#include "guard_store.h"

#define GUARD_REDIS_LATE_MAX 256 /* settlements that a child keeps */
#define GUARD_REDIS_LATE_NAME_MAX                                              \
    64 /* bytes of a scope's name, NUL included                                \
        */

/** One settlement that is owed. */
typedef struct guard_redis_owed_t {
    uint64_t due_usec; /* not to be tried before */
    uint64_t token;    /* of the reservation */
    guard_outcome_e outcome;
    guard_guess_t guess;
    unsigned claim_count;
    guard_claim_t claim[GUARD_CLAIMS_MAX]; /* push() copies the names */
    guard_hold_t hold[GUARD_CLAIMS_MAX];
    char scope_name[GUARD_CLAIMS_MAX][GUARD_REDIS_LATE_NAME_MAX]; /* ours */
} guard_redis_owed_t;

typedef struct guard_redis_late_t guard_redis_late_t;

/** In child_init. It lasts as long as pool.
 *  @return APR_SUCCESS or the system's error */
apr_status_t guard_redis_late_create(guard_redis_late_t **late,
                                     apr_pool_t *pool);

/**
 * Owe one more. Of claim[i].client.scope_name as much as fits is copied;
 * owed->scope_name need not be set.
 * @return 1 if the oldest was dropped for it, else 0
 */
int guard_redis_late_push(guard_redis_late_t *late,
                          const guard_redis_owed_t *owed);

/**
 * Take the oldest, if it is due. Names in *owed point into *owed: don't copy
 * it.
 * @return 1 with *owed set; 0 if there is none that is due
 */
int guard_redis_late_pop(guard_redis_late_t *late, uint64_t now_usec,
                         guard_redis_owed_t *owed);

/** @return how many are kept; without a lock, so for a quick look. */
unsigned guard_redis_late_count(const guard_redis_late_t *late);

#endif
