/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * churn.c: several processes use one table at once.
 *
 * First at random, on a table that is far too small, for some seconds: then
 * the table must be sound and every count be somebody's. Then with a purpose:
 * all attack one client, and exactly `limit` guesses are verified.
 */
#include "caller.h"
#include "random.h"
#include "shm.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define PROCESSES 5
#define CLIENTS 400
#define CHURN_SEC 3
#define OPEN_MAX 8

/* What the processes tell each other and the parent. */
static struct shared_t {
    _Atomic uint64_t now_usec;
    _Atomic uint64_t did[GUARD_COUNT_MAX];
    _Atomic unsigned verified, refused, errors;
} * shared;

static guard_counter_e counter_of(guard_verdict_e verdict)
{
    switch (verdict) {
    case GUARD_REPEAT:
        return GUARD_COUNT_REPEAT;
    case GUARD_LOCKED:
        return GUARD_COUNT_LOCKED;
    case GUARD_BUSY:
        return GUARD_COUNT_BUSY;
    default:
        return GUARD_COUNT_OVERLOAD;
    }
}

static void count(caller_t *c, guard_counter_e counter)
{
    shared->did[counter]++;
    c->store->ops->tally(c->store, counter);
}

/* Settle, however long somebody else holds the lock. */
static guard_event_e settle_surely(caller_t *c, guard_ticket_t *ticket,
                                   guard_outcome_e outcome)
{
    guard_event_e event;

    do {
        event = caller_settle(c, ticket, outcome);
    } while (ticket->state == GUARD_TICKET_OPEN);
    return event;
}

/* ---- at random ---- */

static unsigned random_claims(const caller_t *c, uint64_t *seed,
                              guard_claim_t claim[GUARD_CLAIMS_MAX])
{
    unsigned n = random_below(seed, CLIENTS), claims = 1;
    char text[24], user[8];

    snprintf(user, sizeof user, "u%u", n % 40);
    snprintf(text, sizeof text, "10.0.%u.%u", n >> 8, n & 255);
    claim[0] = caller_ip(c, text, 1 + n % 5);
    if (random_below(seed, 2)) {
        snprintf(text, sizeof text, "10.0.%u.%u/28", n >> 8, n & 240);
        claim[claims++] = caller_claim(c, GUARD_KIND_NET, text, user, 20);
    }
    if (random_below(seed, 2)) {
        claim[claims++] = caller_claim(c, GUARD_KIND_USER, "::", user, 10);
    }
    return claims;
}

static void begin_one(caller_t *c, uint64_t *seed, guard_ticket_t *ticket)
{
    guard_claim_t claim[GUARD_CLAIMS_MAX];
    unsigned claims = random_claims(c, seed, claim);
    guard_patience_e patience =
        random_below(seed, 2) ? GUARD_MAY_WAIT : GUARD_LAST_TRY;
    guard_verdict_e verdict;
    char text[20];

    snprintf(text, sizeof text, "u%u:%u", random_below(seed, 40),
             random_below(seed, 12));
    memset(ticket, 0, sizeof *ticket);
    verdict = caller_reserve(c, claim, claims, text, patience, ticket);
    if (verdict == GUARD_WAIT) {
        verdict =
            caller_reserve(c, claim, claims, text, GUARD_LAST_TRY, ticket);
    }
    if (verdict != GUARD_ADMIT) {
        count(c, counter_of(verdict));
    }
}

static void end_one(caller_t *c, uint64_t *seed, guard_ticket_t *ticket)
{
    static const guard_counter_e counter[] = {
        0, GUARD_COUNT_OK, GUARD_COUNT_FAILED, GUARD_COUNT_ABANDONED};
    guard_outcome_e outcome = 1 + random_below(seed, 3);

    if (ticket->state == GUARD_TICKET_OPEN) {
        settle_surely(c, ticket, outcome);
        count(c, counter[outcome]);
    }
    memset(ticket, 0, sizeof *ticket);
}

static apr_status_t glance(void *baton, const guard_entry_t *entry)
{
    (void)baton;
    return entry->id ? APR_SUCCESS : APR_EGENERAL;
}

static void walk(caller_t *c, uint64_t *seed)
{
    guard_filter_t filter = {.scope_name = c->scope};
    guard_claim_t claim[GUARD_CLAIMS_MAX];
    unsigned unlocked;

    random_claims(c, seed, claim);
    filter.by = GUARD_FILTER_NET;
    filter.net.addr = claim[0].client.addr;
    filter.net.bits = claim[0].client.bits;
    switch (random_below(seed, 3)) {
    case 0:
        c->store->ops->unlock(c->store, c->now_usec, &filter, &unlocked);
        break;
    case 1:
        c->store->ops->iterate(c->store, c->now_usec, &filter, glance, NULL);
        break;
    default:
        caller_stats(c);
    }
}

static void churn(guard_store_t *store, unsigned number)
{
    static const char *const scope[] = {"one", "two", "three"};
    caller_t c = {.store = store};
    guard_ticket_t ticket[OPEN_MAX];
    uint64_t seed = number;
    time_t end = time(NULL) + CHURN_SEC;

    memset(ticket, 0, sizeof ticket);
    while (time(NULL) < end) {
        unsigned i = random_below(&seed, OPEN_MAX);

        c.now_usec =
            atomic_fetch_add(&shared->now_usec, random_below(&seed, 20000));
        c.scope = scope[random_below(&seed, COUNT(scope))];
        if (ticket[i].state == GUARD_TICKET_OPEN) {
            end_one(&c, &seed, &ticket[i]);
        } else {
            begin_one(&c, &seed, &ticket[i]);
        }
        if (!random_below(&seed, 500)) {
            walk(&c, &seed);
        }
    }
    for (unsigned i = 0; i < OPEN_MAX; i++) {
        end_one(&c, &seed, &ticket[i]);
    }
}

static apr_status_t in_flight(void *baton, const guard_entry_t *entry)
{
    *(unsigned *)baton += entry->in_flight;
    return APR_SUCCESS;
}

static void random_use(void)
{
    caller_t c = {.store = shm_serve(GUARD_SHM_CLIENTS_MIN, NULL)};
    guard_filter_t all = {0};
    guard_stats_t stats;
    uint64_t did = 0;
    unsigned wrong = 0, flying = 0;

    is(shm_crowd(c.store, PROCESSES, churn), PROCESSES, "all ended well");
    c.now_usec = shared->now_usec;
    shm_is_sound(c.store, c.now_usec, "after the churn");
    stats = caller_stats(&c);
    for (unsigned i = 0; i < GUARD_COUNT_EVICTIONS; i++) {
        wrong += stats.counter[i] != shared->did[i];
        did += shared->did[i];
    }
    is(wrong, 0, "every counter is the sum of what they did");
    ok(did > 1000 && stats.counter[GUARD_COUNT_EVICTIONS] > 0 &&
           stats.counter[GUARD_COUNT_OVERFLOW] > 0 &&
           stats.counter[GUARD_COUNT_LOCKED] > 0,
       "which was a lot, evictions and overflow among it");
    is((long long)stats.counter[GUARD_COUNT_RECOVERIES], 0, "nobody died");
    c.store->ops->iterate(c.store, c.now_usec, &all, in_flight, &flying);
    is(flying, 0, "no place is left taken");
    c.now_usec += (uint64_t)(2 * GUARD_LOCKOUT_USEC_MAX);
    stats = caller_stats(&c);
    is((long long)(stats.clients_tracked + stats.clients_locked), 0,
       "in the end everything is forgotten");
    shm_close();
    shm_sweep();
}

/* ---- all against one ---- */

static unsigned round_number;

/* Ask until there is a verdict. */
static guard_verdict_e reserve_patiently(caller_t *c,
                                         const guard_claim_t *claims,
                                         unsigned n, const char *text,
                                         guard_ticket_t *ticket)
{
    guard_verdict_e verdict;

    memset(ticket, 0, sizeof *ticket);
    do {
        verdict = caller_reserve(c, claims, n, text, GUARD_MAY_WAIT, ticket);
        if (verdict == GUARD_WAIT) {
            sched_yield();
        }
    } while (verdict == GUARD_WAIT || !verdict);
    return verdict;
}

static caller_t attacker(guard_store_t *store)
{
    static char scope[40];
    caller_t c = {.store = store, .now_usec = shared->now_usec};

    snprintf(scope, sizeof scope, "round %u", round_number);
    c.scope = scope;
    return c;
}

static void attack(guard_store_t *store, unsigned number)
{
    caller_t c = attacker(store);
    guard_claim_t claim[2];
    guard_ticket_t ticket;
    char text[40];

    claim[0] = caller_ip(&c, "192.0.2.1", 5);
    claim[1] = caller_claim(&c, GUARD_KIND_NET, "192.0.2.0/24", "", 8);
    for (unsigned i = 0; i < 60; i++) {
        guard_verdict_e verdict;

        snprintf(text, sizeof text, "bob:%u of %u", i, number);
        verdict = reserve_patiently(&c, claim, 2, text, &ticket);
        if (verdict == GUARD_ADMIT) {
            shared->verified++;
            sched_yield();
            settle_surely(&c, &ticket, GUARD_WRONG);
        } else if (verdict == GUARD_LOCKED) {
            shared->refused++;
        }
    }
}

static void exactly_the_limit(void)
{
    guard_store_t *store = shm_serve(4096, NULL);
    unsigned off = 0, unlocked = 0;

    for (round_number = 0; round_number < 60; round_number++) {
        caller_t c = attacker(store);
        guard_claim_t claim = caller_ip(&c, "192.0.2.1", 5);

        shared->verified = 0;
        shm_crowd(store, PROCESSES, attack);
        off += shared->verified != 5;
        unlocked += caller_peek(&c, &claim, 1)->phase != GUARD_PHASE_LOCKED;
    }
    is(off, 0,
       "of 300 distinct wrong guesses by 5 processes exactly 5 are "
       "verified, each time");
    is(unlocked, 0, "and the client is locked");
    ok(shared->refused > 1000, "the others are refused");
    shm_is_sound(store, shared->now_usec, "after the attacks");
    shm_close();
    shm_sweep();
}

static void come_home(guard_store_t *store, unsigned number)
{
    caller_t c = attacker(store);
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 1);
    guard_ticket_t ticket;

    (void)number;
    for (unsigned i = 0; i < 40; i++) {
        if (reserve_patiently(&c, &claim, 1, "bob:right", &ticket) !=
            GUARD_ADMIT) {
            shared->errors++;
            continue;
        }
        sched_yield();
        settle_surely(&c, &ticket, GUARD_RIGHT);
    }
}

static void the_right_password_is_never_refused(void)
{
    guard_store_t *store = shm_serve(4096, NULL);

    shared->errors = 0;
    for (round_number = 0; round_number < 30; round_number++) {
        shm_crowd(store, PROCESSES, come_home);
    }
    is(shared->errors, 0, "the right password, many times at once at limit 1");
    shm_is_sound(store, shared->now_usec, "after that");
    shm_close();
    shm_sweep();
}

int main(void)
{
    shm_begin();
    shared = shm_shared(sizeof *shared);
    shared->now_usec = (uint64_t)apr_time_from_sec(1000000);
    random_use();
    exactly_the_limit();
    the_right_password_is_never_refused();
    return tap_done();
}
