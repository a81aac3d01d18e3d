/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * usage.h: whether an open store works.
 */
#ifndef USAGE_H
#define USAGE_H

#include "caller.h"

#include <apr_pools.h>

/** The limit of the clients that are counted. */
#define USAGE_LIMIT 3

/** @return the n-th of many clients; a tenant's is locked out by one mistake.
 */
guard_claim_t usage_nth(const caller_t *c, unsigned n, int tenant);

/** Use the store in every way; all counts are forgotten in between. What does
 *  not hold ends the process. */
void usage_try(guard_store_t *store, apr_pool_t *pool);

#endif
