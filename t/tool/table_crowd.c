/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * table_crowd.c: for tests only, a store's file with many clients in it, made
 * before a server starts on it.
 *
 *     table_crowd FILE SIZE LOCKED FAILING SCOPE
 *     tracked=300 locked=100
 *
 * Owns the file FILE with room for SIZE clients. LOCKED of them are locked out
 * and FAILING have 1 to 4 failures of 5, all in the scope of that name, from
 * 10.0.0.0 on. Invariant: every record was made by reserve and settle, as a
 * request makes it.
 */
#include "guard_store_shm.h"

#include <apr_general.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct crowd_t {
    guard_store_t *store;
    const char *scope;
    unsigned sequence; /* of guesses, no two alike */
} crowd_t;

static guard_claim_t claim_of(const crowd_t *crowd, unsigned n)
{
    guard_claim_t claim = {0};
    char text[20];

    snprintf(text, sizeof(text), "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255,
             n & 255);
    guard_addr_parse(&claim.client.addr, text);
    claim.client.bits = GUARD_ADDR_BITS;
    claim.client.kind = GUARD_KIND_IP;
    claim.client.scope = guard_key_hash(&crowd->store->table_secret,
                                        crowd->scope, strlen(crowd->scope));
    claim.client.scope_name = crowd->scope;
    claim.policy = guard_policy_default;
    guard_client_seal(&claim.client, &crowd->store->table_secret, 0);
    return claim;
}

static apr_status_t fail(crowd_t *crowd, unsigned n)
{
    guard_claim_t claim = claim_of(crowd, n);
    guard_ticket_t ticket = {0};
    guard_report_t report;
    guard_guess_t guess = {0};
    uint64_t now_usec = guard_store_clock();
    apr_status_t rv;

    guess.tag = guess.proven_tag = ++crowd->sequence;
    rv = crowd->store->ops->reserve(crowd->store, now_usec, &claim, 1, &guess,
                                    GUARD_LAST_TRY, &ticket, &report);
    return rv == APR_SUCCESS
               ? crowd->store->ops->settle(crowd->store, now_usec, &ticket,
                                           GUARD_WRONG, &report)
               : rv;
}

static apr_status_t fill(crowd_t *crowd, unsigned locked, unsigned failing)
{
    apr_status_t rv = APR_SUCCESS;

    for (unsigned n = 0; rv == APR_SUCCESS && n < locked + failing; n++) {
        unsigned failures = n < locked ? guard_policy_default.limit : 1 + n % 4;

        while (rv == APR_SUCCESS && failures--) {
            rv = fail(crowd, n);
        }
    }
    return rv;
}

int main(int argc, char **argv)
{
    guard_shm_options_t options = {.role = GUARD_SHM_SERVER};
    guard_stats_t stats = {.table_size = 0};
    crowd_t crowd = {0};
    apr_pool_t *pool;
    apr_status_t rv = APR_EINVAL;

    if (argc == 6 && apr_initialize() == APR_SUCCESS &&
        apr_pool_create(&pool, NULL) == APR_SUCCESS) {
        options.path = argv[1];
        options.clients = (uint32_t)strtoul(argv[2], NULL, 10);
        crowd.scope = argv[5];
        rv = guard_store_shm_open(&crowd.store, &options, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = fill(&crowd, (unsigned)strtoul(argv[3], NULL, 10),
                  (unsigned)strtoul(argv[4], NULL, 10));
    }
    if (rv == APR_SUCCESS) {
        rv = crowd.store->ops->stats(crowd.store, guard_store_clock(), &stats);
    }
    printf("tracked=%u locked=%u\n", (unsigned)stats.clients_tracked,
           (unsigned)stats.clients_locked);
    return rv != APR_SUCCESS;
}
