/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_attempt_judge.c owns what httpd's answer to a request says about the
 * guess in it. It changes nothing.
 *
 * Invariant: only what a module has said of these very credentials makes a
 * guess right or wrong; all else leaves it unjudged.
 */
#include "guard_attempt_judge.h"

#include <string.h>

/*
 * mod_auth_digest looks at the nonce last: stale means a right password. Only
 * an opaque that it does not know makes it say stale to a wrong one, too;
 * where one was sent, the word is worth nothing.
 */
static int is_stale(const guard_attempt_t *a)
{
    const char *challenge =
        apr_table_get(a->r->err_headers_out, a->r->proxyreq == PROXYREQ_PROXY
                                                 ? "Proxy-Authenticate"
                                                 : "WWW-Authenticate");
    const char *stale;

    if (!challenge || a->credentials.scheme != GUARD_SCHEME_DIGEST ||
        strncasecmp(challenge, "Digest ", 7)) {
        return 0;
    }
    stale = guard_credentials_parameter(a->r->pool, challenge + 7, "stale");
    return stale && !strcasecmp(stale, "true") &&
           !guard_credentials_parameter(a->r->pool, a->credentials.parameters,
                                        "opaque");
}

/*
 * Was it this guess that let the request in? mod_auth_basic and
 * mod_auth_digest look at nothing but the header. Under any other AuthType it
 * may have been a cookie, and then the user is somebody else: such a success
 * must not prove a guess. mod_auth_gssapi says "Basic" of a password; others
 * may name the user as he named himself, or make bob@REALM of bob.
 */
static int came_in_by(const guard_attempt_t *a)
{
    const char *user = a->credentials.user;
    const char *by = a->r->ap_auth_type;
    size_t length = strlen(user);

    return a->auth == GUARD_AUTH_BASIC || a->auth == GUARD_AUTH_DIGEST ||
           (a->credentials.scheme == GUARD_SCHEME_BASIC && by &&
            !strcasecmp(by, "Basic")) ||
           (a->r->user && !strncmp(a->r->user, user, length) &&
            (!a->r->user[length] || a->r->user[length] == '@'));
}

static int note_basic(void *is_offered, const char *name, const char *challenge)
{
    (void)name;
    *(int *)is_offered |= !strncasecmp(challenge, "Basic ", 6);
    return 1;
}

/*
 * Was this 401 about the guess? httpd's own modules set the user before they
 * check, so that without one nobody took these credentials for his. Others
 * (gssapi) set him only when the password was right; where such a module
 * offers Basic, it has looked at a Basic header.
 */
int guard_attempt_is_about_guess(const guard_attempt_t *a)
{
    int is_offered = 0;

    if (a->r->user || a->credentials.scheme != GUARD_SCHEME_BASIC ||
        a->auth == GUARD_AUTH_BASIC) {
        return a->r->user && !is_stale(a);
    }
    apr_table_do(note_basic, &is_offered, a->r->err_headers_out,
                 a->r->proxyreq == PROXYREQ_PROXY ? "Proxy-Authenticate"
                                                  : "WWW-Authenticate",
                 NULL);
    return is_offered;
}

/* What httpd's answer says about the guess. */
guard_outcome_e guard_attempt_judge(const guard_attempt_t *a, int status)
{
    switch (status) {
    case OK:
        return came_in_by(a) ? GUARD_RIGHT : GUARD_ABANDONED;
    case HTTP_UNAUTHORIZED:
    case HTTP_PROXY_AUTHENTICATION_REQUIRED:
        return guard_attempt_is_about_guess(a) ? GUARD_WRONG : GUARD_ABANDONED;
    default:
        return GUARD_ABANDONED; /* our side's fault, not the client's */
    }
}
