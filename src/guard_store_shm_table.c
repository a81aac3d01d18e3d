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
#define CLIENT_BYTES 128u /* what one may take, all told */
#define SET_BYTES (GUARD_SHM_PROVEN_SET * sizeof(uint64_t))
#define LOCK_SEAL 0x6b636f6c64617567u /* a word that noise won't hit */

uint32_t guard_shm_table_buckets(uint32_t clients)
{
    uint32_t pair = 2 * GUARD_SHM_BUCKET_CLIENTS;

    return clients ? (clients + pair - 1) / pair * 2 : 2;
}

static uint64_t index_offset(void)
{
    return HEAD_BYTES + sizeof(guard_shm_stripe_t) * GUARD_SHM_STRIPES +
           sizeof(guard_shm_scope_t) * GUARD_SHM_SCOPES;
}

static uint64_t buckets_offset(uint32_t clients)
{
    return index_offset() + (uint64_t)guard_shm_table_buckets(clients) *
                                sizeof(guard_shm_index_t);
}

static uint64_t proven_offset(uint32_t clients)
{
    return buckets_offset(clients) +
           (uint64_t)guard_shm_table_buckets(clients) *
               sizeof(guard_shm_bucket_t);
}

/* What is left of CLIENT_BYTES for each; but a set for each bucket at least,
 * and no more entries than clients. */
uint32_t guard_shm_table_proven_sets(uint32_t clients)
{
    uint64_t whole = (uint64_t)clients * CLIENT_BYTES;
    uint64_t used = proven_offset(clients);
    uint64_t sets = whole > used ? (whole - used) / SET_BYTES : 0;

    if (sets > clients / GUARD_SHM_PROVEN_SET) {
        sets = clients / GUARD_SHM_PROVEN_SET;
    }
    if (sets < guard_shm_table_buckets(clients)) {
        sets = guard_shm_table_buckets(clients);
    }
    return (uint32_t)sets;
}

uint64_t guard_shm_table_size(uint32_t clients)
{
    return proven_offset(clients) +
           (uint64_t)guard_shm_table_proven_sets(clients) * SET_BYTES;
}

void guard_shm_table_attach(guard_shm_table_t *table, void *mapping,
                            uint32_t clients,
                            const guard_secret_t *table_secret)
{
    char *base = mapping;

    table->head = mapping;
    table->stripe = (void *)(base + HEAD_BYTES);
    table->scope = (void *)(table->stripe + GUARD_SHM_STRIPES);
    table->index = (void *)(base + index_offset());
    table->bucket = (void *)(base + buckets_offset(clients));
    table->proven = (void *)(base + proven_offset(clients));
    table->bucket_count = guard_shm_table_buckets(clients);
    table->proven_sets = guard_shm_table_proven_sets(clients);
    table->bucket_factor =
        guard_key_hash(table_secret, BUCKETS, sizeof(BUCKETS) - 1) | 1;
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

/* Put back what a killed holder was changing. */
static void restore_locked(guard_shm_table_t *table, guard_shm_stripe_t *stripe)
{
    uint64_t bucket = stripe->image_index / GUARD_SHM_BUCKET_RECORDS;
    uint64_t index = stripe->image_index % GUARD_SHM_BUCKET_RECORDS;

    if (!atomic_load(&stripe->marked)) {
        return;
    }
    if (bucket < table->bucket_count) {
        table->bucket[bucket].record[index] = stripe->image;
        table->index[bucket].tag[index] = (uint8_t)stripe->image_tag;
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
        atomic_thread_fence(memory_order_seq_cst); /* all that it wrote */
        restore_locked(table, stripe);
        rv = APR_SUCCESS;
    }
    return rv;
}

/* A record lies in two cache lines, or in three. */
static void prefetch(const guard_record_t *record)
{
    __builtin_prefetch(&record->slot[0]);
    __builtin_prefetch(&record->slot[GUARD_SLOTS - 1]);
}

guard_shm_place_t guard_shm_table_find_locked(const guard_shm_table_t *table,
                                              uint32_t number, uint64_t id)
{
    guard_shm_place_t place = {.bucket = number};
    const guard_shm_index_t *index = &table->index[number];
    const guard_shm_bucket_t *bucket = &table->bucket[number];
    uint8_t tag = guard_shm_table_tag_of(id);

    for (uint32_t word = 0; word < GUARD_SHM_TAGS / 8; word++) {
        uint64_t alike = guard_shm_tags_alike(index, word, tag);

        for (; alike; alike &= alike - 1) {
            uint32_t i = guard_shm_tags_first(word, alike);

            if (guard_shm_is_overflow(i)) {
                return place; /* it, or what noise has put behind it */
            }
            prefetch(&bucket->record[i]);
            if (bucket->record[i].id == id) {
                place.index = i;
                place.found = 1;
                return place;
            }
        }
    }
    return place;
}

void guard_shm_table_read_locked(const guard_shm_table_t *table,
                                 const guard_shm_place_t *place,
                                 guard_record_t *record)
{
    *record = *guard_shm_table_record(table, place);
}

/*
 * The fences order the steps for the compiler alone, and that is enough: a
 * process is killed between two of its own instructions, and what it did
 * before is done. Nobody else looks before the lock is his, and it is given by
 * a release, or found with a dead owner, for which the kernel stands.
 */
void guard_shm_table_write_locked(guard_shm_table_t *table,
                                  const guard_shm_place_t *place,
                                  const guard_record_t *record)
{
    guard_shm_stripe_t *stripe =
        &table->stripe[guard_shm_table_stripe_of(place->bucket)];
    uint8_t *tag = &table->index[place->bucket].tag[place->index];
    guard_record_t *to = &table->bucket[place->bucket].record[place->index];

    step(0);
    stripe->image = *to;
    stripe->image_tag = *tag;
    stripe->image_index =
        (uint64_t)place->bucket * GUARD_SHM_BUCKET_RECORDS + place->index;
    step(1);
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&stripe->marked, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    step(2);
    memcpy(to, record, 64);
    step(3);
    memcpy((char *)to + 64, (const char *)record + 64, sizeof(*record) - 64);
    step(4);
    *tag = record->id ? guard_shm_table_tag_of(record->id) : 0;
    step(5);
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&stripe->marked, 0, memory_order_relaxed);
    step(6);
    if (place->evicts) {
        guard_shm_table_tally(table, GUARD_COUNT_EVICTIONS);
    }
}

/* An entry that somebody wrote over is left to who looks for room. */
static void catch_up_locked(guard_shm_table_t *table, uint32_t number,
                            uint64_t table_usec)
{
    static const guard_record_t nothing;
    guard_shm_index_t *index = &table->index[number];
    guard_shm_place_t place = {.bucket = number};

    for (; place.index < GUARD_SHM_BUCKET_RECORDS; place.index++) {
        const guard_record_t *there = guard_shm_table_record(table, &place);

        if (there->id &&
            index->tag[place.index] == guard_shm_table_tag_of(there->id)) {
            guard_record_t record = *there;

            guard_policy_catch_up(&record, index->caught_up_usec, table_usec);
            guard_shm_table_write_locked(
                table, &place,
                guard_policy_is_blank(&record) ? &nothing : &record);
        }
    }
    index->caught_up_usec = table_usec;
}

/* Who is killed in between leaves what the next one does again. */
void guard_shm_table_catch_up_locked(guard_shm_table_t *table, uint32_t bucket,
                                     uint64_t table_usec)
{
    catch_up_locked(table, bucket ^ 1, table_usec);
    catch_up_locked(table, bucket, table_usec);
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

/* Threads that run at the same time shall count apart. One is told from others
 * by where its stack lies, and by its process, whose children have theirs at
 * the same place; some share a set, and no count is lost by that. */
static unsigned my_counts(void)
{
    uint64_t stack = (uintptr_t)__builtin_frame_address(0) >> 16;
    uint64_t process =
        atomic_load_explicit(&guard_shm_lock_self, memory_order_relaxed);

    return (stack ^ process) * 0x9E3779B97F4A7C15u >> 32 &
           (GUARD_SHM_COUNTS - 1);
}

void guard_shm_table_tally(guard_shm_table_t *table, guard_counter_e counter)
{
    atomic_fetch_add_explicit(
        &table->head->counts[my_counts()].counter[counter], 1,
        memory_order_relaxed);
}

uint64_t guard_shm_table_counter(const guard_shm_table_t *table,
                                 guard_counter_e counter)
{
    uint64_t sum = 0;

    for (int i = 0; i < GUARD_SHM_COUNTS; i++) {
        sum += atomic_load(&table->head->counts[i].counter[counter]);
    }
    return sum;
}

void guard_shm_table_set_counter(guard_shm_table_t *table,
                                 guard_counter_e counter, uint64_t value)
{
    for (int i = 0; i < GUARD_SHM_COUNTS; i++) {
        atomic_store(&table->head->counts[i].counter[counter],
                     i == 0 ? value : 0);
    }
}
