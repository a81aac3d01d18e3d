/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_file.c: making, refusing and setting aside the file under the
 * shared-memory store, and who may have it open beside whom.
 */
#include "caller.h"
#include "random.h"
#include "shm.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define NOW ((uint64_t)apr_time_from_sec(1000000))
#define SIZE GUARD_SHM_CLIENTS_MIN

static caller_t serve(uint32_t clients)
{
    caller_t c = {.now_usec = NOW, .scope = "file"};

    c.store = shm_serve(clients, NULL);
    return c;
}

static void a_new_file_is_private(void)
{
    mode_t mask = umask(0);
    struct stat info;
    caller_t c = serve(SIZE);

    umask(mask);
    ok(!lstat(shm_path, &info) && S_ISREG(info.st_mode), "a file is made");
    is(info.st_mode & 07777, 0600, "readable by its owner alone");
    is(info.st_size, (long long)guard_shm_table_size(SIZE), "of full length");
    ok(info.st_blocks * 512 >= info.st_size, "without holes");
    is(guard_store_shm_clients(c.store), SIZE, "its size is told");
    is(shm_files(NULL), 1, "and no other file");
    ok(shm_has_said("AG0201"), "and that it was made");
    shm_is_sound(c.store, NOW, "from the start");
    shm_close();
    chmod(shm_path, 0644);
    serve(SIZE);
    ok(!stat(shm_path, &info) && (info.st_mode & 07777) == 0600,
       "one that others could read is so no longer");
    shm_close();
    shm_sweep();
}

static void make_link(void)
{
    char target[120];

    snprintf(target, sizeof target, "%s/target", shm_dir);
    close(open(target, O_CREAT | O_WRONLY, 0600));
    ok(!symlink(target, shm_path), "a link to a file");
}

static void make_dangling_link(void)
{
    char target[120];

    snprintf(target, sizeof target, "%s/target", shm_dir);
    ok(!symlink(target, shm_path), "a link to nothing");
}

static void make_fifo(void) { ok(!mkfifo(shm_path, 0600), "a fifo"); }

static void make_directory(void) { ok(!mkdir(shm_path, 0700), "a directory"); }

static void only_regular_files_will_do(void)
{
    static void (*const make[])(void) = {make_link, make_dangling_link,
                                         make_fifo, make_directory};
    struct stat info;
    guard_store_t *store;

    for (size_t i = 0; i < COUNT(make); i++) {
        int files;

        make[i]();
        files = shm_files(NULL);
        ok(shm_try(&store, GUARD_SHM_SERVER, SIZE, NULL) != APR_SUCCESS,
           "  is refused");
        ok(shm_has_said("AG"), "  with a word");
        ok(!lstat(shm_path, &info) && !S_ISREG(info.st_mode) &&
               shm_files(NULL) == files,
           "  nothing is made, followed or removed");
        shm_sweep();
        rmdir(shm_path);
    }
}

static void full_disk(void)
{
    struct rlimit limit = {8192, 8192};
    guard_store_t *store;
    apr_status_t rv;
    pid_t pid = shm_fork();

    if (!pid) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        rv = shm_try(&store, GUARD_SHM_SERVER, SIZE, NULL);
        _exit(rv != APR_SUCCESS && shm_has_said("AG0206") ? 0 : 1);
    }
    is(shm_wait(pid), 0, "no room on the disk is said when the file is made");
    is(shm_files(NULL), 0, "and leaves no half-made file");
}

/* ---- what is no table ---- */

static void write_at(off_t offset, const void *data, size_t length)
{
    int fd = open(shm_path, O_WRONLY);

    if (fd < 0 || pwrite(fd, data, length, offset) != (ssize_t)length) {
        ok(0, "fixture: write to the file");
    }
    close(fd);
}

static void cut(off_t length)
{
    if (truncate(shm_path, length)) {
        ok(0, "fixture: cut the file");
    }
}

#define SPOIL(field, value)                                                    \
    do {                                                                       \
        guard_shm_shape_t shape;                                               \
        __typeof__(shape.field) other = value;                                 \
        write_at(offsetof(guard_shm_shape_t, field), &other, sizeof other);    \
    } while (0)

static void spoil_magic(void) { write_at(0, "X", 1); }
static void spoil_version(void) { SPOIL(version, GUARD_SHM_VERSION + 1); }
static void spoil_byte_order(void) { SPOIL(byte_order, 0x04030201); }
static void spoil_clients(void) { SPOIL(clients, SIZE + 1); }
static void spoil_buckets(void) { SPOIL(bucket_count, 0x7fffffff); }
static void spoil_secret(void) { SPOIL(table_secret, {{1}}); }
static void spoil_checksum(void) { SPOIL(checksum, 0); }
static void cut_all(void) { cut(0); }
static void cut_head(void) { cut(20); }
static void cut_end(void) { cut((off_t)guard_shm_table_size(SIZE) - 1); }
static void lengthen(void) { cut((off_t)guard_shm_table_size(SIZE) + 1); }

static void noise_all_over(void)
{
    uint64_t seed = 3, block[64];

    for (uint64_t at = 0; at < guard_shm_table_size(SIZE); at += sizeof block) {
        for (size_t i = 0; i < COUNT(block); i++) {
            block[i] = random_next(&seed);
        }
        write_at((off_t)at, block, sizeof block);
    }
    cut((off_t)guard_shm_table_size(SIZE));
}

static const struct {
    const char *what;
    void (*spoil)(void);
} spoil_row[] = {
    {"another magic", spoil_magic},
    {"another version", spoil_version},
    {"another byte order", spoil_byte_order},
    {"another size in the head", spoil_clients},
    {"a bucket count beyond all memory", spoil_buckets},
    {"another table key", spoil_secret},
    {"another checksum", spoil_checksum},
    {"an empty file", cut_all},
    {"half a head", cut_head},
    {"a byte short", cut_end},
    {"a byte too long", lengthen},
    {"noise", noise_all_over},
};

static off_t aside_size;
static int aside_count;

static void look_aside(const char *path)
{
    struct stat info;

    if (strcmp(path, shm_path) && !stat(path, &info)) {
        aside_size = info.st_size;
        aside_count++;
    }
}

static void what_is_no_table_is_set_aside(void)
{
    struct stat before;
    guard_store_t *store;

    for (size_t i = 0; i < COUNT(spoil_row); i++) {
        caller_t c = serve(SIZE);

        shm_close();
        spoil_row[i].spoil();
        stat(shm_path, &before);
        is(shm_try(&store, GUARD_SHM_TOOL, 0, NULL), APR_EINVAL,
           spoil_row[i].what);
        ok(shm_has_said("AG") && shm_files(NULL) == 1,
           "  a tool says so, and no more");
        c = serve(SIZE);
        aside_count = 0;
        shm_files(look_aside);
        ok(aside_count == 1 && aside_size == before.st_size,
           "  a server keeps it under another name");
        ok(shm_has_said("AG0202"), "  says so");
        shm_is_sound(c.store, NOW, "anew");
        shm_close();
        shm_sweep();
    }
}

static void nothing_set_aside_is_lost(void)
{
    for (int i = 1; i <= 3; i++) {
        serve(SIZE);
        shm_close();
        spoil_magic();
        serve(SIZE);
        shm_close();
        aside_count = 0;
        shm_files(look_aside);
        is(aside_count, i, "set aside again at once, and all are kept");
    }
    shm_sweep();
}

/* ---- beside each other ---- */

/* @return what a child gets that opens the file. */
static apr_status_t open_in_child(guard_shm_role_e role, const char *id)
{
    guard_store_t *store;
    pid_t pid = shm_fork();
    apr_status_t rv;

    if (!pid) {
        shm_pool = NULL;
        rv = shm_try(&store, role, SIZE, NULL);
        _exit(rv == APR_SUCCESS && !*id             ? 0
              : rv == APR_EBUSY && shm_has_said(id) ? 1
                                                    : 2);
    }
    return shm_wait(pid) == 1 ? APR_EBUSY : APR_SUCCESS;
}

static void one_server_at_a_time(void)
{
    caller_t c = serve(SIZE);
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 3);

    caller_fail(&c, &claim, 2);
    is(open_in_child(GUARD_SHM_SERVER, "AG0203"), APR_EBUSY,
       "a second server is refused");
    is(open_in_child(GUARD_SHM_SERVER, "AG0203"), APR_EBUSY,
       "and refused again: its end released nothing");
    is(caller_peek(&c, &claim, 1)->failures, 2, "the first goes on");
    shm_close();
    is(open_in_child(GUARD_SHM_SERVER, ""), APR_SUCCESS,
       "when it has ended, another may");
    shm_sweep();
}

/* In the child: a server, and a child of its own that says when it is up and
 * ends when it reads the end of the pipe. */
static void serve_with_orphan(const int up[2], const int end[2])
{
    caller_t c;
    char byte = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    c = serve(SIZE);
    if (fork()) {
        pause();
    }
    close(end[1]);
    if (guard_store_shm_child_init(c.store) != APR_SUCCESS ||
        write(up[1], &byte, 1) != 1) {
        _exit(1);
    }
    _exit(read(end[0], &byte, 1) != 0);
}

static void an_orphan_keeps_no_server_out(void)
{
    int up[2], end[2];
    char byte;
    pid_t server;

    if (pipe(up) || pipe(end)) {
        return;
    }
    server = shm_fork();
    if (!server) {
        serve_with_orphan(up, end);
    }
    close(up[1]);
    is(read(up[0], &byte, 1), 1, "a server and its child are up");
    kill(server, SIGKILL);
    shm_wait(server);
    serve(2 * SIZE);
    ok(shm_has_said("AG0205"),
       "the server was killed: the next one gets the file, "
       "and keeps the size that the orphan knows");
    shm_close();
    close(up[0]);
    close(end[0]);
    close(end[1]);
    shm_sweep();
}

static void a_tool_works_beside_a_server(void)
{
    caller_t c = serve(SIZE);
    guard_claim_t claim = caller_ip(&c, "192.0.2.1", 1);
    guard_filter_t all = {0};
    unsigned count = 0;
    pid_t pid;

    caller_fail(&c, &claim, 1);
    pid = shm_fork();
    if (!pid) {
        guard_store_t *store;

        shm_pool = NULL;
        if (shm_try(&store, GUARD_SHM_TOOL, 0, NULL) != APR_SUCCESS ||
            store->ops->unlock(store, NOW, &all, &count) != APR_SUCCESS) {
            _exit(9);
        }
        _exit((int)count);
    }
    is(shm_wait(pid), 1, "a tool unlocks one client");
    is(caller_peek(&c, &claim, 1)->phase, GUARD_PHASE_CALM,
       "and the server knows at once");
    is(guard_store_shm_clients(c.store), SIZE, "the size is the server's");
    shm_close();
    shm_sweep();
}

static void a_tool_makes_no_file(void)
{
    guard_store_t *store;

    is(shm_try(&store, GUARD_SHM_TOOL, SIZE, NULL), APR_ENOENT,
       "without a file there's nothing for a tool");
    is(shm_files(NULL), 0, "and it makes none");
}

int main(void)
{
    shm_begin();
    a_new_file_is_private();
    only_regular_files_will_do();
    full_disk();
    what_is_no_table_is_set_aside();
    nothing_set_aside_is_lost();
    one_server_at_a_time();
    an_orphan_keeps_no_server_out();
    a_tool_works_beside_a_server();
    a_tool_makes_no_file();
    return tap_done();
}
