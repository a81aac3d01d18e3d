/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_provider.h: how a store in a module of its own meets the guard.
 *
 * Such a module registers a guard_store_provider_t with httpd, from its
 * register_hooks:
 *
 *     ap_register_provider(pool, GUARD_STORE_GROUP, "redis",
 *                          GUARD_STORE_VERSION, &provider);
 *
 * and `AuthGuardStore redis ...` finds it by its name. Both are built from the
 * same sources: the version says so, and another one is not found. The store
 * in shared memory is the guard's own; any other has it at hand to fall back
 * on.
 */
#ifndef GUARD_STORE_PROVIDER_H
#define GUARD_STORE_PROVIDER_H

#include "guard_store.h"
#include "guard_store_names.h"

#define GUARD_STORE_GROUP "authguard_store"
#define GUARD_STORE_VERSION GUARD_VERSION

/** What a store keeps over gracefuls, while its code goes and comes again,
 *  perhaps of another build. Zeroed at the start. */
typedef struct guard_store_kept_t {
    uint64_t layout; /* tells whether this build can use it; the store's own */
    void *memory;
    uint64_t size_bytes;
} guard_store_kept_t;

typedef struct guard_store_provider_t {
    /**
     * While the configuration is read: take the words behind the store's
     * name.
     * @param words NULL-terminated
     * @param options set to what open() shall get; lasts as long as pool
     * @param culprit set to the word that is complained of; NULL: one lacks
     * @return NULL, or what would be right
     */
    const char *(*read)(void **options, const char *const *words,
                        const char **culprit, apr_pool_t *pool);

    /**
     * In post_config, in the parent: make the store. A server that is away is
     * no error: the store says so, and falls back.
     * @param local to fall back on; open, and as long-lived as pool
     * @param kept the same at each graceful
     * @param say told what changes; also in the children
     * @return APR_SUCCESS, or why the server can't start; say() has told
     */
    apr_status_t (*open)(guard_store_t **store, const void *options,
                         guard_store_t *local, guard_store_kept_t *kept,
                         guard_say_fn *say, void *baton, apr_pool_t *pool);

    /** In each child, before its threads begin. */
    apr_status_t (*child_init)(guard_store_t *store, unsigned threads,
                               apr_pool_t *pool);

    /** In the parent, every now and then; must not block. */
    void (*monitor)(guard_store_t *store);
} guard_store_provider_t;

#endif
