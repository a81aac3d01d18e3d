/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * mod_authn_slow.c: for tests only, a provider of passwords that takes its
 * time, can fail, and writes down every check that it makes.
 *
 * Owns nothing but its configuration. Each check appends one byte to the
 * count file before it sleeps, so that the file's size is the number of
 * passwords really verified, whatever becomes of the process. The inside file
 * tells how many checks run at this moment, and how many did at most: two
 * numbers of 32 bits, in the machine's order. It must be there, with both.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <httpd.h>
#include <http_config.h>
#include <http_request.h>
#include <mod_auth.h>
#include <ap_provider.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <util_md5.h>

module AP_MODULE_DECLARE_DATA authn_slow_module;

typedef struct slow_conf_t {
    apr_table_t *users;      /* name -> password */
    const char *count_path;  /* NULL: not counted */
    const char *inside_path; /* NULL: nothing is told */
    const char *broken_name; /* for this one the provider fails */
    apr_interval_time_t delay_usec;
} slow_conf_t;

static void *create_conf(apr_pool_t *pool, char *dir)
{
    slow_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)dir;
    conf->users = apr_table_make(pool, 4);
    return conf;
}

static const char *set_user(cmd_parms *cmd, void *dir, const char *arg)
{
    slow_conf_t *conf = dir;
    const char *colon = strchr(arg, ':');

    if (!colon) {
        return "AuthnSlowUser: NAME:PASSWORD is wanted";
    }
    apr_table_setn(conf->users, apr_pstrmemdup(cmd->pool, arg, colon - arg),
                   colon + 1);
    return NULL;
}

static const char *set_delay(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)cmd;
    ((slow_conf_t *)dir)->delay_usec = apr_atoi64(arg) * 1000;
    return NULL;
}

static void note_check(const slow_conf_t *conf)
{
    int out;

    if (!conf->count_path) {
        return;
    }
    out = open(conf->count_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (out >= 0) {
        (void)!write(out, "x", 1);
        close(out);
    }
}

/* What lies in the inside file. */
typedef struct inside_t {
    _Atomic uint32_t now;
    _Atomic uint32_t most;
} inside_t;

static inside_t *enter(const slow_conf_t *conf)
{
    int file =
        conf->inside_path ? open(conf->inside_path, O_RDWR | O_CLOEXEC) : -1;
    inside_t *inside = MAP_FAILED;
    uint32_t now, most;

    if (file >= 0) {
        inside = mmap(NULL, sizeof(*inside), PROT_READ | PROT_WRITE, MAP_SHARED,
                      file, 0);
        close(file);
    }
    if (inside == MAP_FAILED) {
        return NULL;
    }
    now = atomic_fetch_add(&inside->now, 1) + 1;
    most = atomic_load(&inside->most);
    while (most < now &&
           !atomic_compare_exchange_weak(&inside->most, &most, now)) {
    }
    return inside;
}

static void leave(inside_t *inside)
{
    if (inside) {
        atomic_fetch_sub(&inside->now, 1);
        munmap(inside, sizeof(*inside));
    }
}

/* What every check does, whatever it finds. */
static void take_time(const slow_conf_t *conf)
{
    inside_t *inside = enter(conf);

    note_check(conf);
    apr_sleep(conf->delay_usec);
    leave(inside);
}

static authn_status check_password(request_rec *r, const char *user,
                                   const char *password)
{
    const slow_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &authn_slow_module);
    const char *right = apr_table_get(conf->users, user);

    take_time(conf);
    if (conf->broken_name && !strcmp(user, conf->broken_name)) {
        return AUTH_GENERAL_ERROR;
    }
    if (!right) {
        return AUTH_USER_NOT_FOUND;
    }
    return strcmp(right, password) ? AUTH_DENIED : AUTH_GRANTED;
}

/* For mod_auth_digest, which compares by itself. */
static authn_status find_hash(request_rec *r, const char *user,
                              const char *realm, char **hash)
{
    const slow_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &authn_slow_module);
    const char *password = apr_table_get(conf->users, user);

    take_time(conf);
    if (!password) {
        return AUTH_USER_NOT_FOUND;
    }
    *hash =
        ap_md5(r->pool, (const unsigned char *)apr_pstrcat(
                            r->pool, user, ":", realm, ":", password, NULL));
    return AUTH_USER_FOUND;
}

static const authn_provider provider = {check_password, find_hash};

static const command_rec commands[] = {
    AP_INIT_ITERATE("AuthnSlowUser", set_user, NULL, OR_AUTHCFG,
                    "NAME:PASSWORD ..."),
    AP_INIT_TAKE1("AuthnSlowDelay", set_delay, NULL, OR_AUTHCFG,
                  "milliseconds that a check takes"),
    AP_INIT_TAKE1("AuthnSlowCount", ap_set_string_slot,
                  (void *)APR_OFFSETOF(slow_conf_t, count_path), OR_AUTHCFG,
                  "file that gets one byte a check"),
    AP_INIT_TAKE1("AuthnSlowInside", ap_set_string_slot,
                  (void *)APR_OFFSETOF(slow_conf_t, inside_path), OR_AUTHCFG,
                  "file that tells how many checks run at once"),
    AP_INIT_TAKE1("AuthnSlowBroken", ap_set_string_slot,
                  (void *)APR_OFFSETOF(slow_conf_t, broken_name), OR_AUTHCFG,
                  "name of the user for whom the provider fails"),
    {NULL}};

static void register_hooks(apr_pool_t *pool)
{
    ap_register_auth_provider(pool, AUTHN_PROVIDER_GROUP, "slow",
                              AUTHN_PROVIDER_VERSION, &provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}

AP_DECLARE_MODULE(authn_slow) = {STANDARD20_MODULE_STUFF,
                                 create_conf,
                                 NULL, /* a section's own lines only */
                                 NULL,
                                 NULL,
                                 commands,
                                 register_hooks,
                                 AP_MODULE_FLAG_NONE};
