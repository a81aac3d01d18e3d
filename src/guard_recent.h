/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_recent.h: what the guard worked out for a connection's last request.
 *
 * A browser asks for a page and its thirty pictures over one connection, with
 * the same credentials. Whose they are, and what guess they make, is the same
 * each time. It is kept here, as hashes; no credentials are.
 */
#ifndef GUARD_RECENT_H
#define GUARD_RECENT_H

#include "guard_key.h"

#include <httpd.h>

/** One connection's memory. All zero: nothing known. */
typedef struct guard_recent_t {
    guard_client_t client; /* sealed; id 0: none */
    guard_guess_t guess;
    uint64_t header;   /* hash of the header that made the guess; 0: none */
    const char *realm; /* in that realm: the configuration's own string */
} guard_recent_t;

/**
 * @return the connection's memory, made on first use; NULL where requests run
 * side by side (HTTP/2). Of the thread that handles the request.
 */
guard_recent_t *guard_recent_of(request_rec *r);

/** As guard_client_seal for a client without a user, but looked up first. */
void guard_recent_seal(guard_recent_t *recent, guard_client_t *client,
                       const guard_secret_t *secret);

#endif
