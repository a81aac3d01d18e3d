/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm_table.h: the table as it lies in the file and in memory.
 *
 *     0        head: what the file is, its clock, its counters     1 page
 *     4096     stripes: 256 locks, each with its before-image     48 KiB
 *              scopes: names for people                          512 KiB
 *              proven: guesses that were right, 8 bytes each
 *              buckets: 32 tags of 4 bytes, 32 records of 128 bytes
 *
 * A client's id chooses its bucket and its tag. A bucket holds 30 clients.
 * The last two records are overflow records, shared budgets of the clients
 * that found no room: one for clients of the server's scopes, and one for
 * those whose scope a .htaccess makes. The latter get half of a bucket at
 * most, for their author is free to make scopes and to lock out as many
 * clients as he likes, and a locked one is never evicted. Locks are striped
 * over the buckets.
 *
 * Private to guard_store_shm*.c and its tests.
 */
#ifndef GUARD_STORE_SHM_TABLE_H
#define GUARD_STORE_SHM_TABLE_H

#include "guard_store.h"
#include "guard_store_shm_lock.h"

#include <stdatomic.h>

#define GUARD_SHM_MAGIC "AUTHGRD"
#define GUARD_SHM_VERSION 4
#define GUARD_SHM_STRIPES 256
#define GUARD_SHM_SCOPES 2048
#define GUARD_SHM_BUCKET_CLIENTS 30
#define GUARD_SHM_TENANT_CLIENTS 15                 /* of them, at most */
#define GUARD_SHM_OVERFLOW GUARD_SHM_BUCKET_CLIENTS /* their indexes */
#define GUARD_SHM_TENANT_OVERFLOW (GUARD_SHM_OVERFLOW + 1)
#define GUARD_SHM_BUCKET_RECORDS (GUARD_SHM_TENANT_OVERFLOW + 1)
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

typedef struct guard_shm_head_t {
    guard_shm_shape_t shape;           /* [file] */
    char boot_id[40];                  /* [open] boot of boot_offset */
    _Atomic uint64_t boot_offset_usec; /* [open] table - CLOCK_BOOTTIME */
    _Atomic uint64_t last_usec;        /* newest table time seen */
    _Atomic uint64_t wall_base_usec;   /* wall clock at table time 0 */
    _Atomic uint64_t counter[GUARD_COUNT_MAX];
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

typedef struct guard_shm_bucket_t {
    _Alignas(64) uint32_t tag[GUARD_SHM_BUCKET_RECORDS]; /* [lock] 0: free */
    guard_record_t record[GUARD_SHM_BUCKET_RECORDS];     /* [lock] */
} guard_shm_bucket_t;

_Static_assert(sizeof(guard_shm_head_t) <= 4096, "the head is one page");
_Static_assert(sizeof(guard_shm_stripe_t) == 192, "image on its own lines");
_Static_assert(sizeof(guard_shm_scope_t) == 256, "four cache lines");
_Static_assert(sizeof(guard_shm_bucket_t) == 33 * 128, "tags, then records");

/** The mapping, as one process sees it. */
typedef struct guard_shm_table_t {
    guard_shm_head_t *head;
    guard_shm_stripe_t *stripe;
    guard_shm_scope_t *scope; /* entry 0 is never used */
    _Atomic uint64_t *proven; /* GUARD_SHM_BUCKET_RECORDS for each bucket */
    guard_shm_bucket_t *bucket;
    uint32_t bucket_count;  /* [open] never read from the mapping again */
    uint64_t bucket_factor; /* [open] odd; made of the file's secret */
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

/** @return buckets for that many clients, at least 1. */
uint32_t guard_shm_table_buckets(uint32_t clients);

/** Point table into a mapping of guard_shm_table_size bytes. */
void guard_shm_table_attach(guard_shm_table_t *table, void *mapping,
                            uint32_t bucket_count,
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
uint32_t guard_shm_table_stripe_of(uint32_t bucket);

/** Overflow records all have this id; no client's is likely to. */
#define GUARD_SHM_OVERFLOW_ID UINT64_MAX

/** @return the tag of an id: never 0, which means "free". */
uint32_t guard_shm_table_tag_of(uint64_t id);

/** @return 1 if that entry of a bucket is an overflow record, else 0. */
static inline int guard_shm_is_overflow(uint32_t index)
{
    return index >= GUARD_SHM_BUCKET_CLIENTS;
}

/** @return the bucket of a client. */
uint32_t guard_shm_table_bucket_of(const guard_shm_table_t *table, uint64_t id);

/**
 * Lock a stripe, at most GUARD_SHM_LOCK_USEC. If its last holder was killed,
 * his half-done change is undone first.
 * @return APR_SUCCESS, APR_TIMEUP, or ENOTRECOVERABLE if it was written over
 */
apr_status_t guard_shm_table_lock(guard_shm_table_t *table, uint32_t stripe);
void guard_shm_table_unlock(guard_shm_table_t *table, uint32_t stripe);

/* The caller of the next four holds the bucket's stripe. */

/** Find a client's record. */
guard_shm_place_t guard_shm_table_find_locked(const guard_shm_table_t *table,
                                              uint64_t id);

/**
 * Find room for a newcomer: a free entry, else one whose time is over, else
 * the unlocked one nearest to being forgotten, else the overflow record. A
 * tenant's client that finds GUARD_SHM_TENANT_CLIENTS of its like there can
 * only take the place of one of those.
 * @param avoid bit i: entry i is promised to somebody else
 */
guard_shm_place_t guard_shm_table_room_locked(const guard_shm_table_t *table,
                                              uint64_t id, int tenant,
                                              uint32_t avoid,
                                              uint64_t now_usec);

/** Copy a record out. */
void guard_shm_table_read_locked(const guard_shm_table_t *table,
                                 const guard_shm_place_t *place,
                                 guard_record_t *record);

/** Put a record in its place, whole or not at all; a record with id 0 frees
 *  the entry. */
void guard_shm_table_write_locked(guard_shm_table_t *table,
                                  const guard_shm_place_t *place,
                                  const guard_record_t *record);

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
 * is needed.
 */
void guard_shm_proven_add(guard_shm_table_t *table, uint64_t id,
                          uint32_t proven_tag, uint64_t table_usec);
void guard_shm_proven_drop(guard_shm_table_t *table, uint64_t id,
                           uint32_t proven_tag);
/** @return 1 if it is remembered, else 0. */
int guard_shm_proven_find(const guard_shm_table_t *table, uint64_t id,
                          uint32_t proven_tag, uint64_t table_usec);

/** Count one event. */
void guard_shm_table_tally(guard_shm_table_t *table, guard_counter_e counter);

#ifdef GUARD_STEPS
/** Tests: called at every step of a change, if set. */
extern void (*guard_shm_step)(int step);
#define GUARD_SHM_STEP_COUNT 7
#endif

#endif
