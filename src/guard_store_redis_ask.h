/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_ask.h: reserve, settle and peek as questions to Redis.
 *
 * Private to guard_store_redis*.c. All return the talk's cause; on anything
 * but FINE report and ticket say nothing, but for ticket->waiting, which says
 * where the server may count a waiter, and talk->is_in_doubt tells whether
 * the server may hold places under ticket->away.token.
 */
#ifndef GUARD_STORE_REDIS_ASK_H
#define GUARD_STORE_REDIS_ASK_H

#include "guard_store_redis_talk.h"

/** @return a name for a reservation that no other has, on any server, but for
 *  one chance in 2^64 a pair; never 0. Any thread. */
uint64_t guard_redis_ask_token(const guard_redis_store_t *redis);

/** One reserve, as the contract has it. */
typedef struct guard_redis_ask_t {
    guard_redis_talk_t *talk;
    const guard_claim_t *claims;
    unsigned count;
    guard_patience_e patience;
    guard_ticket_t *ticket; /* its guess is set */
    guard_report_t *report; /* zeroed */
    uint64_t now_usec;
} guard_redis_ask_t;

/** Reserve; report and ticket are set as guard_store_ops_t.reserve says. */
guard_redis_cause_e guard_redis_ask_reserve(const guard_redis_ask_t *ask);

/** Settle an open ticket under its token; report is zeroed. is_proven then
 *  tells that the guess is proven from now on, and trusted. */
guard_redis_cause_e guard_redis_ask_settle(guard_redis_talk_t *talk,
                                           const guard_ticket_t *ticket,
                                           guard_outcome_e outcome,
                                           guard_report_t *report,
                                           uint64_t now_usec);

/** See where the claims stand; report is zeroed. */
guard_redis_cause_e guard_redis_ask_peek(guard_redis_talk_t *talk,
                                         const guard_claim_t *claims,
                                         unsigned count, guard_report_t *report,
                                         uint64_t now_usec);

#endif
