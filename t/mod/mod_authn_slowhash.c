/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * mod_authn_slowhash.c: for tests only, the provider `slowhash`, which takes
 * its time to find the digest of a password for mod_auth_digest.
 *
 * Owns nothing but its configuration.
 */
#include <string.h>

#include <httpd.h>
#include <http_config.h>
#include <http_request.h>
#include <mod_auth.h>
#include <ap_provider.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <util_md5.h>

module AP_MODULE_DECLARE_DATA authn_slowhash_module;

typedef struct slowhash_conf_t {
    apr_table_t *users; /* name -> password */
    apr_interval_time_t delay_usec;
} slowhash_conf_t;

static void *create_conf(apr_pool_t *pool, char *dir)
{
    slowhash_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)dir;
    conf->users = apr_table_make(pool, 4);
    return conf;
}

static const char *set_user(cmd_parms *cmd, void *dir, const char *arg)
{
    slowhash_conf_t *conf = dir;
    const char *colon = strchr(arg, ':');

    if (!colon) {
        return "AuthnSlowHashUser: NAME:PASSWORD is wanted";
    }
    apr_table_setn(conf->users, apr_pstrmemdup(cmd->pool, arg, colon - arg),
                   colon + 1);
    return NULL;
}

static const char *set_delay(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)cmd;
    ((slowhash_conf_t *)dir)->delay_usec = apr_atoi64(arg) * 1000;
    return NULL;
}

static authn_status find_hash(request_rec *r, const char *user,
                              const char *realm, char **hash)
{
    const slowhash_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &authn_slowhash_module);
    const char *password = apr_table_get(conf->users, user);
    const char *line =
        apr_pstrcat(r->pool, user, ":", realm, ":", password, NULL);

    apr_sleep(conf->delay_usec);
    if (!password) {
        return AUTH_USER_NOT_FOUND;
    }
    *hash = ap_md5(r->pool, (const unsigned char *)line);
    return AUTH_USER_FOUND;
}

static const authn_provider provider = {NULL, find_hash};

static const command_rec commands[] = {
    AP_INIT_ITERATE("AuthnSlowHashUser", set_user, NULL, OR_AUTHCFG,
                    "NAME:PASSWORD ..."),
    AP_INIT_TAKE1("AuthnSlowHashDelay", set_delay, NULL, OR_AUTHCFG,
                  "milliseconds that it takes"),
    {NULL}};

static void register_hooks(apr_pool_t *pool)
{
    ap_register_auth_provider(pool, AUTHN_PROVIDER_GROUP, "slowhash",
                              AUTHN_PROVIDER_VERSION, &provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}

AP_DECLARE_MODULE(authn_slowhash) = {STANDARD20_MODULE_STUFF,
                                     create_conf,
                                     NULL, /* a section's own lines only */
                                     NULL,
                                     NULL,
                                     commands,
                                     register_hooks,
                                     AP_MODULE_FLAG_NONE};
