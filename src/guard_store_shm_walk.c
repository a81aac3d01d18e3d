/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_walk.c owns what goes through all buckets: list, unlock,
 * statistics, a new guess key. It knows the table, and decides nothing about
 * counting.
 *
 * Invariant: one bucket is locked at a time and only while its records are
 * copied or changed; nothing is formatted and nobody called back under a lock.
 */
#include "guard_store_shm_walk.h"
#include "guard_store_filter.h"
#include "guard_store_shm.h"
#include "guard_store_shm_clock.h"

#include <string.h>

static unsigned kind_of(const guard_record_t *record)
{
    return record->kind & GUARD_RECORD_KIND;
}

static guard_counted_e counted_of(const guard_record_t *record)
{
    return record->kind & GUARD_RECORD_OBSERVED ? GUARD_COUNTED_OBSERVED
                                                : GUARD_COUNTED_FOR_REAL;
}

static int matches(const guard_shm_table_t *table, const guard_record_t *record,
                   const guard_wanted_clients_t *wanted)
{
    const guard_shm_scope_t *scope =
        guard_shm_table_scope_at(table, record->scope);
    guard_filtered_t client = {.id = record->id,
                               .kind = (guard_kind_e)kind_of(record),
                               .counted = counted_of(record),
                               .addr = record->addr,
                               .bits = record->bits,
                               .scope = scope ? scope->hash : 0,
                               .scope_name = scope ? scope->name : NULL,
                               .is_locked =
                                   record->phase == GUARD_PHASE_LOCKED};

    return guard_filter_means(wanted, &client);
}

/* Copy a bucket's records out, with time let pass. */
static apr_status_t copy_bucket(guard_shm_table_t *table, uint32_t number,
                                uint64_t table_usec,
                                guard_record_t copy[GUARD_SHM_BUCKET_RECORDS])
{
    uint32_t stripe = guard_shm_table_stripe_of(number);
    apr_status_t rv = guard_shm_table_lock(table, stripe);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    guard_shm_table_renew_locked(table, number, table_usec);
    memcpy(copy, table->bucket[number].record,
           sizeof(guard_record_t) * GUARD_SHM_BUCKET_RECORDS);
    guard_shm_table_unlock(table, stripe);
    for (int i = 0; i < GUARD_SHM_BUCKET_RECORDS; i++) {
        guard_policy_refresh(&copy[i], table_usec);
        if (copy[i].id && guard_policy_is_blank(&copy[i])) {
            copy[i].id = 0;
        }
    }
    return APR_SUCCESS;
}

static void fill_entry(const guard_shm_table_t *table,
                       const guard_record_t *record, uint64_t table_usec,
                       guard_entry_t *entry)
{
    const guard_shm_scope_t *scope =
        guard_shm_table_scope_at(table, record->scope);

    memset(entry, 0, sizeof(*entry));
    entry->id = record->id;
    entry->kind = kind_of(record);
    entry->counted = counted_of(record);
    entry->addr = record->addr;
    entry->bits = record->bits;
    entry->phase = guard_policy_phase_of(record);
    entry->failures = record->failures;
    entry->limit = record->limit;
    entry->level = record->level;
    if (entry->phase != GUARD_PHASE_CALM) {
        entry->remaining_usec =
            (apr_interval_time_t)(record->until_usec - table_usec);
    }
    if (entry->phase == GUARD_PHASE_LOCKED) {
        uint64_t since_usec = guard_policy_locked_since(record);

        /* It may have begun since the walk did. */
        entry->since_usec = since_usec < table_usec
                                ? (apr_interval_time_t)(table_usec - since_usec)
                                : 0;
    }
    for (int i = 0; i < GUARD_SLOTS; i++) {
        entry->in_flight += record->slot[i].state == GUARD_SLOT_CHECKING ||
                            record->slot[i].state == GUARD_SLOT_RECHECKING;
    }
    if (scope) {
        entry->scope = scope->hash;
        memcpy(entry->scope_name, scope->name, sizeof(scope->name));
    }
}

apr_status_t guard_shm_walk_iterate(guard_store_t *store, uint64_t now_usec,
                                    const guard_filter_t *filter,
                                    guard_entry_fn *each, void *baton)
{
    guard_shm_table_t *table = guard_store_shm_table(store);
    uint64_t table_usec = guard_shm_clock_read(table, now_usec);
    guard_wanted_clients_t wanted =
        guard_filter_prepare(filter, &store->table_secret);
    guard_record_t copy[GUARD_SHM_BUCKET_RECORDS];

    for (uint32_t bucket = 0; bucket < table->bucket_count; bucket++) {
        apr_status_t rv = copy_bucket(table, bucket, table_usec, copy);

        for (int i = 0; rv == APR_SUCCESS && i < GUARD_SHM_BUCKET_RECORDS;
             i++) {
            guard_entry_t entry;

            if (copy[i].id && matches(table, &copy[i], &wanted)) {
                fill_entry(table, &copy[i], table_usec, &entry);
                rv = each(baton, &entry);
            }
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return APR_SUCCESS;
}

/* Change a record, if it is one to change. @return 1 if it was, else 0. */
typedef int change_fn(guard_record_t *record, void *baton);

/* Offer every record in use to change(), each bucket under its lock. */
static apr_status_t change_all(guard_shm_table_t *table, uint64_t table_usec,
                               change_fn *change, void *baton, unsigned *count)
{
    static const guard_record_t nothing;

    *count = 0;
    for (uint32_t bucket = 0; bucket < table->bucket_count; bucket++) {
        uint32_t stripe = guard_shm_table_stripe_of(bucket);
        guard_shm_place_t place = {.bucket = bucket, .found = 1};
        apr_status_t rv = guard_shm_table_lock(table, stripe);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        guard_shm_table_renew_locked(table, bucket, table_usec);
        for (; place.index < GUARD_SHM_BUCKET_RECORDS; place.index++) {
            guard_record_t record;

            guard_shm_table_read_locked(table, &place, &record);
            if (record.id && change(&record, baton)) {
                guard_shm_table_write_locked(
                    table, &place,
                    guard_policy_is_blank(&record) ? &nothing : &record);
                ++*count;
            }
        }
        guard_shm_table_unlock(table, stripe);
    }
    return APR_SUCCESS;
}

/* Whom to unlock, and when that is. */
typedef struct unlock_t {
    const guard_shm_table_t *table;
    guard_wanted_clients_t wanted;
    uint64_t table_usec;
} unlock_t;

static int unlock(guard_record_t *record, void *baton)
{
    const unlock_t *who = baton;

    guard_policy_refresh(record, who->table_usec);
    if (!matches(who->table, record, &who->wanted) ||
        (record->phase == GUARD_PHASE_CALM && !record->level &&
         guard_policy_is_evictable(record))) {
        return 0;
    }
    guard_policy_unlock(record);
    return 1;
}

apr_status_t guard_shm_walk_unlock(guard_store_t *store, uint64_t now_usec,
                                   const guard_filter_t *filter,
                                   unsigned *count)
{
    guard_shm_table_t *table = guard_store_shm_table(store);
    unlock_t who = {.table = table,
                    .wanted =
                        guard_filter_prepare(filter, &store->table_secret),
                    .table_usec = guard_shm_clock_read(table, now_usec)};

    return change_all(table, who.table_usec, unlock, &who, count);
}

static int void_guesses(guard_record_t *record, void *baton)
{
    (void)baton;
    guard_policy_void_guesses(record);
    return 1;
}

apr_status_t guard_shm_walk_void_guesses(guard_shm_table_t *table)
{
    uint64_t table_usec =
        guard_shm_clock_read(table, guard_shm_world.clock_usec());
    unsigned count;

    return change_all(table, table_usec, void_guesses, NULL, &count);
}

uint64_t guard_store_shm_counter(guard_store_t *store, guard_counter_e counter)
{
    return guard_shm_table_counter(guard_store_shm_table(store), counter);
}

apr_status_t guard_shm_walk_stats(guard_store_t *store, uint64_t now_usec,
                                  guard_stats_t *stats)
{
    guard_shm_table_t *table = guard_store_shm_table(store);
    uint64_t table_usec = guard_shm_clock_read(table, now_usec);
    guard_record_t copy[GUARD_SHM_BUCKET_RECORDS];

    memset(stats, 0, sizeof(*stats));
    for (guard_counter_e i = 0; i < GUARD_COUNT_MAX; i++) {
        stats->counter[i] = guard_store_shm_counter(store, i);
    }
    stats->table_size =
        (uint64_t)table->bucket_count * GUARD_SHM_BUCKET_CLIENTS;
    for (uint32_t bucket = 0; bucket < table->bucket_count; bucket++) {
        apr_status_t rv = copy_bucket(table, bucket, table_usec, copy);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        for (int i = 0; i < GUARD_SHM_BUCKET_RECORDS; i++) {
            stats->clients_tracked +=
                copy[i].id && !guard_shm_is_overflow((uint32_t)i);
            stats->clients_locked +=
                copy[i].id && copy[i].phase == GUARD_PHASE_LOCKED;
        }
    }
    return APR_SUCCESS;
}
