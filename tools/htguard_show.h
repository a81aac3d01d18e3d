/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * htguard_show.h: how htguard words counters, actions and troubles, and its
 * JSON.
 */
#ifndef HTGUARD_SHOW_H
#define HTGUARD_SHOW_H

#include "guard_store.h"

#define HTGUARD_SHOWN_MAX 800 /* a scope's name, each byte as %XX */
#define HTGUARD_SPAN_BYTES 32 /* a span of time in writing */

/** The version of all JSON that htguard writes. A member that is there keeps
 *  its name and meaning as long as this stays; members may be added. */
#define HTGUARD_JSON_VERSION 1

/** What was unlocked, and by whom. What was not given is NULL. */
typedef struct htguard_unlocked_t {
    const char *client;
    const char *user;
    const char *scope;
    unsigned count;
    const char *by;
} htguard_unlocked_t;

/**
 * Call first. Where standard input, output or error is closed, the store's
 * file would be opened in its place, and what is printed be written into it:
 * put something there that takes no output.
 * @return 1, or 0 if that can't be done
 */
int htguard_show_begin(void);

/** Write a time in its two largest units, named as in directives.
 *  @return out */
const char *htguard_show_span(char out[HTGUARD_SPAN_BYTES], apr_int64_t sec);

/** The beginning of every JSON object of htguard. */
void htguard_show_json_begin(void);

/** One record as a JSON object. */
void htguard_show_json(const guard_entry_t *entry);

/** The first count of the numbers, a line each, or as a JSON object. */
void htguard_show_stats(const guard_stats_t *stats, unsigned count, int json);

/** The audit line; docs/log.md has it among the server's. Or the same as a
 *  JSON object. */
void htguard_show_unlocked(const htguard_unlocked_t *what, int json);

/** @return what would help against a store's error, or NULL. */
const char *htguard_show_remedy(apr_status_t rv);

/** @return the name of whoever asks, also behind sudo. */
const char *htguard_show_user_name(apr_pool_t *pool);

/** @return text with every %XX undone, so that a name can be given as it was
 *  printed. */
char *htguard_show_unescape(apr_pool_t *pool, const char *text);

#endif
