/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm_shape.h: by what a file is known to be a table.
 *
 * Private to guard_store_shm*.c.
 */
#ifndef GUARD_STORE_SHM_SHAPE_H
#define GUARD_STORE_SHM_SHAPE_H

#include "guard_store_shm_table.h"

/** Fill the shape of a new table for that many clients. */
void guard_shm_shape_make(guard_shm_shape_t *shape, uint32_t clients,
                          const guard_secret_t *table_secret);

/** @return NULL, or what is wrong with this head of a file of that length. */
const char *guard_shm_shape_fault(const guard_shm_shape_t *shape,
                                  uint64_t file_bytes);

#endif
