/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_conf_finish.c owns what only the whole configuration can tell: the
 * names of the hosts' scopes, the place of the store, and what is to be said
 * about forms and other schemes. It refuses to know requests. Invariant: after
 * it, no two hosts have the same scope, and none has one that AuthGuardScope
 * could name, for there is a ':' in each.
 */
#include "guard_conf.h"

#include <ap_listen.h>
#include <ap_mpm.h>
#include <http_core.h>
#include <http_log.h>
#include <util_cfgtree.h>
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

/* What the directives of a section, and of those around it, come to. */
typedef struct section_t {
    int is_on;   /* AuthGuard On or Observe */
    int is_form; /* AuthType Form */
    guard_face_e face;
} section_t;

static int has_word(apr_pool_t *temp, const char *args, const char *word)
{
    while (*args) {
        if (!ap_cstr_casecmp(ap_getword_conf(temp, &args), word)) {
            return 1;
        }
    }
    return 0;
}

static section_t read_section(apr_pool_t *temp, const ap_directive_t *line,
                              section_t outer)
{
    section_t section = {.is_on = outer.is_on, .is_form = outer.is_form};

    for (; line; line = line->next) {
        if (!ap_cstr_casecmp(line->directive, "AuthGuard")) {
            section.is_on = !has_word(temp, line->args, "Off");
        } else if (!ap_cstr_casecmp(line->directive, "AuthType")) {
            section.is_form = has_word(temp, line->args, "form");
        } else if (!ap_cstr_casecmp(line->directive, "AuthFormProvider") &&
                   section.face != GUARD_FACE_GUARD) {
            section.face = has_word(temp, line->args, "guard")
                               ? GUARD_FACE_GUARD
                               : GUARD_FACE_OTHER;
        }
    }
    if (section.face == GUARD_FACE_UNSET) {
        section.face = outer.face;
    }
    return section;
}

/*
 * A form's log-in is checked by its handler, where the guard is asked only as
 * a provider. mod_authn_core keeps AuthType to itself, so the lines of the
 * configuration are read; what sections that overlap come to, and .htaccess
 * files, cannot be told so.
 * @return the first line of a section that is guarded in vain, or NULL
 */
static const ap_directive_t *
find_bare_form(apr_pool_t *temp, const ap_directive_t *first, section_t outer)
{
    section_t section = read_section(temp, first, outer);
    const ap_directive_t *line;
    const ap_directive_t *found = NULL;

    if (section.is_on && section.is_form && section.face != GUARD_FACE_GUARD) {
        return first;
    }
    for (line = first; line && !found; line = line->next) {
        if (line->first_child) {
            found = find_bare_form(temp, line->first_child, section);
        }
    }
    return found;
}

/* Schemes whose credentials are no passwords: a stolen token is not guessed,
 * and a leg of a handshake is no failure. */
static void tell_uncounted(server_rec *main)
{
    static const struct {
        const char *module;
        const char *schemes;
    } known[] = {
        {"mod_auth_gssapi.c", "Negotiate and NTLM"},
        {"mod_auth_kerb.c", "Negotiate"},
        {"mod_auth_mellon.c", "SAML"},
        {"mod_auth_ntlm_winbind.c", "Negotiate and NTLM"},
        {"mod_auth_openidc.c", "Bearer"},
        {"mod_authnz_jwt.c", "Bearer"},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (ap_find_linked_module(known[i].module)) {
            ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, main,
                         "AG0109: configuration: %s is loaded: credentials of "
                         "%s are passed on and not counted, passwords are",
                         known[i].module, known[i].schemes);
        }
    }
}

int guard_conf_finish(apr_pool_t *pool, apr_pool_t *temp, server_rec *main)
{
    const ap_directive_t *bare;

    name_scopes(pool, temp, main);
    if (finish_store(pool, main) != OK) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    finish_checks(main);
    /* httpd reads its configuration twice at start: warn in one pass. */
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    tell_uncounted(main);
    bare = find_bare_form(temp, ap_conftree, (section_t){0});
    if (bare) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, main,
            "AG0107: configuration: AuthGuard is on over AuthType Form in the "
            "section at %s:%d, but log-ins by form are counted only "
            "through the provider: set AuthFormProvider guard there, "
            "and name the providers in AuthGuardProvider",
            bare->filename, bare->line_num);
    }
    return OK;
}
