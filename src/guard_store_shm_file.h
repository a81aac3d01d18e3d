/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm_file.h: the file under the shared-memory store.
 *
 * Two bytes of the file are locked with fcntl(2), which no child inherits and
 * every death releases: byte 0, for writing, by the one server; byte 1, for
 * reading, by every process that uses the table, and for writing by whoever
 * finds itself alone, while it mends what was left behind.
 *
 * fcntl locks belong to a process and go when it closes any descriptor of the
 * file: a process opens the file once.
 *
 * Private to guard_store_shm*.c and its tests.
 */
#ifndef GUARD_STORE_SHM_FILE_H
#define GUARD_STORE_SHM_FILE_H

#include "guard_store_shm.h"
#include "guard_store_shm_clock.h"
#include "guard_store_shm_mend.h"

/** The open file. */
typedef struct guard_shm_file_t {
    int fd;
    void *mapping;
    guard_shm_shape_t shape; /* [open] trusted copy */
    guard_shm_table_t table;
    int alone; /* 1: while opening, nobody else uses the file */
} guard_shm_file_t;

/** See guard_store_shm_open; file->table is ready for use afterwards. */
apr_status_t guard_shm_file_open(guard_shm_file_t *file,
                                 const guard_shm_options_t *options,
                                 apr_pool_t *pool);

/** In a forked child: take the child's own lock as a user. */
apr_status_t guard_shm_file_join(guard_shm_file_t *file);

/** See guard_store_shm_grow_back. */
apr_status_t guard_shm_file_grow_back(guard_shm_file_t *file,
                                      const guard_shm_options_t *options);

#endif
