/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_conf_finish.c owns what only the whole configuration can complete: the
 * names of the hosts' scopes, the place of the store, the number of checks. It
 * refuses to know requests. Invariant: after
 * it, no two hosts have the same scope, and none has one that AuthGuardScope
 * could name, for there is a ':' in each.
 */
#include "guard_conf.h"
#include "guard_conf_sanity.h"

#include <ap_listen.h>
#include <ap_mpm.h>
#include <http_core.h>
#include <http_log.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <unistd.h>

APLOG_USE_MODULE(auth_guard);

static apr_port_t port_of(const server_rec *server, const server_rec *main)
{
    if (server->port) {
        return server->port;
    }
    if (server->addrs && server->addrs->host_port) {
        return server->addrs->host_port;
    }
    if (main->port) {
        return main->port;
    }
    return ap_listeners ? ap_listeners->bind_addr->port : DEFAULT_HTTP_PORT;
}

/* "host:port" for the first host of that name, then "host:port#2", ... */
static const char *make_name(apr_pool_t *pool, apr_hash_t *seen,
                             const server_rec *server, const server_rec *main)
{
    char *host = apr_pstrdup(
        pool, server->server_hostname ? server->server_hostname : "localhost");
    unsigned *count;
    const char *name;

    ap_str_tolower(host);
    name = apr_psprintf(pool, "%s:%u", host, (unsigned)port_of(server, main));
    count = apr_hash_get(seen, name, APR_HASH_KEY_STRING);
    if (!count) {
        count = apr_pcalloc(pool, sizeof(*count));
        apr_hash_set(seen, name, APR_HASH_KEY_STRING, count);
    }
    return ++*count > 1 ? apr_psprintf(pool, "%s#%u", name, *count) : name;
}

/* A host without a directive of ours shares the main server's record until
 * here: hence the copy. */
static void name_scope(apr_pool_t *pool, apr_hash_t *seen, server_rec *server,
                       const server_rec *main)
{
    const guard_server_conf_t *old =
        ap_get_module_config(server->module_config, &auth_guard_module);
    guard_server_conf_t *conf = apr_pmemdup(pool, old, sizeof(*conf));

    conf->host_scope = make_name(pool, seen, server, main);
    ap_set_module_config(server->module_config, &auth_guard_module, conf);
}

/* httpd's list begins with the main server; the hosts follow, last defined
 * first. Numbers go by the order of definition. */
static void name_scopes(apr_pool_t *pool, apr_pool_t *temp, server_rec *main)
{
    apr_hash_t *seen = apr_hash_make(temp);
    apr_array_header_t *hosts = apr_array_make(temp, 8, sizeof(server_rec *));
    server_rec *server;
    server_rec **last;

    for (server = main->next; server; server = server->next) {
        APR_ARRAY_PUSH(hosts, server_rec *) = server;
    }
    name_scope(pool, seen, main, main);
    while ((last = apr_array_pop(hosts))) {
        name_scope(pool, seen, *last, main);
    }
}

static int finish_store(apr_pool_t *pool, server_rec *main)
{
    guard_server_conf_t *conf =
        ap_get_module_config(main->module_config, &auth_guard_module);

    if (!conf->shm_clients) {
        conf->shm_clients = GUARD_SHM_CLIENTS_DEFAULT;
    }
    if (!conf->shm_path) {
        conf->shm_path = ap_runtime_dir_relative(pool, GUARD_SHM_FILE_DEFAULT);
    }
    if (conf->shm_path) {
        return OK;
    }
    ap_log_error(APLOG_MARK, APLOG_CRIT, 0, main,
                 "AG0108: configuration: DefaultRuntimeDir is no place "
                 "for " GUARD_SHM_FILE_DEFAULT
                 ": set it, or name a file by AuthGuardStore shm file=PATH");
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* 4 per processor and at least 8, but never more than a quarter of the
 * workers: three quarters are left for everybody else. */
static unsigned default_checks(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int daemons = 1, threads = 1;
    long checks = processors > 2 ? 4 * processors : 8;
    long share;

    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &daemons);
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    share = (long)daemons * (threads > 0 ? threads : 1) / 4;
    if (checks > share) {
        checks = share > 0 ? share : 1;
    }
    return checks < GUARD_CHECKS_MAX ? (unsigned)checks : GUARD_CHECKS_MAX;
}

static void finish_checks(server_rec *main)
{
    guard_server_conf_t *conf =
        ap_get_module_config(main->module_config, &auth_guard_module);

    if (!conf->wait_usec) {
        conf->wait_usec = GUARD_WAIT_USEC_DEFAULT;
    }
    if (!conf->checks) {
        conf->checks = GUARD_CHECKS_LIMITED;
        conf->checks_count = default_checks();
    }
}

int guard_conf_finish(apr_pool_t *pool, apr_pool_t *temp, server_rec *main)
{
    name_scopes(pool, temp, main);
    if (finish_store(pool, main) != OK) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    finish_checks(main);
    /* httpd reads its configuration twice at start: warn in one pass. */
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) {
        guard_conf_sanity(temp, main);
    }
    return OK;
}
