/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_ops.h: reserve and settle of guard_store_ops_t.
 *
 * Private to guard_store_redis*.c.
 */
#ifndef GUARD_STORE_REDIS_OPS_H
#define GUARD_STORE_REDIS_OPS_H

#include "guard_store.h"

/** Which part has an attempt: guard_ticket_t.away.where. */
enum {
    GUARD_REDIS_NOWHERE = 0,
    GUARD_REDIS_AT_SERVER,
    GUARD_REDIS_IN_MEMORY, /* proven a moment ago: the server was not asked */
    GUARD_REDIS_AT_LOCAL,
    GUARD_REDIS_UNCOUNTED /* failure=open, while the server is away */
};

/** guard_store_ops_t.reserve and settle. They fail only as the local store
 *  does; a server that is away is failure= in force, and no error. */
apr_status_t guard_redis_reserve(guard_store_t *store, uint64_t now_usec,
                                 const guard_claim_t *claims, unsigned count,
                                 const guard_guess_t *guess,
                                 guard_patience_e patience,
                                 guard_ticket_t *ticket,
                                 guard_report_t *report);

apr_status_t guard_redis_settle(guard_store_t *store, uint64_t now_usec,
                                guard_ticket_t *ticket, guard_outcome_e outcome,
                                guard_report_t *report);

extern const guard_store_ops_t guard_store_redis_ops;

#endif
