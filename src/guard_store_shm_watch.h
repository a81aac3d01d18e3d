/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm_watch.h: what may befall the file of a running server.
 *
 * Its parent looks every few seconds. Private to guard_store_shm*.c.
 */
#ifndef GUARD_STORE_SHM_WATCH_H
#define GUARD_STORE_SHM_WATCH_H

#include "guard_store_shm_file.h"

/** What the parent remembers of the file that it has open. */
typedef struct guard_shm_watch_t {
    const char *path;        /* [open] */
    guard_shm_clock_t clock; /* [open] */
    int has_failed;          /* it can't be grown back; said */
    int has_strayed;         /* its name leads elsewhere; said */
} guard_shm_watch_t;

/** Begin to watch a file that was just opened under that path. */
void guard_shm_watch_begin(guard_shm_watch_t *watch,
                           const guard_shm_file_t *file, const char *path,
                           apr_pool_t *pool);

/** Look, and mend what can be mended; see guard_store_shm_grow_back. Each
 *  trouble is said once, until it is over. */
apr_status_t guard_shm_watch_look(guard_shm_watch_t *watch,
                                  guard_shm_file_t *file,
                                  const guard_shm_options_t *options);

#endif
