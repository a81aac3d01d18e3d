/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_talk.h: one operation's talk with the server, from asking
 * the breaker's leave to telling it how it went.
 *
 *     cause = guard_redis_talk_begin(&talk, redis, 0);
 *     if (cause == GUARD_REDIS_FINE) cause = guard_redis_talk_call(&talk, ...);
 *     guard_redis_talk_end(&talk);
 *
 * However many calls a talk has, one deadline holds for all. After the first
 * call that is not FINE the others are not made. A talk is one thread's.
 * Private to guard_store_redis*.c.
 */
#ifndef GUARD_STORE_REDIS_TALK_H
#define GUARD_STORE_REDIS_TALK_H

#include "guard_store_redis_inside.h"

#define GUARD_REDIS_CALLS_MAX 16 /* in one write */

typedef struct guard_redis_talk_t {
    guard_redis_store_t *redis;
    guard_redis_leave_e leave; /* the breaker's */
    guard_redis_lease_t *lease;
    uint64_t begun_usec;
    uint64_t deadline_usec;
    guard_redis_cause_e cause; /* FINE, or what ended the talk */
    int is_servers_fault;      /* the breaker is to hear of it */
    int is_in_doubt; /* something may have been done that was not answered */
} guard_redis_talk_t;

/** Ask the breaker's leave, and take a connection.
 *  @param spent_usec what the server has cost this attempt already
 *  @return FINE, or what talk->cause is then, too: no call need be tried */
guard_redis_cause_e guard_redis_talk_begin(guard_redis_talk_t *talk,
                                           guard_redis_store_t *redis,
                                           apr_interval_time_t spent_usec);

/** Look at one reply, which is no error reply; it ends with the call.
 *  @return APR_SUCCESS, or anything else if the script can't have said that */
typedef apr_status_t guard_redis_hear_fn(void *baton, unsigned index,
                                         const guard_redis_reply_t *reply);

/**
 * Call the script: all calls in one write, and again as EVAL where the server
 * does not know it. An error reply, or one that hear() does not take, is
 * REPLY.
 */
guard_redis_cause_e
guard_redis_talk_call(guard_redis_talk_t *talk, guard_redis_call_t *calls,
                      unsigned count, guard_redis_hear_fn *hear, void *baton);

/** The same, with the answers read into answers[]. */
guard_redis_cause_e guard_redis_talk_answers(guard_redis_talk_t *talk,
                                             guard_redis_call_t *calls,
                                             unsigned count,
                                             guard_redis_answer_t *answers);

/** Ask something else than the script; errors as in talk_call. */
guard_redis_cause_e guard_redis_talk_ask(guard_redis_talk_t *talk,
                                         const guard_redis_command_t *command,
                                         guard_redis_hear_fn *hear,
                                         void *baton);

/** End it, whatever begin() said: the connection goes back, the breaker hears
 *  of it, and a change is told of. */
void guard_redis_talk_end(guard_redis_talk_t *talk);

#endif
