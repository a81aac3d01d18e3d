/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_names.c owns the words for counters, states and entries. It
 * knows nothing of who shows them, nor where.
 *
 * Invariant: a name that was once shown keeps its meaning; scripts and
 * dashboards have it written down.
 */
#include "guard_store_names.h"

#include <apr_strings.h>

static const char *const COUNTER_NAMES[GUARD_COUNT_MAX] = {
    [GUARD_COUNT_OK] = "attempts_ok",
    [GUARD_COUNT_FAILED] = "attempts_failed",
    [GUARD_COUNT_REPEAT] = "attempts_repeat",
    [GUARD_COUNT_LOCKED] = "attempts_locked",
    [GUARD_COUNT_BUSY] = "attempts_busy",
    [GUARD_COUNT_OVERLOAD] = "attempts_overload",
    [GUARD_COUNT_ABANDONED] = "attempts_abandoned",
    [GUARD_COUNT_EXEMPT] = "attempts_exempt",
    [GUARD_COUNT_REFUSED_LOCKED] = "refused_locked",
    [GUARD_COUNT_REFUSED_REPEAT] = "refused_repeat",
    [GUARD_COUNT_REFUSED_BUSY] = "refused_busy",
    [GUARD_COUNT_REFUSED_OVERLOAD] = "refused_overload",
    [GUARD_COUNT_LOCKOUTS] = "lockouts",
    [GUARD_COUNT_EVICTIONS] = "evictions",
    [GUARD_COUNT_OVERFLOW] = "overflow",
    [GUARD_COUNT_RECOVERIES] = "recoveries",
};

const char *guard_counter_name(guard_counter_e counter)
{
    return COUNTER_NAMES[counter];
}

guard_number_t guard_stats_number(const guard_stats_t *stats, unsigned index)
{
    const guard_number_t gauge[GUARD_NUMBER_GAUGES] = {
        {"clients_locked", stats->clients_locked},
        {"clients_tracked", stats->clients_tracked},
        {"table_size", stats->table_size},
    };
    guard_number_t counter;

    if (index < GUARD_NUMBER_GAUGES) {
        return gauge[index];
    }
    index -= GUARD_NUMBER_GAUGES;
    counter.name = COUNTER_NAMES[index];
    counter.value = stats->counter[index];
    return counter;
}

const char *guard_phase_name(guard_phase_e phase)
{
    switch (phase) {
    case GUARD_PHASE_LOCKED:
        return "locked";
    case GUARD_PHASE_WINDOW:
        return "counting";
    case GUARD_PHASE_CALM:
        break;
    }
    return "calm";
}

const char *guard_entry_client(char buf[GUARD_CIDR_TEXT_MAX],
                               const guard_entry_t *entry)
{
    if (entry->bits == 0) {
        return NULL;
    }
    if (entry->bits == GUARD_ADDR_BITS) {
        return guard_addr_format(buf, &entry->addr);
    }
    return guard_cidr_format(buf, &entry->addr, entry->bits);
}

apr_int64_t guard_entry_seconds(const guard_entry_t *entry)
{
    return apr_time_sec(entry->remaining_usec + APR_USEC_PER_SEC - 1);
}

const char *guard_entry_json(char buf[GUARD_ENTRY_JSON_BYTES],
                             const guard_entry_t *entry, const char *scope)
{
    char address[GUARD_CIDR_TEXT_MAX];
    const char *client = guard_entry_client(address, entry);
    const char *quote = client ? "\"" : "";

    apr_snprintf(
        buf, GUARD_ENTRY_JSON_BYTES,
        "{\"client\":%s%s%s,\"key\":\"%s\",\"scope\":\"%s\","
        "\"state\":\"%s\",\"observed\":%s,\"failures\":%u,\"limit\":%u,"
        "\"level\":%u,\"remaining_sec\":%" APR_INT64_T_FMT
        ",\"since_sec\":%" APR_INT64_T_FMT ",\"in_flight\":%u}",
        quote, client ? client : "null", quote, guard_kind_name(entry->kind),
        scope, guard_phase_name(entry->phase),
        entry->counted == GUARD_COUNTED_OBSERVED ? "true" : "false",
        entry->failures, entry->limit, entry->level, guard_entry_seconds(entry),
        apr_time_sec(entry->since_usec), entry->in_flight);
    return buf;
}
