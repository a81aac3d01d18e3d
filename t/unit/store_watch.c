/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_watch.c: a file that is cut, written over, taken away or replaced
 * under a running server. Its look once a second mends what can be mended,
 * tells of the rest, and says each thing once.
 */
#include "caller.h"
#include "random.h"
#include "shm.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/resource.h>

#define NOW ((uint64_t)apr_time_from_sec(1000000))
#define SIZE GUARD_SHM_CLIENTS_MIN

static const guard_secret_t KEY = {{1, 2, 3}};

static uint64_t still(void) { return NOW; }

static caller_t serve(void)
{
    caller_t c = {.now_usec = NOW, .scope = "watch"};

    shm_close();
    c.store = shm_serve(SIZE, &KEY);
    return c;
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

/* ---- a file that is written over under a running server ---- */

#define HEAD_BYTES 4096

static void write_noise(uint64_t from, uint64_t to)
{
    uint64_t seed = 5;
    int fd = open(shm_path, O_WRONLY);

    for (; from < to; from += sizeof seed) {
        uint64_t word = random_next(&seed);

        if (pwrite(fd, &word, sizeof word, (off_t)from) != sizeof word) {
            ok(0, "fixture: write noise");
            break;
        }
    }
    close(fd);
}

static uint64_t locks_end(void)
{
    return HEAD_BYTES + sizeof(guard_shm_stripe_t) * GUARD_SHM_STRIPES;
}

/* One client is locked out, one has failed once. */
static caller_t serve_two(guard_claim_t *locked, guard_claim_t *counted)
{
    caller_t c = serve();

    *locked = caller_ip(&c, "192.0.2.1", 1);
    *counted = caller_ip(&c, "192.0.2.2", 3);
    caller_fail(&c, locked, 1);
    caller_fail(&c, counted, 1);
    return c;
}

static void works_again(caller_t *c, const guard_claim_t *locked,
                        const guard_claim_t *counted)
{
    ok(caller_peek(c, locked, 1)->phase == GUARD_PHASE_LOCKED &&
           caller_peek(c, locked, 1)->remaining_usec == apr_time_from_sec(900),
       "  a lockout lasts as long as it did");
    is(caller_peek(c, counted, 1)->failures, 1, "  a failure is remembered");
    is(caller_fail(c, counted, 3), 2, "  and the count goes on");
    shm_is_sound(c->store, NOW, "then");
    *c = serve();
    ok(!shm_has_said("AG02"), "  the next start finds nothing amiss");
    is(caller_peek(c, locked, 1)->phase, GUARD_PHASE_LOCKED, "  nor freed");
    shm_close();
    shm_sweep();
}

static void the_head_is_put_back(void)
{
    static const size_t at[][2] = {
        {0, HEAD_BYTES},
        {0, 8},
        {offsetof(guard_shm_head_t, boot_offset_usec),
         offsetof(guard_shm_head_t, boot_offset_usec) + 8},
        {offsetof(guard_shm_head_t, boot_id),
         offsetof(guard_shm_head_t, boot_id) + 8},
    };

    for (size_t i = 0; i < COUNT(at); i++) {
        guard_claim_t locked, counted;
        caller_t c = serve_two(&locked, &counted);

        write_noise(at[i][0], at[i][1]);
        is(grow_back(c.store), APR_SUCCESS, "noise in the head is removed");
        ok(shm_has_said("AG0210"), "  that is said");
        grow_back(c.store);
        ok(!*shm_said, "  once");
        works_again(&c, &locked, &counted);
    }
}

static void the_locks_are_made_anew(void)
{
    guard_claim_t locked, counted;
    caller_t c = serve_two(&locked, &counted);
    uint64_t before = guard_store_clock();

    write_noise(HEAD_BYTES, locks_end());
    is(caller_fail(&c, &counted, 1), 0,
       "noise in the locks: nothing is admitted");
    is(shm_closed_locks(c.store), GUARD_SHM_STRIPES, "  no lock is had");
    ok(guard_store_clock() - before < (uint64_t)apr_time_from_sec(10),
       "  and none is waited for");
    is(grow_back(c.store), APR_SUCCESS, "  it is mended");
    ok(shm_has_said("AG0210"), "  that is said");
    is(shm_closed_locks(c.store), 0, "  all locks are there again");
    works_again(&c, &locked, &counted);
}

/* dd of=FILE cuts the file before it writes. */
static void what_is_left_is_noise(void)
{
    static const off_t length[] = {8, HEAD_BYTES, 4 * HEAD_BYTES};

    for (size_t i = 0; i < COUNT(length); i++) {
        caller_t c = serve();
        guard_claim_t claim = caller_ip(&c, "192.0.2.1", 2);

        if (truncate(shm_path, 0)) {
            ok(0, "fixture: cut the file");
        }
        write_noise(0, (uint64_t)length[i]);
        is(grow_back(c.store), APR_SUCCESS, "cut to noise: grown back");
        ok(shm_has_said("AG0210"), "  that is said");
        is(shm_closed_locks(c.store), 0, "  all locks are there");
        is(caller_fail(&c, &claim, 3), 2, "  it counts");
        shm_is_sound(c.store, NOW, "then");
        c = serve();
        ok(!shm_has_said("AG02"), "  the next start finds nothing amiss");
        shm_close();
        shm_sweep();
    }
}

static apr_status_t note_scope(void *baton, const guard_entry_t *entry)
{
    *(size_t *)baton = strnlen(entry->scope_name, sizeof entry->scope_name);
    return APR_SUCCESS;
}

static void a_name_without_an_end_is_none(void)
{
    caller_t c = serve();
    guard_shm_table_t *table = guard_store_shm_table(c.store);
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 3);
    guard_filter_t all = {0};
    size_t length = 1000;

    caller_fail(&c, &claim, 1);
    for (int i = 1; i < GUARD_SHM_SCOPES; i++) {
        memset(table->scope[i].name, 'x', sizeof table->scope[i].name);
    }
    c.store->ops->iterate(c.store, NOW, &all, note_scope, &length);
    is((long long)length, 0, "a scope's name that does not end is not shown");
    write_noise(0, 8);
    grow_back(c.store);
    claim = caller_ip(&c, "192.0.2.2", 3);
    caller_fail(&c, &claim, 1);
    c.store->ops->iterate(c.store, NOW, &all, note_scope, &length);
    is((long long)length, (long long)strlen(c.scope),
       "and makes room for others when the table is mended");
    shm_close();
    shm_sweep();
}

/* ---- a file that is not there any more ---- */

static void a_lost_name_is_told_of(void)
{
    char other[120];
    guard_claim_t locked, counted;
    caller_t c = serve_two(&locked, &counted);

    snprintf(other, sizeof other, "%s/other", shm_dir);
    rename(shm_path, other);
    is(grow_back(c.store), APR_SUCCESS, "the file was renamed: it does");
    ok(shm_has_said("AG0213"), "  and that is said");
    grow_back(c.store);
    ok(!*shm_said, "  once");
    close(open(shm_path, O_CREAT | O_WRONLY, 0600));
    grow_back(c.store);
    ok(!*shm_said, "  not again where another file takes its place");
    rename(other, shm_path);
    grow_back(c.store);
    ok(!*shm_said, "it is back");
    unlink(shm_path);
    is(caller_fail(&c, &counted, 3), 2, "removed: counting goes on");
    is(caller_peek(&c, &locked, 1)->phase, GUARD_PHASE_LOCKED,
       "  who was locked out still is");
    grow_back(c.store);
    ok(shm_has_said("AG0213"), "  and it is said again");
    c = serve();
    ok(shm_has_said("AG0201"), "the next start makes a new one");
    shm_close();
    shm_sweep();
}

/* ---- a disk that is full when the file is to be grown back ---- */

static void let_grow(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};

    setrlimit(RLIMIT_FSIZE, &limit);
}

static void grow_on_a_full_disk(void)
{
    caller_t c = serve();
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 2);

    if (truncate(shm_path, HEAD_BYTES)) {
        ok(0, "fixture: cut the file");
    }
    let_grow(2 * HEAD_BYTES);
    ok(grow_back(c.store) != APR_SUCCESS, "no room to grow back into");
    ok(shm_has_said("AG0206"), "  is said");
    grow_back(c.store);
    ok(!*shm_said, "  once");
    let_grow(RLIM_INFINITY);
    is(grow_back(c.store), APR_SUCCESS, "  with room, it is grown back");
    ok(shm_has_said("AG0210"), "  and that is said");
    is(caller_fail(&c, &claim, 3), 2, "  it counts");
    shm_is_sound(c.store, NOW, "then");
    shm_close();
    shm_sweep();
}

int main(void)
{
    guard_shm_world.clock_usec = still;
    shm_begin();
    a_cut_file_is_grown_back(0);
    a_cut_file_is_grown_back(4096);
    a_cut_file_is_grown_back((off_t)guard_shm_table_size(SIZE) - 4096);
    the_head_is_put_back();
    the_locks_are_made_anew();
    what_is_left_is_noise();
    a_name_without_an_end_is_none();
    a_lost_name_is_told_of();
    grow_on_a_full_disk();
    shm_close();
    return tap_done();
}
