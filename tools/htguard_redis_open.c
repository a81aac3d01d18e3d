/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * htguard_redis_open.c owns the way from htguard's options to the Redis store;
 * htguard-redis has it, and htguard has not. It knows no command, and nothing
 * of how Redis is spoken to.
 *
 * Invariant: the URL and the files are read by the rules of AuthGuardStore, so
 * what works there works here.
 */
#include "guard_conf_args.h"
#include "guard_store_redis.h"
#include "guard_store_redis_url.h"
#include "htguard_redis.h"

#include <apr_file_info.h>
#include <apr_strings.h>

#include <stdio.h>

static const char *const OPTIONS[HTGUARD_REDIS_OPTIONS] = {
    [HTGUARD_REDIS_SECRET] = "secret", [HTGUARD_REDIS_PASSWORD] = "password",
    [HTGUARD_REDIS_PREFIX] = "prefix", [HTGUARD_REDIS_CA] = "ca",
    [HTGUARD_REDIS_CERT] = "cert",     [HTGUARD_REDIS_KEY] = "key",
};

/* In a shell a file may be named from where one stands; a directive takes
 * whole paths. */
static const char *whole_path(const char *value, apr_pool_t *pool)
{
    char *path;

    return apr_filepath_merge(&path, NULL, value, APR_FILEPATH_NOTRELATIVE,
                              pool) == APR_SUCCESS
               ? path
               : value;
}

/* The words of AuthGuardStore that say the same. */
static void make_words(const char *words[HTGUARD_REDIS_OPTIONS + 2],
                       const htguard_ask_t *ask, apr_pool_t *pool)
{
    unsigned count = 0;

    words[count++] = ask->redis;
    for (unsigned i = 0; i < HTGUARD_REDIS_OPTIONS; i++) {
        const char *value = ask->redis_option[i];

        if (value) {
            words[count++] = apr_pstrcat(
                pool, OPTIONS[i], "=",
                i == HTGUARD_REDIS_PREFIX ? value : whole_path(value, pool),
                NULL);
        }
    }
    words[count] = NULL;
}

apr_status_t htguard_redis_open(guard_store_t **store, const htguard_ask_t *ask,
                                guard_say_fn *say, void *baton,
                                apr_pool_t *pool)
{
    const char *words[HTGUARD_REDIS_OPTIONS + 2];
    guard_redis_options_t options = {0};
    const char *culprit = NULL;
    const char *remedy;

    make_words(words, ask, pool);
    remedy = guard_redis_options_read(&options, words, &culprit, pool);
    if (remedy) {
        fprintf(stderr, "%s\nTry: htguard --help\n",
                guard_args_complain(pool, "htguard", culprit ? culprit : "-r",
                                    remedy));
        return APR_BADARG;
    }
    options.timeout_usec = GUARD_REDIS_TIMEOUT_USEC_MAX; /* nobody queues */
    return guard_store_redis_open(store, &options, NULL, NULL, say, baton,
                                  pool);
}

const char *htguard_redis_remedy(apr_status_t rv)
{
    if (APR_STATUS_IS_EACCES(rv) || rv == APR_FROM_OS_ERROR(EPERM)) {
        return "run htguard as root";
    }
    if (APR_STATUS_IS_ENOMEM(rv)) {
        return "free some memory, or list less: --locked, --scope S";
    }
    if (APR_STATUS_IS_INCOMPLETE(rv)) {
        return "again: Redis has more clients than are looked at, and others "
               "may come first then; or --prefix, if they are not all yours";
    }
    if (APR_STATUS_IS_EINTR(rv)) {
        return NULL;
    }
    return "compare URL, user, password and --ca with the line of "
           "AuthGuardStore, and see that Redis is up; docs/fleet.md has the "
           "ACL that is needed";
}
