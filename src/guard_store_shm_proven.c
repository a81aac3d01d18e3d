/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_proven.c owns the memory of guesses that proved right, for
 * which a record has too few slots. It knows no policy.
 *
 * An entry is one word, so it is whole without a lock, whoever is killed:
 *
 *     63                    24 23                 0
 *     |  40 bits of a hash   |  until, in 8 s      |
 *
 * Client and guess choose a set of 8 entries, one cache line, and the hash
 * tells them apart in it. Invariant: forgetting is always allowed (the guess
 * takes a place again), and what is found was right from this client, but for
 * one chance in 2^37 that a guesser can't choose.
 */
#include "guard_store_shm_table.h"

#define TICK_USEC (8 * APR_USEC_PER_SEC)
#define UNTIL_MASK 0xffffffu
#define LIFE_TICKS (apr_time_from_sec(GUARD_PROVEN_SEC) / TICK_USEC)

/* id and tag are keyed hashes themselves: mixing is enough. */
static uint64_t mix(uint64_t id, uint32_t proven_tag)
{
    uint64_t hash = id ^ (proven_tag * 0x9E3779B97F4A7C15u);

    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 29;
}

/* Chosen by the bits that an entry does not keep. */
static _Atomic uint64_t *set_of(const guard_shm_table_t *table, uint64_t hash)
{
    uint64_t set = (hash & UNTIL_MASK) * table->proven_sets >> 24;

    return &table->proven[set * GUARD_SHM_PROVEN_SET];
}

static uint32_t tick(uint64_t table_usec)
{
    return (uint32_t)(table_usec / TICK_USEC) & UNTIL_MASK;
}

/* @return how many ticks an entry has left, 0: it is void. */
static uint32_t left(uint64_t entry, uint64_t table_usec)
{
    uint32_t ticks = ((uint32_t)entry - tick(table_usec)) & UNTIL_MASK;

    return entry && ticks <= LIFE_TICKS ? ticks : 0;
}

static int names(uint64_t entry, uint64_t hash)
{
    return (entry ^ hash) >> 24 == 0 && entry;
}

void guard_shm_proven_prefetch(const guard_shm_table_t *table, uint64_t id,
                               uint32_t proven_tag)
{
    __builtin_prefetch(set_of(table, mix(id, proven_tag)));
}

void guard_shm_proven_add(guard_shm_table_t *table, uint64_t id,
                          uint32_t proven_tag, uint64_t table_usec)
{
    uint64_t hash = mix(id, proven_tag);
    _Atomic uint64_t *set = set_of(table, hash), *oldest = set;
    uint32_t until = (tick(table_usec) + (uint32_t)LIFE_TICKS) & UNTIL_MASK;
    uint32_t fewest = UINT32_MAX;

    for (int i = 0; i < GUARD_SHM_PROVEN_SET; i++) {
        uint64_t entry = atomic_load_explicit(&set[i], memory_order_relaxed);

        if (names(entry, hash)) {
            oldest = &set[i];
            break;
        }
        if (left(entry, table_usec) < fewest) {
            fewest = left(entry, table_usec);
            oldest = &set[i];
        }
    }
    atomic_store_explicit(oldest, (hash & ~(uint64_t)UNTIL_MASK) | until,
                          memory_order_relaxed);
}

void guard_shm_proven_drop(guard_shm_table_t *table, uint64_t id,
                           uint32_t proven_tag)
{
    uint64_t hash = mix(id, proven_tag);
    _Atomic uint64_t *set = set_of(table, hash);

    for (int i = 0; i < GUARD_SHM_PROVEN_SET; i++) {
        uint64_t entry = atomic_load_explicit(&set[i], memory_order_relaxed);

        if (names(entry, hash)) {
            atomic_store_explicit(&set[i], 0, memory_order_relaxed);
        }
    }
}

int guard_shm_proven_find(const guard_shm_table_t *table, uint64_t id,
                          uint32_t proven_tag, uint64_t table_usec)
{
    uint64_t hash = mix(id, proven_tag);
    _Atomic uint64_t *set = set_of(table, hash);

    for (int i = 0; i < GUARD_SHM_PROVEN_SET; i++) {
        uint64_t entry = atomic_load_explicit(&set[i], memory_order_relaxed);

        if (names(entry, hash) && left(entry, table_usec)) {
            return 1;
        }
    }
    return 0;
}
