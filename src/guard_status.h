/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_status.h: the status page, and what its forms have in common.
 *
 * The handler `auth-guard-status` answers where AuthGuardStatus is On or
 * Actions: a page for people, and forms for programs
 * (guard_status_machine.h).
 */
#ifndef GUARD_STATUS_H
#define GUARD_STATUS_H

#include "guard_store.h"

#include <httpd.h>

/** What every form of the status tells. */
typedef struct guard_status_t {
    guard_store_t *store;
    uint64_t now_usec; /* guard_store_clock() */
    int is_up;         /* 0: the store could not be read */
    apr_status_t rv;   /* why not */
    guard_stats_t stats;
    int may_act; /* AuthGuardStatus Actions */
} guard_status_t;

/** The handler `auth-guard-status`. */
int guard_status_handler(request_rec *r);

#endif
