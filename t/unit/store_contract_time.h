/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * store_contract_time.h: what every store promises as time passes. Run by
 * contract_time() against a store that goes by the caller's clock.
 */
#ifndef STORE_CONTRACT_TIME_H
#define STORE_CONTRACT_TIME_H

#include "caller.h"

static void a_rejected_guess_repeats_and_is_looked_at_again(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 3);

    caller_attempt(c, &claim, 1, "a:1", GUARD_WRONG);
    is(caller_attempt(c, &claim, 1, "a:1", GUARD_WRONG), GUARD_REPEAT,
       "the same wrong guess again: refused, not verified");
    caller_pass(c, 6);
    is(caller_attempt(c, &claim, 1, "a:1", GUARD_WRONG), GUARD_ADMIT,
       "6 s later: verified");
    is(caller_peek(c, &claim, 1)->failures, 1, "and counted once all the same");
}

static void a_lockout_ends_by_itself(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 1);

    caller_fail(c, &claim, 1);
    caller_pass(c, 899);
    is(caller_peek(c, &claim, 1)->remaining_usec, apr_time_from_sec(1),
       "the time left is told");
    caller_pass(c, 1);
    is(caller_attempt(c, &claim, 1, "a:1", GUARD_WRONG), GUARD_ADMIT,
       "a lockout ends");
    is(c->report.standing[0].remaining_usec, apr_time_from_sec(1800),
       "the next is twice as long");
}

static void a_lost_ticket_costs_one_window(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 1);
    guard_ticket_t lost = {0};

    caller_reserve(c, &claim, 1, "a:1", GUARD_LAST_TRY, &lost);
    caller_pass(c, 599);
    is(caller_places(c, &claim), 0, "never settled: the place stays taken");
    caller_pass(c, 2);
    is(caller_places(c, &claim), 1, "then it is dropped");
}

static void a_lost_waiter_is_counted_as_long_as_one_may_wait(caller_t *c)
{
    apr_interval_time_t wait_usec = c->store->wait_usec;
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 1);
    guard_ticket_t ticket = {0};
    char text[20];

    c->store->wait_usec = apr_time_from_sec(30);
    caller_reserve(c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    for (unsigned i = 0; i < GUARD_WAITERS_MAX; i++) {
        memset(&ticket, 0, sizeof ticket);
        snprintf(text, sizeof text, "b:%u", i);
        caller_reserve(c, &claim, 1, text, GUARD_MAY_WAIT, &ticket);
    }
    caller_pass(c, 29);
    memset(&ticket, 0, sizeof ticket);
    is(caller_reserve(c, &claim, 1, "c:1", GUARD_MAY_WAIT, &ticket), GUARD_BUSY,
       "32 lost waiters still count");
    caller_pass(c, 4);
    is(caller_reserve(c, &claim, 1, "c:1", GUARD_MAY_WAIT, &ticket), GUARD_WAIT,
       "no longer than they could have waited");
    c->store->wait_usec = wait_usec;
}

static void the_longest_lockout_decides(caller_t *c)
{
    guard_claim_t claim[2];

    claim[0] = caller_ip(c, "192.0.2.1", 1);
    claim[1] = caller_claim(c, GUARD_KIND_NET, "192.0.2.0/24", "", 1);
    caller_fail(c, &claim[0], 1);
    caller_pass(c, 100);
    caller_fail(c, &claim[1], 1);
    is(caller_attempt(c, claim, 2, "a:1", GUARD_RIGHT), GUARD_LOCKED,
       "two claims are locked");
    is(c->report.decisive, 1, "the longer lockout decides");
    caller_peek(c, claim, 2);
    is(c->report.decisive, 1, "for peek too");
}

static inline void contract_time(guard_store_t *store, uint64_t now_usec)
{
    static const contract_test_t test[] = {
        {"a rejected guess repeats and is looked at again",
         a_rejected_guess_repeats_and_is_looked_at_again},
        {"a lockout ends by itself", a_lockout_ends_by_itself},
        {"a lost ticket costs one window", a_lost_ticket_costs_one_window},
        {"a lost waiter", a_lost_waiter_is_counted_as_long_as_one_may_wait},
        {"the longest lockout decides", the_longest_lockout_decides}};

    contract_run(test, COUNT(test), store, now_usec);
}

#endif
