/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_noise.c: a table that was written over in part, or cut short under a
 * running server: what can't be right is dropped, and nothing else.
 */
#include "caller.h"
#include "random.h"
#include "shm.h"

#define NOW ((uint64_t)apr_time_from_sec(1000000))
#define SIZE GUARD_SHM_CLIENTS_MIN

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
    guard_shm_place_t place = guard_shm_table_find_locked(table, id);

    return place.found
               ? place.bucket * (uint64_t)GUARD_SHM_BUCKET_RECORDS + place.index
               : UINT64_MAX;
}

static guard_shm_bucket_t *bucket_at(const guard_shm_table_t *table,
                                     uint64_t index)
{
    return &table->bucket[index / GUARD_SHM_BUCKET_RECORDS];
}

static void spoil_id(guard_record_t *record) { record->id ^= 1; }
static void spoil_kind(guard_record_t *record) { record->kind = 77; }
static void spoil_phase(guard_record_t *record) { record->phase = 3; }
static void spoil_slot(guard_record_t *record) { record->slot[2].state = 7; }
static void spoil_waiters(guard_record_t *record) { record->waiters = 200; }
static void spoil_all(guard_record_t *record)
{
    memset(record, 0xa5, sizeof *record);
}
static void spoil_end(guard_record_t *record)
{
    record->until_usec = UINT64_MAX / 2;
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

/* ---- a file that shrinks under a running server ---- */

static apr_status_t grow_back(guard_store_t *store)
{
    guard_shm_options_t options = {.path = shm_path,
                                   .clients = SIZE,
                                   .role = GUARD_SHM_SERVER,
                                   .say = shm_hear};

    shm_said[0] = '\0';
    return guard_store_shm_grow_back(store, &options);
}

static void a_cut_file_is_grown_back(off_t length)
{
    caller_t c = serve();
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 1);
    struct stat info;

    printf("# cut to %ld bytes\n", (long)length);
    is(grow_back(c.store), APR_SUCCESS, "a whole file is left alone");
    ok(!*shm_said, "and nothing said");
    caller_fail(&c, &claim, 1);
    if (truncate(shm_path, length)) {
        ok(0, "fixture: cut the file");
        return;
    }
    is(grow_back(c.store), APR_SUCCESS, "a cut one is grown back");
    ok(shm_has_said("AG0210"), "and that is said");
    ok(!stat(shm_path, &info) &&
           info.st_size == (off_t)guard_shm_table_size(SIZE) &&
           info.st_blocks * 512 >= info.st_size,
       "to its full length, without holes");
    shm_is_sound(c.store, NOW, "after that");
    caller_fail(&c, &claim, 1);
    is(caller_attempt(&c, &claim, 1, "a:1", GUARD_RIGHT), GUARD_LOCKED,
       "and locks again");
    c = serve();
    ok(!shm_has_said("AG0202") &&
           caller_peek(&c, &claim, 1)->phase == GUARD_PHASE_LOCKED,
       "the file can be opened again, with what it holds");
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
    a_cut_file_is_grown_back(0);
    a_cut_file_is_grown_back(4096);
    a_cut_file_is_grown_back((off_t)guard_shm_table_size(SIZE) - 4096);
    shm_close();
    return tap_done();
}
