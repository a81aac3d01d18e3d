/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_provider.h: the authentication provider `guard`.
 */
#ifndef GUARD_PROVIDER_H
#define GUARD_PROVIDER_H

#include <httpd.h>
#include <mod_auth.h>

/** Look up the provider that is asked by default; call in child_init. */
void guard_provider_init(void);

/** For AuthBasicProvider and AuthFormProvider; registered as "guard". */
extern const authn_provider guard_provider;

#endif
