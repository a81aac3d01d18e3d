/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_watch.c owns the parent's look at a file that it has open:
 * was it cut, written over, removed or replaced? It knows no request, and no
 * more of a record than that it may be dropped.
 *
 * Invariant: what the parent relies on lies in its own memory (size, key,
 * clock), and the file is read with pread(2) before anything in the mapping
 * is: a file that somebody cuts or fills with noise must not take the parent
 * with it.
 */
#include "guard_store_shm_watch.h"

#include <apr_strings.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void guard_shm_watch_begin(guard_shm_watch_t *watch,
                           const guard_shm_file_t *file, const char *path,
                           apr_pool_t *pool)
{
    memset(watch, 0, sizeof(*watch));
    watch->path = apr_pstrdup(pool, path);
    watch->clock = guard_shm_clock_save(file->table.head);
}

static void say(const guard_shm_options_t *options, guard_say_e level,
                const char *id, const char *sentence)
{
    if (options->say) {
        options->say(options->baton, level, id, sentence);
    }
}

static int read_at(int fd, void *to, size_t length, off_t offset)
{
    return pread(fd, to, length, offset) == (ssize_t)length;
}

/* @return 1 if the head is not what it must be, or was cut off, else 0: where
 * the disk can't be read, the mapping is no place to go to either. */
static int is_head_spoilt(const guard_shm_watch_t *watch,
                          const guard_shm_file_t *file, int cut)
{
    guard_shm_head_t head;
    guard_shm_clock_t clock;

    if (!read_at(file->fd, &head, sizeof(head), 0)) {
        return cut;
    }
    clock = guard_shm_clock_save(&head);
    return memcmp(&head.shape, &file->shape, sizeof(head.shape)) ||
           memcmp(&clock, &watch->clock, sizeof(clock));
}

static int are_locks_spoilt(const guard_shm_file_t *file)
{
    guard_shm_stripe_t stripes[GUARD_SHM_STRIPES];
    off_t offset = (char *)file->table.stripe - (char *)file->mapping;

    return read_at(file->fd, stripes, sizeof(stripes), offset) &&
           guard_shm_table_has_lost_locks(stripes);
}

static int was_cut(const guard_shm_file_t *file)
{
    struct stat info;

    return !fstat(file->fd, &info) &&
           (uint64_t)info.st_size < file->shape.size_bytes;
}

/* The counters can't be believed either, once the head was written over. */
static void put_head_back(const guard_shm_watch_t *watch,
                          guard_shm_file_t *file)
{
    guard_shm_head_t *head = file->table.head;

    head->shape = file->shape;
    guard_shm_clock_restore(&file->table, &watch->clock);
    for (guard_counter_e i = 0; i < GUARD_COUNT_MAX; i++) {
        guard_shm_table_set_counter(&file->table, i, 0);
    }
}

static void mend(const guard_shm_watch_t *watch, guard_shm_file_t *file,
                 int head_too)
{
    if (head_too) {
        put_head_back(watch, file);
    }
    guard_shm_table_init_lost_locks(&file->table);
    guard_shm_table_drop_lost_scopes(&file->table);
    guard_shm_mend_drop_damaged(&file->table);
}

/** Whose words go through a sieve. */
typedef struct sieve_t {
    const guard_shm_watch_t *watch;
    const guard_shm_options_t *options;
} sieve_t;

/* A disk that stays full is told of once. */
static void say_once(void *baton, guard_say_e level, const char *id,
                     const char *sentence)
{
    const sieve_t *sieve = baton;

    if (!sieve->watch->has_failed || strcmp(id, "AG0206")) {
        say(sieve->options, level, id, sentence);
    }
}

static apr_status_t grow_back(guard_shm_watch_t *watch, guard_shm_file_t *file,
                              const guard_shm_options_t *options)
{
    sieve_t sieve = {.watch = watch, .options = options};
    guard_shm_options_t sieved = *options;
    apr_status_t rv;

    sieved.path = watch->path;
    sieved.say = say_once;
    sieved.baton = &sieve;
    rv = guard_shm_file_grow_back(file, &sieved);
    watch->has_failed = rv != APR_SUCCESS;
    return rv;
}

static void look_for_name(guard_shm_watch_t *watch,
                          const guard_shm_file_t *file,
                          const guard_shm_options_t *options)
{
    char sentence[APR_PATH_MAX + 200];
    struct stat mine, named;
    int strayed = !fstat(file->fd, &mine) &&
                  (stat(watch->path, &named) || named.st_ino != mine.st_ino ||
                   named.st_dev != mine.st_dev);

    if (strayed && !watch->has_strayed) {
        apr_snprintf(sentence, sizeof(sentence),
                     "%s: somebody removed or replaced the table's file; "
                     "counting goes on without a name, and the next start "
                     "takes what is there then",
                     watch->path);
        say(options, GUARD_SAY_ERROR, "AG0213", sentence);
    }
    watch->has_strayed = strayed;
}

apr_status_t guard_shm_watch_look(guard_shm_watch_t *watch,
                                  guard_shm_file_t *file,
                                  const guard_shm_options_t *options)
{
    int cut = was_cut(file);
    int head_spoilt = is_head_spoilt(watch, file, cut);
    int spoilt = head_spoilt || are_locks_spoilt(file);
    apr_status_t rv = grow_back(watch, file, options);

    if (rv == APR_SUCCESS && spoilt) {
        mend(watch, file, head_spoilt);
        if (!cut) {
            say(options, GUARD_SAY_ERROR, "AG0210",
                "somebody wrote into the table's file; it was rebuilt");
        }
    }
    look_for_name(watch, file, options);
    return rv;
}
