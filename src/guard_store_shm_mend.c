/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_mend.c owns the look at a whole table: is it sound, drop
 * what is not, carry the rest into another. It knows no file and no ticket.
 *
 * Invariant: it errs against the guesser. A lockout is dropped only with an
 * entry that can't be right.
 */
#include "guard_store_shm_mend.h"

#include <apr_strings.h>

#include <string.h>

#define RECORDS(table)                                                         \
    ((uint64_t)(table)->bucket_count * GUARD_SHM_BUCKET_RECORDS)

static guard_shm_place_t place_at(uint64_t index)
{
    guard_shm_place_t place = {
        .bucket = (uint32_t)(index / GUARD_SHM_BUCKET_RECORDS),
        .index = (uint32_t)(index % GUARD_SHM_BUCKET_RECORDS)};

    return place;
}

static const guard_record_t *record_at(const guard_shm_table_t *table,
                                       uint64_t index)
{
    guard_shm_place_t place = place_at(index);

    return guard_shm_table_record(table, &place);
}

/* @return NULL, or why the entry can't be right. */
static const char *entry_fault(const guard_shm_table_t *table, uint64_t index,
                               uint64_t table_usec)
{
    static const guard_record_t blank;
    guard_shm_place_t place = place_at(index);
    const guard_record_t *record = record_at(table, index);
    uint8_t tag = table->index[place.bucket].tag[place.index];
    int overflow = guard_shm_is_overflow(place.index);

    if (!record->id) {
        return tag || memcmp(record, &blank, sizeof(blank))
                   ? "a free entry is not blank"
                   : NULL;
    }
    if (overflow !=
            ((record->kind & GUARD_RECORD_KIND) == GUARD_KIND_OVERFLOW) ||
        overflow != (record->id == GUARD_SHM_OVERFLOW_ID)) {
        return "an overflow record is not in its place";
    }
    if (tag != guard_shm_table_tag_of(record->id) ||
        (!overflow &&
         place.bucket != guard_shm_table_bucket_of(table, record->id))) {
        return "an entry is not where its id belongs";
    }
    return guard_policy_fault(record, table_usec);
}

static void drop_locked(guard_shm_table_t *table, uint32_t number,
                        uint32_t index)
{
    memset(&table->bucket[number].record[index], 0, sizeof(guard_record_t));
    table->index[number].tag[index] = 0;
}

/* Of two records in one place, does the first bind more? */
static int is_stricter(const guard_record_t *a, const guard_record_t *b)
{
    return a->phase > b->phase ||
           (a->phase == b->phase && a->until_usec >= b->until_usec);
}

/* @return the entry before this one that is the same client's, or this one.
 * Twice in one bucket would be two budgets. Overflow records share their id. */
static uint32_t double_of(const guard_shm_table_t *table, uint32_t number,
                          uint32_t index)
{
    const guard_shm_bucket_t *bucket = &table->bucket[number];
    const uint8_t *tag = table->index[number].tag;

    for (uint32_t i = 0; tag[index] && i < index; i++) {
        if (tag[i] == tag[index] &&
            bucket->record[i].id == bucket->record[index].id &&
            !guard_shm_is_overflow(index)) {
            return i;
        }
    }
    return index;
}

static unsigned drop_doubles_locked(guard_shm_table_t *table, uint32_t number)
{
    const guard_shm_bucket_t *bucket = &table->bucket[number];
    unsigned dropped = 0;

    for (uint32_t i = 1; i < GUARD_SHM_BUCKET_CLIENTS; i++) {
        uint32_t other = double_of(table, number, i);

        if (other != i) {
            int keeps = is_stricter(&bucket->record[other], &bucket->record[i]);

            drop_locked(table, number, keeps ? i : other);
            dropped++;
        }
    }
    return dropped;
}

static unsigned drop_damaged_locked(guard_shm_table_t *table, uint32_t number,
                                    uint64_t table_usec)
{
    uint64_t first = (uint64_t)number * GUARD_SHM_BUCKET_RECORDS;
    unsigned dropped = 0;

    for (uint32_t i = 0; i < GUARD_SHM_BUCKET_RECORDS; i++) {
        if (entry_fault(table, first + i, table_usec)) {
            drop_locked(table, number, i);
            dropped++;
        }
    }
    return dropped + drop_doubles_locked(table, number);
}

/* A lock that is not to be had is waited for once, not for each bucket. */
unsigned guard_shm_mend_drop_damaged(guard_shm_table_t *table)
{
    uint8_t is_closed[GUARD_SHM_STRIPES] = {0};
    unsigned dropped = 0;

    for (uint32_t i = 0; i < table->bucket_count; i++) {
        uint32_t stripe = guard_shm_table_stripe_of(i);
        uint64_t table_usec;

        if (is_closed[stripe]) {
            continue;
        }
        if (guard_shm_table_lock(table, stripe) != APR_SUCCESS) {
            is_closed[stripe] = 1;
            continue;
        }
        /* Others go on meanwhile: what they wrote last is not in the future. */
        table_usec = guard_shm_clock_read(table, guard_shm_world.clock_usec());
        guard_shm_table_renew_locked(table, i, table_usec);
        dropped += drop_damaged_locked(table, i, table_usec);
        guard_shm_table_unlock(table, stripe);
    }
    return dropped;
}

/* Put a record where no room is: the strictest of all that had to go there
 * holds for all. */
static void merge_overflow(guard_shm_table_t *to, uint32_t bucket,
                           const guard_record_t *record)
{
    guard_shm_place_t place =
        guard_shm_overflow_of(bucket, record->kind & GUARD_RECORD_TENANT);
    guard_record_t there, merged = *record;

    guard_shm_table_read_locked(to, &place, &there);
    if (there.id && is_stricter(&there, record)) {
        return;
    }
    merged.id = GUARD_SHM_OVERFLOW_ID;
    merged.kind =
        (uint8_t)(GUARD_KIND_OVERFLOW | (record->kind & GUARD_RECORD_TENANT));
    merged.bits = 0;
    memset(&merged.addr, 0, sizeof(merged.addr));
    guard_shm_table_write_locked(to, &place, &merged);
}

static void carry(const guard_shm_table_t *from, guard_shm_table_t *to,
                  uint64_t index, uint64_t table_usec)
{
    guard_record_t record = *record_at(from, index);
    const guard_shm_scope_t *scope =
        guard_shm_table_scope_at(from, record.scope);
    guard_shm_place_t place;

    record.scope = scope ? guard_shm_table_scope(to, scope->hash, scope->name) %
                               GUARD_SHM_SCOPES
                         : 0;
    if (record.id == GUARD_SHM_OVERFLOW_ID) {
        uint64_t bucket = index / GUARD_SHM_BUCKET_RECORDS;

        merge_overflow(
            to, (uint32_t)(bucket * to->bucket_count / from->bucket_count),
            &record);
        return;
    }
    place = guard_shm_table_room_locked(
        to, guard_shm_table_bucket_of(to, record.id),
        (record.kind & GUARD_RECORD_TENANT) != 0, 0, table_usec);
    if (guard_shm_is_overflow(place.index)) {
        merge_overflow(to, place.bucket, &record);
        return;
    }
    guard_shm_table_write_locked(to, &place, &record);
}

void guard_shm_mend_carry_over(const guard_shm_table_t *from,
                               guard_shm_table_t *to)
{
    uint64_t table_usec =
        guard_shm_clock_read(from, guard_shm_world.clock_usec());

    memcpy(to->head->boot_id, from->head->boot_id, sizeof(to->head->boot_id));
    to->head->boot_offset_usec = from->head->boot_offset_usec;
    to->head->last_usec = from->head->last_usec;
    to->head->wall_base_usec = from->head->wall_base_usec;
    for (guard_counter_e i = 0; i < GUARD_COUNT_MAX; i++) {
        guard_shm_table_set_counter(to, i, guard_shm_table_counter(from, i));
    }
    for (uint32_t i = 0; i < to->bucket_count; i++) {
        to->index[i].caught_up_usec = table_usec;
    }
    for (int locked = 1; locked >= 0; locked--) {
        for (uint64_t i = 0; i < RECORDS(from); i++) {
            guard_record_t record = *record_at(from, i);

            guard_policy_refresh(&record, table_usec);
            if (record.id && !guard_policy_is_blank(&record) &&
                (record.phase == GUARD_PHASE_LOCKED) == locked) {
                carry(from, to, i, table_usec);
            }
        }
    }
}

static int is_double(const guard_shm_table_t *table, uint64_t index)
{
    guard_shm_place_t place = place_at(index);

    return double_of(table, place.bucket, place.index) != place.index;
}

const char *guard_shm_mend_fault(const guard_shm_table_t *table,
                                 uint64_t table_usec, apr_pool_t *pool)
{
    for (int i = 0; i < GUARD_SHM_STRIPES; i++) {
        if (table->stripe[i].marked) {
            return apr_psprintf(pool, "stripe %d has a change half done", i);
        }
    }
    for (uint64_t i = 0; i < RECORDS(table); i++) {
        const char *fault = entry_fault(table, i, table_usec);

        if (!fault && is_double(table, i)) {
            fault = "a client has two entries";
        }
        if (fault) {
            return apr_psprintf(pool, "entry %" APR_UINT64_T_FMT ": %s", i,
                                fault);
        }
    }
    return NULL;
}
