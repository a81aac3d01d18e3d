/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_scope.c owns the question whose count a request belongs to. It knows
 * httpd's cache of .htaccess files, and nothing of counting.
 *
 * Invariant: what the author of a .htaccess can write decides about his own
 * directory and those below it, and about no other.
 */
#include "guard_scope.h"

#include <apr_strings.h>
#include <http_core.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECTION_DEPTH_MAX 16 /* sections inside sections */

/* By the name of their source file, as modules are told apart in httpd. */
static const char *const AUTHENTICATION[] = {"mod_auth_", "mod_authn",
                                             "mod_shib"};

static const module *const *scope_modules; /* [fork] NULL-terminated */
static int is_fleets; /* [fork] scopes have the same names on other servers */

static int authenticates(const module *m)
{
    for (apr_size_t i = 0;
         i < sizeof(AUTHENTICATION) / sizeof(AUTHENTICATION[0]); i++) {
        if (!strncmp(m->name, AUTHENTICATION[i], strlen(AUTHENTICATION[i]))) {
            return 1;
        }
    }
    return m == &auth_guard_module;
}

void guard_scope_init(apr_pool_t *pool, int is_shared)
{
    apr_array_header_t *found = apr_array_make(pool, 16, sizeof(module *));

    for (module **m = ap_loaded_modules; *m; m++) {
        if (authenticates(*m)) {
            APR_ARRAY_PUSH(found, const module *) = *m;
        }
    }
    APR_ARRAY_PUSH(found, const module *) = NULL;
    scope_modules = (const module *const *)(void *)found->elts;
    is_fleets = is_shared;
}

static uint64_t hash_text(const guard_secret_t *secret, const char *text)
{
    return guard_key_hash(secret, text, strlen(text));
}

void guard_scope_hash_names(server_rec *main_server,
                            const guard_secret_t *secret)
{
    for (server_rec *server = main_server; server; server = server->next) {
        guard_server_conf_t *conf =
            ap_get_module_config(server->module_config, &auth_guard_module);

        conf->host_scope_hash = hash_text(secret, conf->host_scope);
    }
    for (guard_named_scope_t *scope = guard_conf_named_scopes; scope;
         scope = scope->next) {
        scope->hash = hash_text(secret, scope->name);
    }
}

static int makes_scope(const ap_conf_vector_t *vector, int depth);

static int any_makes_scope(const apr_array_header_t *sections, int depth)
{
    for (int i = 0; sections && i < sections->nelts; i++) {
        if (makes_scope(APR_ARRAY_IDX(sections, i, ap_conf_vector_t *),
                        depth)) {
            return 1;
        }
    }
    return 0;
}

/* Whether that very file has a directive of one of those modules, be it in a
 * <Files> or an <If>, which have vectors of their own. Too deep to look is
 * taken for yes: a scope of its own harms nobody else. */
static int makes_scope(const ap_conf_vector_t *vector, int depth)
{
    const core_dir_config *core;

    if (!vector || depth == SECTION_DEPTH_MAX) {
        return vector != NULL;
    }
    for (const module *const *m = scope_modules; *m; m++) {
        if (ap_get_module_config(vector, *m)) {
            return 1;
        }
    }
    core = ap_get_core_module_config(vector);
    return core && (any_makes_scope(core->sec_file, depth + 1) ||
                    any_makes_scope(core->sec_if, depth + 1));
}

/* r->htaccess is a cache: subrequests leave files there that are not on this
 * request's way. */
static int is_on_the_way(const request_rec *r, const char *dir,
                         apr_size_t length)
{
    return r->filename && !strncmp(r->filename, dir, length) &&
           (dir[length - 1] == '/' || r->filename[length] == '/' ||
            !r->filename[length]);
}

static const guard_server_conf_t *server_of(const request_rec *r)
{
    return ap_get_module_config(r->server->module_config, &auth_guard_module);
}

/* @return the deepest directory that makes a scope, or NULL. */
static const char *deepest_dir(const request_rec *r)
{
    const char *deepest = NULL;
    apr_size_t deepest_length = 0;

    for (const struct htaccess_result *file = r->htaccess; file;
         file = file->next) {
        apr_size_t length = strlen(file->dir);

        if (length > deepest_length && is_on_the_way(r, file->dir, length) &&
            makes_scope(file->htaccess, 0)) {
            deepest = file->dir;
            deepest_length = length;
        }
    }
    return deepest;
}

/* Another server has other inodes for the same directory. */
static uint64_t hash_path(apr_pool_t *pool, const guard_secret_t *secret,
                          const char *host, const char *dir)
{
    char *real = realpath(dir, NULL);
    uint64_t hash =
        hash_text(secret, apr_pstrcat(pool, host, real ? real : dir, NULL));

    free(real);
    return hash;
}

/* A symbolic link gives a directory any number of paths, but no second
 * count. */
static uint64_t hash_dir(const request_rec *r, const guard_secret_t *secret,
                         const guard_server_conf_t *server, const char *dir)
{
    struct stat info;
    uint64_t place[3] = {server->host_scope_hash};

    if (is_fleets || stat(dir, &info)) {
        return hash_path(r->pool, secret, server->host_scope, dir);
    }
    place[1] = (uint64_t)info.st_dev;
    place[2] = (uint64_t)info.st_ino;
    return guard_key_hash(secret, place, sizeof(place));
}

/* What counts, as a hash. */
static uint64_t hash_of(const request_rec *r, const guard_dir_conf_t *conf,
                        const guard_scope_t *scope,
                        const guard_secret_t *secret)
{
    const guard_server_conf_t *server = server_of(r);

    if (!secret) {
        return 0;
    }
    if (scope->is_tenants) {
        return hash_dir(r, secret, server, scope->dir);
    }
    return conf->scope ? conf->scope->hash : server->host_scope_hash;
}

void guard_scope_of(guard_scope_t *scope, const request_rec *r,
                    const guard_dir_conf_t *conf, const guard_secret_t *secret)
{
    const char *dir = deepest_dir(r);

    scope->host = conf->scope ? conf->scope->name : server_of(r)->host_scope;
    scope->name = scope->host;
    scope->dir = dir ? dir : "";
    scope->is_tenants = dir && !conf->scope;
    if (scope->is_tenants) {
        scope->name = apr_pstrcat(r->pool, scope->host, dir,
                                  dir[strlen(dir) - 1] == '/' ? "" : "/", NULL);
    }
    scope->hash = hash_of(r, conf, scope, secret);
}
