/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * conf_args.c: the words of the directives.
 *
 * Input: words, one a line; the first goes to every reader that takes one
 * word, and all of them to AuthGuardLimit's, in both places.
 * Holds: what is accepted lies within the documented bounds and is what a
 * second, simpler reader makes of it; what is refused leaves the result alone
 * and makes a message of plain ASCII that begins with the directive's name.
 */
#include "guard_conf_args.h"
#include "guard_store_shm.h"
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char fuzz_target[] = "conf_args";

#define WORDS_MAX 8
#define DAY_USEC ((uint64_t)86400 * 1000000)

static const char DIGITS[] = "0123456789";

/* ---- a second reader ---- */

/* @return 1 if the word is one number and no more. */
static int is_number(const char *word)
{
    return *word && strspn(word, DIGITS) == strlen(word);
}

/* Digits, as a number; what is too large becomes the largest. */
static uint64_t number_of(const char *word)
{
    return strtoull(word, NULL, 10); /* saturates */
}

static int is_within(const char *word, uint64_t min, uint64_t max)
{
    return is_number(word) && number_of(word) >= min && number_of(word) <= max;
}

/* @return 1 and the microseconds, or 0. */
static int span_of(long double *usec, const char *word)
{
    static const struct {
        const char *unit;
        long double usec;
    } row[] = {{"", 1e6L},     {"ms", 1e3L},   {"s", 1e6L},    {"m", 60e6L},
               {"min", 60e6L}, {"h", 3600e6L}, {"d", 86400e6L}};
    size_t digits = strspn(word, DIGITS);

    for (size_t i = 0; digits && i < sizeof(row) / sizeof(row[0]); i++) {
        if (!strcasecmp(word + digits, row[i].unit)) {
            *usec = strtold(word, NULL) * row[i].usec;
            return 1;
        }
    }
    return 0;
}

/* ---- what must hold ---- */

static void must_complain(apr_pool_t *pool, const char *word,
                          const char *remedy)
{
    static const char start[] = "AuthGuardAny: '";
    const char *message =
        guard_args_complain(pool, "AuthGuardAny", word, remedy);
    size_t length = strlen(message), end = strlen(remedy);

    fuzz_must(!strncmp(message, start, sizeof(start) - 1),
              "a message names its directive");
    fuzz_must(length > end + 3 && !strcmp(message + length - end, remedy) &&
                  !strncmp(message + length - end - 3, "': ", 3),
              "and ends with the remedy");
    fuzz_must(length <= sizeof(start) + 3 * GUARD_ARGS_SHOWN_MAX + 6 + end,
              "and has an end");
    fuzz_must(strlen(word) <= GUARD_ARGS_SHOWN_MAX ||
                  !strncmp(message + length - end - 6, "...': ", 6),
              "and says where a word was cut");
    for (const char *at = message; *at; at++) {
        fuzz_must(*at >= ' ' && *at <= '~', "and is plain ASCII");
    }
}

static void try_duration(apr_pool_t *pool, const char *word)
{
    apr_interval_time_t usec = -7;
    long double mine = 0;
    const char *remedy = guard_args_duration(&usec, word);
    int is_span = span_of(&mine, word);

    fuzz_must((remedy == NULL) == is_span, "one opinion on what is a time");
    if (remedy) {
        fuzz_must(usec == -7, "a refused time leaves the result alone");
        must_complain(pool, word, remedy);
    } else if (mine < 9e15L) {
        fuzz_must(usec == (apr_interval_time_t)mine, "one length of a time");
    } else {
        fuzz_must(usec >= (apr_interval_time_t)9e15, "a long time is long");
    }
}

static void try_wait(apr_pool_t *pool, const char *word)
{
    apr_interval_time_t usec = -7;
    const char *remedy = guard_args_wait(&usec, word);

    if (remedy) {
        fuzz_must(usec == -7, "a refused wait leaves the result alone");
        must_complain(pool, word, remedy);
    } else {
        fuzz_must(usec >= 1000 && usec <= 60 * 1000000, "a wait is 1ms to 60s");
    }
}

static void try_numbers(apr_pool_t *pool, const char *word)
{
    uint32_t clients = 7;
    unsigned checks = 7;
    uint8_t bits = 7;
    const char *remedy = guard_args_clients(&clients, word);

    fuzz_must((remedy == NULL) == is_within(word, 64, 16777216),
              "clients: the range");
    fuzz_must(clients == (remedy ? 7 : number_of(word)), "clients: the value");
    if (remedy) {
        must_complain(pool, word, remedy);
    }
    remedy = guard_args_checks(&checks, word);
    fuzz_must((remedy == NULL) == is_within(word, 1, 10000),
              "checks: the range");
    fuzz_must(checks == (remedy ? 7 : number_of(word)), "checks: the value");
    if (remedy) {
        must_complain(pool, word, remedy);
    }
    fuzz_must(guard_args_prefix(&bits, word, 8, 32) == is_within(word, 8, 32),
              "prefix: the range for IPv4");
    bits = 7;
    fuzz_must(guard_args_prefix(&bits, word, 16, 128) ==
                  is_within(word, 16, 128),
              "prefix: the range for IPv6");
    fuzz_must(bits == (is_within(word, 16, 128) ? number_of(word) : 7),
              "prefix: the value");
}

static void try_scope(apr_pool_t *pool, const char *word)
{
    const char *remedy = guard_args_scope(word);
    size_t length = strlen(word);
    int good = length >= 1 && length <= 64;

    for (const char *at = word; *at; at++) {
        good =
            good && ((*at >= '0' && *at <= '9') || (*at >= 'A' && *at <= 'Z') ||
                     (*at >= 'a' && *at <= 'z') || *at == '.' || *at == '_' ||
                     *at == '-');
    }
    fuzz_must((remedy == NULL) == good, "one opinion on the name of a scope");
    if (remedy) {
        must_complain(pool, word, remedy);
    }
}

/* What the words promise, if they are accepted. */
static void must_fit(const guard_policy_t *policy, const char *rate,
                     guard_place_e place)
{
    uint64_t longest = place == GUARD_PLACE_HTACCESS ? DAY_USEC : 30 * DAY_USEC;
    long double window = 0;

    fuzz_must(policy->limit >= 1 && policy->limit <= 1000, "N is 1 to 1000");
    fuzz_must(policy->limit == number_of(rate), "N is what was written");
    fuzz_must(policy->window_usec >= 1000000 &&
                  (uint64_t)policy->window_usec <= 7 * DAY_USEC,
              "a window is 1s to 7d");
    fuzz_must(span_of(&window, strchr(rate, '/') + 1) &&
                  policy->window_usec == (apr_interval_time_t)window,
              "and what was written");
    fuzz_must(policy->lockout_usec >= 1000000 &&
                  (uint64_t)policy->lockout_usec <= longest,
              "a lockout is 1s to 30d, 1d in .htaccess");
    fuzz_must(policy->lockout_max_usec >= policy->lockout_usec &&
                  (uint64_t)policy->lockout_max_usec <= longest,
              "max is no less, and in the same range");
}

static void try_limit(apr_pool_t *pool, const char *const *word,
                      guard_place_e place)
{
    static const guard_limit_t blank;
    guard_limit_t limit = blank;
    const char *culprit = "nobody";
    const char *remedy = guard_args_limit(&limit, word, place, &culprit);

    if (remedy) {
        fuzz_must(!memcmp(&limit, &blank, sizeof(limit)),
                  "a refused limit leaves the result alone");
        for (; culprit && *word && culprit != *word; word++) {
        }
        fuzz_must(!culprit || culprit == *word,
                  "the culprit is one of the words");
        must_complain(pool, culprit ? culprit : "", remedy);
        return;
    }
    if (limit.state == GUARD_LIMIT_NONE) {
        fuzz_must(!strcasecmp(word[0], "none") && !word[1], "none is alone");
        return;
    }
    fuzz_must(limit.state == GUARD_LIMIT_SET, "a limit is set");
    must_fit(&limit.policy, word[0], place);
}

static void try_option(const char *word)
{
    const char *value = guard_args_option(word, "max");
    const char *equals = strchr(word, '=');
    int is_max = equals == word + 3 && !strncasecmp(word, "max", 3);

    fuzz_must(value == (is_max ? equals + 1 : NULL), "an option is NAME=");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_begin();
    const char *word[WORDS_MAX + 1] = {NULL};
    size_t count = 0;

    while (count < WORDS_MAX && (size || !count)) {
        const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
        size_t length = end ? (size_t)(end - data) : size;

        word[count++] = fuzz_text(pool, data, length);
        data += length + (end != NULL);
        size -= length + (end != NULL);
    }
    try_duration(pool, word[0]);
    try_wait(pool, word[0]);
    try_numbers(pool, word[0]);
    try_scope(pool, word[0]);
    try_option(word[0]);
    try_limit(pool, word, GUARD_PLACE_SERVER);
    try_limit(pool, word, GUARD_PLACE_HTACCESS);
    try_limit(pool, word + count, GUARD_PLACE_SERVER);
    fuzz_end();
    return 0;
}
