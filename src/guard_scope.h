/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_scope.h: which directories share a count with this one.
 */
#ifndef GUARD_SCOPE_H
#define GUARD_SCOPE_H

#include "guard_conf.h"

/**
 * Find the modules whose directives in a .htaccess make a scope of its
 * directory: mod_authn_core, all authentication modules, and this one. Call
 * in post_config.
 * @param is_shared 1 if other servers count with this one: a directory is
 * known by its path then, which is alike on all of them
 */
void guard_scope_init(apr_pool_t *pool, int is_shared);

/** Hash the scopes of virtual hosts, and the named ones, once; call in
 * post_config, when the store is open. @param secret its table_secret */
void guard_scope_hash_names(server_rec *main_server,
                            const guard_secret_t *secret);

/** Where a request counts. */
typedef struct guard_scope_t {
    const char *host; /* AuthGuardScope's name, or the virtual host */
    const char *name; /* for people: AuthGuardScope's, or host and dir */
    uint64_t hash;    /* what counts: the same directory by whatever path */
    const char *dir;  /* the deepest directory on the request's way whose
                         .htaccess has one of those directives; "": none */
    int is_tenants;   /* 1: that directory makes the scope, else 0 */
} guard_scope_t;

/** Fill in the request's scope: AuthGuardScope's, or the virtual host and the
 *  deepest such directory. secret as above; NULL leaves the hash 0. */
void guard_scope_of(guard_scope_t *scope, const request_rec *r,
                    const guard_dir_conf_t *conf, const guard_secret_t *secret);

#endif
