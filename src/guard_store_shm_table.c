/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_table.c owns the memory behind the shared store: locks,
 * buckets, and the one way a record changes. It knows no policy, no file, and
 * no ticket.
 *
 * Invariant: a record changes only in guard_shm_table_write_locked, under its
 * stripe's lock, with a copy of what was there before in the stripe. The
 * order is copy, mark, change, unmark; a process killed on the way leaves
 * either no mark, and then the record is whole, or a mark, and then the copy
 * is. Whoever gets the lock next (it says EOWNERDEAD), or opens the file next,
 * puts the copy back.
 */
#include "guard_store_shm_table.h"

#include <errno.h>
#include <string.h>

#ifdef GUARD_STEPS
void (*guard_shm_step)(int step);

static void step(int number)
{
    if (guard_shm_step) {
        guard_shm_step(number);
    }
}
#else
static inline void step(int number) { (void)number; }
#endif

#define BUCKETS "buckets" /* what the secret is asked for */
#define HEAD_BYTES 4096u
#define SCOPE_PROBES_MAX 16
#define LOCK_SEAL 0x6b636f6c64617567u /* a word that noise won't hit */

uint32_t guard_shm_table_buckets(uint32_t clients)
{
    uint32_t count =
        (clients + GUARD_SHM_BUCKET_CLIENTS - 1) / GUARD_SHM_BUCKET_CLIENTS;

    return count ? count : 1;
}

static uint64_t proven_offset(void)
{
    return HEAD_BYTES + sizeof(guard_shm_stripe_t) * GUARD_SHM_STRIPES +
           sizeof(guard_shm_scope_t) * GUARD_SHM_SCOPES;
}

static uint64_t buckets_offset(uint32_t bucket_count)
{
    return proven_offset() +
           (uint64_t)bucket_count * GUARD_SHM_BUCKET_RECORDS * sizeof(uint64_t);
}

uint64_t guard_shm_table_size(uint32_t clients)
{
    uint32_t bucket_count = guard_shm_table_buckets(clients);

    return buckets_offset(bucket_count) +
           (uint64_t)bucket_count * sizeof(guard_shm_bucket_t);
}

void guard_shm_table_attach(guard_shm_table_t *table, void *mapping,
                            uint32_t bucket_count,
                            const guard_secret_t *table_secret)
{
    char *base = mapping;

    table->head = mapping;
    table->stripe = (void *)(base + HEAD_BYTES);
    table->scope = (void *)(table->stripe + GUARD_SHM_STRIPES);
    table->proven = (void *)(base + proven_offset());
    table->bucket = (void *)(base + buckets_offset(bucket_count));
    table->bucket_count = bucket_count;
    table->bucket_factor =
        guard_key_hash(table_secret, BUCKETS, sizeof(BUCKETS) - 1) | 1;
}

uint32_t guard_shm_table_stripe_of(uint32_t bucket)
{
    return bucket % GUARD_SHM_STRIPES;
}

/* Ids may be made with a key that is not this file's, one that others know: a
 * factor of the file's own keeps them from choosing a bucket. */
uint32_t guard_shm_table_bucket_of(const guard_shm_table_t *table, uint64_t id)
{
    uint64_t high = id * table->bucket_factor >> 32;

    return (uint32_t)(high * table->bucket_count >> 32);
}

uint32_t guard_shm_table_tag_of(uint64_t id)
{
    uint32_t tag = (uint32_t)id;

    return tag ? tag : 1;
}

/* A lock is used only while it bears this: what somebody wrote over it looks
 * like a lock that somebody holds. */
static int is_sealed(const guard_shm_stripe_t *stripe)
{
    return atomic_load_explicit(&stripe->seal, memory_order_acquire) ==
           LOCK_SEAL;
}

static void init_locks(guard_shm_table_t *table, int only_lost)
{
    for (int i = 0; i < GUARD_SHM_STRIPES; i++) {
        guard_shm_stripe_t *stripe = &table->stripe[i];

        if (!only_lost || !is_sealed(stripe)) {
            atomic_store(&stripe->seal, 0);
            atomic_store(&stripe->marked, 0);
            atomic_store(&stripe->lock.holder, 0);
            atomic_store(&stripe->seal, LOCK_SEAL);
        }
    }
}

int guard_shm_table_has_lost_locks(const guard_shm_stripe_t *stripes)
{
    for (int i = 0; i < GUARD_SHM_STRIPES; i++) {
        if (!is_sealed(&stripes[i])) {
            return 1;
        }
    }
    return 0;
}

void guard_shm_table_init_locks(guard_shm_table_t *table)
{
    init_locks(table, 0);
}

void guard_shm_table_init_lost_locks(guard_shm_table_t *table)
{
    init_locks(table, 1);
}

static guard_record_t *record_at(const guard_shm_table_t *table, uint64_t index)
{
    guard_shm_bucket_t *bucket =
        &table->bucket[index / GUARD_SHM_BUCKET_RECORDS];

    return &bucket->record[index % GUARD_SHM_BUCKET_RECORDS];
}

static uint32_t *tag_at(const guard_shm_table_t *table, uint64_t index)
{
    guard_shm_bucket_t *bucket =
        &table->bucket[index / GUARD_SHM_BUCKET_RECORDS];

    return &bucket->tag[index % GUARD_SHM_BUCKET_RECORDS];
}

/* Put back what a killed holder was changing. */
static void restore_locked(guard_shm_table_t *table, guard_shm_stripe_t *stripe)
{
    uint64_t index = stripe->image_index;

    if (!atomic_load(&stripe->marked)) {
        return;
    }
    if (index < (uint64_t)table->bucket_count * GUARD_SHM_BUCKET_RECORDS) {
        *record_at(table, index) = stripe->image;
        *tag_at(table, index) = stripe->image_tag;
    }
    atomic_store(&stripe->marked, 0);
    guard_shm_table_tally(table, GUARD_COUNT_RECOVERIES);
}

void guard_shm_table_restore(guard_shm_table_t *table)
{
    for (int i = 0; i < GUARD_SHM_STRIPES; i++) {
        restore_locked(table, &table->stripe[i]);
    }
}

apr_status_t guard_shm_table_lock(guard_shm_table_t *table, uint32_t number)
{
    guard_shm_stripe_t *stripe = &table->stripe[number];
    apr_status_t rv;

    if (!is_sealed(stripe)) {
        return ENOTRECOVERABLE;
    }
    rv = guard_shm_lock_take(&stripe->lock, GUARD_SHM_LOCK_USEC);
    if (rv == EOWNERDEAD) {
        restore_locked(table, stripe);
        rv = APR_SUCCESS;
    }
    return rv;
}

void guard_shm_table_unlock(guard_shm_table_t *table, uint32_t number)
{
    guard_shm_lock_give(&table->stripe[number].lock);
}

guard_shm_place_t guard_shm_table_find_locked(const guard_shm_table_t *table,
                                              uint64_t id)
{
    guard_shm_place_t place = {.bucket = guard_shm_table_bucket_of(table, id)};
    const guard_shm_bucket_t *bucket = &table->bucket[place.bucket];
    uint32_t tag = guard_shm_table_tag_of(id);

    for (uint32_t i = 0; i < GUARD_SHM_BUCKET_CLIENTS; i++) {
        if (bucket->tag[i] == tag && bucket->record[i].id == id) {
            place.index = i;
            place.found = 1;
            return place;
        }
    }
    return place;
}

void guard_shm_table_read_locked(const guard_shm_table_t *table,
                                 const guard_shm_place_t *place,
                                 guard_record_t *record)
{
    *record = table->bucket[place->bucket].record[place->index];
}

void guard_shm_table_write_locked(guard_shm_table_t *table,
                                  const guard_shm_place_t *place,
                                  const guard_record_t *record)
{
    guard_shm_stripe_t *stripe =
        &table->stripe[guard_shm_table_stripe_of(place->bucket)];
    guard_shm_bucket_t *bucket = &table->bucket[place->bucket];
    char *to = (char *)&bucket->record[place->index];

    step(0);
    stripe->image = bucket->record[place->index];
    stripe->image_tag = bucket->tag[place->index];
    stripe->image_index =
        (uint64_t)place->bucket * GUARD_SHM_BUCKET_RECORDS + place->index;
    step(1);
    atomic_store_explicit(&stripe->marked, 1, memory_order_seq_cst);
    atomic_signal_fence(memory_order_seq_cst); /* no change before the mark */
    step(2);
    memcpy(to, record, 64);
    step(3);
    memcpy(to + 64, (const char *)record + 64, sizeof(*record) - 64);
    step(4);
    bucket->tag[place->index] =
        record->id ? guard_shm_table_tag_of(record->id) : 0;
    step(5);
    atomic_store_explicit(&stripe->marked, 0, memory_order_seq_cst);
    step(6);
    if (place->evicts) {
        guard_shm_table_tally(table, GUARD_COUNT_EVICTIONS);
    }
}

/*
 * Scope names: open addressing by hash, a bounded probe, entries for ever. A
 * name costs its entry only once, when its first client gets a record. Two
 * processes that add at once may add the same name twice: both entries are
 * right. An entry claimed by a process that was killed before it published
 * stays unused.
 */
uint16_t guard_shm_table_scope(guard_shm_table_t *table, uint64_t hash,
                               const char *name)
{
    for (uint32_t probe = 0; name && probe < SCOPE_PROBES_MAX; probe++) {
        uint32_t index = (uint32_t)((hash + probe) % GUARD_SHM_SCOPES);
        guard_shm_scope_t *scope = &table->scope[index];
        uint32_t state = 0;

        if (!index) {
            continue;
        }
        if (atomic_load(&scope->published) == 2 && scope->hash == hash) {
            return (uint16_t)index;
        }
        if (atomic_compare_exchange_strong(&scope->published, &state, 1)) {
            scope->hash = hash;
            strncpy(scope->name, name, sizeof(scope->name) - 1);
            scope->name[sizeof(scope->name) - 1] = '\0';
            atomic_store(&scope->published, 2);
            return (uint16_t)index;
        }
    }
    return 0;
}

/* A name is cut so that it ends within its entry. */
static int is_ended(const guard_shm_scope_t *scope)
{
    return !scope->name[sizeof(scope->name) - 1];
}

const guard_shm_scope_t *
guard_shm_table_scope_at(const guard_shm_table_t *table, uint16_t index)
{
    guard_shm_scope_t *scope = &table->scope[index % GUARD_SHM_SCOPES];

    return index && atomic_load(&scope->published) == 2 && is_ended(scope)
               ? scope
               : NULL;
}

void guard_shm_table_drop_lost_scopes(guard_shm_table_t *table)
{
    for (int i = 1; i < GUARD_SHM_SCOPES; i++) {
        guard_shm_scope_t *scope = &table->scope[i];

        if (atomic_load(&scope->published) > 2 || !is_ended(scope)) {
            memset(scope->name, 0, sizeof(scope->name));
            atomic_store(&scope->published, 0);
        }
    }
}

void guard_shm_table_tally(guard_shm_table_t *table, guard_counter_e counter)
{
    atomic_fetch_add_explicit(&table->head->counter[counter], 1,
                              memory_order_relaxed);
}
