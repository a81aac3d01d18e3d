/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_settle.c owns where an attempt is settled: where it was
 * admitted, and afterwards at the server, if that could not be told. It knows
 * no protocol and no counting rule.
 *
 * Invariant: a wrong guess is counted in one place at least, the table here
 * or the server, unless failure=open or closed left it to nobody.
 */
#include "guard_store_redis_after.h"
#include "guard_store_redis_ask.h"
#include "guard_store_redis_debt.h"
#include "guard_store_redis_ops.h"
#include "guard_store_redis_recall.h"

#include <string.h>

/* The server does not hear how it ended: the table here does, so that it knows
 * of it should it have to go on alone. */
static void settle_warm(guard_redis_store_t *redis, uint64_t now_usec,
                        const guard_ticket_t *ticket, guard_outcome_e outcome,
                        guard_report_t *report)
{
    guard_ticket_t copy = *ticket;

    memset(copy.hold, 0, sizeof(copy.hold));
    memset(copy.overflow, 0, sizeof(copy.overflow));
    if (redis->local && redis->options.failure == GUARD_FAILURE_LOCAL) {
        if (outcome == GUARD_WRONG) {
            guard_redis_debt_note(redis, now_usec, ticket->claim,
                                  ticket->claim_count);
        }
        redis->local->ops->settle(redis->local, now_usec, &copy, outcome,
                                  report);
    }
}

static void settle_there(guard_redis_store_t *redis, uint64_t now_usec,
                         guard_ticket_t *ticket, guard_outcome_e outcome,
                         guard_report_t *report)
{
    guard_redis_memory_t *memory = &redis->shared->memory;
    guard_redis_proof_t proof = guard_redis_recall_name(
        ticket->claim, ticket->claim_count, &ticket->guess);
    guard_redis_mark_t mark =
        guard_redis_memory_mark(memory, proof.id, now_usec);
    guard_redis_talk_t talk;
    guard_redis_cause_e cause =
        guard_redis_talk_begin(&talk, redis, ticket->away.slow_usec);

    if (cause == GUARD_REDIS_FINE) {
        cause =
            guard_redis_ask_settle(&talk, ticket, outcome, report, now_usec);
    }
    if (cause == GUARD_REDIS_FINE) {
        guard_redis_recall_learn(redis, now_usec, ticket->claim,
                                 ticket->claim_count, &mark, report);
        if (report->is_proven) {
            guard_redis_memory_prove(memory, proof.id, proof.tag, &mark);
        }
        guard_redis_after_mirror(
            redis, now_usec, ticket->claim, ticket->claim_count, report,
            outcome == GUARD_ABANDONED ? NULL : &ticket->guess, outcome);
        guard_redis_after_spread(&talk, now_usec, ticket->claim,
                                 ticket->claim_count, report);
        guard_redis_after_catch_up(&talk);
    }
    guard_redis_after_end(&talk, cause, ticket);
    if (cause != GUARD_REDIS_FINE) {
        guard_redis_debt_owe(redis, ticket,
                             ticket->away.where == GUARD_REDIS_IN_MEMORY
                                 ? GUARD_HOLD_NOTHING
                                 : GUARD_HOLD_SLOT,
                             outcome);
        settle_warm(redis, now_usec, ticket, outcome, report);
    }
}

/* What was right a moment ago was admitted unasked. Only if it is wrong now is
 * there something to count. */
static void settle_remembered(guard_redis_store_t *redis, uint64_t now_usec,
                              guard_ticket_t *ticket, guard_outcome_e outcome,
                              guard_report_t *report)
{
    if (outcome == GUARD_WRONG) {
        guard_redis_proof_t proof = guard_redis_recall_name(
            ticket->claim, ticket->claim_count, &ticket->guess);

        guard_redis_memory_disprove(&redis->shared->memory, proof.id,
                                    proof.tag);
        settle_there(redis, now_usec, ticket, outcome, report);
        return;
    }
    for (unsigned i = 0; i < ticket->claim_count; i++) {
        report->standing[i].limit = ticket->claim[i].policy.limit;
    }
}

static apr_status_t settle_local(guard_redis_store_t *redis, uint64_t now_usec,
                                 guard_ticket_t *ticket,
                                 guard_outcome_e outcome,
                                 guard_report_t *report)
{
    apr_status_t rv;

    if (outcome == GUARD_WRONG) {
        guard_redis_debt_note(redis, now_usec, ticket->claim,
                              ticket->claim_count);
    }
    rv = redis->local->ops->settle(redis->local, now_usec, ticket, outcome,
                                   report);
    if (rv == APR_SUCCESS &&
        (ticket->away.in_doubt || outcome == GUARD_WRONG)) {
        guard_redis_debt_owe(redis, ticket, GUARD_HOLD_SLOT, outcome);
    }
    return rv;
}

apr_status_t guard_redis_settle(guard_store_t *store, uint64_t now_usec,
                                guard_ticket_t *ticket, guard_outcome_e outcome,
                                guard_report_t *report)
{
    guard_redis_store_t *redis = guard_redis_store_of(store);
    apr_status_t rv = APR_SUCCESS;

    memset(report, 0, sizeof(*report));
    if (ticket->state != GUARD_TICKET_OPEN) {
        return APR_SUCCESS;
    }
    switch (ticket->away.where) {
    case GUARD_REDIS_AT_LOCAL:
        rv = settle_local(redis, now_usec, ticket, outcome, report);
        break;
    case GUARD_REDIS_AT_SERVER:
        settle_there(redis, now_usec, ticket, outcome, report);
        break;
    case GUARD_REDIS_IN_MEMORY:
        settle_remembered(redis, now_usec, ticket, outcome, report);
        break;
    default: /* GUARD_REDIS_UNCOUNTED; but a server that is back may hold a
                place for it */
        if (ticket->away.in_doubt || outcome == GUARD_WRONG) {
            guard_redis_debt_owe(redis, ticket, GUARD_HOLD_SLOT, outcome);
        }
        break;
    }
    if (rv == APR_SUCCESS) {
        ticket->state = GUARD_TICKET_CLOSED;
        /* Spent: what the attempt does next would not count under it. */
        ticket->away.token = 0;
        ticket->away.in_doubt = 0;
    }
    return rv;
}
