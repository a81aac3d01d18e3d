/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_conf_server.c owns the setters of what is said once for the whole
 * server: AuthGuardStore and AuthGuardChecks. It refuses to know sections and
 * how they merge. Invariant: a refused line changes nothing, and one line
 * replaces all of the one before it.
 */
#include "guard_conf_server.h"

#include <ap_provider.h>
#include <apr_strings.h>
#include <http_core.h>

#include <string.h>

const char *guard_conf_complain(cmd_parms *cmd, const char *word,
                                const char *remedy)
{
    return guard_args_complain(cmd->pool, cmd->cmd->name, word, remedy);
}

const char *const *guard_conf_split(cmd_parms *cmd, const char *args)
{
    apr_array_header_t *words = apr_array_make(cmd->pool, 4, sizeof(char *));

    while (*args) {
        APR_ARRAY_PUSH(words, const char *) = ap_getword_conf(cmd->pool, &args);
    }
    APR_ARRAY_PUSH(words, const char *) = NULL;
    return (const char *const *)words->elts;
}

static const char *read_store_option(cmd_parms *cmd, guard_server_conf_t *conf,
                                     const char *word)
{
    const char *value = guard_args_option(word, "clients");

    if (value) {
        return conf->shm_clients
                   ? "this option was given already"
                   : guard_args_clients(&conf->shm_clients, value);
    }
    value = guard_args_option(word, "file");
    if (!value) {
        return "the options are file=PATH and clients=N";
    }
    if (conf->shm_path) {
        return "this option was given already";
    }
    /* DefaultRuntimeDir is executed while files are read, so it is known. */
    conf->shm_path = *value ? ap_runtime_dir_relative(cmd->pool, value) : NULL;
    return conf->shm_path ? NULL : "PATH must be the path of a file";
}

/* One line is the whole store: what it does not give is the default. */
static const char *set_shm(cmd_parms *cmd, guard_server_conf_t *conf,
                           const char *const *word)
{
    guard_server_conf_t line = {0};

    for (; *word; word++) {
        const char *remedy = read_store_option(cmd, &line, *word);

        if (remedy) {
            return guard_conf_complain(cmd, *word, remedy);
        }
    }
    conf->shm_path = line.shm_path;
    conf->shm_clients = line.shm_clients;
    return NULL;
}

/* A store in a module of its own reads its words itself. */
static const char *set_away(cmd_parms *cmd, guard_server_conf_t *conf,
                            const char *const *word)
{
    guard_away_conf_t *away = apr_pcalloc(cmd->pool, sizeof(*away));
    char *name = apr_pstrdup(cmd->pool, word[0] ? word[0] : "");
    const char *culprit = "";
    const char *remedy;

    ap_str_tolower(name);
    away->name = name;
    away->provider =
        ap_lookup_provider(GUARD_STORE_GROUP, name, GUARD_STORE_VERSION);
    if (!away->provider && !strcmp(name, "redis")) {
        return guard_conf_complain(
            cmd, word[0],
            "the store redis needs mod_auth_guard_redis of the same version; "
            "put its LoadModule before this line");
    }
    if (!away->provider) {
        return guard_conf_complain(cmd, word[0] ? word[0] : "",
                                   "the store must be shm or redis");
    }
    remedy =
        away->provider->read(&away->options, word + 1, &culprit, cmd->pool);
    if (remedy) {
        return guard_conf_complain(cmd, culprit ? culprit : "", remedy);
    }
    conf->away = away;
    return NULL;
}

const char *guard_conf_set_store(cmd_parms *cmd, void *dir_conf,
                                 const char *args)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    const char *const *word = guard_conf_split(cmd, args);
    guard_server_conf_t *conf =
        ap_get_module_config(cmd->server->module_config, &auth_guard_module);

    (void)dir_conf;
    if (!error) {
        error = word[0] && !ap_cstr_casecmp(word[0], "shm")
                    ? set_shm(cmd, conf, word + 1)
                    : set_away(cmd, conf, word);
    }
    conf->is_store_given |= !error;
    return error;
}

/* Read the words of AuthGuardChecks. *culprit is the word complained of. */
static const char *read_checks(guard_server_conf_t *line,
                               const char *const *word, const char **culprit)
{
    const char *wait;
    const char *remedy = NULL;

    *culprit = word[0] ? word[0] : "";
    line->checks = GUARD_CHECKS_UNLIMITED;
    if (ap_cstr_casecmp(*culprit, "unlimited")) {
        line->checks = GUARD_CHECKS_LIMITED;
        remedy = guard_args_checks(&line->checks_count, *culprit);
    }
    if (remedy || !word[1]) {
        return remedy;
    }
    *culprit = word[1];
    wait = guard_args_option(word[1], "wait");
    if (wait && !word[2]) {
        return guard_args_wait(&line->wait_usec, wait);
    }
    *culprit = wait ? word[2] : word[1];
    return "the only option is wait=T, once";
}

const char *guard_conf_set_checks(cmd_parms *cmd, void *dir_conf,
                                  const char *args)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    guard_server_conf_t *conf =
        ap_get_module_config(cmd->server->module_config, &auth_guard_module);
    guard_server_conf_t line = {0};
    const char *culprit;
    const char *remedy;

    (void)dir_conf;
    if (error) {
        return error;
    }
    remedy = read_checks(&line, guard_conf_split(cmd, args), &culprit);
    if (remedy) {
        return guard_conf_complain(cmd, culprit, remedy);
    }
    conf->checks = line.checks;
    conf->checks_count = line.checks_count;
    conf->wait_usec = line.wait_usec;
    return NULL;
}
