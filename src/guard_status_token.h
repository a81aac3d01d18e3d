/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_status_token.h: proof that a form came from a page of ours.
 *
 * A token is a keyed hash over the user, the place and the hour. All children
 * agree on it, and it outlives a graceful restart, for so does the key.
 *
 * Pure: the clock is an argument.
 */
#ifndef GUARD_STATUS_TOKEN_H
#define GUARD_STATUS_TOKEN_H

#include "guard_key.h"

#include <apr_pools.h>

#define GUARD_TOKEN_USEC 3600000000u /* valid so long, and up to twice */

/** Whom a token is for, and for what. */
typedef struct guard_token_t {
    const char *purpose; /* "unlock", or what is told of it afterwards */
    const char *user;
    const char *realm;
    const char *host;
} guard_token_t;

/** @return the token in pool: 16 hexadecimal digits. */
const char *guard_status_token_make(apr_pool_t *pool,
                                    const guard_secret_t *secret,
                                    const guard_token_t *what,
                                    uint64_t now_usec);

/** @return 1 if text is such a token of this hour or the one before, else 0.
 *  Takes equally long whichever digit differs. */
int guard_status_token_is_good(apr_pool_t *pool, const guard_secret_t *secret,
                               const guard_token_t *what, uint64_t now_usec,
                               const char *text);

#endif
