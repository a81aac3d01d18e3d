/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_attempt.h: one request's way through the guard.
 *
 * What it found is kept as a view (guard_chain.h) for the page, the headers,
 * the variables and the log.
 */
#ifndef GUARD_ATTEMPT_H
#define GUARD_ATTEMPT_H

#include <httpd.h>

/** check_authn, before everybody else: reserve, run the real check, settle. */
int guard_attempt_check_authn(request_rec *r);

/** fixups: authorization let this request through. */
int guard_attempt_fixups(request_rec *r);

#endif
