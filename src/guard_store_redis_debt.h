/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_debt.h: settlements that the server is owed.
 *
 * Private to guard_store_redis*.c. Any thread of any child, at any time. In a
 * tool nothing is owed.
 */
#ifndef GUARD_STORE_REDIS_DEBT_H
#define GUARD_STORE_REDIS_DEBT_H

#include "guard_store_redis_talk.h"

/** The server could not be told how that ended.
 *  @param hold what it holds for it in each claim, as far as is known */
void guard_redis_debt_owe(guard_redis_store_t *redis,
                          const guard_ticket_t *ticket, guard_hold_e hold,
                          guard_outcome_e outcome);

/**
 * These claims are about to fail in the table here, and the server will hear
 * of it later, if at all: from now on its word does not lower what is counted
 * here, until the window is over in which that failure counts.
 */
void guard_redis_debt_note(guard_redis_store_t *redis, uint64_t now_usec,
                           const guard_claim_t *claims, unsigned count);

/** @return till when the server's word does not lower a count here. It may be
 *  later from one moment to the next: for guard_store_ops_t.mirror, which looks
 *  while nobody can count. */
const _Atomic uint64_t *
guard_redis_debt_until(const guard_redis_store_t *redis);

/** Where the ticket is counted as waiting at the server, it waits no longer:
 *  it was answered without it. */
void guard_redis_debt_unwait(guard_redis_store_t *redis, guard_ticket_t *ticket,
                             const guard_claim_t *claims, unsigned count);

/** With what is left of a talk's time: tell it of some that are due. */
void guard_redis_debt_pay(guard_redis_talk_t *talk);

#endif
