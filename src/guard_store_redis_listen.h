/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_listen.h: a child's ear for what happens to clients at
 * other servers.
 *
 * One connection is subscribed to <prefix>:events. "locked" there raises a
 * doubt for all proofs in the memory, "unlocked" forgets its lockouts. A child
 * whose subscription does not stand may have missed some, so it believes only
 * what was asked since its own began. Any thread of the child may call at any
 * time.
 */
#ifndef GUARD_STORE_REDIS_LISTEN_H
#define GUARD_STORE_REDIS_LISTEN_H

#include "guard_store_redis_memory.h"
#include "guard_store_redis_resolve.h"

#define GUARD_REDIS_MEND_USEC apr_time_from_sec(1) /* from try to try */

typedef struct guard_redis_listen_t guard_redis_listen_t;

/**
 * In child_init; no I/O. It lasts till the end of the process.
 * @param target, prefix last as long
 * @return APR_SUCCESS or the system's error
 */
apr_status_t guard_redis_listen_create(guard_redis_listen_t **listen,
                                       const guard_redis_target_t *target,
                                       const char *prefix,
                                       guard_redis_memory_t *memory);

/**
 * Before the memory is believed: hear what has come, and do to it what
 * follows. Waits for nothing but another look.
 * @return since when the subscription stands, for guard_redis_memory_find; 0:
 * it does not
 */
uint64_t guard_redis_listen_look(guard_redis_listen_t *listen);

/** @return 1 if the subscription does not stand and it is time to try again,
 *  else 0. Cheap. */
int guard_redis_listen_is_due(const guard_redis_listen_t *listen,
                              uint64_t now_usec);

/**
 * Subscribe, if it is due and no other thread does.
 * @param found the server's addresses
 * @return FINE if the subscription stands then, or somebody else is at it; or
 * why not
 */
guard_redis_cause_e guard_redis_listen_mend(guard_redis_listen_t *listen,
                                            const guard_redis_found_t *found,
                                            uint64_t now_usec,
                                            uint64_t deadline_usec);

/** End the subscription; no other thread may be in a call. */
void guard_redis_listen_destroy(guard_redis_listen_t *listen);

#endif
