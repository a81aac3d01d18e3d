/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_file.h: files that hold a secret.
 *
 * Each function returns NULL, or what is wrong and how to mend it, as in
 * guard_conf_args.h; paths are absolute. What was read for nothing is wiped.
 */
#ifndef GUARD_STORE_REDIS_FILE_H
#define GUARD_STORE_REDIS_FILE_H

#include "guard_key.h"

#include <apr_pools.h>

#define GUARD_REDIS_PASSWORD_MAX 512
#define GUARD_REDIS_SECRET_MIN 16
#define GUARD_REDIS_SECRET_MAX 4096

/** Read the first line of a file that others may not read. *out is wiped when
 *  pool ends. */
const char *guard_redis_file_password(const char **out, const char *path,
                                      apr_pool_t *pool);

/** Take a password from elsewhere; "" is none. *out as above. */
const char *guard_redis_file_keep(const char **out, const char *password,
                                  apr_pool_t *pool);

/** Make two secrets of the content of a file that others may not read, white
 *  space at its end left aside. */
const char *guard_redis_file_secret(guard_secret_t out[2], const char *path,
                                    apr_pool_t *pool);

/** Check that a file can be read, and for is_secret that others can't. */
const char *guard_redis_file_check(const char *path, int is_secret,
                                   apr_pool_t *pool);

#endif
