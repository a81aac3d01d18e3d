/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_noise.c: a table that was written over in part: what can't be right is
 * dropped, and nothing else.
 */
#include "caller.h"
#include "random.h"
#include "shm.h"

#define NOW ((uint64_t)apr_time_from_sec(1000000))
#define SIZE GUARD_SHM_CLIENTS_MIN

#define LAST_USEC (((uint64_t)1 << 52) - 1) /* that a record can name */

static const guard_secret_t KEY = {{1, 2, 3}};

static uint64_t still(void) { return NOW; }

static caller_t serve(void)
{
    caller_t c = {.now_usec = NOW, .scope = "noise"};

    shm_close();
    c.store = shm_serve(SIZE, &KEY);
    return c;
}

static uint64_t place_of(const guard_shm_table_t *table, uint64_t id)
{
    guard_shm_place_t place = guard_shm_table_find_locked(
        table, guard_shm_table_bucket_of(table, id), id);

    return place.found
               ? place.bucket * (uint64_t)GUARD_SHM_BUCKET_RECORDS + place.index
               : UINT64_MAX;
}

static guard_shm_bucket_t *bucket_at(const guard_shm_table_t *table,
                                     uint64_t index)
{
    return &table->bucket[index / GUARD_SHM_BUCKET_RECORDS];
}

static void spoil_id(guard_record_t *record) { record->id ^= 2; }
static void spoil_kind(guard_record_t *record) { record->kind = 77; }
static void spoil_phase(guard_record_t *record) { record->phase = 3; }
static void spoil_slot(guard_record_t *record) { record->slot[2].state = 7; }
static void spoil_waiters(guard_record_t *record) { record->waiters = 63; }
static void spoil_all(guard_record_t *record)
{
    memset(record, 0xa5, sizeof *record);
}
static void spoil_end(guard_record_t *record)
{
    record->until_usec = LAST_USEC;
}

static void a_damaged_entry_goes_alone(void)
{
    static const struct {
        const char *what;
        void (*spoil)(guard_record_t *record);
    } row[] = {{"another id", spoil_id},
               {"no known kind", spoil_kind},
               {"no known phase", spoil_phase},
               {"no known slot", spoil_slot},
               {"too many waiters", spoil_waiters},
               {"an end beyond all lockouts", spoil_end},
               {"noise", spoil_all}};

    for (size_t i = 0; i < COUNT(row); i++) {
        caller_t c = serve();
        guard_shm_table_t *table = guard_store_shm_table(c.store);
        guard_claim_t hit = caller_ip(&c, "192.0.2.1", 1);
        guard_claim_t other = caller_ip(&c, "192.0.2.2", 1);
        uint64_t at;

        caller_fail(&c, &hit, 1);
        caller_fail(&c, &other, 1);
        at = place_of(table, hit.client.id);
        row[i].spoil(
            &bucket_at(table, at)->record[at % GUARD_SHM_BUCKET_RECORDS]);
        c = serve();
        ok(shm_has_said("AG0209"), "an entry with %s is dropped, that is said",
           row[i].what);
        is((long long)caller_stats(&c).clients_tracked, 1, "  that one alone");
        is(caller_peek(&c, &other, 1)->phase, GUARD_PHASE_LOCKED,
           "  its neighbour stays locked");
        shm_is_sound(c.store, NOW, "again");
        shm_close();
        shm_sweep();
    }
}

/* No process can have left it so, but a disk may. */
static void noise_in_the_locks(void)
{
    caller_t c = serve();
    guard_shm_table_t *table = guard_store_shm_table(c.store);
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 1);

    caller_fail(&c, &claim, 1);
    memset(table->stripe, 0xa5, sizeof *table->stripe * GUARD_SHM_STRIPES);
    c = serve();
    is(shm_closed_locks(c.store), 0, "noise in the locks: all are made anew");
    is(caller_peek(&c, &claim, 1)->phase, GUARD_PHASE_LOCKED,
       "and nobody is freed by it");
    shm_is_sound(c.store, NOW, "then");
    shm_close();
    shm_sweep();
}

/* Behind the head anything may be written over by anything. */
static void any_noise_is_survived(void)
{
    uint64_t seed = 11;
    int fine = 1, size = (int)guard_shm_table_size(SIZE);

    for (int run = 0; run < 40; run++) {
        caller_t c = serve();
        unsigned char *bytes = (void *)guard_store_shm_table(c.store)->head;

        for (unsigned i = 0; i < 60; i++) {
            guard_claim_t claim = caller_nth(&c, i, 1 + i % 3);

            caller_fail(&c, &claim, 1);
        }
        for (int i = 0; i < 1 << (run % 12); i++) {
            unsigned at = random_below(&seed, (unsigned)size);

            if (at >= sizeof(guard_shm_shape_t)) {
                bytes[at] = (unsigned char)random_next(&seed);
            }
        }
        c = serve();
        for (unsigned i = 0; i < 200; i++) {
            guard_claim_t claim = caller_nth(&c, i, 2);

            caller_fail(&c, &claim, 1);
        }
        fine &= !guard_store_shm_fault(c.store, NOW, shm_pool);
        shm_close();
        shm_sweep();
    }
    ok(fine, "a table with noise anywhere in it is opened, used and sound");
}

static void put_noise(void *to, size_t size, uint64_t *seed)
{
    for (size_t i = 0; i < size; i++) {
        ((unsigned char *)to)[i] = (unsigned char)random_next(seed);
    }
}

/* Where every entry of a bucket is taken by noise that looks locked, newcomers
 * take its place; nor does noise in the overflow record speak for them. */
static void noise_locks_nobody_out(void)
{
    caller_t c = serve();
    guard_shm_table_t *table = guard_store_shm_table(c.store);
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 2);
    unsigned admitted = 0;
    uint64_t seed = 17;

    for (uint32_t i = 0; i < table->bucket_count; i++) {
        guard_shm_bucket_t *bucket = &table->bucket[i];

        put_noise(&table->index[i], sizeof table->index[i], &seed);
        put_noise(bucket, sizeof *bucket, &seed);
        for (int j = 0; j < GUARD_SHM_BUCKET_RECORDS; j++) {
            bucket->record[j].phase = GUARD_PHASE_LOCKED;
            bucket->record[j].until_usec = LAST_USEC;
        }
    }
    is(caller_fail(&c, &claim, 3), 2, "noise in all records locks nobody out");
    is(caller_peek(&c, &claim, 1)->remaining_usec, apr_time_from_sec(900),
       "  and prolongs nothing");
    for (unsigned i = 0; i < 20; i++) {
        claim = caller_nth(&c, i, 2);
        admitted += caller_fail(&c, &claim, 3);
    }
    is(admitted, 40, "  and others have places of their own");
    is((long long)caller_stats(&c).counter[GUARD_COUNT_OVERFLOW], 0,
       "  none in the overflow record");
    c = serve();
    shm_is_sound(c.store, NOW, "at the next start");
    shm_close();
    shm_sweep();
}

/* Whom noise in the overflow record would lock out: a newcomer to a bucket
 * that is full of clients who are locked. */
static void noise_in_the_overflow_record(void)
{
    caller_t c = serve();
    guard_shm_table_t *table = guard_store_shm_table(c.store);
    guard_claim_t claim;
    unsigned n = 0;

    for (; !caller_stats(&c).counter[GUARD_COUNT_OVERFLOW] && n < 10000; n++) {
        claim = caller_nth(&c, n, 1);
        caller_fail(&c, &claim, 1);
    }
    for (uint32_t i = 0; i < table->bucket_count; i++) {
        memset(&table->bucket[i].record[GUARD_SHM_OVERFLOW], 0xa6,
               sizeof(guard_record_t));
    }
    claim = caller_nth(&c, n - 1, 2);
    is(caller_peek(&c, &claim, 1)->overflow, 1, "a newcomer without a place");
    is(caller_fail(&c, &claim, 3), 2, "is counted anew, not by noise");
    shm_close();
    shm_sweep();
}

int main(void)
{
    guard_shm_world.clock_usec = still;
    shm_begin();
    a_damaged_entry_goes_alone();
    noise_in_the_locks();
    any_noise_is_survived();
    noise_locks_nobody_out();
    noise_in_the_overflow_record();
    shm_close();
    return tap_done();
}
