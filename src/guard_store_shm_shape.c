/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_shape.c owns the part of the head that never changes, and
 * the question whether it can be believed. It opens no file.
 *
 * Invariant: a shape without fault describes a mapping that lies wholly
 * inside its file.
 */
#include "guard_store_shm_shape.h"
#include "guard_store_shm.h"

#include <stddef.h>
#include <string.h>

#define BYTE_ORDER_MARK 0x01020304u

static uint64_t checksum(const guard_shm_shape_t *shape)
{
    static const guard_secret_t known = {"mod_auth_guard"};

    return guard_key_hash(&known, shape, offsetof(guard_shm_shape_t, checksum));
}

const char *guard_shm_shape_fault(const guard_shm_shape_t *shape,
                                  uint64_t file_bytes)
{
    if (memcmp(shape->magic, GUARD_SHM_MAGIC, sizeof(shape->magic))) {
        return "it is no table of this module";
    }
    if (shape->byte_order != BYTE_ORDER_MARK) {
        return "it comes from a machine of another byte order";
    }
    if (shape->version != GUARD_SHM_VERSION) {
        return "it is of another version";
    }
    if (shape->checksum != checksum(shape)) {
        return "its head is damaged";
    }
    if (shape->clients < GUARD_SHM_CLIENTS_MIN ||
        shape->clients > GUARD_SHM_CLIENTS_MAX ||
        shape->bucket_count != guard_shm_table_buckets(shape->clients) ||
        shape->size_bytes != guard_shm_table_size(shape->clients) ||
        shape->size_bytes != file_bytes) {
        return "its size is not what its head says";
    }
    return NULL;
}

void guard_shm_shape_make(guard_shm_shape_t *shape, uint32_t clients,
                          const guard_secret_t *table_secret)
{
    memset(shape, 0, sizeof(*shape));
    memcpy(shape->magic, GUARD_SHM_MAGIC, sizeof(shape->magic));
    shape->version = GUARD_SHM_VERSION;
    shape->byte_order = BYTE_ORDER_MARK;
    shape->clients = clients;
    shape->bucket_count = guard_shm_table_buckets(clients);
    shape->size_bytes = guard_shm_table_size(clients);
    shape->table_secret = *table_secret;
    shape->checksum = checksum(shape);
}
