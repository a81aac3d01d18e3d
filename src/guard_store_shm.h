/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm.h: the shared-memory store, for whoever opens its file.
 *
 * httpd's parent, its children, htguard and the tests come through this one
 * door. What they do with the store afterwards is guard_store.h.
 */
#ifndef GUARD_STORE_SHM_H
#define GUARD_STORE_SHM_H

#include "guard_store.h"

#define GUARD_SHM_CLIENTS_DEFAULT 65536
#define GUARD_SHM_CLIENTS_MIN 64
#define GUARD_SHM_CLIENTS_MAX 16777216
#define GUARD_SHM_FILE_DEFAULT "authguard.shm" /* below DefaultRuntimeDir */

typedef enum {
    GUARD_SHM_SERVER, /* makes the file, mends it, is alone in serving it */
    GUARD_SHM_TOOL    /* opens an existing file beside a server, or without */
} guard_shm_role_e;

typedef struct guard_shm_options_t {
    const char *path;
    uint32_t clients; /* SERVER: size wanted; TOOL: ignored */
    guard_shm_role_e role;
    const guard_secret_t *guess_secret; /* NULL: draw one, void the old */
    guard_say_fn *say;                  /* may be NULL */
    void *baton;
} guard_shm_options_t;

/**
 * Open the file, make it (SERVER) if there is none, set a broken one aside,
 * carry entries over to another size, and map it. The mapping and its locks
 * last as long as pool.
 *
 * @return APR_SUCCESS; APR_EBUSY if another server holds the file; APR_ENOENT
 * (TOOL) if there is none; APR_EINVAL (TOOL) if it is not a table that this
 * version reads; or the system's error. say() has told why.
 */
apr_status_t guard_store_shm_open(guard_store_t **store,
                                  const guard_shm_options_t *options,
                                  apr_pool_t *pool);

/** What is open behind a store, in a form that every build reads alike. */
typedef struct guard_shm_handle_t {
    uint32_t layout; /* guard_store_shm_layout of the build that opened it */
    int fd;
    void *mapping;
    uint64_t size_bytes;
    guard_secret_t guess_secret;
} guard_shm_handle_t;

/** @return a number that differs between builds whose stores can't share
 *  memory. */
uint32_t guard_store_shm_layout(void);

/** @return the handle of an open store, to keep while the code is away. */
guard_shm_handle_t guard_store_shm_handle(const guard_store_t *store);

/**
 * After the module was unloaded and loaded again: point a store that stayed
 * open to the code where it is now. Only if the handle's layout is this
 * build's; else guard_store_shm_release it, and open anew.
 */
void guard_store_shm_adopt(guard_store_t *store);

/** Unmap and close what another build has opened. */
void guard_store_shm_release(const guard_shm_handle_t *handle);

/**
 * In a forked child, before anything else: announce this process as a user
 * of the file, so that nobody re-makes its locks meanwhile.
 */
apr_status_t guard_store_shm_child_init(guard_store_t *store);

/**
 * In the server's parent, every few seconds: if somebody cut the file short,
 * wrote into it, removed or replaced it, mend what can be mended, before more
 * children die of SIGBUS, and say the rest once.
 * @return APR_SUCCESS if all is well (again); say() has told. After an error
 * the mapping must not be touched: it may end before its size.
 */
apr_status_t guard_store_shm_grow_back(guard_store_t *store,
                                       const guard_shm_options_t *options);

/** @return what that counter says; stats tells the same, and walks through the
 *  table for the rest. Any thread, at any time. */
uint64_t guard_store_shm_counter(guard_store_t *store, guard_counter_e counter);

/** @return clients that the open table holds (its size may differ from what
 *  was asked for while other processes still use it). */
uint32_t guard_store_shm_clients(const guard_store_t *store);

/**
 * Check every record, tag and lock of the table (the tests' validator). The
 * table must be at rest.
 * @return NULL, or a sentence in pool that tells the first fault
 */
const char *guard_store_shm_fault(guard_store_t *store, uint64_t now_usec,
                                  apr_pool_t *pool);

#endif
