/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * htguard_show.h: how htguard shows records, counters and troubles.
 */
#ifndef HTGUARD_SHOW_H
#define HTGUARD_SHOW_H

#include "guard_store.h"

#define HTGUARD_SHOWN_MAX 800 /* a scope's name, each byte as %XX */

/**
 * Call first. Where standard input, output or error is closed, the store's
 * file would be opened in its place, and what is printed be written into it:
 * put something there that takes no output.
 * @return 1, or 0 if that can't be done
 */
int htguard_show_begin(void);

/** The head of the table, and one record as a row of it. The scope comes
 *  last, for its length has no bound worth a column. */
void htguard_show_heading(void);
void htguard_show_row(const guard_entry_t *entry);

/** One record as a JSON object. */
void htguard_show_json(const guard_entry_t *entry);

/** The counters, a line each, or as a JSON object. */
void htguard_show_stats(const guard_stats_t *stats, int json);

/** The audit line; docs/log.md has it among the server's. Arguments that were
 *  not given are NULL. */
void htguard_show_unlocked(const char *client, const char *user,
                           const char *scope, unsigned count, const char *by);

/** @return what would help against a store's error, or NULL. */
const char *htguard_show_remedy(apr_status_t rv);

/** @return the name of whoever asks, also behind sudo. */
const char *htguard_show_user_name(apr_pool_t *pool);

/** @return text with every %XX undone, so that a name can be given as it was
 *  printed. */
char *htguard_show_unescape(apr_pool_t *pool, const char *text);

#endif
