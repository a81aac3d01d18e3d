/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store.c: the store contract, run against the shared-memory store.
 */
#include "store_contract.h"
#include "store_contract_time.h"
#include "store_contract_walk.h"
#include "shm.h"

int main(void)
{
    uint64_t now_usec = (uint64_t)apr_time_from_sec(1000000);
    guard_store_t *store;

    shm_begin();
    store = shm_serve(4096, NULL);
    is(store->wait_usec, GUARD_WAIT_USEC_DEFAULT,
       "callers wait 2 s by default");
    contract_reserve(store, now_usec);
    contract_time(store, now_usec);
    shm_is_sound(store, now_usec, "after reserve and settle");
    contract_walk(store, now_usec);
    shm_is_sound(store, now_usec, "after all");
    shm_close();
    return tap_done();
}
