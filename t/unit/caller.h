/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * caller.h: whoever calls a store, in few words.
 *
 * Every test takes a scope of its own, so that tests don't see each other's
 * counts and a store needn't be empty.
 */
#ifndef CALLER_H
#define CALLER_H

#include "guard_store.h"
#include "tap.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct caller_t {
    guard_store_t *store;
    uint64_t now_usec;
    const char *scope;
    guard_report_t report; /* of the last reserve, settle or peek */
} caller_t;

/** Let time pass: the clock is an argument. */
static inline void caller_pass(caller_t *c, unsigned seconds)
{
    c->now_usec += seconds * (uint64_t)APR_USEC_PER_SEC;
}

static inline uint64_t caller_hash(const caller_t *c, const char *text)
{
    return guard_key_hash(&c->store->table_secret, text, strlen(text));
}

/** A client under limit/10min lockout=15min max=1h. */
static inline guard_claim_t caller_claim(const caller_t *c, guard_kind_e kind,
                                         const char *addr, const char *user,
                                         unsigned limit)
{
    guard_claim_t claim = {0};
    guard_cidr_t cidr = {{{0}}, 0};

    guard_cidr_parse(&cidr, addr);
    claim.client.addr = cidr.addr;
    claim.client.bits = cidr.bits;
    claim.client.kind = (uint8_t)kind;
    claim.client.scope = caller_hash(c, c->scope);
    claim.client.scope_name = c->scope;
    claim.policy.limit = (uint16_t)limit;
    claim.policy.window_usec = apr_time_from_sec(600);
    claim.policy.lockout_usec = apr_time_from_sec(900);
    claim.policy.lockout_max_usec = apr_time_from_sec(3600);
    guard_client_seal(&claim.client, &c->store->table_secret,
                      caller_hash(c, user));
    return claim;
}

static inline guard_claim_t caller_ip(const caller_t *c, const char *addr,
                                      unsigned limit)
{
    return caller_claim(c, GUARD_KIND_IP, addr, "", limit);
}

/** The n-th of many addresses: 10.0.0.0 and on. */
static inline guard_claim_t caller_nth(const caller_t *c, unsigned n,
                                       unsigned limit)
{
    char text[20];

    snprintf(text, sizeof text, "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255,
             n & 255);
    return caller_ip(c, text, limit);
}

/** "alice:secret" is a guess: user and password. */
static inline guard_guess_t caller_guess(const caller_t *c, const char *text)
{
    char user[40] = "";
    const char *colon = strchr(text, ':');

    memcpy(user, text, (size_t)(colon - text));
    return guard_guess_make(&c->store->guess_secret, "realm", user, colon + 1);
}

/** @return the verdict, or 0 after an error of the store. */
static inline guard_verdict_e caller_reserve(caller_t *c,
                                             const guard_claim_t *claims,
                                             unsigned count, const char *text,
                                             guard_patience_e patience,
                                             guard_ticket_t *ticket)
{
    guard_guess_t guess = caller_guess(c, text);
    apr_status_t rv =
        c->store->ops->reserve(c->store, c->now_usec, claims, count, &guess,
                               patience, ticket, &c->report);

    return rv == APR_SUCCESS ? c->report.verdict : (guard_verdict_e)0;
}

static inline guard_event_e caller_settle(caller_t *c, guard_ticket_t *ticket,
                                          guard_outcome_e outcome)
{
    apr_status_t rv = c->store->ops->settle(c->store, c->now_usec, ticket,
                                            outcome, &c->report);

    return rv == APR_SUCCESS ? c->report.standing[0].event : (guard_event_e)-1;
}

/** Reserve, and settle if admitted, as a request does that can't wait. */
static inline guard_verdict_e caller_attempt(caller_t *c,
                                             const guard_claim_t *claims,
                                             unsigned count, const char *text,
                                             guard_outcome_e outcome)
{
    guard_ticket_t ticket = {0};
    guard_verdict_e verdict =
        caller_reserve(c, claims, count, text, GUARD_LAST_TRY, &ticket);

    if (verdict == GUARD_ADMIT) {
        caller_settle(c, &ticket, outcome);
    }
    return verdict;
}

/** n wrong guesses, none ever made before. @return how many were admitted. */
static inline unsigned caller_fail(caller_t *c, const guard_claim_t *claim,
                                   unsigned n)
{
    static unsigned serial;
    unsigned admitted = 0;

    for (unsigned i = 0; i < n; i++) {
        char text[40];

        snprintf(text, sizeof text, "mallory:wrong %u", serial++);
        admitted +=
            caller_attempt(c, claim, 1, text, GUARD_WRONG) == GUARD_ADMIT;
    }
    return admitted;
}

/** @return where a client stands, as peek tells it. */
static inline const guard_standing_t *
caller_peek(caller_t *c, const guard_claim_t *claims, unsigned count)
{
    c->store->ops->peek(c->store, c->now_usec, claims, count, &c->report);
    return &c->report.standing[0];
}

/** @return how many places a client under that limit has left, found by
 *  trying; they are given back. */
static inline unsigned caller_places(caller_t *c, const guard_claim_t *claim)
{
    guard_ticket_t ticket[GUARD_SLOTS + 1];
    unsigned places = 0;

    memset(ticket, 0, sizeof ticket);
    while (places <= GUARD_SLOTS) {
        char text[40];

        snprintf(text, sizeof text, "prober:%u", places);
        if (caller_reserve(c, claim, 1, text, GUARD_LAST_TRY,
                           &ticket[places]) != GUARD_ADMIT) {
            break;
        }
        places++;
    }
    for (unsigned i = 0; i < places; i++) {
        caller_settle(c, &ticket[i], GUARD_ABANDONED);
    }
    return places;
}

static inline guard_stats_t caller_stats(caller_t *c)
{
    guard_stats_t stats;

    memset(&stats, 0, sizeof stats);
    c->store->ops->stats(c->store, c->now_usec, &stats);
    return stats;
}

/** One test of the contract; its name is its scope. */
typedef struct contract_test_t {
    const char *name;
    void (*run)(caller_t *c);
} contract_test_t;

/** Run them all, each in a scope of its own. */
static inline void contract_run(const contract_test_t *test, size_t count,
                                guard_store_t *store, uint64_t now_usec)
{
    for (size_t i = 0; i < count; i++) {
        caller_t c = {.store = store, .now_usec = now_usec};

        c.scope = test[i].name;
        printf("# %s\n", c.scope);
        test[i].run(&c);
    }
}

#endif
