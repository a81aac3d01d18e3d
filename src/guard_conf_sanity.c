/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_conf_sanity.c owns what the whole configuration shows to be a mistake:
 * a form guarded in vain, passwords in clear, addresses that anybody may write,
 * a limit that hardly limits. It refuses to know requests, and what .htaccess
 * files say.
 *
 * Invariant: it speaks only of what is surely wrong, each thing once, with the
 * remedy; and it changes nothing.
 */
#include "guard_conf_sanity.h"

#include <ap_listen.h>
#include <http_core.h>
#include <http_log.h>
#include <util_cfgtree.h>

#include <string.h>

APLOG_USE_MODULE(auth_guard);

/* What the directives of a section, and of those around it, come to. */
typedef struct section_t {
    int is_on;       /* AuthGuard On or Observe */
    int is_form;     /* AuthType Form */
    int is_provider; /* AuthBasicProvider or AuthFormProvider guard */
    int is_clear;    /* a host that neither has TLS nor sends elsewhere */
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

static void read_line(apr_pool_t *temp, const ap_directive_t *line,
                      section_t *section)
{
    int names_guard = has_word(temp, line->args, "guard");

    if (!ap_cstr_casecmp(line->directive, "AuthGuard")) {
        section->is_on = !has_word(temp, line->args, "Off");
        section->is_provider = 0; /* it decides */
    } else if (!ap_cstr_casecmp(line->directive, "AuthType")) {
        section->is_form = has_word(temp, line->args, "form");
    } else if (!ap_cstr_casecmp(line->directive, "AuthBasicProvider")) {
        section->is_provider |= names_guard;
    } else if (!ap_cstr_casecmp(line->directive, "AuthFormProvider")) {
        section->is_provider |= names_guard;
        if (section->face != GUARD_FACE_GUARD) {
            section->face = names_guard ? GUARD_FACE_GUARD : GUARD_FACE_OTHER;
        }
    }
}

static section_t read_section(apr_pool_t *temp, const ap_directive_t *line,
                              section_t outer)
{
    section_t section = outer;

    section.face = GUARD_FACE_UNSET;
    section.is_provider = 0;
    for (; line; line = line->next) {
        read_line(temp, line, &section);
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

static void tell_bare_form(apr_pool_t *temp, server_rec *main)
{
    const ap_directive_t *bare =
        find_bare_form(temp, ap_conftree, (section_t){0});

    if (bare) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, main,
            "AG0107: configuration: AuthGuard is on over AuthType Form in the "
            "section at %s:%d, but log-ins by form are counted only "
            "through the provider: set AuthFormProvider guard there, "
            "and name the providers in AuthGuardProvider",
            bare->filename, bare->line_num);
    }
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

/* Whether a directive that begins so stands at this level or in a section
 * below. word: among its arguments, or NULL. */
static int has_line(apr_pool_t *temp, const ap_directive_t *line,
                    const char *name, const char *word)
{
    for (; line; line = line->next) {
        if (!ap_cstr_casecmpn(line->directive, name, strlen(name)) &&
            (!word || has_word(temp, line->args, word))) {
            return 1;
        }
        if (line->first_child &&
            has_line(temp, line->first_child, name, word)) {
            return 1;
        }
    }
    return 0;
}

/* Who sends his visitors elsewhere, sends them to TLS more often than not. */
static int is_excused(apr_pool_t *temp, const ap_directive_t *lines)
{
    static const char *const signs[] = {"Redirect", "RewriteRule",
                                        "SSLRequireSSL"};

    for (apr_size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (has_line(temp, lines, signs[i], NULL)) {
            return 1;
        }
    }
    return has_line(temp, lines, "SSLEngine", "on") ||
           has_line(temp, lines, "SSLEngine", "optional") ||
           has_line(temp, lines, "MDomain", NULL);
}

static const ap_directive_t *
find_clear(apr_pool_t *temp, const ap_directive_t *first, section_t outer)
{
    section_t section = read_section(temp, first, outer);
    const ap_directive_t *found = NULL;

    if (section.is_clear && (section.is_on || section.is_provider)) {
        return first;
    }
    for (const ap_directive_t *line = first; line && !found;
         line = line->next) {
        section_t inner = section;

        if (!line->first_child) {
            continue;
        }
        if (!ap_cstr_casecmp(line->directive, "<VirtualHost")) {
            inner.is_clear = !is_excused(temp, line->first_child);
        }
        found = find_clear(temp, line->first_child, inner);
    }
    return found;
}

static int listens_beyond_loopback(void)
{
    guard_cidr_t v4, v6;

    guard_cidr_parse(&v4, "127.0.0.0/8");
    guard_cidr_parse(&v6, "::1");
    for (const ap_listen_rec *l = ap_listeners; l; l = l->next) {
        const apr_sockaddr_t *at = l->bind_addr;
        guard_addr_t addr;

        if (guard_addr_from_bytes(&addr, at->ipaddr_ptr,
                                  (apr_size_t)at->ipaddr_len) != APR_SUCCESS ||
            (!guard_cidr_contains(&v4, &addr) &&
             !guard_cidr_contains(&v6, &addr))) {
            return 1;
        }
    }
    return 0;
}

/* Sections outside of every host belong to all of them: in clear only where
 * none of them has TLS. Behind a proxy TLS may end there. */
static void tell_clear(apr_pool_t *temp, server_rec *main)
{
    section_t outside = {.is_clear = !is_excused(temp, ap_conftree)};
    const ap_directive_t *clear = NULL;

    if (listens_beyond_loopback() &&
        !has_line(temp, ap_conftree, "RemoteIP", NULL)) {
        clear = find_clear(temp, ap_conftree, outside);
    }
    if (clear) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main,
                     "AG0110: configuration: the section at %s:%d is guarded "
                     "and served without TLS: whoever listens on the way reads "
                     "the passwords; serve it by https (SSLEngine on)",
                     clear->filename, clear->line_num);
    }
}

/* mod_remoteip takes any client for a trusted proxy where none is named: then
 * who guesses has as many addresses as he likes, and no limit holds. */
static void tell_believing(apr_pool_t *temp, server_rec *main)
{
    if (ap_find_linked_module("mod_remoteip.c") &&
        has_line(temp, ap_conftree, "RemoteIPHeader", NULL) &&
        !has_line(temp, ap_conftree, "RemoteIPInternalProxy", NULL) &&
        !has_line(temp, ap_conftree, "RemoteIPTrustedProxy", NULL)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main,
                     "AG0113: configuration: RemoteIPHeader stands without a "
                     "proxy to trust, so that everybody may choose his "
                     "address: name the proxies by RemoteIPInternalProxy");
    }
}

/* Wrong guesses an hour that a patient client may make: just below the limit,
 * or through one lockout after the other. */
static apr_int64_t hourly(const guard_policy_t *policy)
{
    const apr_int64_t hour_usec = apr_time_from_sec(3600);
    apr_int64_t below = (policy->limit - 1) * hour_usec / policy->window_usec;
    apr_int64_t through = policy->limit * hour_usec / policy->lockout_max_usec;

    return below > through ? below : through;
}

/* Every limit in force counts what one address does to one account. */
static apr_int64_t loosest(const guard_dir_conf_t *conf)
{
    apr_int64_t least = APR_INT64_MAX;

    for (guard_kind_e kind = 1; kind <= GUARD_KIND_MAX; kind++) {
        const guard_policy_t *policy = guard_conf_policy(conf, kind, 1);

        if (policy && hourly(policy) < least) {
            least = hourly(policy);
        }
    }
    return least;
}

static int sets_limit(const guard_dir_conf_t *conf)
{
    for (guard_kind_e kind = 1; kind <= GUARD_KIND_MAX; kind++) {
        if (conf->limit[kind].state) {
            return 1;
        }
    }
    return 0;
}

/* @return 1 if it was told of a section, whose own limits are what its and the
 *  server's lines come to; else 0 */
static int tell_loose_section(apr_pool_t *temp, server_rec *server,
                              const ap_conf_vector_t *vector)
{
    guard_dir_conf_t *base =
        ap_get_module_config(server->lookup_defaults, &auth_guard_module);
    guard_dir_conf_t *own = ap_get_module_config(vector, &auth_guard_module);
    const core_dir_config *core = ap_get_core_module_config(vector);
    const guard_dir_conf_t *conf;
    apr_int64_t rate;

    if (!own || !sets_limit(own)) {
        return 0;
    }
    conf = own == base ? own : guard_conf_merge_dir(temp, base, own);
    rate = loosest(conf);
    if (rate <= GUARD_ACCOUNT_HOUR_MAX || conf->mode == GUARD_MODE_OFF ||
        conf->mode == GUARD_MODE_OBSERVE) {
        return 0;
    }
    ap_log_error(
        APLOG_MARK, APLOG_WARNING, 0, server,
        rate == APR_INT64_MAX
            ? "AG0111: configuration: no AuthGuardLimit is in force "
              "for %s; set one, as login 5/10min"
            : "AG0111: configuration: the limits for %s allow more "
              "than " APR_STRINGIFY(
                  GUARD_ACCOUNT_HOUR_MAX) " wrong guesses "
                                          "an hour at one account (NIST SP "
                                          "800-63B); lower AuthGuardLimit, or "
                                          "set one by login, as "
                                          "login 5/10min",
        core && core->d ? core->d : "the server");
    return 1;
}

static void tell_loose(apr_pool_t *temp, server_rec *main)
{
    for (server_rec *server = main; server; server = server->next) {
        const core_server_config *core =
            ap_get_core_module_config(server->module_config);
        const apr_array_header_t *sections[] = {core->sec_dir, core->sec_url};

        if (tell_loose_section(temp, server, server->lookup_defaults)) {
            return;
        }
        for (int k = 0; k < 2; k++) {
            for (int i = 0; i < sections[k]->nelts; i++) {
                if (tell_loose_section(
                        temp, server,
                        APR_ARRAY_IDX(sections[k], i, ap_conf_vector_t *))) {
                    return;
                }
            }
        }
    }
}

void guard_conf_sanity(apr_pool_t *temp, server_rec *main)
{
    tell_uncounted(main);
    tell_bare_form(temp, main);
    tell_clear(temp, main);
    tell_believing(temp, main);
    tell_loose(temp, main);
}
