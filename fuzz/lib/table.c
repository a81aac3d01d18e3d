/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * table.c owns the directory and the file in it. It knows nothing of what
 * stands in the file.
 *
 * Invariant: the store sees no clock, no boot and no path but ours, so that
 * one input does the same each time.
 */
#include "table.h"
#include "fuzz.h"
#include "guard_store_shm_clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[96], path[112];

static const table_world_t FIRST_WORLD = {
    .clock_usec = 1000000 * (uint64_t)APR_USEC_PER_SEC,
    .wall_usec = 1795283296 * (apr_time_t)APR_USEC_PER_SEC,
    .boot_id = "first"};

table_world_t table_world;
const guard_secret_t table_guess_secret = {"a guess key"};

static uint64_t clock_usec(void) { return table_world.clock_usec; }

static apr_time_t wall_usec(void) { return table_world.wall_usec; }

static void boot_id(char id[40]) { strcpy(id, table_world.boot_id); }

static void end(void)
{
    table_sweep();
    rmdir(dir);
}

void table_begin(void)
{
    const char *base = getenv("TMPDIR");

    table_world = FIRST_WORLD;
    if (*dir) {
        return;
    }
    snprintf(dir, sizeof dir, "%s/guard-fuzz-XXXXXX",
             base && strlen(base) < 60 ? base : P_tmpdir);
    fuzz_must(mkdtemp(dir) != NULL, "a directory can be made");
    snprintf(path, sizeof path, "%s/table", dir);
    fuzz_at_end(end);
    guard_shm_world.clock_usec = clock_usec;
    guard_shm_world.wall_usec = wall_usec;
    guard_shm_world.boot_id = boot_id;
}

void table_write(const void *bytes, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);

    fuzz_must(fd >= 0 &&
                  (!size || pwrite(fd, bytes, size, 0) == (ssize_t)size) &&
                  !ftruncate(fd, (off_t)size),
              "the file can be written");
    close(fd);
}

void *table_read(size_t *size)
{
    int fd = open(path, O_RDONLY);
    struct stat info;
    void *bytes;

    fuzz_must(fd >= 0 && !fstat(fd, &info), "the file can be read");
    *size = (size_t)info.st_size;
    bytes = aligned_alloc(4096, (*size + 4095) / 4096 * 4096);
    fuzz_must(bytes && pread(fd, bytes, *size, 0) == (ssize_t)*size,
              "the file can be read");
    close(fd);
    return bytes;
}

/* Go through the directory: count, or remove all whose names are longer than
 * that. */
static int walk(size_t longer)
{
    DIR *listing = opendir(dir);
    struct dirent *entry;
    int count = 0;

    while (listing && (entry = readdir(listing))) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        count++;
        if (strlen(entry->d_name) > longer) {
            unlinkat(dirfd(listing), entry->d_name, 0);
        }
    }
    if (listing) {
        closedir(listing);
    }
    return count;
}

int table_count(void) { return walk(NAME_MAX); }

void table_forget_aside(void) { walk(strlen("table")); }

void table_sweep(void) { walk(0); }

apr_status_t table_open(guard_store_t **store, guard_shm_role_e role,
                        uint32_t clients, const guard_secret_t *secret,
                        apr_pool_t *pool)
{
    guard_shm_options_t options = {
        .path = path, .clients = clients, .role = role, .guess_secret = secret};

    return guard_store_shm_open(store, &options, pool);
}
