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

/** Where the claims of a call are, and the stripes that are locked for it:
 *  ascending, each once. */
typedef struct guard_locked_t {
    uint32_t bucket[GUARD_CLAIMS_MAX]; /* of each claim */
    uint32_t stripe[GUARD_CLAIMS_MAX];
    unsigned stripe_count;
} guard_locked_t;

/** Lock what the claims need. @return APR_SUCCESS, or why not: then nothing
 *  is locked. */
apr_status_t guard_shm_claim_lock(guard_shm_table_t *table,
                                  const guard_claim_t *claims, unsigned count,
                                  uint64_t table_usec, guard_locked_t *locked);
void guard_shm_claim_unlock(guard_shm_table_t *table,
                            const guard_locked_t *locked);

/** Find each claim's record. Of the views there is only place then. */
void guard_shm_claim_find_locked(const guard_shm_table_t *table,
                                 const guard_claim_t *claims, unsigned count,
                                 const guard_locked_t *locked,
                                 guard_claim_view_t *views);

/** After that, copy each record out, refreshed, or begin one where there is
 *  room for it. */
void guard_shm_claim_load_locked(guard_shm_table_t *table,
                                 const guard_claim_t *claims, unsigned count,
                                 uint64_t table_usec,
                                 guard_claim_view_t *views);

/** The same for claim i of a ticket: a client that counted in the overflow
 *  record settles there, even if it has found room since. */
void guard_shm_claim_load_held_locked(guard_shm_table_t *table,
                                      const guard_ticket_t *ticket, unsigned i,
                                      const guard_locked_t *locked,
                                      uint64_t table_usec,
                                      guard_claim_view_t *view);

/** Write back what changed; what is blank leaves the table. */
void guard_shm_claim_save_locked(guard_shm_table_t *table,
                                 const guard_client_t *client,
                                 guard_claim_view_t *view);

/** A guess is about to be settled as right: have the processor fetch what
 *  noting that will look at. */
void guard_shm_claim_await_proof(const guard_shm_table_t *table,
                                 const guard_ticket_t *ticket);

/** Remember, or forget, that a guess is right from the addresses of claims. */
void guard_shm_claim_note_proof_locked(
    guard_shm_table_t *table, const guard_claim_t *claims, unsigned count,
    const guard_locked_t *locked, const guard_guess_t *guess,
    guard_outcome_e outcome, uint64_t table_usec);

/** Report where a record stands that need not be refreshed. */
void guard_shm_claim_tell_record(guard_standing_t *standing,
                                 const guard_record_t *record,
                                 uint64_t table_usec);

/** Report where the claim stands. */
void guard_shm_claim_tell(guard_standing_t *standing,
                          const guard_claim_view_t *view, uint64_t table_usec);

/** Report where each claim stands without copying a record: for a call that
 *  changes nothing. */
void guard_shm_claim_look_locked(const guard_shm_table_t *table,
                                 const guard_claim_t *claims, unsigned count,
                                 const guard_locked_t *locked,
                                 uint64_t table_usec,
                                 guard_standing_t *standings);

#endif
