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

/** With what is left of a talk's time: tell it of some that are due. */
void guard_redis_debt_pay(guard_redis_talk_t *talk);

#endif
