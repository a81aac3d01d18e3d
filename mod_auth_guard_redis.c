/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * mod_auth_guard_redis: one count for many servers, kept by Redis.
 *
 * This file is all that httpd sees of it: a provider of the guard's store
 * contract under the name `redis`. How it counts is told at the head of
 * guard_store_redis.c, and by which rules in guard_store_redis_script.lua.
 */
#include <httpd.h>
#include <ap_provider.h>
#include <http_config.h>
#include <apr_strings.h>

#include "src/guard_store_provider.h"
#include "src/guard_store_redis.h"

#include <string.h>

/* Options that name a file: as everywhere in httpd, below ServerRoot. */
static const char *absolute(apr_pool_t *pool, const char *word)
{
    static const char *const FILES[] = {
        "secret=", "password=", "ca=", "cert=", "key="};

    for (apr_size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        apr_size_t length = strlen(FILES[i]);

        if (!strncasecmp(word, FILES[i], length) && word[length]) {
            const char *path = ap_server_root_relative(pool, word + length);

            return path ? apr_pstrcat(pool, FILES[i], path, NULL) : word;
        }
    }
    return word;
}

static const char *read_words(void **out, const char *const *words,
                              const char **culprit, apr_pool_t *pool)
{
    apr_array_header_t *made = apr_array_make(pool, 8, sizeof(char *));
    guard_redis_options_t *options = apr_pcalloc(pool, sizeof(*options));

    for (; *words; words++) {
        APR_ARRAY_PUSH(made, const char *) = absolute(pool, *words);
    }
    APR_ARRAY_PUSH(made, const char *) = NULL;
    *out = options;
    return guard_redis_options_read(
        options, (const char *const *)(void *)made->elts, culprit, pool);
}

static apr_status_t open_store(guard_store_t **store, const void *options,
                               guard_store_t *local, guard_store_kept_t *kept,
                               guard_say_fn *say, void *baton, apr_pool_t *pool)
{
    return guard_store_redis_open(store, options, local, kept, say, baton,
                                  pool);
}

static const guard_store_provider_t provider = {
    read_words,
    open_store,
    guard_store_redis_child_init,
    guard_store_redis_monitor,
};

static void register_hooks(apr_pool_t *pool)
{
    ap_register_provider(pool, GUARD_STORE_GROUP, "redis", GUARD_STORE_VERSION,
                         &provider);
}

AP_DECLARE_MODULE(auth_guard_redis) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks,
    AP_MODULE_FLAG_NONE,
};
