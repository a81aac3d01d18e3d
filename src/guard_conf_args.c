/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_conf_args.c owns the grammar of the directives' words and the ranges
 * of their values. It refuses to know httpd, the directives' names and where
 * the values go. Invariant: a word is accepted whole or not at all, and no
 * number wraps.
 */
#include "guard_conf_args.h"
#include "guard_store_shm.h"

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

/* The remedies below name these in words. */
_Static_assert(GUARD_LIMIT_MAX == 1000, "N");
_Static_assert(GUARD_WINDOW_USEC_MIN == 1000000, "1s");
_Static_assert(GUARD_WINDOW_USEC_MAX == 7 * 86400 * 1000000LL, "7d");
_Static_assert(GUARD_LOCKOUT_USEC_MIN == 1000000, "1s");
_Static_assert(GUARD_LOCKOUT_USEC_MAX == 30 * 86400 * 1000000LL, "30d");
_Static_assert(GUARD_LOCKOUT_USEC_MAX_HTACCESS == 86400 * 1000000LL, "1d");
_Static_assert(GUARD_LOCKOUT_USEC_DEFAULT == 900 * 1000000LL, "15min");
_Static_assert(GUARD_SHM_CLIENTS_MIN == 64, "64");
_Static_assert(GUARD_SHM_CLIENTS_MAX == 16777216, "16777216");
_Static_assert(GUARD_SCOPE_NAME_MAX == 64, "64");
_Static_assert(GUARD_CHECKS_MAX == 10000, "10000");
_Static_assert(GUARD_WAIT_USEC_MIN == 1000, "1ms");
_Static_assert(GUARD_WAIT_USEC_MAX == 60 * 1000000LL, "60s");

const char *guard_args_complain(apr_pool_t *pool, const char *directive,
                                const char *word, const char *remedy)
{
    char shown[3 * GUARD_ARGS_SHOWN_MAX + sizeof("...")];
    char *end = shown;
    unsigned i;

    for (i = 0; word[i] && i < GUARD_ARGS_SHOWN_MAX; i++) {
        unsigned char byte = (unsigned char)word[i];

        if (byte < 0x20 || byte > 0x7e) {
            end += apr_snprintf(end, 4, "%%%02X", byte);
        } else {
            *end++ = (char)byte;
        }
    }
    memcpy(end, word[i] ? "..." : "", word[i] ? sizeof("...") : 1);
    return apr_psprintf(pool, "%s: '%s': %s", directive, shown, remedy);
}

/* Digits only: no sign, no blank. Saturates, so that a range check holds. */
static int read_digits(uint64_t *out, const char **text)
{
    const char *at = *text;
    uint64_t number = 0;

    if (!apr_isdigit(*at)) {
        return 0;
    }
    for (; apr_isdigit(*at); at++) {
        unsigned digit = (unsigned)(*at - '0');

        number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX
                                                    : number * 10 + digit;
    }
    *out = number;
    *text = at;
    return 1;
}

/* A word that is nothing but a number of min to max. */
static int read_number(uint64_t *out, const char *word, uint64_t min,
                       uint64_t max)
{
    uint64_t number;

    if (!read_digits(&number, &word) || *word || number < min || number > max) {
        return 0;
    }
    *out = number;
    return 1;
}

static const struct {
    const char *name;
    apr_interval_time_t usec;
} units[] = {
    {"", apr_time_from_sec(1)},      {"ms", apr_time_from_msec(1)},
    {"s", apr_time_from_sec(1)},     {"min", apr_time_from_sec(60)},
    {"m", apr_time_from_sec(60)},    {"h", apr_time_from_sec(3600)},
    {"d", apr_time_from_sec(86400)},
};

const char *guard_args_duration(apr_interval_time_t *out, const char *word)
{
    static const char *const remedy =
        "a time is a whole number and one of ms, s, min, h, d, as in 15min";
    uint64_t number;
    apr_size_t i;

    if (!read_digits(&number, &word)) {
        return remedy;
    }
    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!apr_cstr_casecmp(word, units[i].name)) {
            *out = number > (uint64_t)(INT64_MAX / units[i].usec)
                       ? INT64_MAX
                       : (apr_interval_time_t)number * units[i].usec;
            return NULL;
        }
    }
    return remedy;
}

/* N/WINDOW */
static const char *read_rate(guard_policy_t *policy, const char *word)
{
    apr_interval_time_t window_usec;
    const char *at = word;
    const char *remedy;
    uint64_t limit;

    if (!read_digits(&limit, &at) || *at != '/') {
        return "the limit must be N/WINDOW, as in 5/10min, or none";
    }
    if (limit < 1 || limit > GUARD_LIMIT_MAX) {
        return "N must be 1 to 1000";
    }
    remedy = guard_args_duration(&window_usec, at + 1);
    if (remedy) {
        return remedy;
    }
    if (window_usec < GUARD_WINDOW_USEC_MIN) {
        return "the window must be at least 1s";
    }
    if (window_usec > GUARD_WINDOW_USEC_MAX) {
        return "the window must be at most 7d";
    }
    policy->limit = (uint16_t)limit;
    policy->window_usec = window_usec;
    return NULL;
}

/* The value of lockout= or max=. *out is 0 until one was given. */
static const char *read_lockout(apr_interval_time_t *out, const char *value,
                                guard_place_e place)
{
    apr_interval_time_t usec;
    const char *remedy = guard_args_duration(&usec, value);

    if (remedy) {
        return remedy;
    }
    if (*out) {
        return "this option was given already";
    }
    if (usec < GUARD_LOCKOUT_USEC_MIN) {
        return "a lockout must last at least 1s";
    }
    if (usec > GUARD_LOCKOUT_USEC_MAX) {
        return "a lockout must last at most 30d";
    }
    if (place == GUARD_PLACE_HTACCESS &&
        usec > GUARD_LOCKOUT_USEC_MAX_HTACCESS) {
        return "a lockout must last at most 1d in a .htaccess file";
    }
    *out = usec;
    return NULL;
}

static const char *read_limit_option(guard_policy_t *policy, const char *word,
                                     guard_place_e place)
{
    const char *value = guard_args_option(word, "lockout");

    if (value) {
        return read_lockout(&policy->lockout_usec, value, place);
    }
    value = guard_args_option(word, "max");
    if (value) {
        return read_lockout(&policy->lockout_max_usec, value, place);
    }
    return "the options are lockout=T and max=T";
}

/* Fill in what was not given; a long lockout brings its own max along. */
static const char *complete(guard_policy_t *policy)
{
    if (!policy->lockout_usec) {
        policy->lockout_usec = GUARD_LOCKOUT_USEC_DEFAULT;
    }
    if (!policy->lockout_max_usec) {
        policy->lockout_max_usec =
            policy->lockout_usec > GUARD_LOCKOUT_MAX_USEC_DEFAULT
                ? policy->lockout_usec
                : GUARD_LOCKOUT_MAX_USEC_DEFAULT;
    }
    return policy->lockout_max_usec < policy->lockout_usec
               ? "max must be at least the lockout (15min unless given)"
               : NULL;
}

const char *guard_args_limit(guard_limit_t *out, const char *const *word,
                             guard_place_e place, const char **culprit)
{
    guard_policy_t policy = {0};
    const char *max_word = NULL;
    const char *remedy;

    *culprit = word[0];
    if (!word[0]) {
        return "a limit such as 5/10min, or none, must follow the key";
    }
    if (!apr_cstr_casecmp(word[0], "none")) {
        *culprit = word[1];
        if (word[1]) {
            return "nothing can follow none";
        }
        *out = (guard_limit_t){.state = GUARD_LIMIT_NONE};
        return NULL;
    }
    remedy = read_rate(&policy, word[0]);
    while (!remedy && *++word) {
        *culprit = *word;
        if (guard_args_option(*word, "max")) {
            max_word = *word;
        }
        remedy = read_limit_option(&policy, *word, place);
    }
    if (remedy) {
        return remedy;
    }
    *culprit = max_word;
    remedy = complete(&policy);
    if (remedy) {
        return remedy;
    }
    *out = (guard_limit_t){.state = GUARD_LIMIT_SET, .policy = policy};
    return NULL;
}

int guard_args_prefix(uint8_t *out, const char *word, unsigned min,
                      unsigned max)
{
    uint64_t bits;

    if (!read_number(&bits, word, min, max)) {
        return 0;
    }
    *out = (uint8_t)bits;
    return 1;
}

const char *guard_args_scope(const char *word)
{
    /* Spelt out: isalnum() would ask the locale. */
    apr_size_t good = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz"
                                   "0123456789._-");

    if (word[good]) {
        return "a scope's name must be made of A-Z, a-z, 0-9, '.', '_' "
               "and '-'";
    }
    if (good < 1 || good > GUARD_SCOPE_NAME_MAX) {
        return "a scope's name must have 1 to 64 characters";
    }
    return NULL;
}

const char *guard_args_clients(uint32_t *out, const char *word)
{
    uint64_t clients;

    if (!read_number(&clients, word, GUARD_SHM_CLIENTS_MIN,
                     GUARD_SHM_CLIENTS_MAX)) {
        return "clients must be 64 to 16777216";
    }
    *out = (uint32_t)clients;
    return NULL;
}

const char *guard_args_option(const char *word, const char *name)
{
    apr_size_t length = strlen(name);

    return !apr_cstr_casecmpn(word, name, length) && word[length] == '='
               ? word + length + 1
               : NULL;
}

const char *guard_args_checks(unsigned *out, const char *word)
{
    uint64_t number;

    if (!read_number(&number, word, 1, GUARD_CHECKS_MAX)) {
        return "N must be 1 to 10000, or the word unlimited";
    }
    *out = (unsigned)number;
    return NULL;
}

const char *guard_args_wait(apr_interval_time_t *out, const char *word)
{
    apr_interval_time_t wait_usec;
    const char *remedy = guard_args_duration(&wait_usec, word);

    if (remedy) {
        return remedy;
    }
    if (wait_usec < GUARD_WAIT_USEC_MIN || wait_usec > GUARD_WAIT_USEC_MAX) {
        return "the wait must be 1ms to 60s";
    }
    *out = wait_usec;
    return NULL;
}
