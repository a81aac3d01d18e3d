/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm_table.h: the table as it lies in the file and in memory.
 *
 *     0        head: what the file is, its clock, its counters     1 page
 *     4096     stripes: 256 locks, each with its before-image     48 KiB
 *              scopes: names for people                          512 KiB
 *     577536   index: 36 tags of one byte for each bucket    64 bytes each
 *              buckets: 36 records of 112 bytes             4032 bytes each
 *              proven: guesses that were right, 8 bytes each
 *
 * All together are 128 bytes a client, where there are 65536 or more: 117 for
 * its share of a bucket, and what is left for the proven memory.
 *
 * A client's id chooses its bucket and its tag. A bucket holds 35 clients, and
 * one cache line has the tags of all.
 *
 * The last record of a bucket is an overflow record, a shared budget of the
 * clients that found no room. Two buckets share two of them: that of the even
 * one is for clients of the server's scopes, that of the odd one for those
 * whose scope a .htaccess makes. The latter get half of a bucket at most, for
 * their author is free to make scopes and to lock out as many clients as he
 * likes, and a locked one is never evicted. Locks are striped over the pairs.
 *
 * Private to guard_store_shm*.c and its tests.
 */
#ifndef GUARD_STORE_SHM_TABLE_H
#define GUARD_STORE_SHM_TABLE_H

#include "guard_store.h"
#include "guard_store_shm_lock.h"

#include <endian.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#define GUARD_SHM_MAGIC "AUTHGRD"
#define GUARD_SHM_VERSION 6
#define GUARD_SHM_STRIPES 256
#define GUARD_SHM_SCOPES 2048
#define GUARD_SHM_COUNTS 16 /* sets of counters, a power of two */
#define GUARD_SHM_BUCKET_CLIENTS 35
#define GUARD_SHM_TENANT_CLIENTS 17                 /* of them, at most */
#define GUARD_SHM_OVERFLOW GUARD_SHM_BUCKET_CLIENTS /* its index */
#define GUARD_SHM_BUCKET_RECORDS (GUARD_SHM_OVERFLOW + 1)
#define GUARD_SHM_TAGS 40 /* whole words of 8 */
#define GUARD_SHM_PROVEN_SET 8
#define GUARD_SHM_PROVEN_LASTS_USEC apr_time_from_sec(GUARD_PROVEN_SEC + 8)
#define GUARD_SHM_LOCK_USEC 100000 /* then APR_TIMEUP */

/** What never changes in a file's life; checksum covers all before it. */
typedef struct guard_shm_shape_t {
    char magic[8];
    uint32_t version;
    uint32_t byte_order; /* 0x01020304 as the writer sees it */
    uint32_t clients;    /* as configured */
    uint32_t bucket_count;
    uint64_t size_bytes;
    guard_secret_t table_secret;
    uint64_t checksum;
} guard_shm_shape_t;

/** What some of the threads have counted. */
typedef struct guard_shm_counts_t {
    _Alignas(64) _Atomic uint64_t counter[GUARD_COUNT_MAX];
} guard_shm_counts_t;

/** Every operation reads its clock, and no cache line of that is written more
 *  often than once a second. */
typedef struct guard_shm_head_t {
    guard_shm_shape_t shape;           /* [file] */
    char boot_id[40];                  /* [open] boot of boot_offset */
    _Atomic uint64_t boot_offset_usec; /* [open] table - CLOCK_BOOTTIME */
    _Atomic uint64_t last_usec;        /* newest table time seen */
    _Atomic uint64_t wall_base_usec;   /* wall clock at table time 0 */
    guard_shm_counts_t counts[GUARD_SHM_COUNTS]; /* to be added up */
} guard_shm_head_t;

/** A lock, and the image of the one record that its holder is changing. */
typedef struct guard_shm_stripe_t {
    guard_shm_lock_t lock;
    _Atomic uint32_t marked; /* [lock] 1: image is to be restored */
    uint32_t image_tag;      /* [lock] */
    uint64_t image_index;    /* [lock] of the record, over all buckets */
    _Atomic uint64_t seal;   /* [open] says that the lock was made */
    _Alignas(64) guard_record_t image; /* [lock] */
} guard_shm_stripe_t;

/** A scope's name. Entries are added, never changed, so readers take no
 *  lock; published says that hash and name are whole. */
typedef struct guard_shm_scope_t {
    _Atomic uint32_t published;
    uint32_t spare;
    uint64_t hash;
    char name[240]; /* cut to fit */
} guard_shm_scope_t;

/** What is looked at first of a bucket. It lies apart from the records: of all
 *  buckets it is little, and stays in the processor's cache. */
typedef struct guard_shm_index_t {
    _Alignas(
        64) uint8_t tag[GUARD_SHM_TAGS]; /* [lock] of each record; 0: free */
    uint64_t caught_up_usec;    /* [lock] when all records were refreshed */
    uint64_t proven_until_usec; /* [lock] the last proof of its clients ends */
    uint64_t spare;
} guard_shm_index_t;

typedef struct guard_shm_bucket_t {
    guard_record_t record[GUARD_SHM_BUCKET_RECORDS]; /* [lock] */
} guard_shm_bucket_t;

_Static_assert(sizeof(guard_shm_head_t) <= 4096, "the head is one page");
_Static_assert(offsetof(guard_shm_head_t, counts) % 64 == 0,
               "counting writes into no line that others read");
_Static_assert(sizeof(guard_shm_stripe_t) == 192, "image on its own lines");
_Static_assert(sizeof(guard_shm_scope_t) == 256, "four cache lines");
_Static_assert(GUARD_SHM_SCOPES < 1 << 12, "a record has 12 bits for it");
_Static_assert(sizeof(guard_shm_index_t) == 64, "one cache line");

/** The mapping, as one process sees it. */
typedef struct guard_shm_table_t {
    guard_shm_head_t *head;
    guard_shm_stripe_t *stripe;
    guard_shm_scope_t *scope; /* entry 0 is never used */
    guard_shm_index_t *index; /* of each bucket */
    guard_shm_bucket_t *bucket;
    _Atomic uint64_t *proven; /* in sets of GUARD_SHM_PROVEN_SET */
    uint32_t bucket_count;    /* [open] never read from the mapping again */
    uint32_t proven_sets;     /* [open] */
    uint64_t bucket_factor;   /* [open] odd; made of the file's secret */
} guard_shm_table_t;

/** Where a client's record is, or would be. */
typedef struct guard_shm_place_t {
    uint32_t bucket;
    uint32_t index;
    int found;  /* 1: the record there is the client's */
    int evicts; /* 1: the record there is another's, and is to be dropped */
} guard_shm_place_t;

/** @return bytes of a file for that many clients. */
uint64_t guard_shm_table_size(uint32_t clients);

/** @return buckets for that many clients, an even number. */
uint32_t guard_shm_table_buckets(uint32_t clients);

/** @return sets of the proven memory for that many clients. */
uint32_t guard_shm_table_proven_sets(uint32_t clients);

/** Point table into a mapping of guard_shm_table_size bytes. */
void guard_shm_table_attach(guard_shm_table_t *table, void *mapping,
                            uint32_t clients,
                            const guard_secret_t *table_secret);

/** (Re)make all locks. Only while nobody else uses the table. */
void guard_shm_table_init_locks(guard_shm_table_t *table);

/** (Re)make the locks that have lost their seal: those that were cut off the
 *  file, or written over. Others may be held at this moment. */
void guard_shm_table_init_lost_locks(guard_shm_table_t *table);

/** @return 1 if one of these GUARD_SHM_STRIPES has lost its seal, else 0. */
int guard_shm_table_has_lost_locks(const guard_shm_stripe_t *stripes);

/** Free the entries of scopes' names that can't be right. */
void guard_shm_table_drop_lost_scopes(guard_shm_table_t *table);

/** Undo every change that a killed process left half done. Only while nobody
 *  else uses the table; before guard_shm_table_init_locks. */
void guard_shm_table_restore(guard_shm_table_t *table);

/** @return the stripe of a bucket, as an index. */
static inline uint32_t guard_shm_table_stripe_of(uint32_t bucket)
{
    return bucket / 2 % GUARD_SHM_STRIPES;
}

/** Overflow records all have this id; no client's is likely to. */
#define GUARD_SHM_OVERFLOW_ID UINT64_MAX

/** @return the tag of an id: never 0, which means "free". */
static inline uint8_t guard_shm_table_tag_of(uint64_t id)
{
    uint8_t tag = (uint8_t)id;

    return tag ? tag : 1;
}

/** @return 1 if that entry of a bucket is an overflow record, else 0. */
static inline int guard_shm_is_overflow(uint32_t index)
{
    return index >= GUARD_SHM_BUCKET_CLIENTS;
}

/** @return where clients of a bucket share a budget. */
static inline guard_shm_place_t guard_shm_overflow_of(uint32_t bucket,
                                                      int tenant)
{
    guard_shm_place_t place = {.bucket = tenant ? bucket | 1 : bucket & ~1u,
                               .index = GUARD_SHM_OVERFLOW};

    return place;
}

/** @return the bucket of a client. Ids may be made with a key that is not this
 *  file's, one that others know: a factor of the file's own keeps them from
 *  choosing it. */
static inline uint32_t guard_shm_table_bucket_of(const guard_shm_table_t *table,
                                                 uint64_t id)
{
    uint64_t high = id * table->bucket_factor >> 32;

    return (uint32_t)(high * table->bucket_count >> 32);
}

/** @return which of the 8 tags of a word are alike: the top bit of each that
 *  is. */
static inline uint64_t guard_shm_tags_alike(const guard_shm_index_t *index,
                                            uint32_t word, uint8_t tag)
{
    const uint64_t each = 0x0101010101010101u, low = 0x7f * each;
    uint64_t tags;

    memcpy(&tags, &index->tag[8 * word], sizeof(tags));
    tags = le64toh(tags) ^ tag * each;
    return ~(((tags & low) + low) | tags | low); /* bytes that are 0 now */
}

/** @return the first entry of those. */
static inline uint32_t guard_shm_tags_first(uint32_t word, uint64_t alike)
{
    return 8 * word + (uint32_t)__builtin_ctzll(alike) / 8;
}

/** Have the processor fetch what finding a client there looks at first. */
static inline void guard_shm_table_prefetch(const guard_shm_table_t *table,
                                            uint32_t bucket)
{
    __builtin_prefetch(&table->index[bucket]);
}

/**
 * Lock a stripe, at most GUARD_SHM_LOCK_USEC. If its last holder was killed,
 * his half-done change is undone first.
 * @return APR_SUCCESS, APR_TIMEUP, or ENOTRECOVERABLE if it was written over
 */
apr_status_t guard_shm_table_lock(guard_shm_table_t *table, uint32_t stripe);
static inline void guard_shm_table_unlock(guard_shm_table_t *table,
                                          uint32_t stripe)
{
    guard_shm_lock_give(&table->stripe[stripe].lock);
}

/* The caller of the next ones holds the bucket's stripe. */

/** Find a client's record. */
guard_shm_place_t guard_shm_table_find_locked(const guard_shm_table_t *table,
                                              uint32_t bucket, uint64_t id);

/**
 * Find room for a newcomer: a free entry, else one whose time is over, else
 * the unlocked one nearest to being forgotten, else the overflow record. A
 * tenant's client that finds GUARD_SHM_TENANT_CLIENTS of its like there can
 * only take the place of one of those.
 * @param avoid bit i: entry i is promised to somebody else
 */
guard_shm_place_t guard_shm_table_room_locked(const guard_shm_table_t *table,
                                              uint32_t bucket, int tenant,
                                              uint64_t avoid,
                                              uint64_t now_usec);

/** @return 1 if room is to be had without looking at any record, else 0. Not
 *  for a tenant's client. */
int guard_shm_table_has_free_locked(const guard_shm_table_t *table,
                                    uint32_t bucket);

/** @return the record of a place, as it lies there. */
static inline const guard_record_t *
guard_shm_table_record(const guard_shm_table_t *table,
                       const guard_shm_place_t *place)
{
    return &table->bucket[place->bucket].record[place->index];
}

/** Copy a record out. */
void guard_shm_table_read_locked(const guard_shm_table_t *table,
                                 const guard_shm_place_t *place,
                                 guard_record_t *record);

/** Put a record in its place, whole or not at all; a record with id 0 frees
 *  the entry. */
void guard_shm_table_write_locked(guard_shm_table_t *table,
                                  const guard_shm_place_t *place,
                                  const guard_record_t *record);

/** Refresh all records of a bucket and of its twin. */
void guard_shm_table_catch_up_locked(guard_shm_table_t *table, uint32_t bucket,
                                     uint64_t table_usec);

/** The same, if that is due. Before any record is looked at. */
static inline void guard_shm_table_renew_locked(guard_shm_table_t *table,
                                                uint32_t bucket,
                                                uint64_t table_usec)
{
    if (table_usec - table->index[bucket].caught_up_usec >=
        (uint64_t)apr_time_from_sec(GUARD_REFRESH_SEC)) {
        guard_shm_table_catch_up_locked(table, bucket, table_usec);
    }
}

/** @return the index of a scope's name, which is added if it is new and there
 *  is room; else 0. */
uint16_t guard_shm_table_scope(guard_shm_table_t *table, uint64_t hash,
                               const char *name);

/** @return entry of that index, or NULL if unknown. */
const guard_shm_scope_t *
guard_shm_table_scope_at(const guard_shm_table_t *table, uint16_t index);

/**
 * Remember for GUARD_PROVEN_SEC that a guess was right from a client, forget
 * it, or ask. A record has few slots, and an office has many users: this
 * memory is shared by all, and an old entry gives way to a new one. No lock
 * is needed for it; but a bucket notes until when any of its clients may be in
 * there, so that of most it need not be asked.
 */
void guard_shm_proven_add(guard_shm_table_t *table, uint64_t id,
                          uint32_t proven_tag, uint64_t table_usec);
void guard_shm_proven_drop(guard_shm_table_t *table, uint64_t id,
                           uint32_t proven_tag);
/** Have the processor fetch what the others look at. */
void guard_shm_proven_prefetch(const guard_shm_table_t *table, uint64_t id,
                               uint32_t proven_tag);

/** Note that a client of that bucket is about to be added. The caller holds
 *  its stripe. */
static inline void guard_shm_proven_note_locked(guard_shm_table_t *table,
                                                uint32_t bucket,
                                                uint64_t table_usec)
{
    table->index[bucket].proven_until_usec =
        table_usec + GUARD_SHM_PROVEN_LASTS_USEC;
}

/** @return 1 if a client of that bucket may be in there, else 0. */
static inline int guard_shm_proven_any_locked(const guard_shm_table_t *table,
                                              uint32_t bucket,
                                              uint64_t table_usec)
{
    return table_usec < table->index[bucket].proven_until_usec;
}
/** @return 1 if it is remembered, else 0. */
int guard_shm_proven_find(const guard_shm_table_t *table, uint64_t id,
                          uint32_t proven_tag, uint64_t table_usec);

/** Count one event. Any thread, at any time; as all of these. */
void guard_shm_table_tally(guard_shm_table_t *table, guard_counter_e counter);

/** @return how many events have been counted. */
uint64_t guard_shm_table_counter(const guard_shm_table_t *table,
                                 guard_counter_e counter);

/** From now on so many have been; what is counted at the same time may get
 *  lost. */
void guard_shm_table_set_counter(guard_shm_table_t *table,
                                 guard_counter_e counter, uint64_t value);

#ifdef GUARD_STEPS
/** Tests: called at every step of a change, if set. */
extern void (*guard_shm_step)(int step);
#define GUARD_SHM_STEP_COUNT 7
#endif

#endif
