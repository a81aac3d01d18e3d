/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_reopen.c: what a table still knows when it is opened again: under the
 * same guess key or another, and at another size.
 */
#include "caller.h"
#include "shm.h"

#include <fcntl.h>

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
        guard_claim_t claim = caller_nth(&c, i, i < lock ? 1 : 3);

        caller_fail(&c, &claim, 1);
    }
    c.store->ops->tally(c.store, GUARD_COUNT_FAILED);
    c = serve(to, &KEY);
    printf("# from %u to %u clients\n", from, to);
    is(guard_store_shm_clients(c.store), to, "another size takes effect");
    ok(shm_has_said("AG0204") && shm_files(NULL) == 1,
       "that is said, no file is left");
    for (unsigned i = 0; i < lock + count; i++) {
        guard_claim_t claim = caller_nth(&c, i, i < lock ? 1 : 3);

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

static void names_are_carried_over(void)
{
    caller_t c = serve(SIZE, &KEY);
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 1);
    guard_filter_t filter = {.scope_name = c.scope};
    unsigned count = 0;

    caller_fail(&c, &claim, 1);
    c = serve(16 * SIZE, &KEY);
    c.store->ops->unlock(c.store, NOW, &filter, &count);
    is(count, 1, "a client is found by its scope's name at the new size");
    shm_close();
    shm_sweep();
}

static void smaller_and_larger_again(void)
{
    static const uint32_t size[] = {SIZE, 1024, SIZE, 4096};
    caller_t c = serve(4096, &KEY);

    for (unsigned i = 0; i < 1000; i++) {
        guard_claim_t claim = caller_nth(&c, i, 1);

        caller_fail(&c, &claim, 1);
    }
    for (size_t i = 0; i < COUNT(size); i++) {
        c = serve(size[i], &KEY);
        shm_is_sound(c.store, NOW, "however often it changes");
    }
    ok(caller_stats(&c).clients_locked > SIZE, "and full of locked clients");
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
    names_are_carried_over();
    smaller_and_larger_again();
    what_a_killed_resize_left_is_no_hindrance();
    shm_close();
    return tap_done();
}
