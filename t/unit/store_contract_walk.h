/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * store_contract_walk.h: what every store promises of peek, unlock, iterate
 * and stats. Run against an open store by contract_walk().
 */
#ifndef STORE_CONTRACT_WALK_H
#define STORE_CONTRACT_WALK_H

#include "caller.h"

#include <stdlib.h>

static void peek_changes_nothing(caller_t *c)
{
    guard_claim_t known = caller_ip(c, "192.0.2.1", 3);
    guard_claim_t unknown = caller_ip(c, "192.0.2.2", 3);
    guard_stats_t before, after;

    caller_fail(c, &known, 2);
    before = caller_stats(c);
    for (int i = 0; i < 10; i++) {
        caller_peek(c, &unknown, 1);
        caller_peek(c, &known, 1);
    }
    after = caller_stats(c);
    ok(!memcmp(&before, &after, sizeof before), "peek leaves no trace");
    is(c->report.verdict, GUARD_ADMIT, "a counted client is not locked");
    ok(c->report.standing[0].failures == 2 && c->report.standing[0].limit == 3,
       "and where it stands is told");
    is(caller_places(c, &known), 1, "it has what it had");
}

/* ---- unlock ---- */

/* Clients of one scope, each locked but the last. */
enum { V4, V4_NEXT, V6, NET, USER, LOGIN, OBSERVED, COUNTED, CLIENTS };

static void make_clients(caller_t *c, guard_claim_t claim[CLIENTS])
{
    claim[V4] = caller_ip(c, "192.0.2.1", 2);
    claim[V4_NEXT] = caller_ip(c, "192.0.2.2", 2);
    claim[V6] = caller_ip(c, "2001:db8::/64", 2);
    claim[NET] = caller_claim(c, GUARD_KIND_NET, "198.51.100.0/24", "", 2);
    claim[USER] = caller_claim(c, GUARD_KIND_USER, "::", "alice", 2);
    claim[LOGIN] = caller_claim(c, GUARD_KIND_LOGIN, "203.0.113.1", "alice", 2);
    claim[OBSERVED] = caller_ip(c, "203.0.113.2", 2);
    claim[OBSERVED].client.counted = GUARD_COUNTED_OBSERVED;
    guard_client_seal(&claim[OBSERVED].client, &c->store->table_secret, 0);
    claim[COUNTED] = caller_ip(c, "192.0.2.3", 2);
    for (int i = 0; i < CLIENTS; i++) {
        caller_fail(c, &claim[i], i == COUNTED ? 1 : 2);
    }
}

/* @return which of the clients are locked, as bits. */
static unsigned locked_bits(caller_t *c, const guard_claim_t claim[CLIENTS])
{
    unsigned bits = 0;

    for (int i = 0; i < CLIENTS; i++) {
        if (caller_peek(c, &claim[i], 1)->phase == GUARD_PHASE_LOCKED) {
            bits |= 1u << i;
        }
    }
    return bits;
}

#define BIT(client) (1u << (client))

static const struct {
    const char *what;
    unsigned by;
    const char *arg;
    unsigned unlocked;
    unsigned count; /* of those that had anything to forget */
} unlock_row[] = {
    {"one address", GUARD_FILTER_NET, "192.0.2.1", BIT(V4), 1},
    {"an address behind a prefix", GUARD_FILTER_NET, "2001:db8::/64", BIT(V6),
     1},
    {"a block", GUARD_FILTER_NET, "192.0.2.0/24", BIT(V4) | BIT(V4_NEXT), 3},
    {"all of IPv4: no user, no IPv6", GUARD_FILTER_NET, "0.0.0.0/0",
     BIT(V4) | BIT(V4_NEXT) | BIT(NET) | BIT(LOGIN) | BIT(OBSERVED), 6},
    {"a block with nobody in it", GUARD_FILTER_NET, "10.0.0.0/8", 0, 0},
    {"a user: also from his address", GUARD_FILTER_USER, "alice",
     BIT(USER) | BIT(LOGIN), 2},
    {"another user", GUARD_FILTER_USER, "bob", 0, 0},
    {"everybody", GUARD_FILTER_ALL, "",
     BIT(V4) | BIT(V4_NEXT) | BIT(V6) | BIT(NET) | BIT(USER) | BIT(LOGIN) |
         BIT(OBSERVED),
     CLIENTS},
};

static guard_filter_t filter_of(size_t row, const char *scope)
{
    guard_filter_t filter = {.scope_name = scope};

    filter.by = unlock_row[row].by;
    if (unlock_row[row].by == GUARD_FILTER_NET) {
        guard_cidr_parse(&filter.net, unlock_row[row].arg);
    }
    filter.user = unlock_row[row].arg;
    return filter;
}

static void unlock_frees_whom_it_means(caller_t *c)
{
    const char *base = c->scope;
    char scope[60];

    for (size_t i = 0; i < COUNT(unlock_row); i++) {
        guard_claim_t claim[CLIENTS];
        guard_filter_t filter = filter_of(i, scope);
        unsigned before, count = 99;

        snprintf(scope, sizeof scope, "%s %u", base, (unsigned)i);
        c->scope = scope;
        make_clients(c, claim);
        before = locked_bits(c, claim);
        c->store->ops->unlock(c->store, c->now_usec, &filter, &count);
        is(before & ~locked_bits(c, claim), unlock_row[i].unlocked,
           unlock_row[i].what);
        is(count, unlock_row[i].count,
           "  and says how many had anything to forget");
    }
}

static void unlock_stays_in_its_scope(caller_t *c)
{
    guard_claim_t here = caller_ip(c, "192.0.2.1", 1), there;
    guard_filter_t filter = {.scope_name = c->scope};
    unsigned count = 0;

    caller_fail(c, &here, 1);
    c->scope = "another scope";
    there = caller_ip(c, "192.0.2.1", 1);
    caller_fail(c, &there, 1);
    c->store->ops->unlock(c->store, c->now_usec, &filter, &count);
    is(count, 1, "one is unlocked in this scope");
    is(caller_peek(c, &here, 1)->phase, GUARD_PHASE_CALM, "the one meant");
    is(caller_peek(c, &there, 1)->phase, GUARD_PHASE_LOCKED, "not the other");
    filter.scope_name = "a scope that nobody knows";
    c->store->ops->unlock(c->store, c->now_usec, &filter, &count);
    is(count, 0, "an unknown scope has nobody to unlock");
}

static void unlock_forgets_failures_and_level(caller_t *c)
{
    guard_claim_t locked = caller_ip(c, "192.0.2.1", 1);
    guard_claim_t counted = caller_ip(c, "192.0.2.2", 3);
    guard_filter_t filter = {.scope_name = c->scope};
    unsigned count = 0;

    caller_fail(c, &locked, 1);
    caller_fail(c, &counted, 2);
    filter.locked_only = 1;
    c->store->ops->unlock(c->store, c->now_usec, &filter, &count);
    is(caller_peek(c, &counted, 1)->failures, 2,
       "locked_only leaves those alone that are merely counted");
    ok(caller_peek(c, &locked, 1)->failures == 0 &&
           c->report.standing[0].level == 0,
       "an unlocked client begins anew");
    caller_fail(c, &locked, 1);
    is(c->report.standing[0].remaining_usec, apr_time_from_sec(900),
       "and its next lockout is a first one");
    filter.locked_only = 0;
    c->store->ops->unlock(c->store, c->now_usec, &filter, &count);
    is(caller_peek(c, &counted, 1)->failures, 0, "failures are forgotten too");
    is(count, 2, "it says how many had anything to forget");
    c->store->ops->unlock(c->store, c->now_usec, &filter, &count);
    is(count, 0, "and then nobody has");
}

static void unlock_frees_places(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 2);
    guard_filter_t filter = {.scope_name = c->scope};
    guard_ticket_t ticket = {0};
    unsigned count = 0;

    caller_fail(c, &claim, 1);
    caller_reserve(c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    c->store->ops->unlock(c->store, c->now_usec, &filter, &count);
    is(caller_places(c, &claim), 2, "unlock: the place is free again");
    caller_settle(c, &ticket, GUARD_WRONG);
    is(c->report.standing[0].failures, 1,
       "and a wrong guess in flight still counts");
}

/* ---- iterate ---- */

typedef struct seen_t {
    unsigned count;
    unsigned stop_at; /* 0: never */
    guard_entry_t last;
} seen_t;

static apr_status_t see(void *baton, const guard_entry_t *entry)
{
    seen_t *seen = baton;

    seen->last = *entry;
    return ++seen->count == seen->stop_at ? APR_EGENERAL : APR_SUCCESS;
}

static void iterate_shows_what_unlock_would_mean(caller_t *c)
{
    guard_claim_t claim[CLIENTS];

    make_clients(c, claim);
    for (size_t i = 0; i < COUNT(unlock_row); i++) {
        guard_filter_t filter = filter_of(i, c->scope);
        seen_t seen = {0};

        filter.locked_only = 1;
        c->store->ops->iterate(c->store, c->now_usec, &filter, see, &seen);
        is(seen.count, __builtin_popcount(unlock_row[i].unlocked),
           unlock_row[i].what);
    }
}

static void iterate_tells_all_of_an_entry(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 3);
    guard_filter_t filter = {.scope_name = c->scope};
    guard_ticket_t ticket = {0};
    seen_t seen = {0};

    caller_fail(c, &claim, 2);
    caller_reserve(c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    is(c->store->ops->iterate(c->store, c->now_usec, &filter, see, &seen),
       APR_SUCCESS, "iterate ends well");
    ok(seen.last.id == claim.client.id && seen.last.kind == GUARD_KIND_IP &&
           seen.last.counted == GUARD_COUNTED_FOR_REAL,
       "who");
    ok(!memcmp(&seen.last.addr, &claim.client.addr, sizeof claim.client.addr) &&
           seen.last.bits == GUARD_ADDR_BITS,
       "where from");
    ok(seen.last.phase == GUARD_PHASE_WINDOW && seen.last.failures == 2 &&
           seen.last.limit == 3 && seen.last.level == 0 &&
           seen.last.in_flight == 1,
       "where it stands");
    is(seen.last.remaining_usec, apr_time_from_sec(600), "for how long");
    is_str(seen.last.scope_name, c->scope, "in which scope");
    ok(seen.last.scope == claim.client.scope, "and its hash");
}

/* One record, and no other of the same address. */
static void an_entry_is_unlocked_by_its_id(caller_t *c)
{
    guard_claim_t pair[2] = {
        caller_ip(c, "192.0.2.1", 1),
        caller_claim(c, GUARD_KIND_NET, "192.0.2.0/24", "", 1)};
    guard_filter_t filter = {.by = GUARD_FILTER_ID, .id = pair[0].client.id};
    seen_t seen = {0};
    unsigned count = 0;

    caller_attempt(c, pair, 2, "a:1", GUARD_WRONG);
    caller_pass(c, 10);
    c->store->ops->iterate(c->store, c->now_usec, &filter, see, &seen);
    is(seen.count, 1, "an entry is found by its id");
    is(seen.last.since_usec, apr_time_from_sec(10), "with when it was locked");
    c->store->ops->unlock(c->store, c->now_usec, &filter, &count);
    is(count, 1, "and unlocked");
    is(caller_peek(c, &pair[0], 1)->phase, GUARD_PHASE_CALM, "this one");
    is(caller_peek(c, &pair[1], 1)->phase, GUARD_PHASE_LOCKED, "alone");
}

static void iterate_tells_observed_from_real(caller_t *c)
{
    guard_claim_t claim =
        caller_claim(c, GUARD_KIND_LOGIN, "192.0.2.1", "alice", 1);
    guard_filter_t filter = {
        .by = GUARD_FILTER_USER, .user = "alice", .scope_name = c->scope};
    seen_t seen = {0};

    claim.client.counted = GUARD_COUNTED_OBSERVED;
    guard_client_seal(&claim.client, &c->store->table_secret,
                      caller_hash(c, "alice"));
    caller_fail(c, &claim, 1);
    c->store->ops->iterate(c->store, c->now_usec, &filter, see, &seen);
    is(seen.count, 1, "a user's observed record is found by his name");
    is(seen.last.counted, GUARD_COUNTED_OBSERVED, "and told as what it is");
    is(seen.last.kind, GUARD_KIND_LOGIN, "and of its kind");
}

static void iterate_ends_when_told_to(caller_t *c)
{
    guard_claim_t claim[CLIENTS];
    guard_filter_t filter = {.scope_name = c->scope};
    seen_t all = {0}, some = {.stop_at = 3};

    make_clients(c, claim);
    c->store->ops->iterate(c->store, c->now_usec, &filter, see, &all);
    is(all.count, CLIENTS, "every record in use is shown");
    c->store->ops->iterate(c->store, c->now_usec, &filter, see, &some);
    is(some.count, 3, "until each() has seen enough");
}

/* Calls the store from within: a lock held meanwhile would be noticed. */
static apr_status_t peek_within(void *baton, const guard_entry_t *entry)
{
    caller_t *c = baton;
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 9);

    (void)entry;
    return caller_attempt(c, &claim, 1, "x:1", GUARD_WRONG) ? APR_SUCCESS
                                                            : APR_EGENERAL;
}

static void iterate_holds_no_lock_while_it_shows(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 9);
    guard_filter_t filter = {.scope_name = c->scope};

    caller_fail(c, &claim, 1);
    is(c->store->ops->iterate(c->store, c->now_usec, &filter, peek_within, c),
       APR_SUCCESS, "the store can be used from within");
}

/* ---- stats ---- */

static void tallies_add_up(caller_t *c)
{
    guard_stats_t before = caller_stats(c), after;
    int wrong = 0;

    for (unsigned i = 0; i <= GUARD_COUNT_LOCKOUTS; i++) {
        for (unsigned n = 0; n <= i; n++) {
            c->store->ops->tally(c->store, (guard_counter_e)i);
        }
    }
    after = caller_stats(c);
    for (unsigned i = 0; i <= GUARD_COUNT_LOCKOUTS; i++) {
        wrong += after.counter[i] - before.counter[i] != i + 1;
    }
    is(wrong, 0, "every counter counts what it was told, no other");
}

static void operations_tally_nothing(caller_t *c)
{
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 2);
    guard_stats_t before = caller_stats(c), after;

    caller_attempt(c, &claim, 1, "a:right", GUARD_RIGHT);
    caller_fail(c, &claim, 4);
    after = caller_stats(c);
    ok(!memcmp(before.counter, after.counter,
               GUARD_COUNT_EVICTIONS * sizeof before.counter[0]),
       "attempts are the caller's to count");
}

static void stats_count_clients(caller_t *c)
{
    guard_stats_t before = caller_stats(c), after;
    guard_claim_t claim[CLIENTS];

    make_clients(c, claim);
    after = caller_stats(c);
    is((long long)(after.clients_tracked - before.clients_tracked), CLIENTS,
       "every client that is remembered is tracked");
    is((long long)(after.clients_locked - before.clients_locked), CLIENTS - 1,
       "locked ones are counted");
    ok(after.table_size >= after.clients_tracked, "and fit in the table");
}

static void nothing_is_kept_of_what_was_abandoned(caller_t *c)
{
    guard_stats_t before = caller_stats(c), after;
    guard_claim_t claim = caller_ip(c, "192.0.2.1", 2);
    guard_ticket_t ticket = {0};

    caller_reserve(c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    caller_settle(c, &ticket, GUARD_ABANDONED);
    after = caller_stats(c);
    is((long long)after.clients_tracked, (long long)before.clients_tracked,
       "a client with nothing to remember leaves the table");
}

static inline void contract_walk(guard_store_t *store, uint64_t now_usec)
{
    static const contract_test_t test[] = {
        {"peek changes nothing", peek_changes_nothing},
        {"unlock frees whom it means", unlock_frees_whom_it_means},
        {"unlock stays in its scope", unlock_stays_in_its_scope},
        {"unlock forgets failures and level",
         unlock_forgets_failures_and_level},
        {"unlock frees places", unlock_frees_places},
        {"iterate shows what unlock would mean",
         iterate_shows_what_unlock_would_mean},
        {"iterate tells all of an entry", iterate_tells_all_of_an_entry},
        {"an entry is unlocked by its id", an_entry_is_unlocked_by_its_id},
        {"iterate tells observed from real", iterate_tells_observed_from_real},
        {"iterate ends when told to", iterate_ends_when_told_to},
        {"iterate holds no lock while it shows",
         iterate_holds_no_lock_while_it_shows},
        {"tallies add up", tallies_add_up},
        {"operations tally nothing", operations_tally_nothing},
        {"stats count clients", stats_count_clients},
        {"nothing is kept of what was abandoned",
         nothing_is_kept_of_what_was_abandoned}};

    contract_run(test, COUNT(test), store, now_usec);
}

#endif
