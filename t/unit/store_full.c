/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_full.c: what a newcomer gets in a full bucket: an entry whose time is
 * nearly over, and never that of a locked client or of one with a guess in
 * flight; else a share in the overflow record of two buckets.
 */
#include "caller.h"
#include "shm.h"

#define BUCKET 1
#define CLIENTS GUARD_SHM_BUCKET_CLIENTS

static caller_t c;
static unsigned next_addr;

/* An empty table, and its caller. */
static void begin(const char *scope)
{
    printf("# %s\n", scope);
    shm_close();
    shm_sweep();
    c.store = shm_serve(GUARD_SHM_CLIENTS_MIN, NULL);
    c.now_usec = (uint64_t)apr_time_from_sec(1000000);
    c.scope = scope;
    next_addr = 0;
}

static int is_here(const guard_claim_t *claim)
{
    return guard_shm_table_bucket_of(guard_store_shm_table(c.store),
                                     claim->client.id) == BUCKET;
}

/* A client of that bucket, another each time. */
static guard_claim_t newcomer(unsigned limit)
{
    guard_claim_t claim;

    do {
        claim = caller_nth(&c, ++next_addr, limit);
    } while (!is_here(&claim));
    return claim;
}

/* Fill the bucket with clients that failed, one a second. */
static void fill(guard_claim_t *claim, unsigned count, unsigned limit)
{
    for (unsigned i = 0; i < count; i++) {
        claim[i] = newcomer(limit);
        caller_fail(&c, &claim[i], 1);
        caller_pass(&c, 1);
    }
}

static unsigned locked_of(const guard_claim_t *claim, unsigned count)
{
    unsigned locked = 0;

    for (unsigned i = 0; i < count; i++) {
        locked += caller_peek(&c, &claim[i], 1)->phase == GUARD_PHASE_LOCKED;
    }
    return locked;
}

static void the_one_nearest_to_its_end_goes(void)
{
    guard_claim_t claim[CLIENTS], late;
    guard_stats_t stats;

    begin("the one nearest to its end goes");
    fill(claim, CLIENTS, 3);
    is((long long)caller_stats(&c).clients_tracked, CLIENTS, "a bucket's full");
    late = newcomer(3);
    caller_fail(&c, &late, 1);
    is(caller_peek(&c, &late, 1)->overflow, 0, "a newcomer gets an entry");
    is(c.report.standing[0].failures, 1, "and counts there");
    is(caller_peek(&c, &claim[0], 1)->failures, 0, "the oldest's is taken");
    is(caller_peek(&c, &claim[1], 1)->failures, 1, "the second oldest's not");
    stats = caller_stats(&c);
    is((long long)stats.counter[GUARD_COUNT_EVICTIONS], 1,
       "one eviction is counted");
    is((long long)stats.clients_tracked, CLIENTS, "as many are tracked");
    shm_is_sound(c.store, c.now_usec, "after an eviction");
}

static void whose_time_is_over_is_not_evicted(void)
{
    guard_claim_t claim[CLIENTS], late;

    begin("whose time is over is not evicted");
    fill(claim, CLIENTS, 3);
    caller_pass(&c, 600);
    late = newcomer(3);
    caller_fail(&c, &late, 1);
    is(caller_peek(&c, &late, 1)->failures, 1,
       "an entry whose time is over is a free one");
    is((long long)caller_stats(&c).counter[GUARD_COUNT_EVICTIONS], 0,
       "and its new use no eviction");
    shm_is_sound(c.store, c.now_usec, "then");
}

static void looking_evicts_nobody(void)
{
    guard_claim_t claim[CLIENTS], pair[2];

    begin("looking evicts nobody");
    fill(claim, CLIENTS, 3);
    pair[0] = newcomer(3);
    caller_peek(&c, &pair[0], 1);
    is(caller_peek(&c, &claim[0], 1)->failures, 1, "peek evicts nobody");
    pair[1] = caller_claim(&c, GUARD_KIND_NET, "192.0.2.0/24", "", 1);
    caller_fail(&c, &pair[1], 1);
    is(caller_attempt(&c, pair, 2, "a:1", GUARD_WRONG), GUARD_LOCKED,
       "a newcomer is refused by his other claim");
    is((long long)caller_stats(&c).counter[GUARD_COUNT_EVICTIONS],
       is_here(&pair[1]), "neither counts as an eviction");
}

static void the_locked_stay(void)
{
    guard_claim_t claim[CLIENTS], late;

    begin("the locked stay");
    fill(claim, CLIENTS, 1);
    is(locked_of(claim, CLIENTS), CLIENTS, "a bucket full of locked clients");
    for (unsigned i = 0; i < 2000; i++) {
        late = newcomer(GUARD_LIMIT_MAX);
        caller_fail(&c, &late, 1);
    }
    is(locked_of(claim, CLIENTS), CLIENTS, "no flood of newcomers frees one");
    is(caller_peek(&c, &late, 1)->overflow, 1,
       "the newcomers count in the overflow record");
    ok(c.report.standing[0].failures > 5, "all in the same");
    ok(caller_stats(&c).counter[GUARD_COUNT_OVERFLOW] > 0, "that is counted");
    is((long long)caller_stats(&c).clients_tracked, CLIENTS,
       "but not as a client");
    shm_is_sound(c.store, c.now_usec, "with an overflow record");
}

static void those_in_flight_stay(void)
{
    guard_ticket_t ticket[CLIENTS];
    guard_claim_t claim[CLIENTS], late;
    unsigned counted = 0;

    begin("those in flight stay");
    memset(ticket, 0, sizeof ticket);
    for (unsigned i = 0; i < CLIENTS; i++) {
        claim[i] = newcomer(2);
        caller_reserve(&c, &claim[i], 1, "a:1", GUARD_LAST_TRY, &ticket[i]);
    }
    for (unsigned i = 0; i < 100; i++) {
        late = newcomer(GUARD_LIMIT_MAX);
        caller_fail(&c, &late, 1);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        caller_settle(&c, &ticket[i], GUARD_WRONG);
        counted += c.report.standing[0].failures == 1 &&
                   !c.report.standing[0].overflow;
    }
    is(counted, CLIENTS, "no flood takes an entry with a guess in flight");
    caller_fail(&c, &late, 1);
    is(caller_peek(&c, &late, 1)->overflow, 0,
       "settled, the oldest makes room again");
}

static apr_status_t count_overflow(void *baton, const guard_entry_t *entry)
{
    *(unsigned *)baton += entry->kind == GUARD_KIND_OVERFLOW;
    return APR_SUCCESS;
}

/* Among locked clients and a locked overflow record. */
static void shared_budget_unlocks(void)
{
    guard_filter_t filter = {.by = GUARD_FILTER_NET}; /* ::/0 */
    unsigned shown = 0, count = 0;

    c.store->ops->iterate(c.store, c.now_usec, &filter, count_overflow, &shown);
    is(shown, 0, "the overflow record has no address");
    filter.by = GUARD_FILTER_ALL;
    c.store->ops->iterate(c.store, c.now_usec, &filter, count_overflow, &shown);
    is(shown, 1, "but is shown among all");
    c.store->ops->unlock(c.store, c.now_usec, &filter, &count);
    is(count, CLIENTS + 1, "and unlocked with all");
    is((long long)caller_stats(&c).clients_locked, 0, "then nobody is locked");
}

static void newcomers_share_one_budget(void)
{
    guard_claim_t claim[CLIENTS], late[4];
    guard_ticket_t ticket = {0};

    begin("newcomers share one budget");
    fill(claim, CLIENTS, 1);
    for (unsigned i = 0; i < COUNT(late); i++) {
        late[i] = newcomer(3);
    }
    caller_fail(&c, &late[0], 1);
    is(caller_attempt(&c, &late[1], 1, "b:1", GUARD_WRONG), GUARD_ADMIT,
       "a second newcomer");
    is(caller_reserve(&c, &late[2], 1, "c:1", GUARD_LAST_TRY, &ticket),
       GUARD_ADMIT, "a third");
    is(caller_attempt(&c, &late[3], 1, "d:1", GUARD_WRONG), GUARD_BUSY,
       "no fourth while the third's guess is in flight");
    is(caller_settle(&c, &ticket, GUARD_WRONG), GUARD_EVENT_LOCKOUT,
       "three failures of three clients lock them");
    is(c.report.standing[0].overflow, 1, "it is told as what it is");
    is(caller_attempt(&c, &late[3], 1, "d:right", GUARD_RIGHT), GUARD_LOCKED,
       "and everybody else who finds no room");
    is(caller_attempt(&c, &claim[0], 1, "d:right", GUARD_RIGHT), GUARD_LOCKED,
       "those with an entry of their own stand as before");
    shm_is_sound(c.store, c.now_usec, "with a locked overflow record");
    shared_budget_unlocks();
}

static void room_again(void)
{
    guard_claim_t claim[CLIENTS], late;
    guard_ticket_t held = {0};

    begin("room again");
    fill(claim, CLIENTS, 1);
    late = newcomer(2);
    caller_reserve(&c, &late, 1, "a:1", GUARD_LAST_TRY, &held);
    caller_pass(&c, 890);
    is(caller_attempt(&c, &late, 1, "b:1", GUARD_WRONG), GUARD_ADMIT,
       "a lockout is over: there is room");
    is(c.report.standing[0].overflow, 0, "the newcomer gets an entry");
    caller_settle(&c, &held, GUARD_WRONG);
    is(c.report.standing[0].overflow, 1,
       "what it held in the overflow record is settled there");
    is(caller_peek(&c, &late, 1)->failures, 1, "and not with its entry");
    shm_is_sound(c.store, c.now_usec, "afterwards");
}

/* Two claims of one call, both newcomers to the same bucket. */
static void one_call_two_newcomers(unsigned room)
{
    guard_claim_t claim[CLIENTS], pair[2];
    guard_ticket_t ticket = {0};

    begin("one call, two newcomers");
    fill(claim, CLIENTS - room, 1);
    pair[0] = newcomer(2);
    pair[1] = newcomer(2);
    is(caller_reserve(&c, pair, 2, "a:1", GUARD_LAST_TRY, &ticket), GUARD_ADMIT,
       "both are admitted");
    is(!!ticket.overflow[0] + !!ticket.overflow[1],
       room < 2 ? 2 - (int)room : 0, "no two get the same entry");
    shm_is_sound(c.store, c.now_usec, "meanwhile");
    caller_settle(&c, &ticket, GUARD_WRONG);
    ok(c.report.standing[0].failures == 1 && c.report.standing[1].failures == 1,
       "a failure for each, in the overflow record one for both");
    is(caller_peek(&c, &pair[0], 1)->failures, 1, "and remembered");
    shm_is_sound(c.store, c.now_usec, "afterwards");
}

/* An observed newcomer to the bucket. */
static guard_claim_t observed_newcomer(unsigned limit)
{
    guard_claim_t claim;

    do {
        claim = newcomer(limit);
        claim.client.counted = GUARD_COUNTED_OBSERVED;
        guard_client_seal(&claim.client, &c.store->table_secret, 0);
    } while (!is_here(&claim));
    return claim;
}

static void observed_newcomers_are_apart(void)
{
    guard_claim_t claim[CLIENTS], observed, real;

    begin("observed newcomers are apart");
    fill(claim, CLIENTS, 1);
    observed = observed_newcomer(1);
    is(caller_fail(&c, &observed, 2), 2, "observed newcomers are not limited");
    real = newcomer(1);
    is(caller_peek(&c, &real, 1)->failures, 0, "and count for nobody else");
    is(caller_attempt(&c, &real, 1, "a:1", GUARD_WRONG), GUARD_ADMIT,
       "a real one is admitted");
    is(caller_peek(&c, &real, 1)->phase, GUARD_PHASE_LOCKED, "and locked");
    is(caller_attempt(&c, &observed, 1, "a:2", GUARD_WRONG), GUARD_ADMIT,
       "which is nothing to the observed one");
    is(caller_peek(&c, &real, 1)->phase, GUARD_PHASE_LOCKED,
       "nor is the observed one's guess to it");
    shm_is_sound(c.store, c.now_usec, "afterwards");
}

/* The author of a .htaccess may lock out whom he likes, for a day. */
static void tenants_get_half(void)
{
    guard_claim_t mine[CLIENTS], theirs[CLIENTS];

    begin("tenants get half of a bucket");
    for (unsigned i = 0; i < CLIENTS; i++) {
        theirs[i] = newcomer(1);
        theirs[i].client.tenant = 1;
        theirs[i].policy.lockout_usec = apr_time_from_sec(86400);
        theirs[i].policy.lockout_max_usec = apr_time_from_sec(86400);
        caller_fail(&c, &theirs[i], 1);
    }
    is((long long)caller_stats(&c).clients_tracked, GUARD_SHM_TENANT_CLIENTS,
       "half is theirs, and no more");
    is(c.report.standing[0].overflow, 1, "the others share a record");
    is(c.report.standing[0].limit, 5, "  whose limit none of them has set");
    ok(caller_peek(&c, &theirs[CLIENTS - 1], 1)->remaining_usec <=
           apr_time_from_sec(3600),
       "  nor its lockout");
    for (unsigned i = 0; i < CLIENTS / 2; i++) {
        mine[i] = newcomer(3);
        caller_fail(&c, &mine[i], 1);
    }
    is(c.report.standing[0].overflow, 0, "the server's clients find room");
    is(caller_peek(&c, &mine[0], 1)->failures, 1, "  each of its own");
    is(caller_peek(&c, &theirs[0], 1)->phase, GUARD_PHASE_LOCKED,
       "and a tenant's locked client stays locked");
    shm_is_sound(c.store, c.now_usec, "with tenants");
}

static void flood(void)
{
    guard_claim_t locked = {0}, late;

    begin("a flood");
    locked = caller_ip(&c, "192.0.2.1", 1);
    caller_fail(&c, &locked, 1);
    for (unsigned i = 0; i < 20000; i++) {
        late = caller_nth(&c, i, 1);
        caller_attempt(&c, &late, 1, "a:1", GUARD_WRONG);
    }
    is(caller_peek(&c, &locked, 1)->phase, GUARD_PHASE_LOCKED,
       "20000 failing addresses free no locked client");
    is((long long)caller_stats(&c).clients_locked -
           (long long)caller_stats(&c).clients_tracked,
       1, "all entries are locked, and the overflow record of both buckets");
    shm_is_sound(c.store, c.now_usec, "after the flood");
}

int main(void)
{
    shm_begin();
    the_one_nearest_to_its_end_goes();
    whose_time_is_over_is_not_evicted();
    looking_evicts_nobody();
    the_locked_stay();
    those_in_flight_stay();
    newcomers_share_one_budget();
    room_again();
    for (unsigned room = 0; room <= 2; room++) {
        one_call_two_newcomers(room);
    }
    observed_newcomers_are_apart();
    tenants_get_half();
    flood();
    shm_close();
    return tap_done();
}
