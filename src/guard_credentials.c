/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_credentials.c owns the reading of Authorization headers. It knows no
 * request and no configuration.
 *
 * Invariant: user and password are the very strings that a provider behind
 * mod_auth_basic is given. Two headers which a provider can't tell apart are
 * the same guess; any other two are not.
 */
#include "guard_credentials.h"

#include <httpd.h>

#include <apr_strings.h>

#include <string.h>

static guard_scheme_e scheme_of(const char *header, apr_size_t length)
{
    static const struct {
        const char *name;
        guard_scheme_e scheme;
    } known[] = {{"Basic", GUARD_SCHEME_BASIC},
                 {"Digest", GUARD_SCHEME_DIGEST}};

    for (apr_size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (length == strlen(known[i].name) &&
            !strncasecmp(header, known[i].name, length)) {
            return known[i].scheme;
        }
    }
    return GUARD_SCHEME_OTHER;
}

/* user ":" password, after base64; the first colon splits. */
static void split_basic(apr_pool_t *pool, const char *token,
                        guard_credentials_t *credentials)
{
    char *text = ap_pbase64decode(pool, token);
    char *colon = strchr(text, ':');

    credentials->user = text;
    credentials->password = "";
    if (colon) {
        *colon = '\0';
        credentials->password = colon + 1;
    }
}

/* One parameter of a Digest header: name=token or name="quoted". */
static const char *digest_parameter(apr_pool_t *pool, const char *text,
                                    const char *wanted)
{
    while (*text) {
        const char *name, *value;
        apr_size_t name_length;
        char *copy, *to;

        text += strspn(text, " \t,");
        name = text;
        name_length = strcspn(text, "= \t,");
        text += name_length;
        text += strspn(text, " \t");
        if (*text != '=') {
            continue;
        }
        text++;
        text += strspn(text, " \t");
        if (*text != '"') {
            value = text;
            text += strcspn(text, " \t,");
            copy = apr_pstrmemdup(pool, value, (apr_size_t)(text - value));
        } else {
            to = copy = apr_palloc(pool, strlen(text) + 1);
            for (text++; *text && *text != '"'; text++) {
                text += *text == '\\' && text[1];
                *to++ = *text;
            }
            *to = '\0';
            text += *text == '"';
        }
        if (name_length == strlen(wanted) &&
            !strncasecmp(name, wanted, name_length)) {
            return copy;
        }
    }
    return "";
}

guard_credentials_t guard_credentials_parse(apr_pool_t *pool,
                                            const char *header)
{
    guard_credentials_t credentials = {.header = header, .user = ""};
    const char *rest;

    if (!header) {
        return credentials;
    }
    /* A scheme ends at a space for mod_auth_basic; a tab makes it another
     * scheme there, but we would rather reserve once too often. */
    rest = header + strcspn(header, " \t");
    credentials.scheme = scheme_of(header, (apr_size_t)(rest - header));
    credentials.password = header;
    rest += strspn(rest, " \t");
    if (credentials.scheme == GUARD_SCHEME_BASIC) {
        split_basic(pool, rest, &credentials);
    }
    if (credentials.scheme == GUARD_SCHEME_DIGEST) {
        credentials.password = NULL;
        credentials.user = digest_parameter(pool, rest, "username");
        credentials.nonce = digest_parameter(pool, rest, "nonce");
    }
    return credentials;
}

guard_guess_t guard_credentials_guess(const guard_credentials_t *credentials,
                                      const guard_secret_t *secret,
                                      const char *realm)
{
    if (credentials->scheme == GUARD_SCHEME_DIGEST) {
        return guard_guess_make_digest(secret, realm, credentials->user,
                                       credentials->nonce, credentials->header);
    }
    return guard_guess_make(secret, realm, credentials->user,
                            credentials->password);
}
