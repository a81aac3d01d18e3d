/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm_verdict.h: several limits, one verdict.
 *
 * All of it works on copies, while the caller holds the stripes. Private to
 * guard_store_shm*.c.
 */
#ifndef GUARD_STORE_SHM_VERDICT_H
#define GUARD_STORE_SHM_VERDICT_H

#include "guard_store_shm_claim.h"

/** @return 1 if one address makes such a client, not a network or the whole
 *  world; else 0. */
int guard_shm_verdict_is_narrow(const guard_client_t *client);

/**
 * Find the row of each claim. A guess that was right from this address was
 * right from its network, and by its user, too: what is proven for the narrow
 * kinds needs no place in the wide ones, where many people's guesses would
 * have to be remembered.
 */
void guard_shm_verdict_judge(const guard_shm_table_t *table,
                             guard_claim_view_t *views,
                             const guard_claim_t *claims, unsigned count,
                             const guard_guess_t *guess, uint64_t table_usec,
                             int has_joined);

/** Decide by the rows, and change the copies, the ticket and the report's
 *  decisive claim accordingly. */
guard_verdict_e
guard_shm_verdict_decide(guard_store_t *store, guard_claim_view_t *views,
                         const guard_claim_t *claims, unsigned count,
                         uint64_t table_usec, guard_patience_e patience,
                         guard_ticket_t *ticket, guard_report_t *report);

/** @return the claim that decides: of several lockouts the longest, of other
 *  rows the first. */
unsigned guard_shm_verdict_decisive(const guard_claim_view_t *views,
                                    unsigned count, guard_row_e row);

#endif
