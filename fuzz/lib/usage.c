/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * usage.c: whether an open store works, whatever stood in its file.
 *
 * Every operation is used, and counted from outside: nobody gets more guesses
 * than his limit, whoever is unlocked gets exactly that many, one after the
 * other or all at once; and nothing lasts longer than 30 days.
 */
#include "usage.h"
#include "caller.h"
#include "fuzz.h"
#include "table.h"

#include <stdio.h>

#define LIMIT USAGE_LIMIT
#define LONGEST_USEC apr_time_from_sec(30 * 86400 + 2)

guard_claim_t usage_nth(const caller_t *c, unsigned n, int tenant)
{
    guard_claim_t claim = caller_nth(c, n, tenant ? 1 : LIMIT);

    claim.client.tenant = (uint8_t)tenant;
    return claim;
}

static void must_be_sound(const caller_t *c, apr_pool_t *pool)
{
    const char *fault = guard_store_shm_fault(c->store, c->now_usec, pool);

    fuzz_must(!fault, fault);
}

typedef struct census_t {
    uint64_t clients, locked, restless;
} census_t;

static apr_status_t count_entry(void *baton, const guard_entry_t *entry)
{
    census_t *census = baton;

    fuzz_must(entry->id && entry->kind >= GUARD_KIND_IP &&
                  entry->kind <= GUARD_KIND_OVERFLOW &&
                  entry->bits <= GUARD_ADDR_BITS,
              "an entry is somebody's");
    fuzz_must(memchr(entry->scope_name, '\0', sizeof(entry->scope_name)) !=
                  NULL,
              "a scope's name ends");
    fuzz_must(entry->remaining_usec >= 0 &&
                  entry->remaining_usec <= LONGEST_USEC,
              "nothing lasts longer than 30 days");
    census->clients += entry->kind != GUARD_KIND_OVERFLOW;
    census->locked += entry->phase == GUARD_PHASE_LOCKED;
    census->restless += entry->phase != GUARD_PHASE_CALM || entry->level ||
                        entry->in_flight || entry->failures;
    return APR_SUCCESS;
}

/* Both ways to count come to the same. */
static census_t count_all(caller_t *c)
{
    static const guard_filter_t all;
    census_t census = {0};
    guard_stats_t stats;

    fuzz_must(c->store->ops->iterate(c->store, c->now_usec, &all, count_entry,
                                     &census) == APR_SUCCESS,
              "iterate works");
    fuzz_must(c->store->ops->stats(c->store, c->now_usec, &stats) ==
                  APR_SUCCESS,
              "stats works");
    fuzz_must(stats.clients_tracked == census.clients &&
                  stats.clients_locked == census.locked &&
                  stats.clients_tracked <= stats.table_size,
              "stats are what iterate shows");
    return census;
}

/* @return how many of that many new wrong guesses were admitted. */
static unsigned guess(caller_t *c, const guard_claim_t *claims, unsigned count,
                      unsigned guesses)
{
    unsigned admitted = 0;

    for (unsigned i = 0; i < guesses; i++) {
        char text[24];
        guard_verdict_e verdict;

        snprintf(text, sizeof text, "mallory:new %u", i);
        verdict = caller_attempt(c, claims, count, text, GUARD_WRONG);
        fuzz_must(verdict == GUARD_ADMIT || verdict == GUARD_LOCKED ||
                      verdict == GUARD_BUSY || verdict == GUARD_OVERLOAD,
                  "a new guess is let in, or refused for a reason");
        admitted += verdict == GUARD_ADMIT;
    }
    return admitted;
}

/* The same, all in flight at once, and then all wrong. */
static unsigned guess_at_once(caller_t *c, const guard_claim_t *claim)
{
    guard_ticket_t ticket[LIMIT + 2];
    unsigned admitted = 0;

    memset(ticket, 0, sizeof ticket);
    for (unsigned i = 0; i < COUNT(ticket); i++) {
        char text[24];

        snprintf(text, sizeof text, "mallory:at once %u", i);
        admitted += caller_reserve(c, claim, 1, text, GUARD_LAST_TRY,
                                   &ticket[i]) == GUARD_ADMIT;
    }
    for (unsigned i = 0; i < COUNT(ticket); i++) {
        caller_settle(c, &ticket[i], GUARD_WRONG);
    }
    return admitted;
}

static void attempt_all(caller_t *c)
{
    guard_claim_t known = caller_ip(c, "192.0.2.1", LIMIT);
    guard_claim_t stranger = caller_ip(c, "192.0.2.99", LIMIT);
    guard_claim_t several[] = {
        caller_claim(c, GUARD_KIND_LOGIN, "192.0.2.2", "alice", LIMIT),
        caller_claim(c, GUARD_KIND_USER, "::", "alice", 2 * LIMIT), known};
    guard_claim_t tenant = usage_nth(c, 100, 1);

    caller_attempt(c, several, 3, "alice:right", GUARD_RIGHT);
    caller_attempt(c, &known, 1, "alice:lost", GUARD_ABANDONED);
    fuzz_must(guess(c, &known, 1, LIMIT + 2) <= LIMIT,
              "nobody gets more than his limit");
    fuzz_must(guess(c, several, 2, LIMIT + 2) <= LIMIT,
              "nor by several limits");
    fuzz_must(guess(c, &stranger, 1, LIMIT + 2) <= LIMIT,
              "nor does a stranger");
    fuzz_must(guess(c, &tenant, 1, LIMIT + 2) <= guard_policy_default.limit,
              "nor does a tenant's client");
}

/* All is forgotten: the next one has his whole limit, and no more. */
static void unlock_all(caller_t *c)
{
    static const guard_filter_t all;
    guard_claim_t known = caller_ip(c, "192.0.2.1", LIMIT);
    unsigned count;

    fuzz_must(c->store->ops->unlock(c->store, c->now_usec, &all, &count) ==
                  APR_SUCCESS,
              "unlock works");
    fuzz_must(!count_all(c).restless, "unlock leaves nobody in trouble");
    fuzz_must(guess_at_once(c, &known) == LIMIT,
              "who was unlocked has his whole limit");
    fuzz_must(caller_peek(c, &known, 1)->phase == GUARD_PHASE_LOCKED,
              "and is locked out after it");
}

void usage_try(guard_store_t *store, apr_pool_t *pool)
{
    caller_t c = {
        .store = store, .now_usec = table_world.clock_usec, .scope = "fuzz"};

    must_be_sound(&c, pool);
    count_all(&c);
    attempt_all(&c);
    must_be_sound(&c, pool);
    unlock_all(&c);
    must_be_sound(&c, pool);
    count_all(&c);
}
