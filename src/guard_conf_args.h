/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_conf_args.h: from the words of a directive to checked values.
 *
 * Pure functions of their arguments. Each reader of a word returns NULL and
 * sets *out, or returns what would be right, as the end of a sentence
 * ("the window must be at least 1s"), and leaves *out untouched. A setter
 * puts the directive and the word in front of it (guard_args_complain).
 */
#ifndef GUARD_CONF_ARGS_H
#define GUARD_CONF_ARGS_H

#include "guard_checks.h"
#include "guard_policy.h"
#include <apr_pools.h>

/** Where a directive stands, for the limits that differ there. */
typedef enum {
    GUARD_PLACE_SERVER = 1, /* the server's configuration */
    GUARD_PLACE_HTACCESS
} guard_place_e;

/** AuthGuardLimit for one KEY. */
typedef struct guard_limit_t {
    enum { GUARD_LIMIT_UNSET = 0, GUARD_LIMIT_NONE, GUARD_LIMIT_SET } state;
    guard_policy_t policy; /* SET */
} guard_limit_t;

#define GUARD_LOCKOUT_USEC_MIN apr_time_from_sec(1)
#define GUARD_LOCKOUT_USEC_MAX_HTACCESS apr_time_from_sec(86400)

#define GUARD_WAIT_USEC_MIN apr_time_from_msec(1)
#define GUARD_SCOPE_NAME_MAX 64
#define GUARD_PREFIX_V4_MIN 8
#define GUARD_PREFIX_V4_MAX 32
#define GUARD_PREFIX_V6_MIN 16
#define GUARD_PREFIX_V6_MAX 128

/** Bytes of a word that a message shows; the rest becomes "...". */
#define GUARD_ARGS_SHOWN_MAX 64

/**
 * Make "DIRECTIVE: 'WORD': REMEDY". What a terminal or a log could take for
 * a command (control characters, bytes above 0x7e) is percent-encoded.
 * @return the message in pool
 */
const char *guard_args_complain(apr_pool_t *pool, const char *directive,
                                const char *word, const char *remedy);

/**
 * Read a span of time: digits and one of ms, s, min, m (minutes), h, d in
 * any case; without a unit, seconds. What would overflow becomes the largest
 * span, for the caller's range check to refuse.
 */
const char *guard_args_duration(apr_interval_time_t *out, const char *word);

/**
 * Read what follows the KEY of AuthGuardLimit: "none", or N/WINDOW and
 * options.
 * @param word ends with NULL
 * @param culprit set to the word that the complaint is about; NULL if one
 * is missing
 */
const char *guard_args_limit(guard_limit_t *out, const char *const *word,
                             guard_place_e place, const char **culprit);

/** Read a prefix length. @return 1, or 0 if it is not min to max, with *out
 *  untouched. */
int guard_args_prefix(uint8_t *out, const char *word, unsigned min,
                      unsigned max);

/** Check the name of a scope. */
const char *guard_args_scope(const char *word);

/** Read the size of the shared table. */
const char *guard_args_clients(uint32_t *out, const char *word);

/** Read how many checks there may be. */
const char *guard_args_checks(unsigned *out, const char *word);

/** Read how long a request may wait. */
const char *guard_args_wait(apr_interval_time_t *out, const char *word);

/** @return what follows "NAME=" if word begins with it (any case), or
 *  NULL. */
const char *guard_args_option(const char *word, const char *name);

#endif
