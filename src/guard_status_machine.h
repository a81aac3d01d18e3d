/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_status_machine.h: the status for programs.
 *
 * None of these holds a lock while it writes, and none needs more memory for
 * more clients.
 */
#ifndef GUARD_STATUS_MACHINE_H
#define GUARD_STATUS_MACHINE_H

#include "guard_status.h"

/**
 * Send the status in that form: "auto", "json" or "prometheus". The handler
 * has set the common headers.
 * @return OK
 */
int guard_status_machine(request_rec *r, const guard_status_t *status,
                         const char *form);

/** Write `Key: value` lines, as server-status?auto has them. */
void guard_status_machine_auto(request_rec *r, const guard_status_t *status);

/** Write docs/status.schema.json; what the query asks for narrows the list of
 *  clients. A query that can't be read sets the status 400. */
void guard_status_machine_json(request_rec *r, const guard_status_t *status);

/** Write the metrics of docs/metrics.md. */
void guard_status_machine_prometheus(request_rec *r,
                                     const guard_status_t *status);

/** mod_status's status_hook: our section of its page. */
int guard_status_machine_section(request_rec *r, int flags);

#endif
