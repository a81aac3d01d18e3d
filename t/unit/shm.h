/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * shm.h: shared-memory stores in a directory that goes when the test ends.
 *
 * Every open store has a pool of its own; shm_close ends both. A process
 * opens the file once: another server or tool is a forked child.
 */
#ifndef SHM_H
#define SHM_H

#include "guard_store_shm.h"
#include "guard_store_shm_file.h"
#include "guard_store_shm_walk.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char shm_dir[64];
static char shm_path[96];
static char shm_said[2048]; /* "ID sentence\n", by the last open */
static pid_t shm_owner;
static apr_pool_t *shm_pool; /* of the store that is open */

/** Call each() with every file of the directory. @return how many. */
static inline int shm_files(void (*each)(const char *path))
{
    DIR *dir = opendir(shm_dir);
    struct dirent *entry;
    char path[sizeof shm_dir + sizeof entry->d_name + 1];
    int count = 0;

    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        count++;
        if (each) {
            snprintf(path, sizeof path, "%s/%s", shm_dir, entry->d_name);
            each(path);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return count;
}

static inline void shm_remove(const char *path) { unlink(path); }

/** Empty the directory. */
static inline void shm_sweep(void) { shm_files(shm_remove); }

static inline void shm_end(void)
{
    if (getpid() == shm_owner) {
        shm_sweep();
        rmdir(shm_dir);
    }
}

/** Call first, once. */
static inline void shm_begin(void)
{
    const char *base = getenv("TMPDIR");

    apr_initialize();
    snprintf(shm_dir, sizeof shm_dir, "%s/guard-unit-XXXXXX",
             base && strlen(base) < 40 ? base : P_tmpdir);
    if (!mkdtemp(shm_dir)) {
        perror("mkdtemp");
        exit(1);
    }
    snprintf(shm_path, sizeof shm_path, "%s/table", shm_dir);
    shm_owner = getpid();
    atexit(shm_end);
}

static inline void shm_hear(void *baton, guard_say_e level, const char *id,
                            const char *sentence)
{
    size_t length = strlen(shm_said);

    (void)baton;
    (void)level;
    snprintf(shm_said + length, sizeof shm_said - length, "%s %s\n", id,
             sentence);
}

/** @return 1 if the last open said something with that id, or part of one. */
static inline int shm_has_said(const char *id)
{
    return strstr(shm_said, id) != NULL;
}

/** Open the file. secret: the guess key, or NULL to have one drawn. */
static inline apr_status_t shm_try(guard_store_t **store, guard_shm_role_e role,
                                   uint32_t clients,
                                   const guard_secret_t *secret)
{
    guard_shm_options_t options = {.path = shm_path,
                                   .clients = clients,
                                   .role = role,
                                   .guess_secret = secret,
                                   .say = shm_hear};
    apr_status_t rv;

    shm_said[0] = '\0';
    *store = NULL;
    apr_pool_create(&shm_pool, NULL);
    rv = guard_store_shm_open(store, &options, shm_pool);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(shm_pool);
        shm_pool = NULL;
        *store = NULL;
    }
    return rv;
}

/** Open as the server; the test is over if that fails. */
static inline guard_store_t *shm_serve(uint32_t clients,
                                       const guard_secret_t *secret)
{
    guard_store_t *store;
    apr_status_t rv = shm_try(&store, GUARD_SHM_SERVER, clients, secret);

    if (rv != APR_SUCCESS) {
        printf("Bail out! can't open a store: %d %s\n", rv, shm_said);
        exit(1);
    }
    return store;
}

static inline void shm_close(void)
{
    if (shm_pool) {
        apr_pool_destroy(shm_pool);
        shm_pool = NULL;
    }
}

/** Report whether the table at rest is sound. */
static inline void shm_is_sound(guard_store_t *store, uint64_t now_usec,
                                const char *when)
{
    const char *fault = guard_store_shm_fault(store, now_usec, shm_pool);

    if (!ok(!fault, "the table is sound %s", when)) {
        printf("# %s\n", fault);
    }
}

/** @return how many locks can't be had. */
static inline unsigned shm_closed_locks(guard_store_t *store)
{
    guard_shm_table_t *table = guard_store_shm_table(store);
    unsigned closed = 0;

    for (uint32_t i = 0; i < GUARD_SHM_STRIPES; i++) {
        if (guard_shm_table_lock(table, i) == APR_SUCCESS) {
            guard_shm_table_unlock(table, i);
        } else {
            closed++;
        }
    }
    return closed;
}

/** Begin a child, with what is printed so far out of its way. */
static inline pid_t shm_fork(void)
{
    fflush(stdout);
    return fork();
}

/** @return the child's exit status, or -1 if it was killed. */
static inline int shm_wait(pid_t pid)
{
    int status = 0;

    if (waitpid(pid, &status, 0) != pid) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/** Have n children use the store at once. @return how many ended well. */
static inline unsigned shm_crowd(guard_store_t *store, unsigned n,
                                 void (*work)(guard_store_t *store,
                                              unsigned number))
{
    pid_t pid[16];
    unsigned well = 0;

    for (unsigned i = 0; i < n; i++) {
        pid[i] = shm_fork();
        if (!pid[i]) {
            if (guard_store_shm_child_init(store) != APR_SUCCESS) {
                _exit(1);
            }
            work(store, i);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        well += shm_wait(pid[i]) == 0;
    }
    return well;
}

/** @return zeroed memory that children share with their parent. */
static inline void *shm_shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

#endif
