/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_url.h: from the words of `AuthGuardStore redis ...`, and
 * of `htguard -r`, to checked options.
 *
 *     redis://[USER@]HOST[:PORT][/DB]      rediss:// for TLS
 *     unix:/PATH[?db=N&user=U]             or redis+unix:///PATH
 *
 * It reads the files that the words name, and the environment's
 * AUTHGUARD_REDIS_PASSWORD; it keeps no state, so any thread may call it.
 */
#ifndef GUARD_STORE_REDIS_URL_H
#define GUARD_STORE_REDIS_URL_H

#include "guard_key.h"
#include "guard_store_redis_wire.h"

#include <apr_time.h>

#define GUARD_REDIS_TIMEOUT_USEC_DEFAULT apr_time_from_msec(50)
#define GUARD_REDIS_TIMEOUT_USEC_MIN apr_time_from_msec(5)
#define GUARD_REDIS_TIMEOUT_USEC_MAX apr_time_from_sec(5)
#define GUARD_REDIS_CONNECTIONS_MAX 64
#define GUARD_REDIS_DATABASE_MAX 65535
#define GUARD_REDIS_PREFIX_MAX 64
#define GUARD_REDIS_PREFIX_DEFAULT "authguard"
#define GUARD_REDIS_PORT_DEFAULT 6379

/** What is done while the server does not answer. */
typedef enum {
    GUARD_FAILURE_LOCAL = 1, /* count in the shm store */
    GUARD_FAILURE_OPEN,      /* admit */
    GUARD_FAILURE_CLOSED     /* refuse as overload */
} guard_failure_e;

/** The fleet's secrets, made from secret=FILE: options->secret[which]. */
enum { GUARD_REDIS_SECRET_TABLE, GUARD_REDIS_SECRET_GUESS };

/** All of AuthGuardStore's words, defaults filled in. */
typedef struct guard_redis_options_t {
    guard_redis_target_t target;      /* [config] */
    apr_interval_time_t timeout_usec; /* [config] of one operation */
    guard_failure_e failure;          /* [config] */
    const char *prefix;               /* [config] of the keys */
    unsigned connections;     /* [config] of one child; 0: one a thread, at most
                                 GUARD_REDIS_CONNECTIONS_MAX */
    int has_secret;           /* [config] */
    guard_secret_t secret[2]; /* [config] if has_secret */
} guard_redis_options_t;

/**
 * Read `URL [timeout=T] [failure=local|open|closed] [secret=FILE]
 * [password=FILE] [prefix=NAME] [connections=N] [ca=FILE] [cert=FILE]
 * [key=FILE]`. Files have absolute paths.
 * @param words ends with NULL
 * @param culprit set to the word that the complaint is about, without what
 * may be a password; NULL if one is missing
 * @return NULL, or what would be right, as in guard_conf_args.h, and *options
 * is untouched then
 */
const char *guard_redis_options_read(guard_redis_options_t *options,
                                     const char *const *words,
                                     const char **culprit, apr_pool_t *pool);

/** @return 1 if this build knows TLS, else 0. */
int guard_redis_has_tls(void);

#endif
