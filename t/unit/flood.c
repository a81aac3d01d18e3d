/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * flood.c: more clients than the table holds, many times over. Nobody who is
 * locked out is freed by them, nobody is admitted uncounted, and what the
 * store did is counted.
 *
 * With the argument "cost" it makes the operations whose instructions
 * t/flood_cost.t counts, and names them in their order.
 */
#include "caller.h"
#include "shm.h"

#define TABLE 10000
#define LOCKED 100
#define NEWCOMERS 200000
#define A_SECOND 400 /* newcomers: the flood ends before their windows do */
#define LIMIT 5

static caller_t c;
static guard_claim_t locked[LOCKED];

static void begin(const char *scope, uint32_t clients)
{
    printf("# %s\n", scope);
    shm_close();
    shm_sweep();
    c.store = shm_serve(clients, NULL);
    c.now_usec = (uint64_t)apr_time_from_sec(1000000);
    c.scope = scope;
}

static uint64_t counted(guard_counter_e counter)
{
    return caller_stats(&c).counter[counter];
}

static void lock_some(void)
{
    char text[20];

    for (unsigned i = 0; i < LOCKED; i++) {
        snprintf(text, sizeof text, "192.0.2.%u", i);
        locked[i] = caller_ip(&c, text, LIMIT);
        caller_fail(&c, &locked[i], LIMIT);
    }
}

/* How many are locked still, and for as long as they were told at first. */
static unsigned still_locked(uint64_t since_usec)
{
    unsigned count = 0;

    for (unsigned i = 0; i < LOCKED; i++) {
        apr_interval_time_t left =
            locked[i].policy.lockout_usec -
            (apr_interval_time_t)(c.now_usec - since_usec);

        caller_peek(&c, &locked[i], 1);
        count += c.report.verdict == GUARD_LOCKED &&
                 c.report.standing[0].remaining_usec == left;
    }
    return count;
}

/* One guess of each. @return how many were admitted */
static unsigned flood(unsigned count, unsigned limit, unsigned a_second)
{
    unsigned admitted = 0;

    for (unsigned i = 0; i < count; i++) {
        guard_claim_t claim = caller_nth(&c, i, limit);

        admitted +=
            caller_attempt(&c, &claim, 1, "eve:1", GUARD_WRONG) == GUARD_ADMIT;
        caller_pass(&c, i % a_second == 0);
    }
    return admitted;
}

static void newcomers_by_the_thousand(void)
{
    uint64_t start_usec;
    guard_stats_t stats;

    begin("newcomers by the thousand", TABLE);
    start_usec = c.now_usec;
    lock_some();
    is(flood(NEWCOMERS, LIMIT, A_SECOND), NEWCOMERS,
       "200,000 clients make a guess each");
    is(still_locked(start_usec), LOCKED, "none of the 100 is freed");
    stats = caller_stats(&c);
    is((long long)(stats.clients_tracked +
                   stats.counter[GUARD_COUNT_EVICTIONS]),
       NEWCOMERS + LOCKED, "each has an entry, or an eviction is counted");
    is((long long)stats.counter[GUARD_COUNT_OVERFLOW], 0,
       "there is room while not all are locked");
    is((long long)stats.clients_tracked, (long long)stats.table_size,
       "the table is full");
    shm_is_sound(c.store, c.now_usec, "after the flood");
}

/* Each newcomer is locked by his first guess, so that none gives way. */
static void newcomers_who_are_locked(void)
{
    uint64_t start_usec;
    guard_stats_t stats;
    unsigned admitted, shared;

    begin("newcomers who are locked", TABLE);
    start_usec = c.now_usec;
    lock_some();
    admitted = flood(NEWCOMERS, 1, A_SECOND);
    is(still_locked(start_usec), LOCKED, "none of the 100 is freed");
    stats = caller_stats(&c);
    shared = guard_shm_table_buckets(TABLE) / 2;
    is(admitted, (long long)stats.table_size - LOCKED + shared,
       "a guess for each entry and for each shared budget");
    is((long long)stats.clients_locked, (long long)stats.table_size + shared,
       "all of which are locked");
    ok(stats.counter[GUARD_COUNT_OVERFLOW] >= shared, "overflow is counted");
    is((long long)stats.counter[GUARD_COUNT_EVICTIONS], 0,
       "and no eviction: nobody locked gave way");
    shm_is_sound(c.store, c.now_usec, "with every entry locked");
}

/* ---- user names ---- */

#define NAMES 50000
#define NAMES_LOCKED 5000

/* n wrong guesses at that name, by one address. @return how many were
 * admitted */
static unsigned guess_name(unsigned name, unsigned n, guard_kind_e kind,
                           int by_ip)
{
    guard_claim_t claim[2];
    unsigned count = 0, admitted = 0;
    char user[20], text[40];

    snprintf(user, sizeof user, "user%u", name);
    if (by_ip) {
        claim[count++] = caller_ip(&c, "198.51.100.7", LIMIT);
    }
    claim[count++] = caller_claim(
        &c, kind, kind == GUARD_KIND_USER ? "::/0" : "198.51.100.7", user,
        LIMIT);
    for (unsigned i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%s:%u", user, i);
        admitted +=
            caller_attempt(&c, claim, count, text, GUARD_WRONG) == GUARD_ADMIT;
    }
    return admitted;
}

static void names_with_a_limit_by_address(guard_kind_e kind)
{
    unsigned admitted = 0;

    begin("names, with a limit by address", TABLE);
    for (unsigned i = 0; i < NAMES; i++) {
        admitted += guess_name(i, 1, kind, 1);
    }
    is(admitted, LIMIT, "50,000 names: five guesses");
    is((long long)caller_stats(&c).clients_tracked, LIMIT + 1,
       "and six records: the address, and five names");
    is((long long)counted(GUARD_COUNT_EVICTIONS), 0, "nobody gave way");
}

static void names_without(guard_kind_e kind)
{
    unsigned admitted = 0;
    uint64_t start_usec;

    begin("names, without one", TABLE);
    start_usec = c.now_usec;
    lock_some();
    for (unsigned i = 0; i < NAMES; i++) {
        admitted += guess_name(i, 1, kind, 0);
        caller_pass(&c, i % A_SECOND == 0);
    }
    is(admitted, NAMES, "50,000 names: one address fills the table");
    ok(counted(GUARD_COUNT_EVICTIONS) >= NAMES - TABLE - LOCKED,
       "which is counted");
    is(still_locked(start_usec), LOCKED, "who was locked stays locked");
    admitted = 0;
    for (unsigned i = 0; i < NAMES_LOCKED; i++) {
        admitted += guess_name(NAMES + i, LIMIT + 1, kind, 0) > LIMIT;
    }
    is(admitted, 0, "no name gets more than its limit");
    is(still_locked(start_usec), LOCKED, "nor do locked names free anybody");
    shm_is_sound(c.store, c.now_usec, "full of names");
}

/* ---- cost ---- */

#define COST_TABLE 1000
#define JOBS 100

typedef struct job_t {
    guard_claim_t claim;
    guard_guess_t guess;
    guard_outcome_e outcome;
} job_t;

static unsigned next_client;

/** What is counted: reserve, and settle what was admitted. */
__attribute__((noinline)) void flood_measured(const job_t *job);
__attribute__((noinline)) void flood_measured(const job_t *job)
{
    for (unsigned i = 0; i < JOBS; i++) {
        guard_ticket_t ticket = {0};

        c.store->ops->reserve(c.store, c.now_usec, &job[i].claim, 1,
                              &job[i].guess, GUARD_LAST_TRY, &ticket,
                              &c.report);
        if (c.report.verdict == GUARD_ADMIT) {
            c.store->ops->settle(c.store, c.now_usec, &ticket, job[i].outcome,
                                 &c.report);
        }
    }
}

static void measure(const char *what, const char *table,
                    guard_outcome_e outcome)
{
    static job_t job[JOBS];

    for (unsigned i = 0; i < JOBS; i++) {
        job[i].claim = outcome == GUARD_ABANDONED
                           ? locked[i % LOCKED]
                           : caller_nth(&c, next_client++, LIMIT);
        job[i].guess = caller_guess(&c, "eve:1");
        job[i].outcome = outcome;
    }
    printf("# measured: %s, %s\n", what, table);
    flood_measured(job);
}

static void measure_all(const char *table)
{
    measure("a locked client", table, GUARD_ABANDONED);
    measure("a wrong guess", table, GUARD_WRONG);
    measure("a right guess", table, GUARD_RIGHT);
}

static void fill(unsigned count, unsigned limit)
{
    for (unsigned i = 0; i < count; i++) {
        guard_claim_t claim = caller_nth(&c, next_client++, limit);

        caller_attempt(&c, &claim, 1, "eve:1", GUARD_WRONG);
    }
}

static void cost(void)
{
    begin("cost", COST_TABLE);
    lock_some();
    measure_all("empty");
    fill(COST_TABLE / 2 - LOCKED - 2 * JOBS, LIMIT);
    measure_all("half full");
    fill(3 * COST_TABLE, LIMIT);
    measure_all("full");
    fill(3 * COST_TABLE, 1);
    ok(counted(GUARD_COUNT_OVERFLOW) > 0, "the table overflows");
    measure_all("overflowing");
}

int main(int argc, char **argv)
{
    shm_begin();
    if (argc > 1 && !strcmp(argv[1], "cost")) {
        cost();
    } else {
        newcomers_by_the_thousand();
        newcomers_who_are_locked();
        for (guard_kind_e kind = GUARD_KIND_USER; kind <= GUARD_KIND_LOGIN;
             kind++) {
            printf("# by `%s`\n", guard_kind_name(kind));
            names_with_a_limit_by_address(kind);
            names_without(kind);
        }
    }
    shm_close();
    return tap_done();
}
