/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_conf_server.h: the directives for the whole server, and what setters
 * share.
 *
 * For guard_conf*.c only.
 */
#ifndef GUARD_CONF_SERVER_H
#define GUARD_CONF_SERVER_H

#include "guard_conf.h"

/** @return the message of a setter: its directive, the word, what would be
 *  right. */
const char *guard_conf_complain(cmd_parms *cmd, const char *word,
                                const char *remedy);

/** @return all words of a line, then NULL. */
const char *const *guard_conf_split(cmd_parms *cmd, const char *args);

/** AuthGuardStore and AuthGuardChecks; httpd's AP_INIT_RAW_ARGS. */
const char *guard_conf_set_store(cmd_parms *cmd, void *dir_conf,
                                 const char *args);
const char *guard_conf_set_checks(cmd_parms *cmd, void *dir_conf,
                                  const char *args);

#endif
