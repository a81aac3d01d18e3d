/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_scope.h: which directories share a count with this one.
 */
#ifndef GUARD_SCOPE_H
#define GUARD_SCOPE_H

#include "guard_conf.h"

/** Find the modules whose directives in a .htaccess make a scope of its
 *  directory: mod_authn_core, all authentication modules, and this one. Call
 *  in post_config. */
void guard_scope_init(apr_pool_t *pool);

/** @return the scope's part for the virtual host, or the name given by
 *  AuthGuardScope. */
const char *guard_scope_host(const request_rec *r,
                             const guard_dir_conf_t *conf);

/** @return the scope of the request: AuthGuardScope's name, or the virtual
 *  host and the deepest directory on the request's way whose .htaccess has
 *  one of those directives. */
const char *guard_scope_of(const request_rec *r, const guard_dir_conf_t *conf);

#endif
