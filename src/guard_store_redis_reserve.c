/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_reserve.c owns where a guess is counted: by what is known
 * here, at the server, or without it. It knows no protocol and no counting
 * rule.
 *
 * Invariant: without an answer nothing is concluded but that there was none;
 * and a reserve that may have left a place at the server is owed to it.
 */
#include "guard_store_redis_after.h"
#include "guard_store_redis_ask.h"
#include "guard_store_redis_debt.h"
#include "guard_store_redis_ops.h"
#include "guard_store_redis_recall.h"

#include <string.h>

static void open_ticket(guard_ticket_t *ticket, const guard_claim_t *claims,
                        unsigned count, int where)
{
    memcpy(ticket->claim, claims, count * sizeof(claims[0]));
    ticket->claim_count = count;
    ticket->state = GUARD_TICKET_OPEN;
    ticket->away.where = (uint8_t)where;
}

/* failure=open: only this server's own limit of checks holds. */
static void admit_uncounted(const guard_claim_t *claims, unsigned count,
                            guard_patience_e patience, guard_ticket_t *ticket,
                            guard_report_t *report)
{
    if (ticket->no_check) {
        ticket->away.where = GUARD_REDIS_UNCOUNTED;
        report->lacks_check = 1;
        report->verdict =
            patience == GUARD_MAY_WAIT ? GUARD_WAIT : GUARD_OVERLOAD;
        return;
    }
    open_ticket(ticket, claims, count, GUARD_REDIS_UNCOUNTED);
    report->verdict = GUARD_ADMIT;
}

static apr_status_t reserve_local(guard_store_t *local, uint64_t now_usec,
                                  const guard_claim_t *claims, unsigned count,
                                  guard_patience_e patience,
                                  guard_ticket_t *ticket,
                                  guard_report_t *report)
{
    guard_guess_t guess = ticket->guess;

    ticket->away.where = GUARD_REDIS_AT_LOCAL;
    return local->ops->reserve(local, now_usec, claims, count, &guess, patience,
                               ticket, report);
}

/* Without the server. What is refused here may have a place there. */
static apr_status_t reserve_here(guard_redis_store_t *redis, uint64_t now_usec,
                                 const guard_claim_t *claims, unsigned count,
                                 guard_patience_e patience,
                                 guard_ticket_t *ticket, guard_report_t *report)
{
    apr_status_t rv = APR_SUCCESS;

    memset(report, 0, sizeof(*report));
    if (redis->options.failure == GUARD_FAILURE_CLOSED || !redis->local) {
        report->verdict = GUARD_OVERLOAD;
    } else if (redis->options.failure == GUARD_FAILURE_OPEN) {
        admit_uncounted(claims, count, patience, ticket, report);
    } else {
        rv = reserve_local(redis->local, now_usec, claims, count, patience,
                           ticket, report);
    }
    if (rv == APR_SUCCESS && ticket->away.in_doubt &&
        report->verdict != GUARD_ADMIT && report->verdict != GUARD_WAIT) {
        guard_ticket_t refused = *ticket;

        open_ticket(&refused, claims, count, ticket->away.where);
        guard_redis_debt_owe(redis, &refused, GUARD_HOLD_SLOT, GUARD_ABANDONED);
        ticket->away.in_doubt = 0;
    }
    return rv;
}

static apr_status_t admit_from_memory(const guard_redis_store_t *redis,
                                      const guard_claim_t *claims,
                                      unsigned count, guard_ticket_t *ticket,
                                      guard_report_t *report)
{
    memset(ticket->hold, 0, sizeof(ticket->hold));
    open_ticket(ticket, claims, count, GUARD_REDIS_IN_MEMORY);
    ticket->away.token = guard_redis_ask_token(redis);
    report->verdict = GUARD_ADMIT;
    report->is_proven = 1;
    return APR_SUCCESS;
}

/* The server has decided. */
static void learn(guard_redis_store_t *redis, uint64_t now_usec,
                  const guard_redis_mark_t *mark, const guard_claim_t *claims,
                  unsigned count, const guard_ticket_t *ticket,
                  const guard_report_t *report)
{
    guard_redis_memory_t *memory = &redis->shared->memory;
    guard_redis_proof_t proof =
        guard_redis_recall_name(claims, count, &ticket->guess);

    guard_redis_recall_learn(redis, now_usec, claims, count, mark, report);
    if (report->verdict == GUARD_ADMIT && report->is_proven &&
        !ticket->has_joined) { /* who has joined may not have been trusted */
        guard_redis_memory_prove(memory, proof.id, proof.tag, mark);
    } else if (report->verdict == GUARD_BUSY ||
               report->verdict == GUARD_OVERLOAD ||
               (report->verdict == GUARD_WAIT && !report->is_join)) {
        guard_redis_memory_doubt(memory, proof.id);
    }
    if (report->verdict != GUARD_WAIT) {
        guard_redis_after_mirror(redis, now_usec, claims, count, report, NULL,
                                 GUARD_ABANDONED);
    }
}

static guard_redis_cause_e
reserve_there(guard_redis_store_t *redis, uint64_t now_usec,
              const guard_claim_t *claims, unsigned count,
              guard_patience_e patience, guard_ticket_t *ticket,
              guard_report_t *report)
{
    guard_redis_mark_t mark = guard_redis_memory_mark(
        &redis->shared->memory,
        guard_redis_recall_name(claims, count, &ticket->guess).id, now_usec);
    guard_redis_talk_t talk;
    guard_redis_ask_t ask = {.talk = &talk,
                             .claims = claims,
                             .count = count,
                             .patience = patience,
                             .ticket = ticket,
                             .report = report,
                             .now_usec = now_usec};
    guard_redis_cause_e cause =
        guard_redis_talk_begin(&talk, redis, ticket->away.slow_usec);

    if (cause == GUARD_REDIS_FINE) {
        cause = guard_redis_ask_reserve(&ask);
    }
    if (cause == GUARD_REDIS_FINE) {
        ticket->away.where = GUARD_REDIS_AT_SERVER;
        learn(redis, now_usec, &mark, claims, count, ticket, report);
        guard_redis_after_spread(&talk, now_usec, claims, count, report);
        guard_redis_after_catch_up(&talk);
    }
    if (cause != GUARD_REDIS_FINE && talk.is_in_doubt) {
        ticket->away.in_doubt = 1;
    }
    guard_redis_after_end(&talk, cause, ticket);
    return cause;
}

apr_status_t guard_redis_reserve(guard_store_t *store, uint64_t now_usec,
                                 const guard_claim_t *claims, unsigned count,
                                 const guard_guess_t *guess,
                                 guard_patience_e patience,
                                 guard_ticket_t *ticket, guard_report_t *report)
{
    guard_redis_store_t *redis = guard_redis_store_of(store);
    guard_redis_memory_t *memory = &redis->shared->memory;
    guard_redis_proof_t proof = guard_redis_recall_name(claims, count, guess);
    uint64_t since_usec;

    memset(report, 0, sizeof(*report));
    ticket->guess = *guess;
    if (ticket->away.where == GUARD_REDIS_AT_LOCAL ||
        ticket->away.where == GUARD_REDIS_UNCOUNTED) {
        return reserve_here(redis, now_usec, claims, count, patience, ticket,
                            report);
    }
    since_usec = redis->listen ? guard_redis_listen_look(redis->listen) : 0;
    if (guard_redis_recall_lockout(redis, now_usec, claims, count, report)) {
        guard_redis_debt_unwait(redis, ticket, claims, count);
        return APR_SUCCESS;
    }
    switch (guard_redis_memory_find(memory, proof.id, proof.tag, since_usec,
                                    now_usec)) {
    case GUARD_REDIS_FRESH:
        guard_redis_debt_unwait(redis, ticket, claims, count);
        return admit_from_memory(redis, claims, count, ticket, report);
    case GUARD_REDIS_UNKNOWN:
        guard_redis_memory_doubt(memory, proof.id);
        break;
    default:
        break;
    }
    if (reserve_there(redis, now_usec, claims, count, patience, ticket,
                      report) == GUARD_REDIS_FINE) {
        return APR_SUCCESS;
    }
    guard_redis_debt_unwait(redis, ticket, claims, count);
    return reserve_here(redis, now_usec, claims, count, patience, ticket,
                        report);
}
