/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status_token.c owns what a token is made of, and its comparison. It
 * knows no request.
 *
 * Invariant: each part is hashed with its length, so that no two splits of one
 * string meet; and no guess is hashed in this form, so that the key's other
 * use tells nothing of tokens.
 */
#include "guard_status_token.h"

#include <apr_strings.h>
#include <string.h>

static const char *make(apr_pool_t *pool, const guard_secret_t *secret,
                        const guard_token_t *what, uint64_t hour)
{
    const char *text =
        apr_psprintf(pool,
                     "status token %" APR_UINT64_T_FMT " %" APR_SIZE_T_FMT
                     ":%s %" APR_SIZE_T_FMT ":%s %" APR_SIZE_T_FMT
                     ":%s %" APR_SIZE_T_FMT ":%s",
                     (apr_uint64_t)hour, strlen(what->purpose), what->purpose,
                     strlen(what->user), what->user, strlen(what->realm),
                     what->realm, strlen(what->host), what->host);

    return apr_psprintf(
        pool, "%016" APR_UINT64_T_HEX_FMT,
        (apr_uint64_t)guard_key_hash(secret, text, strlen(text)));
}

const char *guard_status_token_make(apr_pool_t *pool,
                                    const guard_secret_t *secret,
                                    const guard_token_t *what,
                                    uint64_t now_usec)
{
    return make(pool, secret, what, now_usec / GUARD_TOKEN_USEC);
}

static int is_same(const char *a, const char *b)
{
    apr_size_t length = strlen(a);
    unsigned char differs = 0;

    if (strlen(b) != length) {
        return 0;
    }
    for (apr_size_t i = 0; i < length; i++) {
        differs |= (unsigned char)(a[i] ^ b[i]);
    }
    return !differs;
}

int guard_status_token_is_good(apr_pool_t *pool, const guard_secret_t *secret,
                               const guard_token_t *what, uint64_t now_usec,
                               const char *text)
{
    uint64_t hour = now_usec / GUARD_TOKEN_USEC;
    int is_of_now = is_same(make(pool, secret, what, hour), text);
    int is_of_last = hour && is_same(make(pool, secret, what, hour - 1), text);

    return is_of_now || is_of_last;
}
