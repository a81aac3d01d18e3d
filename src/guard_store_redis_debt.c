/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_debt.c owns which settlements the server is told of after
 * all, and when. It knows nothing of why they are late.
 *
 * Invariant: a settlement is told under the token of its reservation, not
 * before that reservation would be void, and not after the window in which it
 * would have counted.
 */
#include "guard_store_redis_debt.h"
#include "guard_store_redis_ask.h"

/* A reservation that nobody heard of is void by then. */
#define DUE_USEC apr_time_from_msec(200)
#define OWED_AT_ONCE 4 /* settlements told of after an operation */

_Static_assert(OWED_AT_ONCE *GUARD_CLAIMS_MAX <= GUARD_REDIS_CALLS_MAX,
               "one write for all");
_Static_assert(GUARD_REDIS_TIMEOUT_USEC_MAX < GUARD_REDIS_LATE_BUSY_USEC,
               "who is alive has told of it by then");

/* Strangers can make any number of wrong guesses while the server is away. The
 * last quarter of the room is for places that it may hold: their owners are
 * good users as well. */
static int is_crowded_out(guard_redis_store_t *redis,
                          const guard_ticket_t *ticket, guard_outcome_e outcome)
{
    guard_redis_late_t *late = &redis->shared->late;

    if (outcome != GUARD_WRONG || ticket->away.in_doubt ||
        guard_redis_late_count(late) < GUARD_REDIS_LATE_MAX / 4 * 3) {
        return 0;
    }
    atomic_fetch_add(&late->dropped, 1);
    return 1;
}

void guard_redis_debt_owe(guard_redis_store_t *redis,
                          const guard_ticket_t *ticket, guard_hold_e hold,
                          guard_outcome_e outcome)
{
    uint64_t now_usec = guard_store_clock();
    guard_redis_owed_t owed = {.due_usec = now_usec + DUE_USEC,
                               .token = ticket->away.token,
                               .outcome = outcome,
                               .guess = ticket->guess,
                               .claim_count = ticket->claim_count};

    if (!redis->local || is_crowded_out(redis, ticket, outcome)) {
        return; /* a tool owes nothing */
    }
    if (!owed.token) {
        owed.token = guard_redis_ask_token(redis);
    }
    for (unsigned i = 0; i < ticket->claim_count; i++) {
        owed.claim[i] = ticket->claim[i];
        owed.hold[i].what = hold;
    }
    guard_redis_late_push(&redis->shared->late, &owed, now_usec);
}

void guard_redis_debt_note(guard_redis_store_t *redis, uint64_t now_usec,
                           const guard_claim_t *claims, unsigned count)
{
    _Atomic uint64_t *owed_until = &redis->shared->owed_until_usec;

    for (unsigned i = 0; i < count; i++) {
        uint64_t until_usec =
            now_usec + (uint64_t)(claims[i].policy.window_usec + DUE_USEC);
        uint64_t before_usec = atomic_load(owed_until);

        while (before_usec < until_usec &&
               !atomic_compare_exchange_weak(owed_until, &before_usec,
                                             until_usec)) {
        }
    }
}

const _Atomic uint64_t *guard_redis_debt_until(const guard_redis_store_t *redis)
{
    return &redis->shared->owed_until_usec;
}

void guard_redis_debt_unwait(guard_redis_store_t *redis, guard_ticket_t *ticket,
                             const guard_claim_t *claims, unsigned count)
{
    uint64_t now_usec = guard_store_clock();
    guard_redis_owed_t owed = {.due_usec = now_usec, .guess = ticket->guess};

    for (unsigned i = 0; i < count; i++) {
        if (ticket->waiting[i]) {
            owed.claim[owed.claim_count++] = claims[i];
            ticket->waiting[i] = 0;
        }
    }
    if (owed.claim_count && redis->local) {
        guard_redis_late_push(&redis->shared->late, &owed, now_usec);
    }
}

/* Waiters that nobody spoke for are forgotten by then anyway. */
static int is_timely(const guard_redis_store_t *redis,
                     const guard_redis_owed_t *owed, const guard_claim_t *claim,
                     uint64_t now_usec)
{
    apr_interval_time_t matters_usec =
        owed->outcome ? claim->policy.window_usec
                      : redis->base.wait_usec + apr_time_from_sec(2);

    return now_usec - owed->due_usec < (uint64_t)matters_usec;
}

static void make_call(const guard_redis_store_t *redis,
                      const guard_redis_owed_t *owed, unsigned i,
                      guard_redis_call_t *call)
{
    if (!owed->outcome) {
        guard_redis_call_effect(call, &redis->names, &owed->claim[i],
                                GUARD_REDIS_UNWAIT, 0, 0);
        return;
    }
    guard_redis_call_settle(call, &redis->names, &owed->claim[i], &owed->guess,
                            owed->token, owed->hold[i].what, owed->outcome, 0);
}

/* Add the calls that one is worth: its window may be over. */
static unsigned add_calls(const guard_redis_store_t *redis,
                          const guard_redis_owed_t *owed, uint64_t now_usec,
                          guard_redis_call_t *calls)
{
    unsigned count = 0;

    for (unsigned i = 0; i < owed->claim_count; i++) {
        if (is_timely(redis, owed, &owed->claim[i], now_usec)) {
            make_call(redis, owed, i, &calls[count++]);
        }
    }
    return count;
}

void guard_redis_debt_pay(guard_redis_talk_t *talk)
{
    guard_redis_store_t *redis = talk->redis;
    guard_redis_late_t *late = &redis->shared->late;
    guard_redis_owed_t owed[OWED_AT_ONCE];
    guard_redis_call_t calls[GUARD_REDIS_CALLS_MAX];
    guard_redis_answer_t answers[GUARD_REDIS_CALLS_MAX];
    uint64_t now_usec = guard_store_clock();
    unsigned owed_count = 0, count = 0;
    int is_told;

    if (!guard_redis_late_count(late)) {
        return;
    }
    while (owed_count < OWED_AT_ONCE &&
           guard_redis_late_take(late, now_usec, &owed[owed_count])) {
        count += add_calls(redis, &owed[owed_count], now_usec, &calls[count]);
        owed_count++;
    }
    is_told = !count || guard_redis_talk_answers(talk, calls, count, answers) ==
                            GUARD_REDIS_FINE;
    for (unsigned i = 0; i < owed_count; i++) {
        guard_redis_late_end(late, &owed[i], is_told, now_usec);
    }
}
