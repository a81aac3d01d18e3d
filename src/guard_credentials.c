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

#include <apr_base64.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

/* A scheme ends at a space for mod_auth_basic, and at any white space for
 * mod_auth_digest. A tab makes it another scheme for the former, but we would
 * rather reserve once too often. */
static int has_scheme(const char *header, const char *name, apr_size_t length)
{
    return !strncasecmp(header, name, length) &&
           (!header[length] || apr_isspace(header[length]));
}

guard_scheme_e guard_credentials_scheme(const char *header)
{
    if (!header) {
        return GUARD_SCHEME_NONE;
    }
    /* As all browsers write it, and then as it may be written. */
    if (!strncmp(header, "Basic ", 6) || has_scheme(header, "Basic", 5)) {
        return GUARD_SCHEME_BASIC;
    }
    return has_scheme(header, "Digest", 6) ? GUARD_SCHEME_DIGEST
                                           : GUARD_SCHEME_OTHER;
}

/* user ":" password, after base64; the first colon splits. */
static void split_basic(apr_pool_t *pool, const char *token,
                        guard_credentials_t *credentials)
{
    char *text = apr_palloc(pool, (apr_size_t)apr_base64_decode_len(token));
    char *colon;

    apr_base64_decode(text, token);
    colon = strchr(text, ':');
    credentials->user = text;
    credentials->password = "";
    if (colon) {
        *colon = '\0';
        credentials->password = colon + 1;
    }
}

/* One parameter of a Digest header or challenge, where it stands. */
typedef struct parameter_t {
    const char *name;
    apr_size_t name_length;
    const char *value; /* behind the quote, if there is one */
    apr_size_t value_length;
    int is_quoted;
} parameter_t;

/* The length of a value: to its closing quote, or to the end of the token. A
 * backslash takes the next byte along. */
static apr_size_t value_length(const char *value, int is_quoted)
{
    apr_size_t length = 0;

    while (value[length] &&
           (is_quoted ? value[length] != '"'
                      : value[length] != ',' && !apr_isspace(value[length]))) {
        length +=
            is_quoted && value[length] == '\\' && value[length + 1] ? 2 : 1;
    }
    return length;
}

static const char *skip_space(const char *text)
{
    while (apr_isspace(*text)) {
        text++;
    }
    return text;
}

/* Read one parameter. What follows its value up to the comma is passed over.
 * @return where the next one begins */
static const char *read_parameter(const char *text, parameter_t *parameter)
{
    memset(parameter, 0, sizeof(*parameter));
    parameter->name = text = skip_space(text);
    while (*text && *text != '=' && *text != ',' && !apr_isspace(*text)) {
        text++;
    }
    parameter->name_length = (apr_size_t)(text - parameter->name);
    text = skip_space(text);
    parameter->value = text;
    if (*text == '=') {
        text = skip_space(text + 1);
        parameter->is_quoted = *text == '"';
        parameter->value = text += parameter->is_quoted;
        parameter->value_length = value_length(text, parameter->is_quoted);
        text += parameter->value_length;
    }
    while (*text && *text != ',') {
        text++;
    }
    return *text ? text + 1 : text;
}

static const char *copy_value(apr_pool_t *pool, const parameter_t *parameter)
{
    char *copy = apr_palloc(pool, parameter->value_length + 1), *to = copy;
    const char *from = parameter->value, *end = from + parameter->value_length;

    while (from < end) {
        from += parameter->is_quoted && *from == '\\' && from + 1 < end;
        *to++ = *from++;
    }
    *to = '\0';
    return copy;
}

const char *guard_credentials_parameter(apr_pool_t *pool, const char *text,
                                        const char *name)
{
    parameter_t parameter, last = {.value = NULL};

    while (*text) {
        text = read_parameter(text, &parameter);
        if (parameter.name_length == strlen(name) &&
            !strncasecmp(parameter.name, name, parameter.name_length)) {
            last = parameter;
        }
    }
    return last.value ? copy_value(pool, &last) : NULL;
}

/* The same, where none is as good as an empty one. */
static const char *parameter_or_empty(apr_pool_t *pool, const char *text,
                                      const char *name)
{
    const char *value = guard_credentials_parameter(pool, text, name);

    return value ? value : "";
}

guard_credentials_t guard_credentials_parse(apr_pool_t *pool,
                                            const char *header)
{
    guard_credentials_t credentials = {.header = header, .user = ""};
    const char *rest;

    if (!header) {
        return credentials;
    }
    credentials.scheme = guard_credentials_scheme(header);
    credentials.password = header;
    rest = header;
    while (*rest && !apr_isspace(*rest)) {
        rest++;
    }
    while (*rest == ' ' || *rest == '\t') {
        rest++;
    }
    if (credentials.scheme == GUARD_SCHEME_BASIC) {
        split_basic(pool, rest, &credentials);
    }
    if (credentials.scheme == GUARD_SCHEME_DIGEST) {
        credentials.password = NULL;
        credentials.parameters = rest;
        credentials.user = parameter_or_empty(pool, rest, "username");
        credentials.nonce = parameter_or_empty(pool, rest, "nonce");
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
