/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * store_contract.h: what every store promises of reserve and settle.
 *
 * Run against an open store by contract_reserve(). Each test has a scope of
 * its own, so the store may hold anything else.
 */
#ifndef STORE_CONTRACT_H
#define STORE_CONTRACT_H

#include "caller.h"

static void a_guess_is_admitted_and_settled(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 3);
    guard_ticket_t ticket = {0};

    is(caller_reserve(c, &claim, 1, "a:1", GUARD_MAY_WAIT, &ticket),
       GUARD_ADMIT, "an unknown client's guess is admitted");
    is(ticket.state, GUARD_TICKET_OPEN, "its ticket is open");
    ok(c->report.standing[0].phase == GUARD_PHASE_CALM &&
           c->report.standing[0].failures == 0 &&
           c->report.standing[0].limit == 3,
       "the report tells where the client stands");
    is(caller_settle(c, &ticket, GUARD_WRONG), GUARD_EVENT_NONE,
       "a wrong one is settled, no lockout yet");
    ok(c->report.standing[0].phase == GUARD_PHASE_WINDOW &&
           c->report.standing[0].failures == 1,
       "and counted");
    is(ticket.state, GUARD_TICKET_CLOSED, "its ticket is closed");
}

static void the_limit_locks(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 3);
    guard_ticket_t ticket = {0};
    const guard_standing_t *standing = &c->report.standing[0];

    is(caller_fail(c, &claim, 2), 2, "two failures are below the limit");
    caller_reserve(c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    is(caller_settle(c, &ticket, GUARD_WRONG), GUARD_EVENT_LOCKOUT,
       "the third tells of the lockout");
    ok(standing->phase == GUARD_PHASE_LOCKED && standing->failures == 3 &&
           standing->level == 1 &&
           standing->remaining_usec == apr_time_from_sec(900),
       "and how long it lasts");
    is(caller_attempt(c, &claim, 1, "a:right", GUARD_RIGHT), GUARD_LOCKED,
       "then every guess is refused");
    ok(standing->event == GUARD_EVENT_NONE && standing->remaining_usec > 0,
       "with the time left, and without another event");
}

static void a_refused_ticket_settles_nothing(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 1);
    guard_ticket_t locked = {0}, unused = {0};

    caller_fail(c, &claim, 1);
    caller_reserve(c, &claim, 1, "a:1", GUARD_LAST_TRY, &locked);
    is(caller_settle(c, &locked, GUARD_WRONG), GUARD_EVENT_NONE,
       "settling a refused attempt is allowed");
    is(caller_settle(c, &unused, GUARD_WRONG), GUARD_EVENT_NONE,
       "and one that never reserved");
    ok(caller_peek(c, &claim, 1)->failures == 1 &&
           c->report.standing[0].level == 1,
       "both change nothing");
}

static void a_ticket_is_settled_once(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 3);
    guard_ticket_t ticket = {0}, other = {0};

    caller_reserve(c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    caller_settle(c, &ticket, GUARD_WRONG);
    caller_settle(c, &ticket, GUARD_WRONG);
    caller_settle(c, &ticket, GUARD_RIGHT);
    is(caller_peek(c, &claim, 1)->failures, 1, "settled thrice, counted once");
    caller_reserve(c, &claim, 1, "a:2", GUARD_LAST_TRY, &other);
    caller_settle(c, &other, GUARD_ABANDONED);
    caller_settle(c, &other, GUARD_WRONG);
    is(caller_peek(c, &claim, 1)->failures, 1, "the first outcome counts");
}

static void right_guesses_are_never_too_many(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 2);
    guard_ticket_t ticket[20];
    unsigned admitted = 0;

    memset(ticket, 0, sizeof ticket);
    caller_attempt(c, &claim, 1, "a:right", GUARD_RIGHT);
    for (unsigned i = 0; i < COUNT(ticket); i++) {
        admitted += caller_reserve(c, &claim, 1, "a:right", GUARD_MAY_WAIT,
                                   &ticket[i]) == GUARD_ADMIT;
    }
    is(admitted, COUNT(ticket), "a proven guess is admitted 20 times at once");
    is(caller_places(c, &claim), 2, "and takes no place");
    for (unsigned i = 0; i < COUNT(ticket); i++) {
        caller_settle(c, &ticket[i], GUARD_RIGHT);
    }
    is(caller_peek(c, &claim, 1)->failures, 0, "nor counts");
}

/* What the second request with the same guess is told, by what became of the
 * first. */
static void the_same_guess_waits_for_the_verdict(caller_t *c)
{
    static const struct {
        const char *rule, *addr;
        guard_outcome_e outcome;
        guard_verdict_e then;
    } row[] = {
        {"wrong: so is the second", "192.0.2.1", GUARD_WRONG, GUARD_REPEAT},
        {"right: in it goes", "192.0.2.2", GUARD_RIGHT, GUARD_ADMIT},
        {"abandoned: it tries itself", "192.0.2.3", GUARD_ABANDONED,
         GUARD_ADMIT}};

    for (unsigned i = 0; i < COUNT(row); i++) {
        guard_claim_t claim = caller_ip(c, row[i].addr, 2);
        guard_ticket_t first = {0}, second = {0};

        caller_reserve(c, &claim, 1, "a:1", GUARD_MAY_WAIT, &first);
        is(caller_reserve(c, &claim, 1, "a:1", GUARD_MAY_WAIT, &second),
           GUARD_WAIT, "the same guess waits");
        caller_settle(c, &first, row[i].outcome);
        is(caller_reserve(c, &claim, 1, "a:1", GUARD_MAY_WAIT, &second),
           row[i].then, row[i].rule);
    }
}

static void waiting_in_vain_shares_the_place(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 2);
    guard_ticket_t first = {0}, second = {0};

    caller_reserve(c, &claim, 1, "a:1", GUARD_MAY_WAIT, &first);
    is(caller_reserve(c, &claim, 1, "a:1", GUARD_LAST_TRY, &second),
       GUARD_ADMIT, "no verdict within the wait: verified by itself");
    is(caller_places(c, &claim), 1, "under the same place");
    caller_settle(c, &second, GUARD_WRONG);
    caller_settle(c, &first, GUARD_WRONG);
    is(caller_peek(c, &claim, 1)->failures, 1, "and counted once");
}

/* A thread that can't be spared to wait for a place may still join. */
static void who_may_join_waits_for_verdicts_only(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 1);
    guard_ticket_t first = {0}, second = {0}, third = {0};

    caller_reserve(c, &claim, 1, "a:1", GUARD_MAY_JOIN, &first);
    is(caller_reserve(c, &claim, 1, "a:1", GUARD_MAY_JOIN, &second), GUARD_WAIT,
       "the same guess waits for its verdict");
    is(c->report.is_join, 1, "as one that joins");
    is(caller_reserve(c, &claim, 1, "b:1", GUARD_MAY_JOIN, &third), GUARD_BUSY,
       "another guess does not wait for its place");
    caller_settle(c, &first, GUARD_ABANDONED);
    second.no_check = 1;
    is(caller_reserve(c, &claim, 1, "a:1", GUARD_MAY_JOIN, &second),
       GUARD_OVERLOAD, "nor does any for a check");
}

static void no_place_left_waits_then_busy(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 2);
    guard_ticket_t first = {0}, second = {0}, third = {0}, fourth = {0};

    caller_reserve(c, &claim, 1, "a:1", GUARD_MAY_WAIT, &first);
    caller_reserve(c, &claim, 1, "b:1", GUARD_MAY_WAIT, &second);
    is(caller_reserve(c, &claim, 1, "c:1", GUARD_MAY_WAIT, &third), GUARD_WAIT,
       "no place left: it waits");
    is(caller_reserve(c, &claim, 1, "c:1", GUARD_MAY_WAIT, &third), GUARD_WAIT,
       "and waits");
    is(caller_reserve(c, &claim, 1, "d:1", GUARD_LAST_TRY, &fourth), GUARD_BUSY,
       "who can't wait is refused as busy");
    caller_settle(c, &first, GUARD_ABANDONED);
    is(caller_reserve(c, &claim, 1, "c:1", GUARD_MAY_WAIT, &third), GUARD_ADMIT,
       "a place given back goes to the one that waits");
    is(caller_reserve(c, &claim, 1, "d:1", GUARD_LAST_TRY, &fourth), GUARD_BUSY,
       "and is taken then");
    caller_settle(c, &second, GUARD_WRONG);
    is(caller_settle(c, &third, GUARD_WRONG), GUARD_EVENT_LOCKOUT,
       "all of them count");
}

static void waiters_are_bounded(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 1);
    guard_ticket_t holder = {0}, ticket[GUARD_WAITERS_MAX], more = {0};
    unsigned waiting = 0;
    char text[40];

    memset(ticket, 0, sizeof ticket);
    caller_reserve(c, &claim, 1, "a:1", GUARD_MAY_WAIT, &holder);
    for (unsigned turn = 0; turn < 2 * COUNT(ticket); turn++) {
        unsigned i = turn % (unsigned)COUNT(ticket);

        snprintf(text, sizeof text, "b:%u", i);
        waiting += caller_reserve(c, &claim, 1, text, GUARD_MAY_WAIT,
                                  &ticket[i]) == GUARD_WAIT;
    }
    is(waiting, 2 * GUARD_WAITERS_MAX, "32 wait, each counted once");
    is(caller_reserve(c, &claim, 1, "c:1", GUARD_MAY_WAIT, &more), GUARD_BUSY,
       "the 33rd is refused at once");
    is(caller_reserve(c, &claim, 1, "b:0", GUARD_LAST_TRY, &ticket[0]),
       GUARD_BUSY, "one has waited long enough");
    memset(&more, 0, sizeof more);
    is(caller_reserve(c, &claim, 1, "c:1", GUARD_MAY_WAIT, &more), GUARD_WAIT,
       "and another may wait in its stead");
    caller_settle(c, &holder, GUARD_WRONG);
    is(caller_reserve(c, &claim, 1, "b:1", GUARD_MAY_WAIT, &ticket[1]),
       GUARD_LOCKED, "a lockout ends all waiting");
}

static void busy_refusals_make_proven_guesses_queue(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 1);
    guard_ticket_t holder = {0}, early = {0}, late = {0};

    caller_attempt(c, &claim, 1, "a:right", GUARD_RIGHT);
    caller_reserve(c, &claim, 1, "b:1", GUARD_LAST_TRY, &holder);
    for (unsigned i = 0; i < GUARD_BUSY_PROVEN_MAX - 1; i++) {
        caller_attempt(c, &claim, 1, "c:1", GUARD_WRONG);
    }
    is(caller_reserve(c, &claim, 1, "a:right", GUARD_MAY_WAIT, &early),
       GUARD_ADMIT, "7 busy refusals: a proven guess does not queue");
    caller_attempt(c, &claim, 1, "c:1", GUARD_WRONG);
    is(caller_reserve(c, &claim, 1, "a:right", GUARD_MAY_WAIT, &late),
       GUARD_WAIT, "8 of them: it does");
}

static void sharing_one_place_is_not_enough(caller_t *c)
{
    guard_claim_t claim[2];
    guard_ticket_t first = {0}, second = {0}, both = {0};

    claim[0] = caller_ip(c, "192.0.2.1", 2);
    claim[1] = caller_claim(c, GUARD_KIND_NET, "192.0.2.0/24", "", 1);
    caller_reserve(c, &claim[0], 1, "a:1", GUARD_LAST_TRY, &first);
    caller_reserve(c, &claim[1], 1, "b:1", GUARD_LAST_TRY, &second);
    is(caller_reserve(c, claim, 2, "a:1", GUARD_LAST_TRY, &both), GUARD_BUSY,
       "a place to share in one claim, none left in the other: refused");
    is(c->report.decisive, 1, "for want of that one");
}

/* Four claims; one of them refuses or has no place left. */
static void a_place_in_all_or_in_none(caller_t *c)
{
    static const char *const addr[] = {"192.0.2.1", "192.0.2.0/24",
                                       "::", "192.0.2.1"};
    static const guard_kind_e kind[] = {GUARD_KIND_IP, GUARD_KIND_NET,
                                        GUARD_KIND_USER, GUARD_KIND_LOGIN};
    char user[20];

    for (unsigned bad = 0; bad < 2 * COUNT(kind); bad++) {
        guard_claim_t claim[4];
        guard_ticket_t busy = {0}, ticket = {0};
        unsigned at = bad % 4, taken = 0, lock = bad / 4;

        snprintf(user, sizeof user, "%s%u", c->scope, bad);
        c->scope = user;
        for (unsigned i = 0; i < COUNT(claim); i++) {
            claim[i] = caller_claim(c, kind[i], addr[i], user, i == at ? 1 : 2);
        }
        caller_reserve(c, &claim[at], 1, "x:1", GUARD_LAST_TRY, &busy);
        caller_settle(c, lock ? &busy : &ticket, GUARD_WRONG);
        is(caller_reserve(c, claim, 4, "a:1", GUARD_LAST_TRY, &ticket),
           lock ? GUARD_LOCKED : GUARD_BUSY, guard_kind_name(kind[at]));
        is(c->report.decisive, at, "  that claim decided");
        for (unsigned i = 0; i < COUNT(claim); i++) {
            taken += i != at && caller_places(c, &claim[i]) != 2;
        }
        is(taken, 0, "  no place was taken in the others");
    }
}

static void all_claims_settle_together(caller_t *c)
{
    guard_claim_t claim[2];
    guard_ticket_t ticket = {0};

    claim[0] = caller_ip(c, "192.0.2.1", 1);
    claim[1] = caller_claim(c, GUARD_KIND_NET, "192.0.2.0/24", "", 2);
    is(caller_reserve(c, claim, 2, "a:1", GUARD_LAST_TRY, &ticket), GUARD_ADMIT,
       "two claims admit");
    ok(caller_places(c, &claim[0]) == 0 && caller_places(c, &claim[1]) == 1,
       "a place is taken in both");
    caller_settle(c, &ticket, GUARD_WRONG);
    ok(c->report.standing[0].event == GUARD_EVENT_LOCKOUT &&
           c->report.standing[1].event == GUARD_EVENT_NONE &&
           c->report.standing[1].failures == 1,
       "wrong: a failure in both, each under its own limit");
    caller_peek(c, claim, 2);
    ok(c->report.verdict == GUARD_LOCKED && c->report.decisive == 0,
       "the locked one decides");
    is(caller_peek(c, &claim[1], 1)->phase, GUARD_PHASE_WINDOW,
       "and the other goes on counting");
    claim[0] = caller_ip(c, "192.0.2.2", 1);
    is(caller_attempt(c, claim, 2, "b:1", GUARD_RIGHT), GUARD_ADMIT,
       "a neighbour is admitted");
    is(caller_peek(c, &claim[1], 1)->failures, 1, "net forgives nothing");
}

static void observed_counts_are_apart(caller_t *c)
{
    guard_claim_t real = caller_ip(c, "192.0.2.1", 2), observed = real;

    observed.client.counted = GUARD_COUNTED_OBSERVED;
    guard_client_seal(&observed.client, &c->store->table_secret, 0);
    caller_fail(c, &observed, 2);
    is(caller_peek(c, &observed, 1)->phase, GUARD_PHASE_LOCKED,
       "the observed record is locked");
    ok(caller_peek(c, &real, 1)->phase == GUARD_PHASE_CALM &&
           c->report.verdict == GUARD_ADMIT,
       "the real one knows nothing of it");
    caller_fail(c, &real, 1);
    ok(caller_peek(c, &real, 1)->failures == 1 &&
           caller_peek(c, &observed, 1)->failures == 2,
       "nor the other way round");
}

static void a_lowered_limit_locks_at_once(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 5);

    caller_fail(c, &claim, 3);
    claim.policy.limit = 2;
    is(caller_attempt(c, &claim, 1, "a:1", GUARD_RIGHT), GUARD_LOCKED,
       "the limit was lowered below what failed: locked");
    is(c->report.standing[0].event, GUARD_EVENT_LOCKOUT, "and that is told");
    ok(c->report.standing[0].phase == GUARD_PHASE_LOCKED &&
           c->report.standing[0].remaining_usec == apr_time_from_sec(900),
       "for the usual time");
    caller_attempt(c, &claim, 1, "a:1", GUARD_RIGHT);
    is(c->report.standing[0].event, GUARD_EVENT_NONE, "told once");
}

static inline void contract_reserve(guard_store_t *store, uint64_t now_usec)
{
    static const contract_test_t test[] = {
        {"a guess is admitted and settled", a_guess_is_admitted_and_settled},
        {"the limit locks", the_limit_locks},
        {"a refused ticket settles nothing", a_refused_ticket_settles_nothing},
        {"a ticket is settled once", a_ticket_is_settled_once},
        {"right guesses are never too many", right_guesses_are_never_too_many},
        {"the same guess waits for the verdict",
         the_same_guess_waits_for_the_verdict},
        {"waiting in vain shares the place", waiting_in_vain_shares_the_place},
        {"who may join waits for verdicts only",
         who_may_join_waits_for_verdicts_only},
        {"no place left waits then busy", no_place_left_waits_then_busy},
        {"waiters are bounded", waiters_are_bounded},
        {"busy refusals make proven guesses queue",
         busy_refusals_make_proven_guesses_queue},
        {"sharing one place is not enough", sharing_one_place_is_not_enough},
        {"a place in all or in none", a_place_in_all_or_in_none},
        {"all claims settle together", all_claims_settle_together},
        {"observed counts are apart", observed_counts_are_apart},
        {"a lowered limit locks at once", a_lowered_limit_locks_at_once}};

    contract_run(test, COUNT(test), store, now_usec);
}

#endif
