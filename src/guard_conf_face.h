/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_conf_face.h: what other modules' directives say of a directory:
 * whether `guard` is among its providers, its AuthType and its realm.
 *
 * AuthType, AuthName, AuthBasicProvider, AuthBasicFake and AuthFormProvider
 * belong to others. httpd calls every module that has one of that name, so the
 * command table of guard_conf.c has these beside its own.
 */
#ifndef GUARD_CONF_FACE_H
#define GUARD_CONF_FACE_H

#include "guard_conf.h"

/** AuthBasicProvider: note whether guard is listed; never complains but
 *  where mod_auth_basic is not loaded. */
const char *guard_conf_face_basic(cmd_parms *cmd, void *dir_conf,
                                  const char *args);

/** AuthBasicFake: note whether it is in force. */
const char *guard_conf_face_fake(cmd_parms *cmd, void *dir_conf,
                                 const char *args);

/** AuthType and AuthName: note what does not hang on the request. */
const char *guard_conf_face_type(cmd_parms *cmd, void *dir_conf,
                                 const char *args);
const char *guard_conf_face_name(cmd_parms *cmd, void *dir_conf,
                                 const char *args);

/** AuthFormProvider, the same with mod_auth_form; but guard must be alone. */
const char *guard_conf_face_form(cmd_parms *cmd, void *dir_conf,
                                 const char *args);

#endif
