/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status_machine_section.c owns what mod_status shows of the guard. It
 * names no client: who may see the server's state need not see addresses.
 *
 * Invariant: it calls nothing of mod_status, which may not be loaded; the
 * hook is asked for by name.
 */
#include "guard_server.h"
#include "guard_status_machine.h"
#include "guard_store_names.h"

#include <http_protocol.h>
#include <mod_status.h>

static guard_status_t look(void)
{
    guard_status_t status = {.store = guard_server_store(),
                             .now_usec = guard_store_clock(),
                             .rv = APR_ENOSTAT};

    if (status.store) {
        status.rv = status.store->ops->stats(status.store, status.now_usec,
                                             &status.stats);
    }
    status.is_up = status.rv == APR_SUCCESS;
    return status;
}

/* "attempts_ok" as "ok". */
static const char *outcome_name(guard_counter_e counter)
{
    return strchr(guard_counter_name(counter), '_') + 1;
}

static void send_attempts(request_rec *r, const guard_stats_t *stats)
{
    ap_rputs("<table>\n<tr><th>Outcome</th>", r);
    for (guard_counter_e i = GUARD_COUNT_OK; i <= GUARD_COUNT_EXEMPT; i++) {
        ap_rvputs(r, "<th>", outcome_name(i), "</th>", NULL);
    }
    ap_rputs("</tr>\n<tr><th>Attempts</th>", r);
    for (guard_counter_e i = GUARD_COUNT_OK; i <= GUARD_COUNT_EXEMPT; i++) {
        ap_rprintf(r, "<td>%" APR_UINT64_T_FMT "</td>",
                   (apr_uint64_t)stats->counter[i]);
    }
    ap_rputs("</tr>\n</table>\n", r);
}

static void send_html(request_rec *r, const guard_status_t *status)
{
    const guard_stats_t *stats = &status->stats;

    ap_rputs("<hr>\n<h2>Password guessing (mod_auth_guard)</h2>\n", r);
    if (!status->is_up) {
        ap_rputs("<p>The store can't be read: guarded directories refuse "
                 "log-ins.</p>\n",
                 r);
        return;
    }
    if (stats->is_down) {
        ap_rputs("<p>The store's server does not answer; what follows is what "
                 "this server knows by itself.</p>\n",
                 r);
    }
    ap_rprintf(r,
               "<p>Clients locked out: %" APR_UINT64_T_FMT
               ", tracked: %" APR_UINT64_T_FMT ", room for: %" APR_UINT64_T_FMT
               ". Lockouts so far: %" APR_UINT64_T_FMT ".</p>\n",
               (apr_uint64_t)stats->clients_locked,
               (apr_uint64_t)stats->clients_tracked,
               (apr_uint64_t)stats->table_size,
               (apr_uint64_t)stats->counter[GUARD_COUNT_LOCKOUTS]);
    send_attempts(r, stats);
}

int guard_status_machine_section(request_rec *r, int flags)
{
    guard_status_t status = look();

    if (flags & AP_STATUS_SHORT) {
        guard_status_machine_auto(r, &status);
    } else {
        send_html(r, &status);
    }
    return OK;
}
