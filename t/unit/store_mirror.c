/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_mirror.c: a table that takes over what another store says goes on
 * from there, and stays sound whatever it is told.
 */
#include "caller.h"
#include "random.h"
#include "shm.h"

#include "guard_store_shm_table.h"

#include <pthread.h>
#include <sched.h>

#define MEANWHILE_USEC                                                         \
    apr_time_from_msec(20) /* a lock is waited for longer                      \
                            */

static _Atomic uint64_t keeps = UINT64_MAX; /* for ever */

static void mirror(caller_t *c, const guard_claim_t *claim, guard_phase_e phase,
                   unsigned failures, unsigned level, unsigned seconds)
{
    guard_standing_t standing = {.phase = phase,
                                 .failures = (uint16_t)failures,
                                 .level = (uint8_t)level,
                                 .lasts_usec = apr_time_from_sec(seconds)};

    c->store->ops->mirror(c->store, c->now_usec, claim, 1, &standing, NULL,
                          NULL, GUARD_ABANDONED);
}

static void failures_are_taken_over(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 5);

    mirror(c, &claim, GUARD_PHASE_WINDOW, 3, 0, 100);
    is(caller_peek(c, &claim, 1)->failures, 3, "three failures were told of");
    is(caller_places(c, &claim), 2, "two are left");
    is(c->store->ops->peek(c->store, c->now_usec, &claim, 1, &c->report), 0,
       "and for as long as was told:");
    is(c->report.standing[0].lasts_usec, apr_time_from_sec(100), "100 s");
    caller_pass(c, 100);
    is(caller_places(c, &claim), 5, "then all are back");
}

static void lockouts_are_taken_over(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 5);

    mirror(c, &claim, GUARD_PHASE_LOCKED, 5, 2, 1500);
    is(caller_attempt(c, &claim, 1, "a:right", GUARD_RIGHT), GUARD_LOCKED,
       "a lockout is in force here, too");
    is(c->report.standing[0].remaining_usec, apr_time_from_sec(1500),
       "as long as there");
    caller_pass(c, 1500);
    is(caller_fail(c, &claim, 5), 5, "it ends");
    ok(caller_peek(c, &claim, 1)->level == 3 &&
           c->report.standing[0].remaining_usec == apr_time_from_sec(3600),
       "and the next goes on from its level");
    mirror(c, &claim, GUARD_PHASE_CALM, 0, 0, 0);
    is(caller_attempt(c, &claim, 1, "a:right", GUARD_RIGHT), GUARD_ADMIT,
       "an unlock elsewhere is taken over");
}

/* What this server counted alone, and the other has not heard of. */
static void what_is_stricter_here_stays(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 3);
    guard_standing_t less = {.phase = GUARD_PHASE_WINDOW,
                             .failures = 1,
                             .lasts_usec = apr_time_from_sec(600)};

    caller_fail(c, &claim, 2);
    c->store->ops->mirror(c->store, c->now_usec, &claim, 1, &less, &keeps, NULL,
                          GUARD_ABANDONED);
    is(caller_peek(c, &claim, 1)->failures, 2, "failures are not forgotten");
    caller_fail(c, &claim, 1);
    c->store->ops->mirror(c->store, c->now_usec, &claim, 1, &less, &keeps, NULL,
                          GUARD_ABANDONED);
    is(caller_peek(c, &claim, 1)->phase, GUARD_PHASE_LOCKED,
       "nor is a lockout");
    c->store->ops->mirror(c->store, c->now_usec, &claim, 1, &less, NULL, NULL,
                          GUARD_ABANDONED);
    is(caller_peek(c, &claim, 1)->failures, 1,
       "until the other must know of them");
}

/* There the same began before it did here. */
static void what_ends_later_here_stays(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 3);
    guard_standing_t said = {.phase = GUARD_PHASE_WINDOW,
                             .failures = 2,
                             .lasts_usec = apr_time_from_sec(10)};

    caller_fail(c, &claim, 2);
    c->store->ops->mirror(c->store, c->now_usec, &claim, 1, &said, &keeps, NULL,
                          GUARD_ABANDONED);
    caller_pass(c, 11);
    is(caller_places(c, &claim), 1,
       "failures count to the end of their window");
    caller_fail(c, &claim, 1);
    said.phase = GUARD_PHASE_LOCKED;
    said.failures = 3;
    said.level = 1;
    c->store->ops->mirror(c->store, c->now_usec, &claim, 1, &said, &keeps, NULL,
                          GUARD_ABANDONED);
    caller_pass(c, 11);
    is(caller_peek(c, &claim, 1)->phase, GUARD_PHASE_LOCKED,
       "and a lockout lasts as long as it was made");
    caller_pass(c, 900);
    said.phase = GUARD_PHASE_CALM;
    said.failures = said.level = 0;
    c->store->ops->mirror(c->store, c->now_usec, &claim, 1, &said, &keeps, NULL,
                          GUARD_ABANDONED);
    is(caller_peek(c, &claim, 1)->level, 1, "and raises the level");
}

/* Somebody counts just when the other's word has come: he has the lock. */
static caller_t *late;
static guard_claim_t late_claim;
static _Atomic uint64_t late_keeps;
static _Atomic int is_late;

static void *mirror_late(void *unused)
{
    guard_standing_t calm = {.phase = GUARD_PHASE_CALM};

    is_late = 1;
    late->store->ops->mirror(late->store, late->now_usec, &late_claim, 1, &calm,
                             &late_keeps, NULL, GUARD_ABANDONED);
    return unused;
}

static void what_is_counted_meanwhile_stays(caller_t *c)
{
    guard_shm_table_t *table = guard_store_shm_table(c->store);
    uint32_t stripe;
    pthread_t thread;

    late = c;
    late_claim = caller_ip(c, "192.0.2.1", 3);
    caller_fail(c, &late_claim, 2);
    stripe = guard_shm_table_stripe_of(
        guard_shm_table_bucket_of(table, late_claim.client.id));
    is(guard_shm_table_lock(table, stripe), APR_SUCCESS, "the client is held");
    pthread_create(&thread, NULL, mirror_late, NULL);
    while (!is_late) {
        sched_yield();
    }
    apr_sleep(MEANWHILE_USEC);
    late_keeps = c->now_usec + 1;
    guard_shm_table_unlock(table, stripe);
    pthread_join(thread, NULL);
    is(caller_peek(c, &late_claim, 1)->failures, 2,
       "who waits for it learns what was counted meanwhile");
    late_keeps = c->now_usec;
    mirror_late(NULL);
    is(caller_peek(c, &late_claim, 1)->failures, 0, "and till when that holds");
}

static void what_is_in_flight_here_stays(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 3);
    guard_ticket_t ticket = {0};

    caller_reserve(c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    mirror(c, &claim, GUARD_PHASE_WINDOW, 1, 0, 100);
    is(caller_places(c, &claim), 1, "a place taken here is still taken");
    caller_settle(c, &ticket, GUARD_WRONG);
    is(caller_peek(c, &claim, 1)->failures, 2, "and counts on top");
}

static void proofs_are_taken_over(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 1);
    guard_guess_t guess = caller_guess(c, "a:right");
    guard_standing_t calm = {.phase = GUARD_PHASE_CALM};
    guard_ticket_t holder = {0}, ticket = {0};

    c->store->ops->mirror(c->store, c->now_usec, &claim, 1, &calm, NULL, &guess,
                          GUARD_RIGHT);
    caller_reserve(c, &claim, 1, "b:1", GUARD_LAST_TRY, &holder);
    is(caller_reserve(c, &claim, 1, "a:right", GUARD_LAST_TRY, &ticket),
       GUARD_ADMIT, "what was right there needs no place here");
    c->store->ops->mirror(c->store, c->now_usec, &claim, 1, &calm, NULL, &guess,
                          GUARD_WRONG);
    is(caller_attempt(c, &claim, 1, "a:right", GUARD_RIGHT), GUARD_BUSY,
       "until it was wrong");
}

static void who_is_calm_takes_no_room(caller_t *c)
{
    guard_stats_t before = caller_stats(c);
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 5);

    mirror(c, &claim, GUARD_PHASE_CALM, 0, 0, 0);
    is((long long)(caller_stats(c).clients_tracked - before.clients_tracked), 0,
       "a client with nothing against it is not written down");
}

/* Whatever a server says, the table's validator finds nothing. */
static void nonsense_breaks_nothing(caller_t *c)
{
    uint64_t state = 20261122;

    for (unsigned i = 0; i < 20000; i++) {
        guard_claim_t claim = caller_nth(c, random_below(&state, 40), 5);
        guard_standing_t standing = {
            .phase = (guard_phase_e)random_below(&state, 3),
            .failures = (uint16_t)random_below(&state, 65536),
            .level = (uint8_t)random_below(&state, 256),
            .lasts_usec =
                (apr_interval_time_t)random_below(&state, 1u << 30) *
                    (apr_interval_time_t)random_below(&state, 1u << 14) -
                1000};

        claim.policy.limit = (uint16_t)(1 + random_below(&state, 5));
        if (random_below(&state, 2)) {
            caller_fail(c, &claim, 1);
        } else {
            c->store->ops->mirror(c->store, c->now_usec, &claim, 1, &standing,
                                  random_below(&state, 2) ? &keeps : NULL, NULL,
                                  GUARD_ABANDONED);
        }
        if (!random_below(&state, 100)) {
            caller_pass(c, random_below(&state, 5000));
        }
    }
    shm_is_sound(c->store, c->now_usec, "after 20,000 random turns");
}

int main(void)
{
    static const contract_test_t test[] = {
        {"failures are taken over", failures_are_taken_over},
        {"lockouts are taken over", lockouts_are_taken_over},
        {"what is stricter here stays", what_is_stricter_here_stays},
        {"what ends later here stays", what_ends_later_here_stays},
        {"what is counted meanwhile stays", what_is_counted_meanwhile_stays},
        {"what is in flight here stays", what_is_in_flight_here_stays},
        {"proofs are taken over", proofs_are_taken_over},
        {"who is calm takes no room", who_is_calm_takes_no_room},
        {"nonsense breaks nothing", nonsense_breaks_nothing}};

    shm_begin();
    contract_run(test, COUNT(test), shm_serve(4096, NULL),
                 (uint64_t)apr_time_from_sec(1000000));
    shm_close();
    return tap_done();
}
