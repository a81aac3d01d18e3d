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
    const guard_shm_index_t *index;
    const guard_record_t *record; /* the bucket's */
    uint64_t avoid;
    int tenants_only; /* only a tenant's entry may make room */
    uint64_t now_usec;
} search_t;

static int is_tenants(const guard_record_t *record)
{
    return record->kind & GUARD_RECORD_TENANT ? 1 : 0;
}

static int may_take(const search_t *search, uint32_t index)
{
    return !(search->avoid >> index & 1) &&
           (!search->tenants_only || is_tenants(&search->record[index]));
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
static int victim_locked(const search_t *search, int *evicts)
{
    int victim = -1;
    uint64_t soonest_usec = UINT64_MAX;

    *evicts = 0;
    for (uint32_t i = 0; i < GUARD_SHM_BUCKET_CLIENTS; i++) {
        guard_record_t record;
        uint64_t at_usec;

        if (is_out(&search->record[i], soonest_usec, search->now_usec) ||
            !may_take(search, i)) {
            continue;
        }
        record = search->record[i];
        guard_policy_refresh(&record, search->now_usec);
        if (guard_policy_is_blank(&record)) {
            *evicts = 0;
            return (int)i;
        }
        at_usec = guard_policy_forgotten_at(&record, search->now_usec);
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
static int broken_locked(const search_t *search)
{
    for (uint32_t i = 0; i < GUARD_SHM_BUCKET_CLIENTS; i++) {
        if (search->index->tag[i] !=
                guard_shm_table_tag_of(search->record[i].id) &&
            may_take(search, i)) {
            return (int)i;
        }
    }
    return -1;
}

static uint32_t count_tenants_locked(const search_t *search)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < GUARD_SHM_BUCKET_CLIENTS; i++) {
        count += search->index->tag[i] && is_tenants(&search->record[i]);
    }
    return count;
}

/* @return 1 and the first free entry, or 0. */
static int free_locked(const search_t *search, uint32_t *index)
{
    for (uint32_t word = 0; word < GUARD_SHM_TAGS / 8; word++) {
        uint64_t found = guard_shm_tags_alike(search->index, word, 0);

        for (; found; found &= found - 1) {
            *index = guard_shm_tags_first(word, found);
            if (guard_shm_is_overflow(*index)) {
                return 0;
            }
            if (!(search->avoid >> *index & 1)) {
                return 1;
            }
        }
    }
    return 0;
}

int guard_shm_table_has_free_locked(const guard_shm_table_t *table,
                                    uint32_t bucket)
{
    search_t search = {.index = &table->index[bucket]};
    uint32_t index;

    return free_locked(&search, &index);
}

guard_shm_place_t guard_shm_table_room_locked(const guard_shm_table_t *table,
                                              uint32_t number, int tenant,
                                              uint64_t avoid, uint64_t now_usec)
{
    guard_shm_place_t place = {.bucket = number};
    search_t search = {.index = &table->index[number],
                       .record = table->bucket[number].record,
                       .avoid = avoid,
                       .now_usec = now_usec};
    int victim;

    search.tenants_only =
        tenant && count_tenants_locked(&search) >= GUARD_SHM_TENANT_CLIENTS;
    if (!search.tenants_only && free_locked(&search, &place.index)) {
        return place;
    }
    victim = victim_locked(&search, &place.evicts);
    if (victim < 0) {
        victim = broken_locked(&search);
    }
    if (victim >= 0) {
        place.index = (uint32_t)victim;
        return place;
    }
    place = guard_shm_overflow_of(number, tenant);
    place.found =
        guard_shm_table_record(table, &place)->id == GUARD_SHM_OVERFLOW_ID;
    return place;
}
