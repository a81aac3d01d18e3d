/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_after.h: what follows once the server has answered, or has
 * not.
 *
 * Private to guard_store_redis*.c.
 */
#ifndef GUARD_STORE_REDIS_AFTER_H
#define GUARD_STORE_REDIS_AFTER_H

#include "guard_store_redis_talk.h"

/** With what is left of the talk's time: debts, and the ear for other
 *  servers. */
void guard_redis_after_catch_up(guard_redis_talk_t *talk);

/**
 * Where the report tells of a lockout that has just begun: see it sent to the
 * other servers before the one whom it locks out is told. It costs a question;
 * one that fails is not held against the server.
 */
void guard_redis_after_spread(guard_redis_talk_t *talk, uint64_t now_usec,
                              const guard_claim_t *claims, unsigned count,
                              const guard_report_t *report);

/**
 * End a talk, count the operation if it goes on without the server, and hold
 * against the attempt what it has cost.
 * @param cause of the operation, which may have been well before the talk was
 * @param ticket NULL: of no attempt
 */
void guard_redis_after_end(guard_redis_talk_t *talk, guard_redis_cause_e cause,
                           guard_ticket_t *ticket);

/** Let the local table, if there is one, know what the server said. */
void guard_redis_after_mirror(guard_redis_store_t *redis, uint64_t now_usec,
                              const guard_claim_t *claims, unsigned count,
                              const guard_report_t *report,
                              const guard_guess_t *guess,
                              guard_outcome_e outcome);

#endif
