/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status_machine.c owns the choice between the forms for programs, and
 * the simplest of them. It knows nothing of who may ask.
 *
 * Invariant: where the store could not be read, a number is left out and
 * never told as 0: a counter that falls to 0 means that the file is new.
 */
#include "guard_status_machine.h"
#include "guard_store_names.h"

#include <apr_lib.h>
#include <http_protocol.h>

typedef void form_fn(request_rec *r, const guard_status_t *status);

static const struct {
    const char *name;
    const char *content_type;
    form_fn *send;
} FORMS[] = {
    {"auto", "text/plain; charset=utf-8", guard_status_machine_auto},
    {"json", "application/json", guard_status_machine_json},
    {"prometheus", "text/plain; version=0.0.4; charset=utf-8",
     guard_status_machine_prometheus},
};

int guard_status_machine(request_rec *r, const guard_status_t *status,
                         const char *form)
{
    for (apr_size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
        if (!strcmp(form, FORMS[i].name)) {
            ap_set_content_type(r, FORMS[i].content_type);
            FORMS[i].send(r, status);
            return OK;
        }
    }
    return HTTP_NOT_FOUND;
}

/* "clients_locked" as AuthGuardClientsLocked. */
static void send_key(request_rec *r, const char *name)
{
    int is_first = 1;

    ap_rputs("AuthGuard", r);
    for (; *name; name++) {
        if (*name != '_') {
            ap_rputc(is_first ? apr_toupper(*name) : *name, r);
        }
        is_first = *name == '_';
    }
}

void guard_status_machine_auto(request_rec *r, const guard_status_t *status)
{
    ap_rprintf(r, "AuthGuardVersion: " GUARD_VERSION "\nAuthGuardStoreUp: %d\n",
               status->is_up != 0);
    for (unsigned i = 0; status->is_up && i < GUARD_NUMBER_COUNT; i++) {
        guard_number_t number = guard_stats_number(&status->stats, i);

        send_key(r, number.name);
        ap_rprintf(r, ": %" APR_UINT64_T_FMT "\n", (apr_uint64_t)number.value);
    }
}
