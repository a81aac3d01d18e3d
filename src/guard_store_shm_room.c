/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_room.c owns the choice of an entry for a newcomer. It knows
 * no policy beyond "may this be evicted", and changes nothing.
 *
 * Invariant: nobody who is locked, or has a guess in flight, makes room; and a
 * look at one bucket is enough, so that a flood costs the same for every size
 * of the table.
 */
#include "guard_store_shm_table.h"

/* How a newcomer may look for room. */
typedef struct search_t {
    uint32_t avoid;
    int tenants_only; /* only a tenant's entry may make room */
    uint64_t now_usec;
} search_t;

static int is_tenants(const guard_record_t *record)
{
    return record->kind & GUARD_RECORD_TENANT ? 1 : 0;
}

static int may_take(const guard_shm_bucket_t *bucket, uint32_t index,
                    const search_t *search)
{
    return !(search->avoid & (1u << index)) &&
           (!search->tenants_only || is_tenants(&bucket->record[index]));
}

/* Whether a glance is enough: it is locked, or will be remembered for longer
 * than the one that was found so far. Saves most of the work in a full
 * bucket, where a flood has every newcomer look at all entries. */
static int is_out(const guard_record_t *record, uint64_t soonest_usec,
                  uint64_t now_usec)
{
    if (record->phase == GUARD_PHASE_CALM || record->until_usec <= now_usec) {
        return 0;
    }
    return record->phase == GUARD_PHASE_LOCKED ||
           record->until_usec >= soonest_usec;
}

/* The entry to take from its owner: one whose time is over, else the one
 * nearest to that. @return its index, or -1 if all are locked or in flight. */
static int victim_locked(const guard_shm_bucket_t *bucket,
                         const search_t *search, int *evicts)
{
    int victim = -1;
    uint64_t soonest_usec = UINT64_MAX;

    *evicts = 0;
    for (uint32_t i = 0; i < GUARD_SHM_BUCKET_CLIENTS; i++) {
        guard_record_t record;
        uint64_t at_usec;

        if (!may_take(bucket, i, search) ||
            is_out(&bucket->record[i], soonest_usec, search->now_usec)) {
            continue;
        }
        record = bucket->record[i];
        guard_policy_refresh(&record, search->now_usec);
        if (guard_policy_is_blank(&record)) {
            *evicts = 0;
            return (int)i;
        }
        at_usec = guard_policy_forgotten_at(&record);
        if (guard_policy_is_evictable(&record) && at_usec < soonest_usec) {
            soonest_usec = at_usec;
            victim = (int)i;
            *evicts = 1;
        }
    }
    return victim;
}

/* An entry that somebody wrote over speaks for nobody, however locked it
 * looks. Its tag and its id tell, at the cost of a glance at each.
 * @return its index, or -1 */
static int broken_locked(const guard_shm_bucket_t *bucket,
                         const search_t *search)
{
    for (uint32_t i = 0; i < GUARD_SHM_BUCKET_CLIENTS; i++) {
        if (bucket->tag[i] != guard_shm_table_tag_of(bucket->record[i].id) &&
            may_take(bucket, i, search)) {
            return (int)i;
        }
    }
    return -1;
}

static uint32_t count_tenants_locked(const guard_shm_bucket_t *bucket)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < GUARD_SHM_BUCKET_CLIENTS; i++) {
        count += bucket->tag[i] && is_tenants(&bucket->record[i]);
    }
    return count;
}

guard_shm_place_t guard_shm_table_room_locked(const guard_shm_table_t *table,
                                              uint64_t id, int tenant,
                                              uint32_t avoid, uint64_t now_usec)
{
    guard_shm_place_t place = {.bucket = guard_shm_table_bucket_of(table, id)};
    const guard_shm_bucket_t *bucket = &table->bucket[place.bucket];
    search_t search = {.avoid = avoid, .now_usec = now_usec};
    int victim;

    search.tenants_only =
        tenant && count_tenants_locked(bucket) >= GUARD_SHM_TENANT_CLIENTS;
    for (uint32_t i = 0; !search.tenants_only && i < GUARD_SHM_BUCKET_CLIENTS;
         i++) {
        if (!bucket->tag[i] && may_take(bucket, i, &search)) {
            place.index = i;
            return place;
        }
    }
    victim = victim_locked(bucket, &search, &place.evicts);
    if (victim < 0) {
        victim = broken_locked(bucket, &search);
    }
    if (victim >= 0) {
        place.index = (uint32_t)victim;
        return place;
    }
    place.index = tenant ? GUARD_SHM_TENANT_OVERFLOW : GUARD_SHM_OVERFLOW;
    place.found = bucket->record[place.index].id == GUARD_SHM_OVERFLOW_ID;
    return place;
}
