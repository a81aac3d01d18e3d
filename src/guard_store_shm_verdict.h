/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm_verdict.h: what a verdict does to the records.
 *
 * All of it works on copies, while the caller holds the stripes. Private to
 * guard_store_shm*.c.
 */
#ifndef GUARD_STORE_SHM_VERDICT_H
#define GUARD_STORE_SHM_VERDICT_H

#include "guard_store_shm_claim.h"

/** Find what each claim's record, and the memory of proofs, say of the
 *  guess. */
void guard_shm_verdict_judge(const guard_shm_table_t *table,
                             guard_claim_view_t *views,
                             const guard_claim_t *claims, unsigned count,
                             const guard_guess_t *guess, uint64_t table_usec,
                             int has_joined, guard_opinion_t *opinions);

/**
 * Admit a guess, the ticket's, that is proven in the records of all claims, and
 * that never waited: it holds nothing, so that nothing is copied or changed.
 * Good requests are mostly of that sort.
 * @return 1; or 0, and then nothing was done
 */
int guard_shm_verdict_admit_proven(const guard_shm_table_t *table,
                                   const guard_claim_view_t *views,
                                   const guard_claim_t *claims, unsigned count,
                                   uint64_t table_usec, guard_ticket_t *ticket,
                                   guard_report_t *report);

/** Decide by the opinions, and change the copies, the ticket and the report's
 *  decisive claim accordingly. */
guard_verdict_e guard_shm_verdict_decide(
    guard_store_t *store, guard_claim_view_t *views, guard_opinion_t *opinions,
    const guard_claim_t *claims, unsigned count, uint64_t table_usec,
    guard_patience_e patience, guard_ticket_t *ticket, guard_report_t *report);

#endif
