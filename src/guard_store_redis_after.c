/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_after.c owns what is done besides, when an operation has
 * been to the server. It knows no verdict.
 *
 * Invariant: none of it changes what the operation came to, and all of it
 * together stays within the operation's time.
 */
#include "guard_store_redis_after.h"
#include "guard_store_redis_debt.h"

/* Of the time an operation may take, so much is not held against the attempt
 * when it asks again: it waits, and asks often. */
#define SWIFT_SHARE 8
#define SWIFT_USEC_MAX apr_time_from_msec(6)

void guard_redis_after_catch_up(guard_redis_talk_t *talk)
{
    guard_redis_store_t *redis = talk->redis;

    guard_redis_debt_pay(talk);
    if (redis->listen && talk->cause == GUARD_REDIS_FINE &&
        guard_redis_listen_is_due(redis->listen, talk->begun_usec)) {
        guard_redis_found_t found;

        guard_redis_board_read(&redis->shared->board, &found);
        guard_redis_listen_mend(redis->listen, &found, talk->begun_usec,
                                talk->deadline_usec);
    }
}

/* A script's messages leave with the reply to who called it, but in an order
 * that is Redis' own. In Redis 6 and 7 all of them have left before it reads
 * what comes next (handleClientsWithPendingWrites in its networking.c); in
 * newer ones and in Valkey, unless threads of their own write (io-threads). */
void guard_redis_after_spread(guard_redis_talk_t *talk, uint64_t now_usec,
                              const guard_claim_t *claims, unsigned count,
                              const guard_report_t *report)
{
    const guard_redis_store_t *redis = talk->redis;
    guard_redis_call_t call;
    guard_redis_answer_t unused;

    for (unsigned i = 0; i < count; i++) {
        if (report->standing[i].event == GUARD_EVENT_LOCKOUT) {
            guard_redis_call_peek(&call, &redis->names, claims[i].client.id,
                                  guard_redis_clock(redis, now_usec));
            guard_redis_talk_answers(talk, &call, 1, &unused);
            /* What was asked for is done. If the server is gone, whoever asks
             * next will find out. */
            talk->is_servers_fault = 0;
            return;
        }
    }
}

void guard_redis_after_end(guard_redis_talk_t *talk, guard_redis_cause_e cause,
                           guard_ticket_t *ticket)
{
    apr_interval_time_t took_usec =
        (apr_interval_time_t)(guard_store_clock() - talk->begun_usec);
    apr_interval_time_t swift_usec =
        talk->redis->options.timeout_usec / SWIFT_SHARE;

    if (swift_usec > SWIFT_USEC_MAX) {
        swift_usec = SWIFT_USEC_MAX;
    }
    guard_redis_talk_end(talk);
    if (cause != GUARD_REDIS_FINE) {
        guard_redis_shared_fall_back(talk->redis->shared, cause);
    }
    if (ticket && took_usec > swift_usec) {
        ticket->away.slow_usec += took_usec - swift_usec;
    }
}

void guard_redis_after_mirror(guard_redis_store_t *redis, uint64_t now_usec,
                              const guard_claim_t *claims, unsigned count,
                              const guard_report_t *report,
                              const guard_guess_t *guess,
                              guard_outcome_e outcome)
{
    if (redis->local) {
        redis->local->ops->mirror(
            redis->local, now_usec, claims, count, report->standing,
            guard_redis_debt_until(redis), guess, outcome);
    }
}
