/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status_machine_prometheus.c owns the metrics: which number is which
 * metric, and what is said of it. It knows nothing of clients.
 *
 * Invariant: labels have fixed values, all of them there from the first scrape
 * on, and no address stands in one: a guesser can't make a new time series.
 */
#include "guard_status_machine.h"
#include "guard_store_names.h"

#include <http_protocol.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The counters that make one metric: "attempts_ok" and those that follow are
 * authguard_attempts_total{outcome="ok"} and so on. */
static const struct {
    guard_counter_e first;
    guard_counter_e last;
    const char
        *label; /* NULL: none, the counter's whole name is the metric's */
    const char *help;
} COUNTERS[] = {
    {GUARD_COUNT_OK, GUARD_COUNT_EXEMPT, "outcome",
     "Log-in attempts, by how they ended."},
    {GUARD_COUNT_REFUSED_LOCKED, GUARD_COUNT_REFUSED_OVERLOAD, "reason",
     "Requests refused without looking at a password."},
    {GUARD_COUNT_LOCKOUTS, GUARD_COUNT_LOCKOUTS, NULL, "Lockouts that began."},
    {GUARD_COUNT_EVICTIONS, GUARD_COUNT_EVICTIONS, NULL,
     "Clients forgotten early to make room in the table."},
    {GUARD_COUNT_OVERFLOW, GUARD_COUNT_OVERFLOW, NULL,
     "Attempts counted in a shared record because the table had no room."},
    {GUARD_COUNT_RECOVERIES, GUARD_COUNT_RECOVERIES, NULL,
     "Changes of a killed process that were undone."},
};

static const char *const GAUGES[GUARD_NUMBER_GAUGES] = {
    "Clients that are locked out now.",
    "Clients that the table holds now.",
    "Clients that the table can hold.",
};

/* In the order of guard_fallback_e; a store without a server never does. */
static const char *const FALLBACK_CAUSES[GUARD_FALLBACK_MAX] = {
    "timeout", "connection", "reply", "breaker"};

static void send_head(request_rec *r, const char *name, int length,
                      const char *kind, const char *help)
{
    const char *total = strcmp(kind, "counter") ? "" : "_total";

    ap_rprintf(r, "# HELP authguard_%.*s%s %s\n# TYPE authguard_%.*s%s %s\n",
               length, name, total, help, length, name, total, kind);
}

static void send_counters(request_rec *r, const guard_stats_t *stats)
{
    for (apr_size_t i = 0; i < LENGTH(COUNTERS); i++) {
        const char *label = COUNTERS[i].label;
        const char *name = guard_counter_name(COUNTERS[i].first);
        int length = (int)(label ? strcspn(name, "_") : strlen(name));

        send_head(r, name, length, "counter", COUNTERS[i].help);
        for (guard_counter_e n = COUNTERS[i].first; n <= COUNTERS[i].last;
             n++) {
            ap_rprintf(r, "authguard_%.*s_total", length, name);
            if (label) {
                ap_rprintf(r, "{%s=\"%s\"}", label,
                           guard_counter_name(n) + length + 1);
            }
            ap_rprintf(r, " %" APR_UINT64_T_FMT "\n",
                       (apr_uint64_t)stats->counter[n]);
        }
    }
}

static void send_gauges(request_rec *r, const guard_stats_t *stats)
{
    for (unsigned i = 0; i < GUARD_NUMBER_GAUGES; i++) {
        guard_number_t gauge = guard_stats_number(stats, i);

        send_head(r, gauge.name, (int)strlen(gauge.name), "gauge", GAUGES[i]);
        ap_rprintf(r, "authguard_%s %" APR_UINT64_T_FMT "\n", gauge.name,
                   (apr_uint64_t)gauge.value);
    }
}

static void send_fallbacks(request_rec *r, const guard_stats_t *stats)
{
    static const char NAME[] = "store_fallback";

    send_head(r, NAME, (int)strlen(NAME), "counter",
              "Operations done without the store's server.");
    for (apr_size_t i = 0; i < LENGTH(FALLBACK_CAUSES); i++) {
        ap_rprintf(r,
                   "authguard_%s_total{cause=\"%s\"} %" APR_UINT64_T_FMT "\n",
                   NAME, FALLBACK_CAUSES[i], (apr_uint64_t)stats->fallback[i]);
    }
}

void guard_status_machine_prometheus(request_rec *r,
                                     const guard_status_t *status)
{
    ap_rprintf(
        r,
        "# HELP authguard_build_info The module's version.\n"
        "# TYPE authguard_build_info gauge\n"
        "authguard_build_info{version=\"" GUARD_VERSION "\"} 1\n"
        "# HELP authguard_store_up 1 if the store could be read, and its "
        "server answers.\n"
        "# TYPE authguard_store_up gauge\n"
        "authguard_store_up %d\n",
        status->is_up && !status->stats.is_down);
    if (!status->is_up) {
        return;
    }
    send_gauges(r, &status->stats);
    send_counters(r, &status->stats);
    send_fallbacks(r, &status->stats);
}
