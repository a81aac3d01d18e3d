/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm_claim.h: the records behind the claims of one call.
 *
 * Private to guard_store_shm*.c.
 */
#ifndef GUARD_STORE_SHM_CLAIM_H
#define GUARD_STORE_SHM_CLAIM_H

#include "guard_store_shm_table.h"
#include "guard_store_verdict.h"

/** A claim's record while its stripe is locked. */
typedef struct guard_claim_view_t {
    guard_shm_place_t place;
    int placed;                   /* place is its own, found or promised */
    guard_record_t record;        /* a copy, refreshed */
    const guard_policy_t *policy; /* the claim's, but not in every overflow */
    int changed;
} guard_claim_view_t;

/** The stripes of a call, ascending, each once. */
typedef struct guard_stripe_set_t {
    uint32_t stripe[GUARD_CLAIMS_MAX];
    unsigned count;
} guard_stripe_set_t;

/** Lock what the claims need. @return APR_SUCCESS, or why not: then nothing
 *  is locked. */
apr_status_t guard_shm_claim_lock(guard_shm_table_t *table,
                                  const guard_claim_t *claims, unsigned count,
                                  guard_stripe_set_t *set);
void guard_shm_claim_unlock(guard_shm_table_t *table,
                            const guard_stripe_set_t *set);

/** Find each claim's record, or room for it, and copy it out, refreshed. */
void guard_shm_claim_load_locked(guard_shm_table_t *table,
                                 const guard_claim_t *claims, unsigned count,
                                 uint64_t table_usec,
                                 guard_claim_view_t *views);

/** The same for claim i of a ticket: a client that counted in the overflow
 *  record settles there, even if it has found room since. */
void guard_shm_claim_load_held_locked(guard_shm_table_t *table,
                                      const guard_ticket_t *ticket, unsigned i,
                                      uint64_t table_usec,
                                      guard_claim_view_t *view);

/** Write back what changed; what is blank leaves the table. */
void guard_shm_claim_save_locked(guard_shm_table_t *table,
                                 const guard_client_t *client,
                                 guard_claim_view_t *view);

/** Report where the claim stands. */
void guard_shm_claim_tell(guard_standing_t *standing,
                          const guard_claim_view_t *view, uint64_t table_usec);

#endif
