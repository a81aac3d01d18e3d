/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * table.h: the file of a shared-memory store, for the targets that need one.
 *
 * It lies in a directory of its own, below TMPDIR, which goes at the end. The
 * clocks stand where table_world says.
 */
#ifndef TABLE_H
#define TABLE_H

#include "guard_store_shm.h"
#include "guard_store_shm_table.h"

/** What the store is told of the world. */
typedef struct table_world_t {
    uint64_t clock_usec;
    apr_time_t wall_usec;
    const char *boot_id;
} table_world_t;

extern table_world_t table_world;

/** Make the directory; call before anything else, as often as you like. Sets
 *  the world back to how it was made. */
void table_begin(void);

/** Put these bytes in place of the file. */
void table_write(const void *bytes, size_t size);

/** @return the bytes of the file, to be freed; *size says how many. */
void *table_read(size_t *size);

/** @return how many files there are: the table, and what was set aside. */
int table_count(void);

/** Remove what was set aside, or that and the table. */
void table_forget_aside(void);
void table_sweep(void);

/** The guess key that the store gets, unless it has to draw one. */
extern const guard_secret_t table_guess_secret;

/** Open the file. secret NULL: one is drawn. */
apr_status_t table_open(guard_store_t **store, guard_shm_role_e role,
                        uint32_t clients, const guard_secret_t *secret,
                        apr_pool_t *pool);

#endif
