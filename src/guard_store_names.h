/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_names.h: what people and programs call what a store tells.
 *
 * htguard, the status page and the metrics take their words from here, so
 * that a thing has one name wherever it is shown. Pure functions: any thread,
 * at any time.
 */
#ifndef GUARD_STORE_NAMES_H
#define GUARD_STORE_NAMES_H

#include "guard_store.h"

/** The version of all that is built from here: the newest in CHANGES. */
#define GUARD_VERSION "0.1.0"

/** One number of guard_stats_t under its name. */
typedef struct guard_number_t {
    const char *name; /* "attempts_ok": small letters and underscores */
    uint64_t value;
} guard_number_t;

/** The numbers of guard_stats_t: what is there now, then the counters. */
#define GUARD_NUMBER_GAUGES 3
#define GUARD_NUMBER_COUNT (GUARD_NUMBER_GAUGES + GUARD_COUNT_MAX)

/** @return number index, 0 to GUARD_NUMBER_COUNT - 1; from
 *  GUARD_NUMBER_GAUGES on they are counters, in the order of
 *  guard_counter_e. */
guard_number_t guard_stats_number(const guard_stats_t *stats, unsigned index);

/** @return the counter's name. */
const char *guard_counter_name(guard_counter_e counter);

/** @return "locked", "counting" or "calm". */
const char *guard_phase_name(guard_phase_e phase);

/** Write the entry's address or network. @return buf, or NULL where it has
 *  none: a user, or the shared overflow. */
const char *guard_entry_client(char buf[GUARD_CIDR_TEXT_MAX],
                               const guard_entry_t *entry);

/** @return whole seconds of the lockout or the window that remain, rounded
 *  up: a lockout never shows as 0. */
apr_int64_t guard_entry_seconds(const guard_entry_t *entry);

/** Room for a scope's name with each byte as %XX, and for an entry as JSON
 *  around one. */
#define GUARD_SCOPE_SHOWN_BYTES (3 * sizeof(((guard_entry_t *)0)->scope_name))
#define GUARD_ENTRY_JSON_BYTES (GUARD_SCOPE_SHOWN_BYTES + 400)

/**
 * Write the entry as a JSON object.
 * @param scope its scope_name by guard_text_encode()
 * @return buf
 */
const char *guard_entry_json(char buf[GUARD_ENTRY_JSON_BYTES],
                             const guard_entry_t *entry, const char *scope);

#endif
