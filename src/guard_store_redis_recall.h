/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_recall.h: what is remembered here of what the server said:
 * claims and reports on this side, the memory's words on the other.
 *
 * Private to guard_store_redis*.c. Any thread, at any time.
 */
#ifndef GUARD_STORE_REDIS_RECALL_H
#define GUARD_STORE_REDIS_RECALL_H

#include "guard_store_redis_inside.h"

/** The question whether a guess is proven for some claims. */
typedef struct guard_redis_proof_t {
    uint64_t id;  /* of the client by which proofs are kept */
    uint32_t tag; /* of the guess, for just these claims */
} guard_redis_proof_t;

/** @return under what the memory keeps that this guess is proven for these
 *  claims; the id is the address', where it counts, the tag only theirs. */
guard_redis_proof_t guard_redis_recall_name(const guard_claim_t *claims,
                                            unsigned count,
                                            const guard_guess_t *guess);

/** @return 1 with the report (zeroed before) filled in, if one of the clients
 *  is known to be locked; else 0, and the report is as it was. */
int guard_redis_recall_lockout(const guard_redis_store_t *redis,
                               uint64_t now_usec, const guard_claim_t *claims,
                               unsigned count, guard_report_t *report);

/** Remember lockouts that the server tells of. mark was taken before. */
void guard_redis_recall_learn(guard_redis_store_t *redis, uint64_t now_usec,
                              const guard_claim_t *claims, unsigned count,
                              const guard_redis_mark_t *mark,
                              const guard_report_t *report);

#endif
