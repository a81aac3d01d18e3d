/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_reopen.c: what a table still knows when it is opened again: under the
 * same guess key or another, at another size, with noise in it, or after
 * somebody cut the file short.
 */
#include "caller.h"
#include "random.h"
#include "shm.h"

#include <fcntl.h>
#include <stddef.h>

#define NOW ((uint64_t)apr_time_from_sec(1000000))
#define SIZE GUARD_SHM_CLIENTS_MIN

static const guard_secret_t KEY = {{1, 2, 3}};

static uint64_t still(void) { return NOW; }

static caller_t serve(uint32_t clients, const guard_secret_t *key)
{
    caller_t c = {.now_usec = NOW, .scope = "reopen"};

    shm_close();
    c.store = shm_serve(clients, key);
    return c;
}

static int said(const char *id) { return strstr(shm_said, id) != NULL; }

/* The n-th of any number of clients. */
static guard_claim_t nth(const caller_t *c, unsigned n, unsigned limit)
{
    char text[20];

    snprintf(text, sizeof text, "10.%u.%u.%u", n >> 16, n >> 8 & 255, n & 255);
    return caller_ip(c, text, limit);
}

/* ---- the guess key ---- */

static void counts_outlast_a_stop(void)
{
    caller_t c = serve(SIZE, NULL);
    guard_claim_t locked = caller_ip(&c, "192.0.2.1", 1);
    guard_claim_t counted = caller_ip(&c, "192.0.2.2", 5);
    guard_secret_t table_secret = c.store->table_secret;
    guard_secret_t guess_secret = c.store->guess_secret;

    caller_fail(&c, &locked, 1);
    caller_fail(&c, &counted, 3);
    c.store->ops->tally(c.store, GUARD_COUNT_FAILED);
    c = serve(SIZE, NULL);
    ok(!memcmp(&table_secret, &c.store->table_secret, sizeof table_secret),
       "the table key is the file's");
    ok(memcmp(&guess_secret, &c.store->guess_secret, sizeof guess_secret),
       "the guess key is drawn at each start");
    ok(caller_peek(&c, &locked, 1)->phase == GUARD_PHASE_LOCKED &&
           c.report.standing[0].level == 1,
       "a lockout outlasts a stop");
    is(c.report.standing[0].remaining_usec, apr_time_from_sec(900),
       "to the second");
    is(caller_peek(&c, &counted, 1)->failures, 3, "so do failures");
    is((long long)caller_stats(&c).counter[GUARD_COUNT_FAILED], 1,
       "and counters");
    shm_is_sound(c.store, NOW, "after a stop");
    shm_close();
    shm_sweep();
}

static void the_guess_key_is_never_written(void)
{
    caller_t c = serve(SIZE, NULL);
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 5);
    guard_shm_table_t *table = guard_store_shm_table(c.store);

    caller_fail(&c, &claim, 3);
    caller_attempt(&c, &claim, 1, "a:right", GUARD_RIGHT);
    ok(!memmem(table->head, guard_shm_table_size(SIZE), &c.store->guess_secret,
               sizeof c.store->guess_secret),
       "the guess key is nowhere in the file");
    ok(memmem(table->head, guard_shm_table_size(SIZE), &c.store->table_secret,
              sizeof c.store->table_secret) != NULL,
       "as the table key is");
    shm_close();
    shm_sweep();
}

static void guesses_outlast_a_graceful(void)
{
    caller_t c = serve(SIZE, &KEY);
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 2);
    guard_ticket_t lost = {0};

    caller_attempt(&c, &claim, 1, "a:right", GUARD_RIGHT);
    caller_attempt(&c, &claim, 1, "b:wrong", GUARD_WRONG);
    caller_reserve(&c, &claim, 1, "c:1", GUARD_LAST_TRY, &lost);
    c = serve(SIZE, &KEY);
    is(caller_attempt(&c, &claim, 1, "b:wrong", GUARD_WRONG), GUARD_REPEAT,
       "under the same key a rejected guess repeats");
    is(caller_attempt(&c, &claim, 1, "a:right", GUARD_RIGHT), GUARD_ADMIT,
       "a proven one is proven");
    is(caller_attempt(&c, &claim, 1, "d:1", GUARD_WRONG), GUARD_BUSY,
       "and a place is taken");
    c = serve(SIZE, NULL);
    is(caller_attempt(&c, &claim, 1, "a:right", GUARD_RIGHT), GUARD_BUSY,
       "under another key nothing is proven, and the place still taken");
    is(caller_peek(&c, &claim, 1)->failures, 1, "failures stay");
    shm_is_sound(c.store, NOW, "under another key");
    shm_close();
    shm_sweep();
}

static void waiters_do_not_outlast_a_stop(void)
{
    caller_t c = serve(SIZE, NULL);
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 1);
    guard_ticket_t ticket = {0};
    char text[20];

    caller_reserve(&c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    for (unsigned i = 0; i < GUARD_WAITERS_MAX; i++) {
        memset(&ticket, 0, sizeof ticket);
        snprintf(text, sizeof text, "b:%u", i);
        caller_reserve(&c, &claim, 1, text, GUARD_MAY_WAIT, &ticket);
    }
    c = serve(SIZE, NULL);
    memset(&ticket, 0, sizeof ticket);
    is(caller_reserve(&c, &claim, 1, "c:1", GUARD_MAY_WAIT, &ticket),
       GUARD_WAIT, "who waited before a stop waits no longer");
    shm_close();
    shm_sweep();
}

/* ---- another size ---- */

static void entries_are_carried_over(uint32_t from, uint32_t to, unsigned lock,
                                     unsigned count)
{
    caller_t c = serve(from, &KEY);
    unsigned locked = 0, counted = 0;

    for (unsigned i = 0; i < lock + count; i++) {
        guard_claim_t claim = nth(&c, i, i < lock ? 1 : 3);

        caller_fail(&c, &claim, 1);
    }
    c.store->ops->tally(c.store, GUARD_COUNT_FAILED);
    c = serve(to, &KEY);
    printf("# from %u to %u clients\n", from, to);
    is(guard_store_shm_clients(c.store), to, "another size takes effect");
    ok(said("AG0204") && shm_files(NULL) == 1, "that is said, no file is left");
    for (unsigned i = 0; i < lock + count; i++) {
        guard_claim_t claim = nth(&c, i, i < lock ? 1 : 3);

        locked += caller_peek(&c, &claim, 1)->phase == GUARD_PHASE_LOCKED;
        counted += c.report.standing[0].failures > 0;
    }
    ok(locked >= lock, "every lockout is carried over");
    if (lock + count <= to / 2) {
        is(counted, lock + count, "and every count");
        is((long long)caller_stats(&c).clients_tracked, lock + count,
           "and nobody else");
    }
    is((long long)caller_stats(&c).counter[GUARD_COUNT_FAILED], 1,
       "and the counters");
    shm_is_sound(c.store, NOW, "at the new size");
    shm_close();
    shm_sweep();
}

static void what_a_killed_resize_left_is_no_hindrance(void)
{
    char left[120];
    caller_t c = serve(SIZE, &KEY);
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 1);

    caller_fail(&c, &claim, 1);
    shm_close();
    snprintf(left, sizeof left, "%s.new", shm_path);
    close(open(left, O_CREAT | O_WRONLY, 0600));
    c = serve(4 * SIZE, &KEY);
    is(guard_store_shm_clients(c.store), 4 * SIZE,
       "a resize works after one that was killed");
    is(caller_peek(&c, &claim, 1)->phase, GUARD_PHASE_LOCKED,
       "with all its locked clients");
    is(shm_files(NULL), 1, "and clears up");
    shm_close();
    shm_sweep();
}

/* ---- noise ---- */

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
        caller_t c = serve(SIZE, &KEY);
        guard_shm_table_t *table = guard_store_shm_table(c.store);
        guard_claim_t hit = caller_ip(&c, "192.0.2.1", 1);
        guard_claim_t other = caller_ip(&c, "192.0.2.2", 1);
        uint64_t at;

        caller_fail(&c, &hit, 1);
        caller_fail(&c, &other, 1);
        at = place_of(table, hit.client.id);
        row[i].spoil(
            &bucket_at(table, at)->record[at % GUARD_SHM_BUCKET_RECORDS]);
        c = serve(SIZE, &KEY);
        ok(said("AG0209"), "an entry with %s is dropped, that is said",
           row[i].what);
        is((long long)caller_stats(&c).clients_tracked, 1, "  that one alone");
        is(caller_peek(&c, &other, 1)->phase, GUARD_PHASE_LOCKED,
           "  its neighbour stays locked");
        shm_is_sound(c.store, NOW, "again");
        shm_close();
        shm_sweep();
    }
}

/* Behind the head anything may be written over by anything. */
static void any_noise_is_survived(void)
{
    uint64_t seed = 11;
    int fine = 1, size = (int)guard_shm_table_size(SIZE);

    for (int run = 0; run < 40; run++) {
        caller_t c = serve(SIZE, &KEY);
        unsigned char *bytes = (void *)guard_store_shm_table(c.store)->head;

        for (unsigned i = 0; i < 60; i++) {
            guard_claim_t claim = nth(&c, i, 1 + i % 3);

            caller_fail(&c, &claim, 1);
        }
        for (int i = 0; i < 1 << (run % 12); i++) {
            unsigned at = random_below(&seed, (unsigned)size);

            if (at >= sizeof(guard_shm_shape_t)) {
                bytes[at] = (unsigned char)random_next(&seed);
            }
        }
        c = serve(SIZE, &KEY);
        for (unsigned i = 0; i < 200; i++) {
            guard_claim_t claim = nth(&c, i, 2);

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
    caller_t c = serve(SIZE, &KEY);
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
    ok(said("AG0210"), "and that is said");
    ok(!stat(shm_path, &info) &&
           info.st_size == (off_t)guard_shm_table_size(SIZE) &&
           info.st_blocks * 512 >= info.st_size,
       "to its full length, without holes");
    shm_is_sound(c.store, NOW, "after that");
    caller_fail(&c, &claim, 1);
    is(caller_attempt(&c, &claim, 1, "a:1", GUARD_RIGHT), GUARD_LOCKED,
       "and locks again");
    c = serve(SIZE, &KEY);
    ok(!said("AG0202") &&
           caller_peek(&c, &claim, 1)->phase == GUARD_PHASE_LOCKED,
       "the file can be opened again, with what it holds");
    shm_close();
    shm_sweep();
}

int main(void)
{
    guard_shm_world.clock_usec = still;
    shm_begin();
    counts_outlast_a_stop();
    the_guess_key_is_never_written();
    guesses_outlast_a_graceful();
    waiters_do_not_outlast_a_stop();
    entries_are_carried_over(SIZE, 4096, 20, 10);
    entries_are_carried_over(4096, 1024, 200, 200);
    entries_are_carried_over(4096, SIZE, 1000, 1000);
    what_a_killed_resize_left_is_no_hindrance();
    a_damaged_entry_goes_alone();
    any_noise_is_survived();
    a_cut_file_is_grown_back(0);
    a_cut_file_is_grown_back(4096);
    a_cut_file_is_grown_back((off_t)guard_shm_table_size(SIZE) - 4096);
    shm_close();
    return tap_done();
}
