/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_recall.c owns what is remembered under which name, and how
 * a remembered lockout is reported. It knows neither server nor table.
 *
 * Invariant: a proof is believed for the very claims that it was given for; a
 * lockout for its client, whoever asks.
 */
#include "guard_store_redis_recall.h"
#include "guard_store_verdict.h"

#include <string.h>

/* By which client proofs are kept: the address, where it counts. */
static uint64_t proof_id(const guard_claim_t *claims, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (guard_verdict_is_narrow(&claims[i].client)) {
            return claims[i].client.id;
        }
    }
    return claims[0].client.id;
}

/* A proof is one for just these claims: another directory of the same scope
 * may have other limits, or count by more. */
static uint32_t proof_tag(const guard_claim_t *claims, unsigned count,
                          const guard_guess_t *guess)
{
    uint64_t mixed = guess->proven_tag;

    for (unsigned i = 0; i < count; i++) {
        mixed = (mixed ^ claims[i].client.id ^ claims[i].policy.limit) *
                0x9E3779B97F4A7C15u;
        mixed ^= mixed >> 32;
    }
    return (uint32_t)mixed;
}

guard_redis_proof_t guard_redis_recall_name(const guard_claim_t *claims,
                                            unsigned count,
                                            const guard_guess_t *guess)
{
    guard_redis_proof_t proof = {.id = proof_id(claims, count),
                                 .tag = proof_tag(claims, count, guess)};

    return proof;
}

int guard_redis_recall_lockout(const guard_redis_store_t *redis,
                               uint64_t now_usec, const guard_claim_t *claims,
                               unsigned count, guard_report_t *report)
{
    apr_interval_time_t longest_usec = 0;

    for (unsigned i = 0; i < count; i++) {
        guard_standing_t *standing = &report->standing[i];
        guard_redis_lockout_t lockout;

        standing->limit = claims[i].policy.limit;
        if (!guard_redis_memory_find_lockout(&redis->shared->memory,
                                             claims[i].client.id, now_usec,
                                             &lockout)) {
            continue;
        }
        standing->phase = GUARD_PHASE_LOCKED;
        standing->failures = lockout.failures;
        standing->level = lockout.level;
        standing->lasts_usec =
            (apr_interval_time_t)(lockout.until_usec - now_usec);
        standing->remaining_usec = standing->lasts_usec;
        if (standing->remaining_usec > longest_usec) {
            longest_usec = standing->remaining_usec;
            report->decisive = i;
        }
    }
    if (!longest_usec) {
        memset(report, 0, sizeof(*report));
        return 0;
    }
    report->verdict = GUARD_LOCKED;
    return 1;
}

void guard_redis_recall_learn(guard_redis_store_t *redis, uint64_t now_usec,
                              const guard_claim_t *claims, unsigned count,
                              const guard_redis_mark_t *mark,
                              const guard_report_t *report)
{
    for (unsigned i = 0; i < count; i++) {
        const guard_standing_t *standing = &report->standing[i];
        guard_redis_lockout_t lockout = {
            .until_usec = now_usec + (uint64_t)standing->remaining_usec,
            .failures = standing->failures,
            .limit = standing->limit,
            .level = standing->level};

        if (standing->event == GUARD_EVENT_LOCKOUT) {
            guard_redis_memory_doubt_all(&redis->shared->memory);
        }
        if (standing->phase == GUARD_PHASE_LOCKED) {
            guard_redis_memory_lock(&redis->shared->memory, claims[i].client.id,
                                    mark, &lockout);
        }
    }
}
