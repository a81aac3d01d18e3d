/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_url.c owns the options that follow a server's URL, and the
 * ranges of their values. It refuses to know httpd, and the URL's grammar.
 *
 * Invariant: options are accepted whole or not at all; a complaint never
 * shows what somebody took for the place of a password.
 */
#include "guard_store_redis_url.h"
#include "guard_conf_args.h"
#include "guard_store_redis_file.h"
#include "guard_store_redis_tls.h"
#include "guard_store_redis_url_inside.h"

#include <apr_cstr.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD_VARIABLE "AUTHGUARD_REDIS_PASSWORD"

/* The remedies below name these in words. */
_Static_assert(GUARD_REDIS_TIMEOUT_USEC_MIN == 5000, "5ms");
_Static_assert(GUARD_REDIS_TIMEOUT_USEC_MAX == 5000000, "5s");
_Static_assert(GUARD_REDIS_CONNECTIONS_MAX == 64, "64");
_Static_assert(GUARD_REDIS_PREFIX_MAX == 64, "64");

/* Options in the making; those of files are names first. */
typedef struct reading_t {
    guard_redis_options_t options;
    const char *secret_file, *password_file;
    apr_pool_t *pool;
} reading_t;

int guard_redis_has_tls(void)
{
#if GUARD_REDIS_TLS
    return 1;
#else
    return 0;
#endif
}

static const char *set_timeout(reading_t *reading, const char *value)
{
    apr_interval_time_t usec;
    const char *wrong = guard_args_duration(&usec, value);

    if (wrong) {
        return wrong;
    }
    if (usec < GUARD_REDIS_TIMEOUT_USEC_MIN ||
        usec > GUARD_REDIS_TIMEOUT_USEC_MAX) {
        return "the timeout must be 5ms to 5s";
    }
    reading->options.timeout_usec = usec;
    return NULL;
}

static const char *set_failure(reading_t *reading, const char *value)
{
    static const char *const NAME[] = {"local", "open", "closed"};

    for (unsigned i = 0; i < sizeof(NAME) / sizeof(NAME[0]); i++) {
        if (!apr_cstr_casecmp(value, NAME[i])) {
            reading->options.failure = GUARD_FAILURE_LOCAL + i;
            return NULL;
        }
    }
    return "failure must be local, open or closed";
}

static const char *set_prefix(reading_t *reading, const char *value)
{
    size_t good = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz"
                                "0123456789._:-");

    if (!good || value[good] || good > GUARD_REDIS_PREFIX_MAX) {
        return "a prefix must have 1 to 64 of A-Z, a-z, 0-9, '.', '_', ':' "
               "and '-'";
    }
    reading->options.prefix = apr_pstrdup(reading->pool, value);
    return NULL;
}

static const char *set_connections(reading_t *reading, const char *value)
{
    unsigned number;

    if (!guard_redis_url_number(&number, value, strlen(value),
                                GUARD_REDIS_CONNECTIONS_MAX) ||
        !number) {
        return "connections must be 1 to 64";
    }
    reading->options.connections = number;
    return NULL;
}

static const char *set_file(const char **out, reading_t *reading,
                            const char *value)
{
    if (*value != '/') {
        return "the value must be the absolute path of a file";
    }
    *out = apr_pstrdup(reading->pool, value);
    return NULL;
}

static const char *set_secret(reading_t *reading, const char *value)
{
    return set_file(&reading->secret_file, reading, value);
}

static const char *set_password(reading_t *reading, const char *value)
{
    return set_file(&reading->password_file, reading, value);
}

static const char *set_ca(reading_t *reading, const char *value)
{
    return set_file(&reading->options.target.ca_file, reading, value);
}

static const char *set_cert(reading_t *reading, const char *value)
{
    return set_file(&reading->options.target.cert_file, reading, value);
}

static const char *set_key(reading_t *reading, const char *value)
{
    return set_file(&reading->options.target.key_file, reading, value);
}

static const struct {
    const char *name;
    const char *(*set)(reading_t *reading, const char *value);
} OPTION[] = {{"timeout", set_timeout}, {"failure", set_failure},
              {"secret", set_secret},   {"password", set_password},
              {"prefix", set_prefix},   {"connections", set_connections},
              {"ca", set_ca},           {"cert", set_cert},
              {"key", set_key}};

#define OPTIONS (sizeof(OPTION) / sizeof(OPTION[0]))

typedef enum {
    IS_TIMEOUT,
    IS_FAILURE,
    IS_SECRET,
    IS_PASSWORD,
    IS_PREFIX,
    IS_CONNECTIONS,
    IS_CA,
    IS_CERT,
    IS_KEY
} option_e;

/* The words as they were given, for complaints; NULL: not given. */
typedef struct given_t {
    const char *url;
    const char *option[OPTIONS];
} given_t;

static const char *read_option(reading_t *reading, given_t *given,
                               const char *word, const char **culprit)
{
    const char *wrong;

    *culprit = word;
    for (size_t i = 0; i < OPTIONS; i++) {
        const char *value = guard_args_option(word, OPTION[i].name);

        if (!value) {
            continue;
        }
        if ((i == IS_PASSWORD || i == IS_SECRET) && *value != '/') {
            *culprit = apr_pstrcat(reading->pool, OPTION[i].name, "=...", NULL);
        }
        if (given->option[i]) {
            return "this option was given already";
        }
        wrong = OPTION[i].set(reading, value);
        if (!wrong) {
            given->option[i] = word;
        }
        return wrong;
    }
    /* Its value may be a password, under a name of somebody's own. */
    if (strchr(word, '=')) {
        *culprit = apr_psprintf(reading->pool, "%.*s=...",
                                (int)strcspn(word, "="), word);
    }
    return "the options are timeout=T, failure=local|open|closed, "
           "secret=FILE, password=FILE, prefix=NAME, connections=N, ca=FILE, "
           "cert=FILE and key=FILE";
}

static const char *finish_password(reading_t *reading, const given_t *given,
                                   const char **culprit)
{
    guard_redis_target_t *target = &reading->options.target;
    const char *variable = getenv(PASSWORD_VARIABLE);

    if (reading->password_file) {
        *culprit = given->option[IS_PASSWORD];
        return guard_redis_file_password(&target->password,
                                         reading->password_file, reading->pool);
    }
    if (variable && *variable) {
        *culprit = PASSWORD_VARIABLE;
        return guard_redis_file_keep(&target->password, variable,
                                     reading->pool);
    }
    *culprit = guard_redis_url_show(given->url, reading->pool);
    return target->user ? "a user needs a password: password=FILE, or "
                          "AUTHGUARD_REDIS_PASSWORD in the environment"
                        : NULL;
}

static const char *finish_secret(reading_t *reading, const given_t *given,
                                 const char **culprit)
{
    const char *wrong = NULL;

    if (reading->secret_file) {
        *culprit = given->option[IS_SECRET];
        wrong = guard_redis_file_secret(reading->options.secret,
                                        reading->secret_file, reading->pool);
        reading->options.has_secret = !wrong;
    }
    return wrong;
}

static const char *finish_tls(reading_t *reading, const given_t *given,
                              const char **culprit)
{
    const guard_redis_target_t *target = &reading->options.target;
    const struct {
        option_e option;
        const char *path;
    } file[] = {{IS_CA, target->ca_file},
                {IS_CERT, target->cert_file},
                {IS_KEY, target->key_file}};
    const char *wrong = NULL;

    if (target->is_tls && !guard_redis_has_tls()) {
        *culprit = guard_redis_url_show(given->url, reading->pool);
        return "this build has no TLS: it was built without OpenSSL";
    }
    for (size_t i = 0; !wrong && i < sizeof(file) / sizeof(file[0]); i++) {
        if (file[i].path) {
            *culprit = given->option[file[i].option];
            wrong = target->is_tls
                        ? guard_redis_file_check(file[i].path,
                                                 file[i].option == IS_KEY,
                                                 reading->pool)
                        : "this goes with rediss:// only";
        }
    }
    if (!wrong && !target->cert_file != !target->key_file) {
        wrong = "cert=FILE and key=FILE go together";
    }
    return wrong;
}

const char *guard_redis_options_read(guard_redis_options_t *options,
                                     const char *const *words,
                                     const char **culprit, apr_pool_t *pool)
{
    reading_t reading = {
        .options = {.timeout_usec = GUARD_REDIS_TIMEOUT_USEC_DEFAULT,
                    .failure = GUARD_FAILURE_LOCAL,
                    .prefix = GUARD_REDIS_PREFIX_DEFAULT},
        .pool = pool};
    given_t given = {.url = words[0]};
    const char *wrong;

    *culprit = NULL;
    if (!given.url) {
        return "a server's URL must follow, as in redis://localhost";
    }
    *culprit = guard_redis_url_show(given.url, pool);
    wrong = guard_redis_url_read(&reading.options.target, given.url, pool);
    while (!wrong && *++words) {
        wrong = read_option(&reading, &given, *words, culprit);
    }
    if (!wrong) {
        wrong = finish_tls(&reading, &given, culprit);
    }
    if (!wrong) {
        wrong = finish_password(&reading, &given, culprit);
    }
    if (!wrong) {
        wrong = finish_secret(&reading, &given, culprit);
    }
    if (!wrong) {
        *options = reading.options;
    }
    explicit_bzero(reading.options.secret, sizeof(reading.options.secret));
    return wrong;
}
