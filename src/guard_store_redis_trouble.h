/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_trouble.h: what went wrong with a server, in words that
 * may stand in a log.
 *
 * Pure functions: any thread, at any time. What they write is printable ASCII
 * and cut to its room; any other byte, and '%', is %XX.
 */
#ifndef GUARD_STORE_REDIS_TROUBLE_H
#define GUARD_STORE_REDIS_TROUBLE_H

#include "guard_store_redis_wire.h"

/** Write words of ours, the system's or a library's. */
void guard_redis_trouble_say(char trouble[GUARD_REDIS_TROUBLE_MAX],
                             const char *text);

/**
 * Write a reply that should not have come: an error by its text, any other by
 * its kind. Where a part of the text could be a part of the password, which a
 * server may repeat, no more is told than the error's code, if that is one of
 * Redis's own.
 * @param password NULL: none
 */
void guard_redis_trouble_quote(char trouble[GUARD_REDIS_TROUBLE_MAX],
                               const guard_redis_reply_t *reply,
                               const char *password);

#endif
