/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis.c owns the order of things in the store that a fleet
 * shares: what is known here already, what the server says, and what is done
 * without it. It knows no protocol and no counting rule.
 *
 *     known to be locked, or proven a moment ago -----> answered from memory
 *            |
 *        the server ----- answers -----> memory and local table learn of it
 *            |
 *     away, slow, refuses ------> failure=local   the table here counts
 *                                         open    admitted, uncounted
 *                                         closed  refused as overload
 *
 * Where an attempt was admitted is where it is settled. What the server has
 * not been told, because it was away, it is told when it is back, as far as
 * there is room to remember it; and no answer of the server lowers what was
 * counted here meanwhile.
 *
 * Invariant: what the server said is in force here; what it could not say is
 * not guessed at.
 */
#include "guard_store_redis.h"
#include "guard_store_redis_after.h"
#include "guard_store_redis_ask.h"
#include "guard_store_redis_ops.h"
#include "guard_store_redis_recall.h"
#include "guard_store_redis_walk.h"

#include <string.h>

static apr_status_t peek_here(guard_redis_store_t *redis, uint64_t now_usec,
                              const guard_claim_t *claims, unsigned count,
                              guard_report_t *report)
{
    memset(report, 0, sizeof(*report));
    report->verdict = GUARD_ADMIT;
    return redis->local && redis->options.failure == GUARD_FAILURE_LOCAL
               ? redis->local->ops->peek(redis->local, now_usec, claims, count,
                                         report)
               : APR_SUCCESS;
}

static apr_status_t redis_peek(guard_store_t *store, uint64_t now_usec,
                               const guard_claim_t *claims, unsigned count,
                               guard_report_t *report)
{
    guard_redis_store_t *redis = guard_redis_store_of(store);
    guard_redis_mark_t mark;
    guard_redis_talk_t talk;
    guard_redis_cause_e cause;

    memset(report, 0, sizeof(*report));
    if (redis->listen) {
        guard_redis_listen_look(redis->listen);
    }
    if (guard_redis_recall_lockout(redis, now_usec, claims, count, report)) {
        return APR_SUCCESS;
    }
    mark = guard_redis_memory_mark(&redis->shared->memory, claims[0].client.id,
                                   now_usec);
    cause = guard_redis_talk_begin(&talk, redis, 0);
    if (cause == GUARD_REDIS_FINE) {
        cause = guard_redis_ask_peek(&talk, claims, count, report, now_usec);
    }
    if (cause == GUARD_REDIS_FINE) {
        guard_redis_recall_learn(redis, now_usec, claims, count, &mark, report);
        guard_redis_after_catch_up(&talk);
    }
    guard_redis_after_end(&talk, cause, NULL);
    return cause == GUARD_REDIS_FINE
               ? APR_SUCCESS
               : peek_here(redis, now_usec, claims, count, report);
}

/* Nobody tells a server what another one counts. */
static apr_status_t redis_mirror(guard_store_t *store, uint64_t now_usec,
                                 const guard_claim_t *claims, unsigned count,
                                 const guard_standing_t *standings,
                                 const _Atomic uint64_t *keeps_until_usec,
                                 const guard_guess_t *guess,
                                 guard_outcome_e outcome)
{
    (void)store;
    (void)now_usec;
    (void)claims;
    (void)count;
    (void)standings;
    (void)keeps_until_usec;
    (void)guess;
    (void)outcome;
    return APR_ENOTIMPL;
}

static void redis_tally(guard_store_t *store, guard_counter_e counter)
{
    guard_store_t *local = guard_redis_store_of(store)->local;

    if (local) {
        local->ops->tally(local, counter);
    }
}

const guard_store_ops_t guard_store_redis_ops = {
    "redis",
    guard_redis_reserve,
    guard_redis_settle,
    redis_peek,
    guard_redis_walk_unlock,
    guard_redis_walk_iterate,
    guard_redis_walk_stats,
    redis_mirror,
    redis_tally,
};
