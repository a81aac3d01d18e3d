/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_file.c owns the file: finding, making, locking, checking
 * and mapping it. It knows no policy, no ticket and no record.
 *
 * Invariant: what is mapped has a sound head and its full length on disk, and
 * was mended by a process that was alone with it. A file that can't be
 * trusted is renamed aside, never written over.
 */
#include "guard_store_shm_file.h"
#include "guard_store_shm_shape.h"

#include <apr_strings.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_TRIES_MAX 5
#define ASIDE_MAX 99  /* then the last one is written over */
#define LOCK_SERVER 0 /* bytes of the file */
#define LOCK_USERS 1
#define USERS_WAIT_USEC 10000
#define USERS_WAITS_MAX 500

static void say(const guard_shm_options_t *options, guard_say_e level,
                const char *id, const char *sentence)
{
    if (options->say) {
        options->say(options->baton, level, id, sentence);
    }
}

/* The system's error, said. */
static apr_status_t fail(const guard_shm_options_t *options, apr_status_t rv,
                         const char *what)
{
    char reason[120], sentence[512];

    apr_snprintf(sentence, sizeof(sentence), "%s: %s: %s", options->path, what,
                 apr_strerror(rv, reason, sizeof(reason)));
    say(options, GUARD_SAY_ERROR, "AG0206", sentence);
    return rv;
}

/* Lock, or with F_UNLCK release, one byte. */
static apr_status_t lock_byte(int fd, short type, off_t byte, int command)
{
    struct flock lock = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int rv;

    do {
        rv = fcntl(fd, command, &lock);
    } while (rv < 0 && errno == EINTR);
    if (!rv) {
        return APR_SUCCESS;
    }
    return errno == EACCES || errno == EAGAIN ? APR_EBUSY : errno;
}

static apr_status_t map(guard_shm_file_t *file)
{
    file->mapping = mmap(NULL, file->shape.size_bytes, PROT_READ | PROT_WRITE,
                         MAP_SHARED, file->fd, 0);
    if (file->mapping == MAP_FAILED) {
        file->mapping = NULL;
        return errno;
    }
    guard_shm_table_attach(&file->table, file->mapping, file->shape.clients,
                           &file->shape.table_secret);
    return APR_SUCCESS;
}

static void unmap(guard_shm_file_t *file)
{
    if (file->mapping) {
        munmap(file->mapping, file->shape.size_bytes);
        file->mapping = NULL;
    }
}

static apr_status_t close_file(void *data)
{
    guard_shm_file_t *file = data;

    unmap(file);
    if (file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
    return APR_SUCCESS;
}

/* Give an empty file its length on disk (no holes: a full disk then says so
 * here, and not with SIGBUS later), and its head. */
static apr_status_t lay_out(guard_shm_file_t *file, uint32_t clients,
                            const guard_secret_t *table_secret)
{
    guard_shm_shape_t *shape = &file->shape;
    apr_status_t rv;

    guard_shm_shape_make(shape, clients, table_secret);
    rv = posix_fallocate(file->fd, 0, (off_t)shape->size_bytes);
    if (rv == APR_SUCCESS) {
        rv = map(file);
    }
    if (rv == APR_SUCCESS) {
        guard_shm_table_init_locks(&file->table);
    }
    return rv;
}

/* Make a new file under that name, locked by us as the only user. A name is
 * taken away again only by who holds the server's lock: until then the file
 * may be another's by now. APR_EAGAIN: somebody looked in too early. */
static apr_status_t make(guard_shm_file_t *file, const char *path,
                         uint32_t clients, const guard_secret_t *table_secret)
{
    apr_status_t rv;

    file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    S_IRUSR | S_IWUSR);
    if (file->fd < 0) {
        return errno;
    }
    rv = lock_byte(file->fd, F_WRLCK, LOCK_SERVER, F_SETLK);
    if (rv == APR_SUCCESS) {
        rv = lock_byte(file->fd, F_WRLCK, LOCK_USERS, F_SETLK);
        if (rv == APR_SUCCESS) {
            rv = lay_out(file, clients, table_secret);
        }
        if (rv != APR_SUCCESS) {
            unlink(path);
        }
    }
    if (rv != APR_SUCCESS) {
        close_file(file);
        return rv == APR_EBUSY ? APR_EAGAIN : rv;
    }
    file->alone = 1;
    return APR_SUCCESS;
}

/* The head goes in last: a file that was never finished is no table. */
static void publish(guard_shm_file_t *file)
{
    file->table.head->shape = file->shape;
}

static apr_status_t make_fresh(guard_shm_file_t *file,
                               const guard_shm_options_t *options)
{
    guard_secret_t secret;
    apr_status_t rv = guard_secret_draw(&secret);

    if (rv == APR_SUCCESS) {
        rv = make(file, options->path, options->clients, &secret);
    }
    if (rv == APR_EEXIST || rv == APR_EAGAIN) {
        return APR_EAGAIN; /* somebody was quicker */
    }
    if (rv != APR_SUCCESS) {
        return fail(options, rv, "can't make the table");
    }
    guard_shm_clock_start(&file->table, guard_shm_world.clock_usec());
    publish(file);
    say(options, GUARD_SAY_NOTICE, "AG0201", "a new table was made");
    return APR_SUCCESS;
}

/* PATH.bad-TIME, or with a number where that is taken. */
static void name_aside(char aside[APR_PATH_MAX], const char *path)
{
    struct stat taken;
    apr_time_exp_t at;
    int length;

    apr_time_exp_gmt(&at, guard_shm_world.wall_usec());
    length =
        apr_snprintf(aside, APR_PATH_MAX, "%s.bad-%04d%02d%02dT%02d%02d%02dZ",
                     path, at.tm_year + 1900, at.tm_mon + 1, at.tm_mday,
                     at.tm_hour, at.tm_min, at.tm_sec);
    for (int i = 2; !lstat(aside, &taken) && i <= ASIDE_MAX; i++) {
        apr_snprintf(aside + length, (apr_size_t)(APR_PATH_MAX - length), "-%d",
                     i);
    }
}

/* A file that is not to be trusted gets another name, and is never lost by
 * being set aside twice. */
static apr_status_t set_aside(guard_shm_file_t *file,
                              const guard_shm_options_t *options,
                              const char *fault)
{
    char aside[APR_PATH_MAX], sentence[APR_PATH_MAX + 200];

    name_aside(aside, options->path);
    if (rename(options->path, aside)) {
        return fail(options, errno, "can't set the broken table aside");
    }
    apr_snprintf(sentence, sizeof(sentence),
                 "%s: %s; set aside as %s, counts begin anew", options->path,
                 fault, aside);
    say(options, GUARD_SAY_ERROR, "AG0202", sentence);
    close_file(file);
    return APR_EAGAIN;
}

/* Become one of the file's users; alone tells whether the only one. Somebody
 * who is mending it holds us up, but not for ever. */
static apr_status_t join(guard_shm_file_t *file)
{
    apr_status_t rv = lock_byte(file->fd, F_WRLCK, LOCK_USERS, F_SETLK);

    file->alone = rv == APR_SUCCESS;
    for (int i = 0; rv == APR_EBUSY && i < USERS_WAITS_MAX; i++) {
        rv = lock_byte(file->fd, F_RDLCK, LOCK_USERS, F_SETLK);
        if (rv == APR_EBUSY) {
            usleep(USERS_WAIT_USEC);
        }
    }
    return rv;
}

apr_status_t guard_shm_file_join(guard_shm_file_t *file)
{
    return lock_byte(file->fd, F_RDLCK, LOCK_USERS, F_SETLKW);
}

/* Open what is there and lock it. APR_EAGAIN: the name leads elsewhere now. */
static apr_status_t open_locked(guard_shm_file_t *file,
                                const guard_shm_options_t *options)
{
    struct stat mine, named;
    apr_status_t rv;

    file->fd = open(options->path,
                    O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0) {
        return errno == ENOENT ? APR_ENOENT
                               : fail(options, errno, "can't open the table");
    }
    if (fstat(file->fd, &mine) || !S_ISREG(mine.st_mode)) {
        return fail(options, APR_EINVAL, "the table must be a regular file");
    }
    if (options->role == GUARD_SHM_SERVER) {
        rv = lock_byte(file->fd, F_WRLCK, LOCK_SERVER, F_SETLK);
        if (rv == APR_EBUSY) {
            say(options, GUARD_SAY_ERROR, "AG0203",
                "another server holds the table; give each its own with "
                "AuthGuardStore shm file=PATH");
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    rv = join(file);
    if (rv != APR_SUCCESS) {
        return fail(options, rv, "can't lock the table");
    }
    if (stat(options->path, &named) || named.st_ino != mine.st_ino ||
        named.st_dev != mine.st_dev) {
        close_file(file);
        return APR_EAGAIN;
    }
    return APR_SUCCESS;
}

/* @return NULL, or why this file can't be the table. */
static const char *file_fault(guard_shm_file_t *file, guard_shm_role_e role)
{
    struct stat info;
    ssize_t got = pread(file->fd, &file->shape, sizeof(file->shape), 0);
    const char *fault;

    if (fstat(file->fd, &info) || got != sizeof(file->shape)) {
        return "it is too short";
    }
    if (info.st_uid != geteuid() &&
        (role == GUARD_SHM_SERVER || geteuid() != 0)) {
        return "it belongs to another user";
    }
    /* First it must be ours: a planted hard link may lead to any file. */
    fault = guard_shm_shape_fault(&file->shape, (uint64_t)info.st_size);
    if (!fault && (info.st_mode & (S_IRWXG | S_IRWXO)) &&
        fchmod(file->fd, 0600)) {
        return "others may read it";
    }
    return fault;
}

static apr_status_t open_existing(guard_shm_file_t *file,
                                  const guard_shm_options_t *options)
{
    const char *fault;
    apr_status_t rv = open_locked(file, options);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    fault = file_fault(file, options->role);
    if (fault && options->role == GUARD_SHM_SERVER) {
        return set_aside(file, options, fault);
    }
    if (fault) {
        return fail(options, APR_EINVAL, fault);
    }
    rv = map(file);
    return rv == APR_SUCCESS ? rv : fail(options, rv, "can't map the table");
}

/*
 * Another size was configured: make the new table beside the old one, carry
 * over what is worth it, and give it the name.
 */
static apr_status_t resize(guard_shm_file_t *file,
                           const guard_shm_options_t *options, apr_pool_t *pool)
{
    guard_shm_file_t fresh = {.fd = -1};
    const char *path = apr_pstrcat(pool, options->path, ".new", NULL);
    char sentence[120];
    apr_status_t rv;

    unlink(path); /* what a killed start left; we hold the server's lock */
    rv = make(&fresh, path, options->clients, &file->shape.table_secret);
    if (rv != APR_SUCCESS) {
        return fail(options, rv, "can't make a table of the new size");
    }
    guard_shm_mend_carry_over(&file->table, &fresh.table);
    publish(&fresh);
    if (rename(path, options->path)) {
        rv = errno;
        unlink(path);
        close_file(&fresh);
        return fail(options, rv, "can't put the table of the new size there");
    }
    apr_snprintf(sentence, sizeof(sentence),
                 "carried over from %u to %u clients", file->shape.clients,
                 options->clients);
    close_file(file);
    *file = fresh;
    say(options, GUARD_SAY_NOTICE, "AG0204", sentence);
    return APR_SUCCESS;
}

/* Alone with an older file: undo, re-make, drop, go on. */
static apr_status_t mend_alone(guard_shm_file_t *file,
                               const guard_shm_options_t *options,
                               apr_pool_t *pool)
{
    char sentence[120];
    unsigned dropped;

    guard_shm_table_restore(&file->table);
    guard_shm_table_init_locks(&file->table);
    guard_shm_clock_resume(&file->table);
    dropped = guard_shm_mend_drop_damaged(&file->table);
    if (dropped) {
        apr_snprintf(sentence, sizeof(sentence), "%u damaged entries dropped",
                     dropped);
        say(options, GUARD_SAY_ERROR, "AG0209", sentence);
    }
    if (options->role == GUARD_SHM_SERVER &&
        options->clients != file->shape.clients) {
        return resize(file, options, pool);
    }
    return APR_SUCCESS;
}

apr_status_t guard_shm_file_open(guard_shm_file_t *file,
                                 const guard_shm_options_t *options,
                                 apr_pool_t *pool)
{
    int made = 0;
    apr_status_t rv = APR_EAGAIN;

    memset(file, 0, sizeof(*file));
    file->fd = -1;
    apr_pool_cleanup_register(pool, file, close_file, apr_pool_cleanup_null);
    for (int i = 0; rv == APR_EAGAIN && i < OPEN_TRIES_MAX; i++) {
        rv = open_existing(file, options);
        if (rv == APR_ENOENT && options->role == GUARD_SHM_SERVER) {
            rv = make_fresh(file, options);
            made = rv == APR_SUCCESS;
        }
    }
    if (rv == APR_ENOENT) {
        return fail(options, rv, "there is no table");
    }
    if (rv == APR_SUCCESS && file->alone && !made) {
        rv = mend_alone(file, options, pool);
    }
    if (rv != APR_SUCCESS) {
        close_file(file);
        return rv;
    }
    if (!file->alone && options->role == GUARD_SHM_SERVER &&
        options->clients != file->shape.clients) {
        say(options, GUARD_SAY_WARNING, "AG0205",
            "the table keeps its size while other processes use it");
    }
    return guard_shm_file_join(file);
}

apr_status_t guard_shm_file_grow_back(guard_shm_file_t *file,
                                      const guard_shm_options_t *options)
{
    struct stat info;
    apr_status_t rv;

    if (fstat(file->fd, &info)) {
        return errno;
    }
    if ((uint64_t)info.st_size >= file->shape.size_bytes) {
        return APR_SUCCESS;
    }
    rv = posix_fallocate(file->fd, 0, (off_t)file->shape.size_bytes);
    if (rv != APR_SUCCESS) {
        return fail(options, rv, "can't grow the table back");
    }
    guard_shm_table_init_lost_locks(&file->table);
    if (!file->table.head->shape.magic[0]) {
        guard_shm_clock_start(&file->table, guard_shm_world.clock_usec());
    }
    publish(file);
    guard_shm_mend_drop_damaged(&file->table);
    say(options, GUARD_SAY_ERROR, "AG0210",
        "somebody cut the table's file; it was grown back and rebuilt");
    return APR_SUCCESS;
}
