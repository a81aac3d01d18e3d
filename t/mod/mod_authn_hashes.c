/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * mod_authn_hashes.c: for tests only, the provider `hashes`, which knows
 * digests of passwords but cannot check one.
 *
 * Owns nothing. httpd itself brings no provider of this sort.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_request.h>
#include <mod_auth.h>
#include <ap_provider.h>

module AP_MODULE_DECLARE_DATA authn_hashes_module;

static authn_status find_hash(request_rec *r, const char *user,
                              const char *realm, char **hash)
{
    (void)r;
    (void)user;
    (void)realm;
    (void)hash;
    return AUTH_USER_NOT_FOUND;
}

static const authn_provider provider = {NULL, find_hash};

static void register_hooks(apr_pool_t *pool)
{
    ap_register_auth_provider(pool, AUTHN_PROVIDER_GROUP, "hashes",
                              AUTHN_PROVIDER_VERSION, &provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}

AP_DECLARE_MODULE(authn_hashes) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks,
    AP_MODULE_FLAG_NONE};
