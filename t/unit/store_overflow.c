/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Clients that found no room: a proof is found by the bucket of its client,
 * not by that of the overflow record, which may be the bucket's beside it; and
 * two limits that are counted in one overflow record take one place there, and
 * give back one.
 */
#include "caller.h"
#include "shm.h"

static caller_t c;
static unsigned next_addr;

/* A client of that bucket who was not there yet. */
static guard_claim_t newcomer(uint32_t bucket, unsigned limit, int tenant)
{
    guard_claim_t claim;

    do {
        claim = caller_nth(&c, ++next_addr, limit);
        claim.client.tenant = tenant ? 1 : 0;
    } while (guard_shm_table_bucket_of(guard_store_shm_table(c.store),
                                       claim.client.id) != bucket);
    return claim;
}

static void begin(uint32_t clients)
{
    shm_close();
    shm_sweep();
    c.store = shm_serve(clients, NULL);
    c.now_usec = (uint64_t)apr_time_from_sec(1000000);
    c.scope = "overflow";
    next_addr = 0;
}

/* All of them are locked out: nobody makes room. */
static void fill(uint32_t bucket, int tenant)
{
    int count = tenant ? GUARD_SHM_TENANT_CLIENTS : GUARD_SHM_BUCKET_CLIENTS;

    while (count--) {
        guard_claim_t claim = newcomer(bucket, 1, tenant);

        caller_fail(&c, &claim, 1);
    }
}

/* Others are let in, until none of the record's slots knows the first. */
static void turn_slots(uint32_t bucket, int tenant)
{
    for (int i = 0; i < GUARD_SLOTS; i++) {
        guard_claim_t claim = newcomer(bucket, 5, tenant);
        char guess[] = "u0:right";

        guess[1] = (char)('0' + i);
        caller_attempt(&c, &claim, 1, guess, GUARD_RIGHT);
    }
}

static void test_proof(uint32_t bucket, int tenant)
{
    guard_ticket_t ticket = {0}, held[5];
    guard_claim_t good, other;

    printf("# bucket %u, tenant %d\n", bucket, tenant);
    begin(2048);
    fill(bucket, tenant);
    good = newcomer(bucket, 5, tenant);
    other = newcomer(bucket, 5, tenant);
    is(caller_attempt(&c, &good, 1, "good:right", GUARD_RIGHT), GUARD_ADMIT,
       "he signs in");
    is(c.report.standing[0].overflow, 1, "there is no room for him");
    turn_slots(bucket, tenant);
    memset(held, 0, sizeof(held));
    for (int i = 0; i < 5; i++) {
        char guess[] = "x0:wrong";

        guess[1] = (char)('0' + i);
        caller_reserve(&c, &other, 1, guess, GUARD_LAST_TRY, &held[i]);
    }
    is(caller_reserve(&c, &good, 1, "good:right", GUARD_LAST_TRY, &ticket),
       GUARD_ADMIT, "he is let in while strangers have all places");
    is(c.report.is_proven, 1, "for his guess is proven");
}

static void test_pair(uint32_t first, uint32_t second)
{
    guard_ticket_t holder = {0}, joint = {0}, third = {0};
    guard_claim_t pair[2];

    printf("# two limits, in buckets %u and %u\n", first, second);
    begin(64);
    fill(0, 0);
    fill(1, 0);
    pair[0] = newcomer(first, 1, 0);
    pair[1] = newcomer(second, 1, 0);
    is(caller_reserve(&c, pair, 2, "a:1", GUARD_LAST_TRY, &holder), GUARD_ADMIT,
       "the one place is taken");
    is(caller_reserve(&c, pair, 2, "a:1", GUARD_LAST_TRY, &joint), GUARD_ADMIT,
       "the same guess shares it");
    caller_settle(&c, &joint, GUARD_ABANDONED);
    is(caller_reserve(&c, pair, 2, "b:2", GUARD_LAST_TRY, &third), GUARD_BUSY,
       "another guess finds it taken still");
    caller_settle(&c, &holder, GUARD_WRONG);
    is(caller_peek(&c, pair, 2)->phase, GUARD_PHASE_LOCKED,
       "and the first one is counted");
}

int main(void)
{
    shm_begin();
    test_proof(0, 0);
    test_proof(1, 0);
    test_proof(0, 1);
    test_proof(1, 1);
    test_pair(0, 0);
    test_pair(0, 1);
    shm_close();
    return tap_done();
}
