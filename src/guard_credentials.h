/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_credentials.h: what a request presents, read as a provider will.
 */
#ifndef GUARD_CREDENTIALS_H
#define GUARD_CREDENTIALS_H

#include "guard_key.h"

#include <apr_pools.h>

typedef enum {
    GUARD_SCHEME_NONE = 0, /* no credentials */
    GUARD_SCHEME_BASIC,
    GUARD_SCHEME_DIGEST,
    GUARD_SCHEME_OTHER /* Bearer, Negotiate, ...: not ours to count */
} guard_scheme_e;

/** Credentials taken apart. For Digest, password is NULL. */
typedef struct guard_credentials_t {
    guard_scheme_e scheme;
    const char *header;     /* as sent */
    const char *user;       /* never NULL */
    const char *password;   /* Basic */
    const char *nonce;      /* Digest */
    const char *parameters; /* Digest: what follows the scheme */
} guard_credentials_t;

/** @return the scheme of an Authorization header; NULL may be passed. */
guard_scheme_e guard_credentials_scheme(const char *header);

/**
 * Take an Authorization header apart (RFC 7617, RFC 7616) the way
 * mod_auth_basic and mod_auth_digest do: cut at NUL, no colon means an empty
 * password, bad base64 yields what it yields. What can't be split is kept
 * whole as the password, so that it is counted all the same.
 * @param header may be NULL
 */
guard_credentials_t guard_credentials_parse(apr_pool_t *pool,
                                            const char *header);

/**
 * Read one parameter out of what follows the scheme in a Digest header or
 * challenge (RFC 7616). Where a name is repeated the last one counts, as for
 * mod_auth_digest: who is asked for must be who is checked.
 * @return the value with its quotes undone; NULL if there is none
 */
const char *guard_credentials_parameter(apr_pool_t *pool, const char *text,
                                        const char *name);

/** The guess that these credentials make in that realm. */
guard_guess_t guard_credentials_guess(const guard_credentials_t *credentials,
                                      const guard_secret_t *secret,
                                      const char *realm);

#endif
