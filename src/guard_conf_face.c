/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_conf_face.c owns what is learnt from the directives of mod_authn_core,
 * mod_auth_basic and mod_auth_form. Their owners read the same lines and do the
 * complaining, but for one: a form asks its providers in turn, so that beside
 * another one guard would miss guesses without a word. Invariant: with an owner
 * loaded, nothing changes for it; without, httpd answers as if this module were
 * not there.
 */
#include "guard_conf_face.h"

#include <http_core.h>
#include <http_log.h>
#include <apr_strings.h>

APLOG_USE_MODULE(auth_guard);

/* But for us httpd would not know the directive: say what it would say. */
static const char *miss_owner(cmd_parms *cmd)
{
    const char *error =
        apr_psprintf(cmd->pool,
                     "Invalid command '%s', perhaps misspelled or defined by "
                     "a module not included in the server configuration",
                     cmd->directive->directive);

    if (!(cmd->override & NONFATAL_UNKNOWN)) {
        return error;
    }
    ap_log_perror(APLOG_MARK, APLOG_WARNING, 0, cmd->temp_pool, "%s", error);
    return NULL;
}

/* An owner adds up the providers of several lines in one section: guard, once
 * listed, stays listed. */
static guard_face_e read_face(cmd_parms *cmd, const char *args,
                              guard_face_e face)
{
    while (*args) {
        if (!strcmp(ap_getword_conf(cmd->temp_pool, &args), "guard")) {
            face = GUARD_FACE_GUARD;
        }
    }
    return face == GUARD_FACE_UNSET ? GUARD_FACE_OTHER : face;
}

static guard_origin_e read_origin(cmd_parms *cmd)
{
    return ap_check_cmd_context(cmd, NOT_IN_HTACCESS) ? GUARD_ORIGIN_HTACCESS
                                                      : GUARD_ORIGIN_SERVER;
}

static int is_alone(cmd_parms *cmd, const char *args)
{
    ap_getword_conf(cmd->temp_pool, &args);
    return !*args;
}

const char *guard_conf_face_basic(cmd_parms *cmd, void *dir_conf,
                                  const char *args)
{
    guard_dir_conf_t *conf = dir_conf;

    conf->is_said = 1;
    if (!ap_find_linked_module("mod_auth_basic.c")) {
        return miss_owner(cmd);
    }
    conf->basic_face = read_face(cmd, args, conf->basic_face);
    conf->basic_origin = read_origin(cmd);
    return NULL;
}

const char *guard_conf_face_fake(cmd_parms *cmd, void *dir_conf,
                                 const char *args)
{
    guard_dir_conf_t *conf = dir_conf;

    conf->is_said = 1;
    if (!ap_find_linked_module("mod_auth_basic.c")) {
        return miss_owner(cmd);
    }
    conf->fake = ap_cstr_casecmp(ap_getword_conf(cmd->temp_pool, &args), "off")
                     ? GUARD_FAKE_ON
                     : GUARD_FAKE_OFF;
    return NULL;
}

/* Whether a word of mod_authn_core's comes out of httpd as it went in: no
 * expression, and nothing that is escaped in a header. */
static int is_constant(const char *word) { return !strpbrk(word, "%$\\\""); }

/* The one word of a directive that takes one; NULL where there are more or
 * fewer, of which its owner complains. */
static const char *only_word(cmd_parms *cmd, const char *args)
{
    const char *word = ap_getword_conf(cmd->pool, &args);

    return *word && !*args ? word : NULL;
}

/* httpd takes "None" for no AuthType. */
const char *guard_conf_face_type(cmd_parms *cmd, void *dir_conf,
                                 const char *args)
{
    guard_dir_conf_t *conf = dir_conf;
    const char *word = only_word(cmd, args);

    if (!ap_find_linked_module("mod_authn_core.c")) {
        return miss_owner(cmd);
    }
    conf->is_said = 1;
    conf->auth = word && is_constant(word) && strcasecmp(word, "None")
                     ? guard_conf_auth(word)
                     : GUARD_AUTH_ASK;
    conf->auth_type = word;
    return NULL;
}

const char *guard_conf_face_name(cmd_parms *cmd, void *dir_conf,
                                 const char *args)
{
    guard_dir_conf_t *conf = dir_conf;
    const char *word = only_word(cmd, args);

    if (!ap_find_linked_module("mod_authn_core.c") &&
        !ap_find_linked_module("mod_auth_digest.c")) {
        return miss_owner(cmd);
    }
    conf->is_said = 1;
    conf->realm = GUARD_ASK;
    conf->challenge = NULL;
    if (word && is_constant(word)) {
        conf->realm = word;
        conf->challenge =
            apr_pstrcat(cmd->pool, "Basic realm=\"", word, "\"", NULL);
    }
    return NULL;
}

const char *guard_conf_face_form(cmd_parms *cmd, void *dir_conf,
                                 const char *args)
{
    guard_dir_conf_t *conf = dir_conf;
    guard_face_e before;

    conf->is_said = 1;
    if (!ap_find_linked_module("mod_auth_form.c")) {
        return miss_owner(cmd);
    }
    before = conf->form_face;
    conf->form_face = read_face(cmd, args, before);
    conf->form_origin = read_origin(cmd);
    if (conf->form_face == GUARD_FACE_GUARD &&
        (before != GUARD_FACE_UNSET || !is_alone(cmd, args))) {
        return guard_args_complain(
            cmd->pool, cmd->cmd->name, args,
            "guard must be the only provider of a form; name the others in "
            "AuthGuardProvider");
    }
    return NULL;
}
