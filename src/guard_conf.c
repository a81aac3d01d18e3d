/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_conf.c owns the command table, the merge, and the setters of what
 * a section may say. It refuses to know defaults (guard_conf_resolve.c), how
 * words are read (guard_conf_args.c), what is said once for the whole server
 * (guard_conf_server.c) and what others' directives tell (guard_conf_face.c).
 * Invariant: a setter changes a section's own configuration, never a merged
 * one, and a refused line changes nothing.
 */
#include "guard_conf.h"
#include "guard_conf_face.h"
#include "guard_conf_server.h"

#include <http_core.h>
#include <ap_provider.h>
#include <apr_strings.h>

guard_named_scope_t *guard_conf_named_scopes; /* [config] */

void *guard_conf_create_dir(apr_pool_t *pool, char *dir)
{
    (void)dir;
    return apr_pcalloc(pool, sizeof(guard_dir_conf_t));
}

#define PICK(f) out->f = add->f ? add->f : base->f
/* A value goes with the place that set it. */
#define PICK_WITH(f, with) out->with = add->f ? add->with : base->with

void *guard_conf_merge_dir(apr_pool_t *pool, void *base_conf, void *add_conf)
{
    const guard_dir_conf_t *base = base_conf;
    const guard_dir_conf_t *add = add_conf;
    guard_dir_conf_t *out;
    int kind;

    if (!base->is_said || !add->is_said) {
        return base->is_said ? base_conf : add_conf;
    }
    out = apr_pcalloc(pool, sizeof(*out));
    out->is_said = 1;
    PICK(mode);
    PICK_WITH(mode, mode_origin);
    PICK(basic_face);
    PICK_WITH(basic_face, basic_origin);
    PICK(fake);
    PICK(auth);
    PICK_WITH(auth, auth_type);
    PICK(realm);
    PICK_WITH(realm, challenge);
    PICK(form_face);
    PICK_WITH(form_face, form_origin);
    PICK(delegates);
    for (kind = 1; kind <= GUARD_KIND_MAX; kind++) {
        out->limit[kind] =
            add->limit[kind].state ? add->limit[kind] : base->limit[kind];
    }
    PICK(exempt);
    PICK(prefix_v4);
    PICK(prefix_v6);
    PICK(scope);
    PICK(response);
    PICK(status);
    PICK(htaccess_directive);
    return out;
}

void *guard_conf_create_server(apr_pool_t *pool, server_rec *server)
{
    (void)server;
    return apr_pcalloc(pool, sizeof(guard_server_conf_t));
}

void *guard_conf_merge_server(apr_pool_t *pool, void *base_conf, void *add_conf)
{
    const guard_server_conf_t *base = base_conf;
    const guard_server_conf_t *add = add_conf;
    guard_server_conf_t *out = apr_pcalloc(pool, sizeof(*out));

    PICK(shm_path);
    PICK(shm_clients);
    PICK(is_store_given);
    PICK(away);
    PICK(checks);
    PICK(checks_count);
    PICK(wait_usec);
    return out;
}

static guard_place_e place_of(cmd_parms *cmd)
{
    return ap_check_cmd_context(cmd, NOT_IN_HTACCESS) ? GUARD_PLACE_HTACCESS
                                                      : GUARD_PLACE_SERVER;
}

/* Every setter of a directive of ours begins with this. httpd would run a
 * directive in <Limit> for all methods alike: better refused. */
static const char *enter(cmd_parms *cmd, guard_dir_conf_t *conf)
{
    const char *error = ap_check_cmd_context(cmd, NOT_IN_LIMIT);

    conf->is_said = 1;
    if (!error && place_of(cmd) == GUARD_PLACE_HTACCESS) {
        conf->htaccess_directive = cmd->cmd->name;
    }
    return error;
}

/* The words that a directive chooses from; ends with a NULL name. */
typedef struct choice_t {
    const char *name;
    int value;
} choice_t;

static int choose(const choice_t *choice, const char *word)
{
    while (choice->name && ap_cstr_casecmp(choice->name, word)) {
        choice++;
    }
    return choice->value;
}

static const char *set_mode(cmd_parms *cmd, void *dir_conf, const char *word)
{
    static const choice_t modes[] = {{"Off", GUARD_MODE_OFF},
                                     {"On", GUARD_MODE_ON},
                                     {"Observe", GUARD_MODE_OBSERVE},
                                     {NULL, GUARD_MODE_UNSET}};
    guard_dir_conf_t *conf = dir_conf;
    const char *error = enter(cmd, conf);
    int mode = choose(modes, word);

    if (error) {
        return error;
    }
    if (!mode) {
        return guard_conf_complain(cmd, word, "must be Off, On or Observe");
    }
    conf->mode = (guard_mode_e)mode;
    conf->mode_origin = place_of(cmd) == GUARD_PLACE_HTACCESS
                            ? GUARD_ORIGIN_HTACCESS
                            : GUARD_ORIGIN_SERVER;
    return NULL;
}

static const char *set_response(cmd_parms *cmd, void *dir_conf,
                                const char *word)
{
    static const choice_t responses[] = {
        {"401", GUARD_RESPONSE_401},   {"403", GUARD_RESPONSE_403},
        {"404", GUARD_RESPONSE_404},   {"429", GUARD_RESPONSE_429},
        {"drop", GUARD_RESPONSE_DROP}, {NULL, GUARD_RESPONSE_UNSET}};
    guard_dir_conf_t *conf = dir_conf;
    const char *error = enter(cmd, conf);
    int response = choose(responses, word);

    if (error) {
        return error;
    }
    if (!response) {
        return guard_conf_complain(cmd, word,
                                   "must be 401, 403, 404, 429 or drop");
    }
    conf->response = (guard_response_e)response;
    return NULL;
}

static const char *set_status(cmd_parms *cmd, void *dir_conf, const char *word)
{
    static const choice_t pages[] = {{"Off", GUARD_PAGE_OFF},
                                     {"On", GUARD_PAGE_ON},
                                     {"Actions", GUARD_PAGE_ACTIONS},
                                     {NULL, GUARD_PAGE_UNSET}};
    guard_dir_conf_t *conf = dir_conf;
    const char *error = enter(cmd, conf);
    int page = choose(pages, word);

    if (error) {
        return error;
    }
    if (!page) {
        return guard_conf_complain(cmd, word, "must be Off, On or Actions");
    }
    conf->status = (guard_page_e)page;
    return NULL;
}

static const char *add_delegate(cmd_parms *cmd, void *dir_conf,
                                const char *name)
{
    guard_dir_conf_t *conf = dir_conf;
    const char *error = enter(cmd, conf);
    const authn_provider *provider;
    guard_delegate_t *delegate;

    if (error) {
        return error;
    }
    if (!strcmp(name, "guard")) {
        return guard_conf_complain(
            cmd, name,
            "name the providers that guard is to ask, such as "
            "file");
    }
    provider =
        ap_lookup_provider(AUTHN_PROVIDER_GROUP, name, AUTHN_PROVIDER_VERSION);
    if (!provider) {
        return guard_conf_complain(
            cmd, name,
            "no module that is loaded has this provider; load "
            "its module, or name another, such as file");
    }
    if (!provider->check_password) {
        return guard_conf_complain(
            cmd, name,
            "this provider cannot check passwords; name another, "
            "such as file");
    }
    if (!conf->delegates) {
        conf->delegates =
            apr_array_make(cmd->pool, 2, sizeof(guard_delegate_t));
    }
    delegate = apr_array_push(conf->delegates);
    delegate->name = name;
    delegate->provider = provider;
    return NULL;
}

static const char *set_limit(cmd_parms *cmd, void *dir_conf, const char *args)
{
    guard_dir_conf_t *conf = dir_conf;
    const char *error = enter(cmd, conf);
    const char *const *word = guard_conf_split(cmd, args);
    const char *culprit;
    const char *remedy;
    guard_kind_e kind;

    if (error) {
        return error;
    }
    kind = word[0] ? guard_kind_parse(word[0]) : 0;
    if (kind < 1 || kind > GUARD_KIND_MAX) {
        return guard_conf_complain(cmd, word[0] ? word[0] : "",
                                   "the key must be ip, net, user or login");
    }
    remedy =
        guard_args_limit(&conf->limit[kind], word + 1, place_of(cmd), &culprit);
    return remedy
               ? guard_conf_complain(cmd, culprit ? culprit : word[0], remedy)
               : NULL;
}

static const char *set_exempt(cmd_parms *cmd, void *dir_conf, const char *args)
{
    guard_dir_conf_t *conf = dir_conf;
    const char *error = enter(cmd, conf);
    const char *const *word = guard_conf_split(cmd, args);
    apr_array_header_t *line;
    guard_cidr_t cidr;

    if (error) {
        return error;
    }
    if (!word[0]) {
        return guard_conf_complain(cmd, "", "list addresses, or none");
    }
    line = apr_array_make(cmd->pool, 4, sizeof(guard_cidr_t));
    if (!ap_cstr_casecmp(word[0], "none") && !word[1]) {
        conf->exempt = line;
        return NULL;
    }
    for (; *word; word++) {
        if (!ap_cstr_casecmp(*word, "none")) {
            return guard_conf_complain(cmd, *word,
                                       "none must be the only word");
        }
        if (guard_cidr_parse(&cidr, *word) != APR_SUCCESS) {
            return guard_conf_complain(
                cmd, *word,
                "must be an address, as 192.0.2.7 or 2001:db8::7, "
                "or a network, as 192.0.2.0/24");
        }
        APR_ARRAY_PUSH(line, guard_cidr_t) = cidr;
    }
    if (conf->exempt) {
        apr_array_cat(conf->exempt, line);
    } else {
        conf->exempt = line;
    }
    return NULL;
}

static const char *set_prefix(cmd_parms *cmd, void *dir_conf, const char *v4,
                              const char *v6)
{
    guard_dir_conf_t *conf = dir_conf;
    const char *error = enter(cmd, conf);
    uint8_t v4_bits;
    uint8_t v6_bits;

    if (error) {
        return error;
    }
    if (!guard_args_prefix(&v4_bits, v4, GUARD_PREFIX_V4_MIN,
                           GUARD_PREFIX_V4_MAX)) {
        return guard_conf_complain(cmd, v4, "the bits of IPv4 must be 8 to 32");
    }
    if (!guard_args_prefix(&v6_bits, v6, GUARD_PREFIX_V6_MIN,
                           GUARD_PREFIX_V6_MAX)) {
        return guard_conf_complain(cmd, v6,
                                   "the bits of IPv6 must be 16 to 128");
    }
    conf->prefix_v4 = (uint8_t)(GUARD_ADDR_V4_BASE + v4_bits);
    conf->prefix_v6 = v6_bits;
    return NULL;
}

static const char *set_scope(cmd_parms *cmd, void *dir_conf, const char *name)
{
    guard_dir_conf_t *conf = dir_conf;
    const char *error = enter(cmd, conf);
    const char *remedy = guard_args_scope(name);
    guard_named_scope_t *named;

    if (error) {
        return error;
    }
    if (remedy) {
        return guard_conf_complain(cmd, name, remedy);
    }
    named = apr_pcalloc(cmd->pool, sizeof(*named));
    named->name = name;
    named->next = guard_conf_named_scopes;
    guard_conf_named_scopes = named;
    conf->scope = named;
    return NULL;
}

#define ANYWHERE (OR_AUTHCFG | RSRC_CONF)

const command_rec guard_conf_commands[] = {
    AP_INIT_TAKE1("AuthGuard", set_mode, NULL, ANYWHERE, "Off, On or Observe"),
    AP_INIT_ITERATE("AuthGuardProvider", add_delegate, NULL, OR_AUTHCFG,
                    "providers that the provider guard asks"),
    AP_INIT_RAW_ARGS("AuthGuardLimit", set_limit, NULL, ANYWHERE,
                     "KEY N/WINDOW [lockout=T] [max=T], or KEY none"),
    AP_INIT_RAW_ARGS("AuthGuardExempt", set_exempt, NULL, ANYWHERE,
                     "ADDRESS[/BITS] ..., or none"),
    AP_INIT_TAKE2("AuthGuardPrefix", set_prefix, NULL, RSRC_CONF,
                  "bits of an IPv4 and of an IPv6 address that make a key"),
    AP_INIT_TAKE1("AuthGuardScope", set_scope, NULL, RSRC_CONF | ACCESS_CONF,
                  "a name; what has the same name shares one count"),
    AP_INIT_TAKE1("AuthGuardResponse", set_response, NULL, ANYWHERE,
                  "401, 403, 404, 429 or drop"),
    AP_INIT_TAKE1("AuthGuardStatus", set_status, NULL, RSRC_CONF | ACCESS_CONF,
                  "Off, On or Actions"),
    AP_INIT_RAW_ARGS("AuthGuardChecks", guard_conf_set_checks, NULL, RSRC_CONF,
                     "N or unlimited, [wait=T]"),
    AP_INIT_RAW_ARGS("AuthGuardStore", guard_conf_set_store, NULL, RSRC_CONF,
                     "shm [file=PATH] [clients=N]"),
    AP_INIT_RAW_ARGS("AuthBasicProvider", guard_conf_face_basic, NULL,
                     OR_AUTHCFG,
                     "seen here only to learn whether guard is listed"),
    AP_INIT_RAW_ARGS("AuthBasicFake", guard_conf_face_fake, NULL, OR_AUTHCFG,
                     "seen here only to learn whether a header is replaced"),
    AP_INIT_RAW_ARGS("AuthType", guard_conf_face_type, NULL, OR_AUTHCFG,
                     "seen here only to learn it once and for all"),
    AP_INIT_RAW_ARGS("AuthName", guard_conf_face_name, NULL, OR_AUTHCFG,
                     "seen here only to learn it once and for all"),
    AP_INIT_RAW_ARGS("AuthFormProvider", guard_conf_face_form, NULL, OR_AUTHCFG,
                     "seen here only to learn whether guard is listed"),
    {.name = NULL}};
